"""Which differences only a call can have made, and which of them no known call explains."""

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from finding_builders import change
from network_builders import (
    NOW,
    SCOPE,
    VPC,
    acl,
    admits,
    allow,
    build_snapshot,
    deny,
    eni,
    gateway,
    group,
    interface,
    nat,
    prefix_list,
    route,
    subnet,
    table,
)
from posture.attribution.missing_calls import find_missing_calls
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Facet, RouteOrigin

IGW = route("0.0.0.0/0", "igw-1")
PROPAGATED = RouteOrigin.PROPAGATED


def find(before: Any, after: Any, *changes: Any) -> list[tuple[str, str, str]]:
    """Return the differences without a call: part, id and field."""
    found = find_missing_calls(before, after, changes)
    return [(each.part, each.id, each.name) for each in found]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([table("a")], [table("a", IGW)], ("route_tables", "rtb-a", "routes")),
        ([table("a", IGW)], [table("a")], ("route_tables", "rtb-a", "routes")),
        ([table("a")], [table("a", subnets=["x"])], ("route_tables", "rtb-a", "associations")),
        ([group("g")], [group("g", admits("10.0.0.0/8"))], ("security_groups", "sg-g", "ingress")),
        (
            [acl("n", allow(1), subnets=[])],
            [acl("n", deny(1), subnets=[])],
            ("network_acls", "acl-n", "entries"),
        ),
        ([gateway("s3")], [gateway("s3", policy="{}")], ("endpoints", "vpce-s3", "policy")),
        (
            [gateway("s3", tables=["a"])],
            [gateway("s3")],
            ("endpoints", "vpce-s3", "route_table_ids"),
        ),
        ([gateway("s3")], [], ("endpoints", "vpce-s3", "")),
        (
            [interface("k")],
            [interface("k", private_dns=False)],
            ("endpoints", "vpce-k", "private_dns"),
        ),
        ([], [subnet("x")], ("subnets", "subnet-x", "")),
        (
            [prefix_list("pl-1", "10.0.0.0/8")],
            [prefix_list("pl-1", "10.0.0.0/9")],
            ("prefix_lists", "pl-1", "cidrs"),
        ),
    ],
)
def test_what_a_call_changes_has_a_call(
    before: list[Any], after: list[Any], expected: tuple[str, str, str]
) -> None:
    """It is explained by any known call that names the resource, and by no other."""
    was, now = build_snapshot(*before), build_snapshot(*after)
    assert set(find(was, now)) == {expected}
    assert not find(was, now, change("e-1", expected[1]))
    assert find(was, now, change("e-1", "rtb-other", SCOPE.subject))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([interface("k", state="pending")], [interface("k")]),
        ([interface("k", state="rejected")], []),
        ([interface("k", state="deleting")], []),
        ([interface("k")], [interface("k", network_interface_ids=("eni-1",))]),
        ([table("a")], [table("a", route("10.9.0.0/16", "vgw-1", origin=PROPAGATED))]),
        ([table("a", IGW)], [table("a", replace(IGW, blackhole=True))]),
        ([table("a", replace(IGW, blackhole=True))], [table("a", IGW)]),
        ([nat("n")], [replace(nat("n"), state="failed")]),
        ([], [eni("a", "x")]),
        (
            [prefix_list("pl-s3", "10.0.0.0/8", owner="AWS")],
            [prefix_list("pl-s3", "10.0.0.0/9", owner="AWS")],
        ),
        (
            [prefix_list("pl-1", "10.0.0.0/8", owner="222222222222")],
            [prefix_list("pl-1", "10.0.0.0/9", owner="222222222222")],
        ),
    ],
    ids=[
        "available",
        "rejected endpoint removed",
        "deletion finished",
        "interfaces of a service",
        "propagated route",
        "blackhole",
        "target back",
        "health",
        "interface",
        "list of AWS",
        "list of another account",
    ],
)
def test_what_happens_by_itself_needs_none(before: list[Any], after: list[Any]) -> None:
    """AWS makes these without a call, or in another account."""
    assert not find(build_snapshot(*before), build_snapshot(*after))


def test_a_call_that_names_the_vpc_explains_its_attributes_only() -> None:
    """Most calls name it, whatever they change in it."""
    before = build_snapshot(table("a"))
    vpc = replace(VPC, dns_hostnames=False, cidrs=(IPv4Network("10.1.0.0/16"),))
    after = build_snapshot(table("a", IGW), vpc=vpc)
    named = change("e-1", SCOPE.subject)
    assert len(find(before, after)) == 3
    assert find(before, after, named) == [("route_tables", "rtb-a", "routes")]


def test_what_could_not_be_read_is_no_difference() -> None:
    """A denied read looks like a deletion."""
    before = build_snapshot(gateway("s3"))
    assert not find(before, build_snapshot(unreadable={Facet.ENDPOINTS: "denied"}))


@pytest.mark.parametrize("name", ["dns_support", "dns_hostnames"])
def test_what_was_not_read_yet_is_no_difference(name: str) -> None:
    """DNS attributes are read in rotation, 200 VPCs in a sweep."""
    unread: dict[str, Any] = {name: None}
    before, after = build_snapshot(vpc=replace(VPC, **unread)), build_snapshot()
    assert not find(before, after)
    assert not find(after, before)


def test_tags_tell_nothing() -> None:
    """AWS sets tags, too."""
    tagged = build_snapshot(vpc=replace(VPC, tags={"env": "prod"}))
    assert not find(build_snapshot(), tagged)


def test_a_shared_vpc_tells_nothing() -> None:
    """Its participants' calls are recorded in their accounts."""
    shared = replace(VPC, owner="222222222222")
    assert not find(build_snapshot(vpc=shared), build_snapshot(table("a", IGW), vpc=shared))


def test_a_new_or_deleted_scope_tells_nothing() -> None:
    """Its findings are new for the first sweep, with or without events."""
    assert not find(None, build_snapshot())
    assert not find(build_snapshot(), None)


def test_a_service_is_opened_by_a_call_and_connected_to_by_others() -> None:
    """Consumers connect from their accounts."""
    service = EndpointServiceSnapshot(replace(SCOPE, subject="vpce-svc-1"), NOW, state="available")
    opened = replace(service, principals=("*",), state="pending")
    assert find(service, opened) == [("service", "vpce-svc-1", "principals")]
    assert not find(service, opened, change("e-1", "vpce-svc-1"))
