"""The examples of AWS's documentation, each with its page."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from network_builders import (
    KMS,
    S3,
    VPC,
    acl,
    admits,
    allow,
    build_snapshot,
    cell,
    deny,
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
from posture.analysis.acls import partition_by_entry
from posture.analysis.addresses import AddressSet
from posture.analysis.path_outcome import PathOutcome
from posture.analysis.routing import Router
from posture.model.network import EndpointType, PrefixList, Route, RouteOrigin

PRIORITY = "https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html"
VPN = "https://docs.aws.amazon.com/vpn/latest/s2svpn/vpn-route-priority.html"
GATEWAYS = "https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html"
CUSTOM_ACL = "https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html"
NAT_BASICS = "https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html"
MIDDLEBOX = "https://docs.aws.amazon.com/vpc/latest/userguide/route-table-options.html"
PRIVATE_DNS = "https://docs.aws.amazon.com/vpc/latest/privatelink/interface-endpoints.html"

PROPAGATED = RouteOrigin.PROPAGATED


def targets(address: str, *routes: Route, lists: tuple[PrefixList, ...] = ()) -> list[str]:
    """Return the ids of the targets that one address is routed to."""
    destination = AddressSet.of([ip_network(address)])
    known = {each.id: each for each in lists}
    (leg,) = Router(table("1", *routes), known).route(destination).legs
    return [each.target.id for each in leg.routes]


@pytest.mark.parametrize(
    ("address", "target"),
    [("172.31.7.7", "pcx-11223344556677889"), ("10.0.3.4", "local"), ("8.8.8.8", "igw-1")],
)
def test_longest_prefix_match(address: str, target: str) -> None:
    """PRIORITY, "Longest prefix match": a peering, the local route, and the rest."""
    routes = (route("172.31.0.0/16", "pcx-11223344556677889"), route("0.0.0.0/0", "igw-1"))
    assert targets(address, *routes) == [target]


def test_a_static_route_takes_precedence_over_a_propagated_one() -> None:
    """PRIORITY, "Route priority for static and dynamically propagated routes"."""
    propagated = route("172.31.0.0/24", "vgw-11223344556677889", origin=PROPAGATED)
    static = route("172.31.0.0/24", "igw-12345678901234567")
    assert targets("172.31.0.9", propagated, static) == ["igw-12345678901234567"]


def test_a_prefix_list_takes_precedence_over_a_propagated_route() -> None:
    """PRIORITY, "Route priority for prefix lists", first rule."""
    listed = prefix_list("pl-1", "172.31.0.0/24")
    propagated = route("172.31.0.0/24", "vgw-1", origin=PROPAGATED)
    assert targets("172.31.0.9", propagated, route("pl-1", "tgw-1"), lists=(listed,)) == ["tgw-1"]


def test_a_more_specific_route_always_takes_precedence() -> None:
    """PRIORITY: "more specific routes always take priority", whatever their kind."""
    listed = prefix_list("pl-1", "172.31.0.0/16")
    routes = (
        route("172.31.0.0/24", "vgw-1", origin=PROPAGATED),
        route("172.31.0.0/20", "nat-1"),
        route("pl-1", "tgw-1"),
    )
    assert targets("172.31.0.9", *routes, lists=(listed,)) == ["vgw-1"]
    assert targets("172.31.1.9", *routes, lists=(listed,)) == ["nat-1"]
    assert targets("172.31.99.9", *routes, lists=(listed,)) == ["tgw-1"]


def test_of_two_prefix_lists_aws_chooses_at_random() -> None:
    """PRIORITY, third rule: which one applies is not known, so both are candidates."""
    lists = (prefix_list("pl-1", "172.31.0.0/24"), prefix_list("pl-2", "172.31.0.0/24"))
    routes = (route("pl-1", "nat-1"), route("pl-2", "tgw-1"))
    assert sorted(targets("172.31.0.9", *routes, lists=lists)) == ["nat-1", "tgw-1"]


def test_the_local_route_takes_precedence_over_any_propagated_one() -> None:
    """VPN: "the local route is most preferred even if the propagated routes are more specific"."""
    propagated = route("10.0.3.0/24", "vgw-1", origin=PROPAGATED)
    assert targets("10.0.3.9", propagated) == ["local"]
    assert targets("10.1.3.9", replace(propagated, cidr=ip_network("10.1.3.0/24"))) == ["vgw-1"]


def test_a_gateway_endpoint_route_takes_precedence_over_the_default_route() -> None:
    """GATEWAYS, "Routing": the service's addresses are more specific than 0.0.0.0/0."""
    rules = (route("pl-s3", "vpce-s3"), route("0.0.0.0/0", "igw-1"))
    guard = open_acl("all", ["a"])
    snapshot = build_snapshot(gateway("s3"), subnet("a"), table("main", *rules, main=True), guard)
    assert cell(snapshot, "a", S3).outcome is PathOutcome.PRIVATE


def test_a_subnet_without_an_associated_table_does_not_use_the_endpoint() -> None:
    """GATEWAYS: traffic from a subnet with another route table takes another path."""
    snapshot = build_snapshot(
        gateway("s3", tables=["own"]), subnet("a"), subnet("b"), open_acl("all", ["a", "b"]),
        table("own", route("pl-s3", "vpce-s3"), subnets=["a"]),
        table("main", route("0.0.0.0/0", "igw-1"), main=True),
    )  # fmt: skip
    assert cell(snapshot, "a", S3).outcome is PathOutcome.PRIVATE
    assert cell(snapshot, "b", S3).outcome is PathOutcome.INTERNET


