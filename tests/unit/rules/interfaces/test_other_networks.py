"""Interface endpoints that hosts in other networks can use."""

from dataclasses import replace
from typing import Any

import pytest

from network_builders import (
    CUSTOM,
    KMS,
    acl,
    admits,
    allow,
    build_snapshot,
    deny,
    eni,
    group,
    interface,
    open_acl,
    prefix_list,
    route,
    statuses,
    subnet,
    table,
    verdict_text,
    verdicts,
)
from posture.model.network import (
    EndpointType,
    Facet,
    GroupReference,
    Route,
    SecurityGroupRule,
    Snapshot,
)
from posture.model.verdict import Status

SHARED = "endpoint-open-to-other-networks"


def hub(*rules: SecurityGroupRule, routes: tuple[Route, ...] = (), more: Any = ()) -> Snapshot:
    """Build a KMS endpoint with these inbound rules in a subnet with these routes."""
    return build_snapshot(
        subnet("a", "a", "10.0.1.0/24"), table("main", *routes, main=True), open_acl("all", ["a"]),
        eni("1", "a", "10.0.1.9"), group("endpoints", *rules),
        interface("kms", KMS, network_interface_ids=("eni-1",), subnet_ids=("subnet-a",)), *more,
    )  # fmt: skip


@pytest.mark.parametrize("target", ["pcx-1", "tgw-1", "vgw-1", "core-1", "lgw-1"])
def test_an_allowed_network_with_a_return_route_fails(target: str) -> None:
    """The security group allows it, and a route leads back."""
    snapshot = hub(admits("10.0.0.0/8"), routes=(route("10.9.0.0/16", target),))
    verdict = verdicts(SHARED, snapshot)["vpce-kms"]
    assert verdict.status is Status.FAIL
    assert "can be used from other networks: 10.9.0.0/16" in verdict.summary
    assert f"rtb-main routes 10.9.0.0/16 to {target}." in verdict_text(verdict)
    assert {target, "sg-endpoints", "vpce-kms"} <= verdict.concerns


@pytest.mark.parametrize(
    ("rules", "routes"),
    [
        ([admits("10.0.0.0/16")], [route("10.9.0.0/16", "pcx-1")]),
        ([admits("10.0.0.0/8")], []),
        ([admits("10.0.0.0/8")], [route("10.9.0.0/16", "pcx-1", blackhole=True)]),
        ([admits("10.0.0.0/8")], [route("0.0.0.0/0", "igw-1")]),
        ([admits("10.0.0.0/8")], [route("10.9.0.0/16", "nat-1")]),
        ([admits("10.0.0.0/8", (80, 80))], [route("10.9.0.0/16", "pcx-1")]),
    ],
    ids=[
        "not admitted",
        "no way back",
        "a dead way back",
        "the internet is no neighbour",
        "a NAT is no neighbour",
        "another port",
    ],
)
def test_networks_that_cannot_use_the_endpoint(
    rules: list[SecurityGroupRule], routes: list[Route]
) -> None:
    """Both are required: an inbound rule for port 443 and a return route."""
    assert statuses(SHARED, hub(*rules, routes=tuple(routes))) == {"vpce-kms": Status.PASS}


def test_a_default_route_reaches_every_private_address() -> None:
    """Except the VPC's own, and as far as the security group allows."""
    verdict = verdicts(SHARED, hub(admits("10.0.0.0/15"), routes=(route("0.0.0.0/0", "tgw-1"),)))
    assert verdict["vpce-kms"].summary.endswith("from other networks: 10.1.0.0/16")


@pytest.mark.parametrize("target", ["tgw-1", "vgw-1", "pcx-1"])
def test_whether_public_addresses_are_behind_a_default_route_is_unknown(target: str) -> None:
    """A company may use public addresses of its own inside its networks."""
    routes = (route("0.0.0.0/0", target),)
    verdict = verdicts(SHARED, hub(admits("198.51.100.0/24"), routes=routes))["vpce-kms"]
    assert verdict.status is Status.UNKNOWN
    assert f"whether 198.51.100.0/24 is behind {target}" in verdict.summary


def test_an_open_security_group_is_reported_once() -> None:
    """By its own rule."""
    snapshot = hub(admits("0.0.0.0/0"), routes=(route("10.9.0.0/16", "pcx-1"),))
    assert statuses(SHARED, snapshot) == {"vpce-kms": Status.NOT_APPLICABLE}


def test_a_network_acl_blocks_other_networks() -> None:
    """Their requests or the return traffic."""
    guard = acl("all", deny(50, "10.9.0.0/16"), allow(100), allow(100, egress=True), subnets=["a"])
    snapshot = hub(admits("10.0.0.0/8"), routes=(route("10.9.0.0/16", "pcx-1"),), more=(guard,))
    assert statuses(SHARED, snapshot) == {"vpce-kms": Status.PASS}


