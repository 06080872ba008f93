"""What lies between a subnet and the internet: firewalls, appliances, NAT gateways and blocks.

https://docs.aws.amazon.com/network-firewall/latest/developerguide/architectures.html
https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa-basics.html
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from network_builders import (
    CUSTOM,
    KMS,
    S3,
    VPC,
    acl,
    admits,
    allow,
    build_snapshot,
    cell,
    eni,
    gateway,
    group,
    interface,
    nat,
    open_acl,
    prefix_list,
    route,
    subnet,
    table,
)
from posture.analysis.coverage import Analysis
from posture.analysis.explain import explain
from posture.analysis.path_outcome import PathOutcome
from posture.model.network import Endpoint, EndpointType, Route, Snapshot, Subnet

INTERNET = route("0.0.0.0/0", "igw-1")
TO_S3 = route("pl-s3", "vpce-s3")
MAIN = table("main", route("0.0.0.0/0", "vpce-fw"), main=True)
BOTH = "block-bidirectional"
INGRESS = "block-ingress"


def firewall(name: str = "fw", *subnets: str, **more: Any) -> Endpoint:
    """Build a firewall endpoint that stands in `subnet-NAME`."""
    ids = tuple(f"subnet-{each}" for each in subnets or (name,))
    kind = EndpointType.GATEWAY_LOAD_BALANCER
    return interface(name, CUSTOM, type=kind, subnet_ids=ids, **more)


def outcome(*parts: Any, default: str = "vpce-fw", **more: Any) -> PathOutcome:
    """Evaluate S3 from a subnet whose default route leads to a target."""
    main = table("main", route("0.0.0.0/0", default), main=True)
    return cell(build_snapshot(subnet("a"), main, *parts, **more), "a", S3).outcome


def place(name: str, *routes: Route, mode: str = "") -> tuple[Any, ...]:
    """Build a subnet and its route table."""
    within = replace(subnet(name), block_public_access=mode)
    return within, table(name, *routes, subnets=[name])


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ((INTERNET,), PathOutcome.INTERNET),
        ((), PathOutcome.NO_ROUTE),
        ((route("0.0.0.0/0", "tgw-1"),), PathOutcome.OTHER_NETWORK),
        ((route("0.0.0.0/0", "igw-1", blackhole=True),), PathOutcome.NO_ROUTE),
        ((INTERNET, TO_S3), PathOutcome.UNKNOWN),
        ((route("pl-unread", "igw-1"),), PathOutcome.UNKNOWN),
        ((route("0.0.0.0/0", "vpce-fw"),), PathOutcome.UNKNOWN),
    ],
)
def test_the_route_table_behind_a_firewall_decides(
    routes: tuple[Route, ...], expected: PathOutcome
) -> None:
    """Whether a gateway endpoint serves forwarded traffic is not documented."""
    parts = (firewall(), gateway("s3"), prefix_list("pl-unread"), *place("fw", *routes))
    assert outcome(*parts) is expected


def test_firewalls_and_nat_gateways_are_followed_to_any_depth() -> None:
    """Sender, firewall, NAT gateway, second firewall, internet gateway."""
    parts = (
        *(firewall(), *place("fw", route("0.0.0.0/0", "nat-1"))),
        *(nat("1"), *place("public", route("0.0.0.0/0", "vpce-edge"))),
        *(firewall("edge"), *place("edge", INTERNET)),
    )
    assert outcome(*parts) is PathOutcome.INTERNET
    snapshot = build_snapshot(subnet("a"), MAIN, *parts)
    assert cell(snapshot, "a", S3).summary.endswith(
        "is routed to vpce-fw, from where it is routed to nat-1, from where it is routed to "
        "vpce-edge, from where it is routed to igw-1"
    )


def test_a_loop_is_named() -> None:
    """Two firewalls that send traffic to each other."""
    parts = (
        *(firewall(), *place("fw", route("0.0.0.0/0", "vpce-other"))),
        *(firewall("other"), *place("other", route("0.0.0.0/0", "vpce-fw"))),
    )
    found = cell(build_snapshot(subnet("a"), MAIN, *parts), "a", S3)
    assert found.outcome is PathOutcome.UNKNOWN
    assert "a loop from vpce-fw to vpce-other to vpce-fw" in found.summary


def test_the_worst_of_several_subnets_counts() -> None:
    """An endpoint with two interfaces uses that of the sender's zone, or the other one."""
    parts = (firewall("fw", "one", "two"), *place("one"), *place("two", INTERNET))
    assert outcome(*parts) is PathOutcome.INTERNET


