"""The coverage matrix: the outcome and summary of each subnet's traffic to each service."""

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest

from network_builders import (
    CUSTOM,
    DYNAMODB,
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
    service,
    subnet,
    table,
)
from posture.analysis.coverage import Analysis
from posture.analysis.matrix import build_matrix_record, list_row_answers
from posture.analysis.names import ResolvesTo
from posture.analysis.path import PathKind
from posture.analysis.path_outcome import PathOutcome
from posture.analysis.services import list_covered_services
from posture.model.network import AclEntry, Endpoint, EndpointType, Facet, Route, Snapshot, Subnet

BY_NAT = route("0.0.0.0/0", "nat-1")
TO_S3 = route("pl-s3", "vpce-s3")
PUBLIC = (
    subnet("public", cidr="10.0.9.0/24"),
    table("public", route("0.0.0.0/0", "igw-1"), TO_S3, subnets=["public"]),
    nat("1"),
)
A, B = subnet("a", "a", "10.0.1.0/24"), subnet("b", "b", "10.0.2.0/24")
ACLS = open_acl("all", ["a", "b", "public"])
ENIS = (eni("1", "a", "10.0.1.9"), replace(eni("2", "b", "10.0.2.9"), zone="eu-west-1b"))


def kms(**more: Any) -> Endpoint:
    """Build an interface endpoint for KMS in both subnets."""
    return interface("kms", KMS, network_interface_ids=("eni-1", "eni-2"), **more)


def private(*parts: Any, routes: tuple[Route, ...] = (), **more: Any) -> Snapshot:
    """Build a VPC with two private subnets that use these routes, and a public one with a NAT."""
    main = table("main", *routes, main=True)
    return build_snapshot(*PUBLIC, A, B, main, ACLS, *ENIS, *parts, **more)


# --- routes --------------------------------------------------------------------------------------


def test_all_traffic_uses_the_gateway_endpoint() -> None:
    """The ordinary good case."""
    found = cell(private(gateway("s3"), routes=(TO_S3, BY_NAT)), "a", S3)
    assert (found.outcome, found.summary) == (
        PathOutcome.PRIVATE,
        "all traffic is routed to vpce-s3",
    )


def test_part_of_the_traffic_matches_a_more_specific_route() -> None:
    """The summary says exactly which addresses take which path."""
    detour = route("52.218.0.0/18", "nat-1")
    found = cell(private(gateway("s3"), routes=(TO_S3, BY_NAT, detour)), "a", S3)
    assert found.outcome is PathOutcome.PARTLY
    assert found.summary == (
        "traffic to 52.218.0.0/18 is routed to nat-1, all other traffic is routed to vpce-s3"
    )


@pytest.mark.parametrize(
    ("target", "kind", "outcome"),
    [
        ("igw-1", PathKind.INTERNET_GATEWAY, PathOutcome.INTERNET),
        ("nat-1", PathKind.NAT_GATEWAY, PathOutcome.INTERNET),
        ("cagw-1", PathKind.CARRIER_GATEWAY, PathOutcome.INTERNET),
        ("tgw-1", PathKind.TRANSIT_GATEWAY, PathOutcome.OTHER_NETWORK),
        ("vgw-1", PathKind.VIRTUAL_PRIVATE_GATEWAY, PathOutcome.OTHER_NETWORK),
        ("pcx-1", PathKind.PEERING, PathOutcome.OTHER_NETWORK),
        ("core-1", PathKind.CORE_NETWORK, PathOutcome.OTHER_NETWORK),
        ("lgw-1", PathKind.LOCAL_GATEWAY, PathOutcome.OTHER_NETWORK),
        ("odb-1", PathKind.ODB_NETWORK, PathOutcome.OTHER_NETWORK),
        ("eni-9", PathKind.APPLIANCE, PathOutcome.UNKNOWN),
        ("i-1", PathKind.APPLIANCE, PathOutcome.UNKNOWN),
        ("vpce-gwlb", PathKind.LOAD_BALANCER_ENDPOINT, PathOutcome.UNKNOWN),
        ("vpce-ddb", PathKind.OTHER_ENDPOINT, PathOutcome.UNKNOWN),
        ("vpce-unknown", PathKind.UNKNOWN, PathOutcome.UNKNOWN),
        ("nat-unknown", PathKind.NAT_GATEWAY, PathOutcome.UNKNOWN),
        ("mystery-1", PathKind.UNKNOWN, PathOutcome.UNKNOWN),
    ],
)
def test_every_kind_of_target(target: str, kind: PathKind, outcome: PathOutcome) -> None:
    """Without an endpoint route, the target of the default route decides."""
    load_balancer = interface("gwlb", CUSTOM, type=EndpointType.GATEWAY_LOAD_BALANCER)
    parts = (load_balancer, gateway("ddb", DYNAMODB))
    found = cell(private(*parts, routes=(route("0.0.0.0/0", target),)), "a", S3)
    assert found.outcome is outcome
    (path,) = found.paths or ()
    assert path.kind is kind