# The custom ACL of the page's example: inbound web traffic, and the outbound traffic of servers.
WEB = acl(
    "web",
    allow(100, protocol="6", from_port=80, to_port=80),
    allow(110, protocol="6", from_port=443, to_port=443),
    allow(120, "192.0.2.0/24", protocol="6", from_port=22, to_port=22),
    allow(130, "192.0.2.0/24", protocol="6", from_port=3389, to_port=3389),
    allow(140, protocol="6", from_port=32768, to_port=65535),
    deny(32767),
    allow(100, egress=True, protocol="6", from_port=80, to_port=80),
    allow(110, egress=True, protocol="6", from_port=443, to_port=443),
    allow(120, "192.0.2.0/24", egress=True, protocol="6", from_port=1024, to_port=65535),
    allow(140, egress=True, protocol="6", from_port=32768, to_port=65535),
    deny(32767, egress=True),
    subnets=["a"],
)


@pytest.mark.parametrize(
    ("address", "port", "egress", "rule"),
    [
        ("198.51.100.7", 443, False, "110"),
        ("198.51.100.7", 3389, False, None),
        ("192.0.2.7", 3389, False, "130"),
        ("198.51.100.7", 40000, False, "140"),
        ("198.51.100.7", 1024, False, None),
        ("198.51.100.7", 443, True, "110"),
        ("192.0.2.7", 1024, True, "120"),
        ("198.51.100.7", 1024, True, None),
    ],
)
def test_the_custom_network_acl(address: str, port: int, *, egress: bool, rule: str | None) -> None:
    """CUSTOM_ACL: the rule that allows each packet, or else the last one, which denies it."""
    (found,) = partition_by_entry(WEB, AddressSet.of([ip_network(address)]), port, egress=egress)
    assert found.allowed is (rule is not None)
    assert found.entry is not None
    assert str(found.entry.number) == (rule or "32767")


def test_the_first_matching_acl_rule_applies() -> None:
    """CUSTOM_ACL: "as soon as a rule matches traffic, it's applied"."""
    ordered = acl("x", deny(90, "10.0.0.0/8"), allow(100), subnets=["a"])
    (found,) = partition_by_entry(
        ordered, AddressSet.of([ip_network("10.1.2.3")]), 443, egress=False
    )
    assert not found.allowed


def test_a_nat_gateway_sends_nothing_over_a_gateway_endpoint() -> None:
    """NAT_BASICS: the private subnet's own table must have the endpoint's route."""
    snapshot = build_snapshot(
        gateway("s3"), nat("1"), subnet("public"), subnet("a"), open_acl("all", ["a", "public"]),
        table(
            "public", route("0.0.0.0/0", "igw-1"), route("pl-s3", "vpce-s3"), subnets=["public"]
        ),
        table("main", route("0.0.0.0/0", "nat-1"), main=True),
    )  # fmt: skip
    assert cell(snapshot, "a", S3).outcome is PathOutcome.INTERNET
    assert cell(snapshot, "public", S3).outcome is PathOutcome.PRIVATE


def test_a_middlebox_between_two_subnets() -> None:
    """MIDDLEBOX, "Routing traffic to a middlebox": a route for a whole subnet overrides local."""
    snapshot = build_snapshot(
        subnet("a", "a", "10.0.1.0/24"), subnet("b", "b", "10.0.2.0/24"),
        table("a", route("10.0.2.0/24", "eni-middlebox"), subnets=["a"]), table("main", main=True),
        open_acl("all", ["a", "b"]), eni("1", "b", "10.0.2.9"),
        group("endpoints", admits("0.0.0.0/0")),
        interface("kms", KMS, network_interface_ids=("eni-1",)),
    )  # fmt: skip
    assert cell(snapshot, "a", KMS).outcome is PathOutcome.UNKNOWN
    assert cell(snapshot, "b", KMS).outcome is PathOutcome.PRIVATE


@pytest.mark.parametrize(("hostnames", "outcome"), [(True, "endpoint"), (False, "internet")])
def test_private_dns_needs_hostnames_and_support(*, hostnames: bool, outcome: str) -> None:
    """PRIVATE_DNS: with an attribute disabled, the same name resolves to public addresses."""
    snapshot = build_snapshot(
        subnet("a"), table("main", route("0.0.0.0/0", "igw-1"), main=True), open_acl("all", ["a"]),
        eni("1", "a", "10.0.0.9"), interface("kms", KMS, network_interface_ids=("eni-1",)),
        vpc=replace(VPC, dns_hostnames=hostnames),
    )  # fmt: skip
    assert cell(snapshot, "a", KMS).outcome.value == outcome


def test_a_load_balancer_endpoint_as_a_middlebox_for_the_internet() -> None:
    """MIDDLEBOX, "inspect traffic": the route table of the firewall's subnet decides."""
    firewall = interface("fw", "com.amazonaws.vpce.eu-west-1.vpce-svc-0123456789abcdef0",
                         type=EndpointType.GATEWAY_LOAD_BALANCER,
                         subnet_ids=("subnet-fw",))  # fmt: skip
    snapshot = build_snapshot(
        subnet("a"), table("main", route("0.0.0.0/0", "vpce-fw"), main=True), firewall,
        subnet("fw"), table("fw", route("0.0.0.0/0", "igw-1"), subnets=["fw"]),
    )  # fmt: skip
    assert cell(snapshot, "a", S3).outcome is PathOutcome.INTERNET