@pytest.mark.parametrize(
    "parts",
    [
        [firewall()],
        [replace(firewall(), subnet_ids=(), network_interface_ids=("eni-gone",))],
        [firewall("fw", state="rejected"), *place("fw")],
    ],
    ids=["subnet", "interface", "state"],
)
def test_a_firewall_that_cannot_be_followed_is_unknown(parts: Iterable[Any]) -> None:
    """The answer names the endpoint."""
    found = cell(build_snapshot(subnet("a"), MAIN, *parts), "a", S3)
    assert found.outcome is PathOutcome.UNKNOWN
    assert "vpce-fw" in found.summary


@pytest.mark.parametrize(
    ("target", "routes", "expected"),
    [
        ("eni-1", (INTERNET,), PathOutcome.UNKNOWN),
        ("i-1", (INTERNET,), PathOutcome.UNKNOWN),
        ("eni-1", (route("0.0.0.0/0", "tgw-1"),), PathOutcome.UNKNOWN),
        ("eni-1", (), PathOutcome.NO_ROUTE),
        ("i-1", (route("0.0.0.0/0", "nat-1", blackhole=True),), PathOutcome.NO_ROUTE),
        ("i-unread", (), PathOutcome.UNKNOWN),
        ("eni-unread", (), PathOutcome.UNKNOWN),
    ],
)
def test_an_appliance_is_unknown_unless_it_leads_nowhere(
    target: str, routes: tuple[Route, ...], expected: PathOutcome
) -> None:
    """A NAT instance, or a firewall on an instance, forwards what it is configured to."""
    parts = (replace(eni("1", "nat", "10.0.0.4"), instance_id="i-1"), *place("nat", *routes))
    main = table("main", route("0.0.0.0/0", target), main=True)
    found = cell(build_snapshot(subnet("a"), main, *parts), "a", S3)
    assert found.outcome is expected
    assert target in found.summary


def test_an_appliance_may_forward_by_its_other_interface() -> None:
    """The instance's second interface is in a public subnet."""
    inside, outside = eni("1", "in", "10.0.0.4"), eni("2", "out", "10.0.0.5")
    parts = (
        *(replace(each, instance_id="i-1") for each in (inside, outside)),
        *(*place("in"), *place("out", INTERNET)),
    )
    assert outcome(*parts, default="eni-1") is PathOutcome.UNKNOWN


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([INTERNET], PathOutcome.INTERNET),
        ([], PathOutcome.NO_ROUTE),
        (None, PathOutcome.UNKNOWN),
    ],
)
def test_the_own_route_table_of_a_regional_nat_gateway(
    routes: list[Route] | None, expected: PathOutcome
) -> None:
    """Its routes are followed."""
    regional = replace(nat("1", None), route_table_id="rtb-regional")
    parts = [] if routes is None else [table("regional", *routes)]
    assert outcome(regional, *parts, default="nat-1") is expected


# --- VPC Block Public Access ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vpc", "sender", "there", "default", "expected"),
    [
        (BOTH, BOTH, BOTH, "igw-1", PathOutcome.NO_ROUTE),
        (BOTH, BOTH, BOTH, "nat-1", PathOutcome.NO_ROUTE),
        (BOTH, BOTH, BOTH, "vpce-fw", PathOutcome.NO_ROUTE),
        (BOTH, BOTH, BOTH, "cagw-1", PathOutcome.NO_ROUTE),
        (BOTH, "off", BOTH, "igw-1", PathOutcome.INTERNET),
        (BOTH, "off", BOTH, "nat-1", PathOutcome.NO_ROUTE),
        (BOTH, "off", "off", "nat-1", PathOutcome.INTERNET),
        (BOTH, BOTH, "off", "nat-1", PathOutcome.UNKNOWN),
        (BOTH, "off", BOTH, "vpce-fw", PathOutcome.NO_ROUTE),
        (BOTH, "off", "off", "vpce-fw", PathOutcome.UNKNOWN),
        (BOTH, INGRESS, INGRESS, "igw-1", PathOutcome.UNKNOWN),
        (BOTH, INGRESS, INGRESS, "nat-1", PathOutcome.INTERNET),
        (INGRESS, INGRESS, INGRESS, "igw-1", PathOutcome.UNKNOWN),
        (INGRESS, INGRESS, INGRESS, "vpce-fw", PathOutcome.UNKNOWN),
        (INGRESS, INGRESS, INGRESS, "nat-1", PathOutcome.INTERNET),
        (INGRESS, "off", INGRESS, "igw-1", PathOutcome.INTERNET),
        ("off", "off", "off", "igw-1", PathOutcome.INTERNET),
        ("", "", "", "nat-1", PathOutcome.INTERNET),
        (BOTH, "", "", "igw-1", PathOutcome.NO_ROUTE),
        ("block-some", "block-some", "", "igw-1", PathOutcome.UNKNOWN),
        (BOTH, BOTH, BOTH, "tgw-1", PathOutcome.OTHER_NETWORK),
    ],
)
def test_block_public_access(
    vpc: str, sender: str, there: str, default: str, expected: PathOutcome
) -> None:
    """Modes of the VPC, the sender's subnet and that of the NAT gateway or firewall."""
    here = replace(subnet("a"), block_public_access=sender)
    parts = (nat("1"), *place("public", INTERNET, mode=there))
    parts = (*parts, firewall(), *place("fw", INTERNET, mode=there))
    mode = replace(VPC, block_public_access=vpc)
    assert outcome(here, *parts, default=default, vpc=mode) is expected