def test_ipv6_by_the_egress_only_gateway() -> None:
    """The traffic of a dual-stack subnet takes a path per IP version."""
    lists = prefix_list("pl-s3v6", "2600:1fa0::/32", name=f"{S3[:-2]}ipv6.s3", owner="AWS")
    both = subnet("a", "a", "10.0.1.0/24", ipv6="2001:db8:0:1::/64")
    snapshot = private(both, lists, gateway("s3"), routes=(TO_S3, route("::/0", "eigw-1")))
    found = cell(snapshot, "a", S3)
    assert found.outcome is PathOutcome.PARTLY
    assert {path.kind: str(path.addresses) for path in found.paths or ()} == {
        PathKind.GATEWAY_ENDPOINT: "3.5.64.0/21, 52.218.0.0/17",
        PathKind.EGRESS_ONLY_GATEWAY: "2600:1fa0::/32",
    }


def test_traffic_without_a_route_or_to_a_blackhole_is_dropped() -> None:
    """Both have the same outcome."""
    hole = route("0.0.0.0/0", "nat-1", blackhole=True)
    assert cell(private(), "a", S3).outcome is PathOutcome.NO_ROUTE
    assert cell(private(routes=(hole,)), "a", S3).outcome is PathOutcome.NO_ROUTE


def test_a_service_without_endpoint_uses_the_path_of_public_addresses() -> None:
    """The service's own addresses are not known, so the summary does not name any."""
    snapshot = private(service(KMS), routes=(BY_NAT,))
    analysis = Analysis(snapshot)
    found = analysis.evaluate_cell(snapshot.subnets["subnet-a"], snapshot.services[KMS])
    assert (found.outcome, found.summary) == (
        PathOutcome.INTERNET,
        "all traffic is routed to nat-1",
    )
    assert found.resolution.resolves_to is ResolvesTo.PUBLIC


# --- the subnet's ACL before a gateway endpoint --------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "outcome", "text"),
    [
        ((allow(100), allow(100, egress=True)), PathOutcome.PRIVATE, ""),
        (
            (allow(100),),
            PathOutcome.BLOCKED,
            "acl-a blocks traffic to the service (rule * denies all other traffic)",
        ),
        (
            (allow(100, egress=True),),
            PathOutcome.BLOCKED,
            "acl-a blocks return traffic from the service (rule * denies all other traffic)",
        ),
        (
            (allow(100), allow(100, "10.0.0.0/8", egress=True)),
            PathOutcome.BLOCKED,
            "acl-a blocks traffic to the service",
        ),
        (
            (allow(100), allow(100, egress=True), deny(50, "52.218.0.0/17", egress=True)),
            PathOutcome.PARTLY,
            "acl-a blocks traffic to 52.218.0.0/17 (rule 50 denies 52.218.0.0/17)",
        ),
        (
            (
                allow(100, protocol="6", from_port=32768, to_port=65535),
                allow(100, egress=True),
            ),
            PathOutcome.PARTLY,
            "blocks return traffic from the service on client ports 1024-32767",
        ),
    ],
)
def test_an_acl_before_a_gateway_endpoint(
    entries: tuple[AclEntry, ...], outcome: PathOutcome, text: str
) -> None:
    """It applies to the service's public addresses, outbound and for return traffic."""
    guards = (acl("a", *entries, subnets=["a"]), open_acl("all", ["b", "public"]))
    found = cell(private(gateway("s3"), *guards, routes=(TO_S3,)), "a", S3)
    assert found.outcome is outcome
    assert text in found.summary