def test_a_security_group_of_a_peered_vpc() -> None:
    """The evidence names it with its peering connection."""
    peer = GroupReference("sg-theirs", "vpc-9", "pcx-1")
    verdict = verdicts(SHARED, hub(replace(admits("sg-theirs"), group=peer)))["vpce-kms"]
    assert verdict.status is Status.FAIL
    assert "allows inbound traffic on port 443 from sg-theirs of vpc-9 over pcx-1" in verdict_text(
        verdict
    )
    assert "pcx-1" in verdict.concerns


def test_a_security_group_of_the_same_vpc_passes() -> None:
    """EC2 names the VPC of every referenced group."""
    own = GroupReference("sg-ours", "vpc-1")
    assert statuses(SHARED, hub(replace(admits("sg-ours"), group=own))) == {"vpce-kms": Status.PASS}


def test_an_unread_list_is_unknown() -> None:
    """It may admit another network; the finding says what denied the entries, and what to allow."""
    assert statuses(SHARED, hub(admits("pl-secret"))) == {"vpce-kms": Status.UNKNOWN}
    denied = {Facet.PREFIX_LISTS: "UnauthorizedOperation: no", Facet.DHCP_OPTIONS: "no"}
    unread = replace(hub(admits("pl-secret")), unreadable=denied)
    verdict = verdicts(SHARED, unread)["vpce-kms"]
    [fact] = verdict.evidence
    assert fact.text == "GetManagedPrefixListEntries: UnauthorizedOperation: no"
    assert verdict.remediation
    assert "Allow ec2:GetManagedPrefixListEntries" in verdict.remediation.text


def test_prefix_lists_in_groups_are_read() -> None:
    """A list admits what its entries hold."""
    listed = prefix_list("pl-own", "10.9.0.0/16")
    snapshot = hub(admits("pl-own"), routes=(route("10.9.0.0/16", "pcx-1"),), more=(listed,))
    assert statuses(SHARED, snapshot) == {"vpce-kms": Status.FAIL}


FIREWALL = (
    interface("fw", CUSTOM, type=EndpointType.GATEWAY_LOAD_BALANCER, subnet_ids=("subnet-fw",)),
    subnet("fw", "a", "10.0.2.0/24"),
)


@pytest.mark.parametrize(
    ("routes", "status"),
    [
        ([route("10.0.0.0/8", "tgw-1")], Status.FAIL),
        ([route("10.9.0.0/16", "pcx-1")], Status.FAIL),
        ([route("0.0.0.0/0", "igw-1")], Status.PASS),
        ([], Status.PASS),
        ([route("10.0.0.0/8", "eni-9")], Status.UNKNOWN),
        ([route("0.0.0.0/0", "vpce-fw")], Status.UNKNOWN),
    ],
)
def test_the_way_back_leads_through_a_firewall(routes: list[Route], status: Status) -> None:
    """As without the firewall; where it cannot be followed, unknown."""
    behind = table("fw", *routes, subnets=["fw"])
    way = (route("0.0.0.0/0", "vpce-fw"),)
    snapshot = hub(admits("10.0.0.0/8"), routes=way, more=(*FIREWALL, behind))
    assert statuses(SHARED, snapshot)["vpce-kms"] is status


@pytest.mark.parametrize("target", ["eni-9", "i-9", "vpce-gone", "mystery-1"])
def test_a_way_back_that_cannot_be_followed_is_unknown(target: str) -> None:
    """The answer names the target."""
    snapshot = hub(admits("10.0.0.0/8"), routes=(route("10.9.0.0/16", target),))
    verdict = verdicts(SHARED, snapshot)["vpce-kms"]
    assert verdict.status is Status.UNKNOWN
    assert target in verdict.summary


@pytest.mark.parametrize(
    ("name", "kind", "port", "status"),
    [
        ("com.amazonaws.eu-west-1.cassandra", EndpointType.INTERFACE, 9142, Status.FAIL),
        ("com.amazonaws.eu-west-1.cassandra", EndpointType.INTERFACE, 443, Status.PASS),
        (CUSTOM, EndpointType.INTERFACE, 5432, Status.FAIL),
        ("arn:aws:vpc-lattice:x", EndpointType.RESOURCE, 5432, Status.FAIL),
        ("arn:aws:vpc-lattice:x", EndpointType.SERVICE_NETWORK, 80, Status.FAIL),
    ],
)
def test_the_port_that_a_service_answers_on_decides(
    name: str, kind: EndpointType, port: int, status: Status
) -> None:
    """Where it is not known, any port counts."""
    snapshot = hub(admits("10.9.0.0/16", (port, port)), routes=(route("10.9.0.0/16", "tgw-1"),))
    endpoint = replace(snapshot.endpoints["vpce-kms"], service_name=name, type=kind)
    changed = replace(snapshot, endpoints={endpoint.id: endpoint})
    assert statuses(SHARED, changed) == {"vpce-kms": status}