def test_egress_only_gateways_are_blocked_in_both_directions_only() -> None:
    """In mode `block-ingress` they carry traffic, as they allow no inbound connections."""
    lists = prefix_list("pl-s3v6", "2600:1fa0::/40", name=f"{S3[:-2]}ipv6.s3", owner="AWS")
    main = table("main", route("::/0", "eigw-1"), main=True)
    found = {}
    for mode in (BOTH, INGRESS):
        here = replace(subnet("a", ipv6="2001:db8::/64"), block_public_access=mode)
        vpc = replace(VPC, block_public_access=mode)
        found[mode] = cell(build_snapshot(here, main, lists, vpc=vpc), "a", S3).outcome
    assert found == {BOTH: PathOutcome.NO_ROUTE, INGRESS: PathOutcome.INTERNET}


def test_gateway_endpoints_are_not_blocked() -> None:
    """The feature concerns internet gateways."""
    here = replace(subnet("a"), block_public_access=BOTH)
    snapshot = build_snapshot(
        here, table("main", INTERNET, TO_S3, main=True), gateway("s3"), open_acl("all", ["a"]),
        vpc=replace(VPC, block_public_access=BOTH),
    )  # fmt: skip
    assert cell(snapshot, "a", S3).outcome is PathOutcome.PRIVATE


# --- a workload's security groups -----------------------------------------------------------------


def explained(snapshot: Snapshot, service: str, *groups: str) -> tuple[PathOutcome, str]:
    """Explain the path of a workload with these groups."""
    here: Subnet = snapshot.subnets["subnet-a"]
    found = explain(Analysis(snapshot), here, snapshot.services[service], frozenset(groups))
    return found.cell.outcome, " ".join(each.text for each in found.steps)


@pytest.mark.parametrize(
    ("rules", "service", "expected"),
    [
        ([admits("10.0.0.0/16")], S3, PathOutcome.BLOCKED),
        ([admits("pl-s3")], S3, PathOutcome.PRIVATE),
        ([admits("pl-s3", (80, 80))], S3, PathOutcome.BLOCKED),
        ([admits("52.218.0.0/17")], S3, PathOutcome.PARTLY),
        ([admits("pl-unread")], S3, PathOutcome.UNKNOWN),
        ([admits("0.0.0.0/0")], S3, PathOutcome.PRIVATE),
        ([admits("pl-s3")], KMS, PathOutcome.BLOCKED),
        ([admits("3.0.0.0/8")], KMS, PathOutcome.UNKNOWN),
        ([admits("10.0.0.0/16")], KMS, PathOutcome.BLOCKED),
        ([admits("0.0.0.0/0")], KMS, PathOutcome.INTERNET),
    ],
)
def test_outbound_rules_apply_to_every_path(
    rules: list[Any], service: str, expected: PathOutcome
) -> None:
    """S3 takes the gateway endpoint, KMS the NAT gateway."""
    snapshot = build_snapshot(
        subnet("a"), table("main", route("0.0.0.0/0", "nat-1"), TO_S3, main=True),
        gateway("s3"), nat("1"), *place("public", INTERNET), open_acl("all", ["a", "public"]),
        group("app", egress=rules), prefix_list("pl-unread"),
    )  # fmt: skip
    found, text = explained(snapshot, service, "sg-app")
    assert found is expected
    if expected in {PathOutcome.BLOCKED, PathOutcome.PARTLY}:
        assert "sg-app blocks" in text