def test_an_unknown_acl_before_a_gateway_endpoint() -> None:
    """It may block all of the traffic."""
    found = cell(private(gateway("s3"), open_acl("all", ["b"]), routes=(TO_S3,)), "a", S3)
    assert found.outcome is PathOutcome.UNKNOWN
    assert "the network ACL of subnet-a could not be determined" in found.summary


# --- behind a NAT gateway ------------------------------------------------------------------------


def behind_nat(*routes: Route, **more: Any) -> Snapshot:
    """Build a private subnet that routes all traffic to a NAT in a subnet with these routes."""
    return build_snapshot(
        subnet("public"), table("public", *routes, subnets=["public"]), nat("1", **more),
        A, table("main", BY_NAT, main=True), gateway("s3"),
        interface("gwlb", CUSTOM, type=EndpointType.GATEWAY_LOAD_BALANCER),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("routes", "public", "outcome"),
    [
        ((route("0.0.0.0/0", "igw-1"),), True, PathOutcome.INTERNET),
        ((route("0.0.0.0/0", "igw-1"), TO_S3), True, PathOutcome.INTERNET),
        ((TO_S3,), True, PathOutcome.NO_ROUTE),
        ((), True, PathOutcome.NO_ROUTE),
        ((route("0.0.0.0/0", "vpce-gwlb"),), True, PathOutcome.UNKNOWN),
        ((route("0.0.0.0/0", "tgw-1"),), True, PathOutcome.OTHER_NETWORK),
        ((route("0.0.0.0/0", "igw-1"),), False, PathOutcome.NO_ROUTE),
        ((route("0.0.0.0/0", "tgw-1"),), False, PathOutcome.OTHER_NETWORK),
        ((route("0.0.0.0/0", "mystery"),), True, PathOutcome.UNKNOWN),
        ((route("0.0.0.0/0", "igw-1", blackhole=True),), True, PathOutcome.NO_ROUTE),
    ],
)
def test_where_a_nat_gateway_sends_traffic(
    routes: tuple[Route, ...], *, public: bool, outcome: PathOutcome
) -> None:
    """The routes of its own subnet decide, except those to gateway endpoints."""
    assert cell(behind_nat(*routes, public=public), "a", S3).outcome is outcome


def test_a_failed_nat_gateway_drops_traffic() -> None:
    """The summary names its state."""
    snapshot = behind_nat(route("0.0.0.0/0", "igw-1"))
    broken = replace(snapshot.nat_gateways["nat-1"], state="failed")
    found = cell(replace(snapshot, nat_gateways={"nat-1": broken}), "a", S3)
    assert found.outcome is PathOutcome.NO_ROUTE
    assert "is dropped at nat-1 (its state is failed)" in found.summary


def test_a_nat_gateway_drops_ipv6() -> None:
    """The traffic of an IPv6 route to a NAT gateway is dropped."""
    lists = prefix_list("pl-s3v6", "2600:1fa0::/32", name=f"{S3[:-2]}ipv6.s3", owner="AWS")
    both = subnet("a", "a", "10.0.1.0/24", ipv6="2001:db8:0:1::/64")
    routes = (TO_S3, route("::/0", "nat-1"))
    found = cell(private(both, lists, gateway("s3"), routes=routes), "a", S3)
    assert found.outcome is PathOutcome.PARTLY
    assert "dropped at nat-1 (a NAT gateway translates to IPv4 destinations only)" in found.summary


# --- interfaces ----------------------------------------------------------------------------------


def test_all_traffic_uses_the_interface_endpoint() -> None:
    """The names resolve to it and nothing blocks the traffic."""
    found = cell(private(kms(), routes=(BY_NAT,)), "a", KMS)
    assert (found.outcome, found.summary, found.own_zone) == (
        PathOutcome.PRIVATE,
        "resolves to vpce-kms",
        True,
    )
    assert found.paths is None


def test_the_cell_says_whether_the_zone_has_an_interface() -> None:
    """The traffic arrives, but crosses Availability Zones."""
    endpoint = interface("kms", KMS, network_interface_ids=("eni-1",), subnet_ids=("subnet-a",))
    found = cell(private(endpoint), "b", KMS)
    assert (found.outcome, found.own_zone) == (PathOutcome.PRIVATE, False)


def test_one_interface_of_two_is_blocked() -> None:
    """DNS returns either to a client, so that part of the requests fail."""
    closed = acl("b", subnets=["b"])
    snapshot = private(closed, open_acl("all", ["a", "public"]), kms())
    found = cell(snapshot, "a", KMS)
    assert found.outcome is PathOutcome.PARTLY
    assert "acl-b blocks the whole subnet (rule * denies all other traffic)" in found.summary


def test_a_group_that_allows_no_address_of_the_subnet_blocks_it() -> None:
    """The summary names the group."""
    found = cell(private(kms(), group("endpoints", admits("10.9.0.0/16"))), "a", KMS)
    assert found.outcome is PathOutcome.BLOCKED
    assert "sg-endpoints blocks the whole subnet (no inbound rule allows port 443)" in found.summary


def test_a_group_that_allows_a_group() -> None:
    """The summary names the group that a workload needs."""
    found = cell(private(kms(), group("endpoints", admits("sg-clients"))), "a", KMS)
    assert (found.outcome, found.summary) == (
        PathOutcome.BY_SECURITY_GROUP,
        "resolves to vpce-kms, reachable only from workloads in sg-clients",
    )


def test_an_interface_that_cannot_be_read_is_unknown() -> None:
    """DNS may return its address."""
    endpoint = interface("kms", KMS, network_interface_ids=("eni-1", "eni-secret"))
    found = cell(private(endpoint), "a", KMS)
    assert (found.outcome, found.missing) == (PathOutcome.UNKNOWN, ("eni-secret",))
    assert "eni-secret could not be read" in found.summary


def test_an_endpoint_without_interfaces_yet_is_unknown() -> None:
    """A pending endpoint has none."""
    assert (
        cell(private(interface("kms", KMS, state="pending")), "a", KMS).outcome
        is PathOutcome.UNKNOWN
    )


def test_no_ip_version_in_common_blocks() -> None:
    """An IPv6-only subnet cannot send to an IPv4 interface."""
    lonely = replace(subnet("a", ipv6="2001:db8:0:1::/64"), cidr=None)
    found = cell(private(lonely, kms()), "a", KMS)
    assert found.outcome is PathOutcome.BLOCKED
    assert "share no IP version" in found.summary


def test_only_the_versions_of_the_names_count() -> None:
    """IPv6 does not matter if the names of a dual-stack endpoint return IPv4 addresses only."""
    both = subnet("a", "a", "10.0.1.0/24", ipv6="2001:db8:0:1::/64")
    dual = eni("1", "b", "10.0.2.9", "2001:db8:0:2::9")
    endpoint = interface("kms", KMS, network_interface_ids=("eni-1",), ip_address_type="dualstack")
    snapshot = private(both, dual, endpoint)
    assert cell(snapshot, "a", KMS).outcome is PathOutcome.PARTLY  # the group allows no IPv6
    ipv4_names = replace(endpoint, dns_record_ip_type="ipv4")
    assert cell(private(both, dual, ipv4_names), "a", KMS).outcome is PathOutcome.PRIVATE


# --- middleboxes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("detour", "outcome"),
    [
        (route("10.0.2.0/24", "vpce-gwlb"), PathOutcome.UNKNOWN),
        (route("10.0.2.0/24", "eni-firewall"), PathOutcome.UNKNOWN),
        (route("10.0.2.0/24", "eni-firewall", blackhole=True), PathOutcome.PARTLY),
        (route("10.0.3.0/24", "eni-firewall"), PathOutcome.PRIVATE),
    ],
)
def test_a_route_more_specific_than_the_local_one(detour: Route, outcome: PathOutcome) -> None:
    """Which traffic a middlebox between subnets forwards is not known."""
    found = cell(private(kms(), table("a", detour, subnets=["a"])), "a", KMS)
    assert found.outcome is outcome


def test_a_middlebox_for_return_traffic_counts_as_well() -> None:
    """The endpoint's subnet routes return traffic to it."""
    back = table("b", route("10.0.1.0/24", "eni-firewall"), subnets=["b"])
    found = cell(private(kms(), back), "a", KMS)
    assert found.outcome is PathOutcome.UNKNOWN
    assert "whether eni-firewall (route 10.0.1.0/24) of rtb-b forwards the traffic" in found.summary


def test_a_middlebox_may_replace_the_local_route() -> None:
    """The target of the local route can be changed."""
    replaced = replace(table("a", subnets=["a"]), routes=(route("10.0.0.0/16", "eni-firewall"),))
    assert cell(private(kms(), replaced), "a", KMS).outcome is PathOutcome.UNKNOWN