def test_an_unknown_group_is_unknown() -> None:
    """The answer names the group."""
    snapshot = build_snapshot(subnet("a"), table("main", INTERNET, main=True))
    assert explained(snapshot, S3, "sg-gone")[0] is PathOutcome.UNKNOWN


NAT64 = route("64:ff9b::/96", "nat-1")
EGRESS6 = route("::/0", "eigw-1")


def ipv6_subnet(*, dual: bool = False, dns64: bool | None = True) -> Subnet:
    """Build an IPv6-only subnet, or a dual-stack one."""
    built = replace(subnet("a", ipv6="2001:db8::/64"), dns64=dns64)
    return built if dual else replace(built, cidr=None)


@pytest.mark.parametrize(
    ("here", "routes", "expected"),
    [
        (ipv6_subnet(), (NAT64,), PathOutcome.INTERNET),
        (ipv6_subnet(dns64=False), (NAT64,), PathOutcome.INTERNET),  # by a DNS server of one's own
        (ipv6_subnet(), (route("::/0", "nat-1"),), PathOutcome.INTERNET),
        (ipv6_subnet(), (route("64:ff9b::/96", "tgw-1"),), PathOutcome.OTHER_NETWORK),
        (ipv6_subnet(), (EGRESS6,), PathOutcome.NO_ROUTE),
        (ipv6_subnet(dual=True), (NAT64, TO_S3), PathOutcome.PARTLY),
        (ipv6_subnet(dual=True, dns64=False), (NAT64, TO_S3), PathOutcome.PRIVATE),
        (subnet("a"), (NAT64, TO_S3), PathOutcome.PRIVATE),
    ],
)
def test_nat64_carries_traffic_to_ipv4_only_names(
    here: Subnet, routes: tuple[Route, ...], expected: PathOutcome
) -> None:
    """DNS64 turns their addresses into IPv6 ones; a dual-stack subnet without it uses IPv4.

    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-nat64-dns64.html
    """
    both = [(block, out) for block in ("0.0.0.0/0", "::/0") for out in (True, False)]
    every = acl("all", *(allow(100, block, egress=out) for block, out in both), subnets=["a"])
    parts = (here, every, nat("1"), gateway("s3"), *place("public", INTERNET))
    snapshot = build_snapshot(*parts, table("main", *routes, main=True))
    assert cell(snapshot, "a", S3).outcome is expected


def test_an_appliance_in_front_of_nat64_is_unknown() -> None:
    """What NAT64 translates behind it is not taken for dropped."""
    routes = (route("64:ff9b::/96", "eni-1"),)
    parts = (eni("1", "nat", "10.0.0.4"), *place("nat", NAT64), nat("1"))
    more = (*place("public", INTERNET), table("main", *routes, main=True))
    found = cell(build_snapshot(ipv6_subnet(), *parts, *more), "a", S3)
    assert found.outcome is PathOutcome.UNKNOWN


def test_whether_nat64_leads_to_an_ipv4_interface_is_unknown() -> None:
    """The endpoint sees the NAT gateway's address; without NAT64 there is no common IP version."""
    parts = (
        ipv6_subnet(),
        subnet("b"),
        interface("kms", network_interface_ids=("eni-kms",)),
        eni("kms", "b", "10.0.0.9"),
    )
    more = (
        open_acl("all", ["a", "b"]),
        group("endpoints", admits("0.0.0.0/0")),
        nat("1"),
        *place("public", INTERNET),
    )
    for routes, expected in (((NAT64,), PathOutcome.UNKNOWN), ((), PathOutcome.BLOCKED)):
        snapshot = build_snapshot(*parts, *more, table("main", *routes, main=True))
        assert cell(snapshot, "a", KMS).outcome is expected


@pytest.mark.parametrize("state", ["failed", "deleting", "deleted"])
def test_a_gateway_endpoint_that_does_not_work_is_no_path(state: str) -> None:
    """Its route may still be listed as active, since EC2 is eventually consistent."""
    parts = (subnet("a"), open_acl("all", ["a"]), gateway("s3", state=state))
    found = cell(build_snapshot(*parts, table("main", TO_S3, main=True)), "a", S3)
    assert found.outcome is PathOutcome.UNKNOWN
    assert f"the state of vpce-s3 is {state}" in found.summary