def test_a_secondary_block_is_local_even_if_the_table_does_not_list_it() -> None:
    """Every table has a local route for each block of the VPC."""
    wider = replace(VPC, cidrs=(*VPC.cidrs, IPv4Network("100.64.0.0/16")))
    far = subnet("b", "b", "100.64.2.0/24")
    there = replace(ENIS[1], addresses=(eni("x", "b", "100.64.2.9").addresses))
    allowing = group("endpoints", admits("10.0.0.0/16"))
    endpoint = interface("kms", KMS, network_interface_ids=("eni-2",))
    snapshot = private(far, there, allowing, endpoint, routes=(BY_NAT,), vpc=wider)
    assert cell(snapshot, "a", KMS).outcome is PathOutcome.PRIVATE


# --- the matrix ----------------------------------------------------------------------------------


def test_the_columns_are_the_services_that_matter() -> None:
    """Gateway services, those of interface endpoints, and the required ones."""
    sns = service("com.amazonaws.eu-west-1.sns")
    snapshot = private(sns, service("com.amazonaws.eu-west-1.sqs"), kms(), interface("x", CUSTOM))
    named = [each.name for each in list_covered_services(snapshot, ["sns", "misspelt"])]
    assert named == sorted([S3, DYNAMODB, KMS, CUSTOM, sns.name])


def test_a_record_holds_equal_answers_once() -> None:
    """Subnets share equal answers; each row lists its answers in the order of the services."""
    snapshot = private(gateway("s3"), kms(), routes=(TO_S3, BY_NAT))
    analysis = Analysis(snapshot)
    record = build_matrix_record(analysis.build_coverage(list_covered_services(snapshot)), analysis)
    assert [each["short"] for each in record["services"]] == ["dynamodb", "kms", "s3"]
    assert set(record["cells"]) == {"subnet-a", "subnet-b", "subnet-public"}
    assert record["cells"]["subnet-a"][2] == record["cells"]["subnet-b"][2]
    row = list_row_answers(record, "subnet-a")
    assert [each["outcome"] for each in row] == ["internet", "endpoint", "endpoint"]
    assert row[2]["paths"][0]["route"] == {
        "destination": "pl-s3",
        "target": "vpce-s3",
        "origin": "CreateRoute",
        "state": "active",
    }
    by_id = {each["id"]: each for each in record["subnets"]}
    assert (by_id["subnet-a"]["route_table"], by_id["subnet-a"]["main"]) == ("rtb-main", True)
    assert (by_id["subnet-public"]["route_table"], by_id["subnet-public"]["main"]) == (
        "rtb-public",
        False,
    )


def test_the_record_lists_what_could_not_be_read() -> None:
    """It explains why cells are unknown."""
    snapshot = private(kms(), unreadable={Facet.NETWORK_ACLS: "denied"})
    analysis = Analysis(snapshot)
    record = build_matrix_record(analysis.build_coverage(list_covered_services(snapshot)), analysis)
    assert record["unreadable"] == {"DescribeNetworkAcls": "denied"}


def test_two_columns_have_two_headings() -> None:
    """KMS of another Region is not KMS of this one."""
    other = "com.amazonaws.us-west-2.kms"
    snapshot = build_snapshot(interface("1"), interface("2", other, service_region="us-west-2"))
    analysis = Analysis(snapshot)
    coverage = analysis.build_coverage(list_covered_services(snapshot))
    headings = [each["short"] for each in build_matrix_record(coverage, analysis)["services"]]
    assert headings == ["dynamodb", "kms", "s3", "us-west-2.kms"]


def test_the_ipv6_block_of_the_vpc_is_no_address_of_a_service() -> None:
    """Traffic to it stays inside, whatever the default route is."""
    block = IPv6Network("2a05:d018:1::/56")
    inside = Subnet("subnet-a", VPC.id, "eu-west-1a", None, (block,))
    main = table("main", route(str(block), "local"), route("::/0", "igw-1"), main=True)
    snapshot = build_snapshot(inside, main, service(KMS), vpc=replace(VPC, ipv6_cidrs=(block,)))
    kinds = {path.kind for path in Analysis(snapshot).paths.find_paths(inside, service(KMS)) or ()}
    assert kinds == {PathKind.INTERNET_GATEWAY}
