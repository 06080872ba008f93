"""How each subnet's traffic to each service fares, in a word and a sentence."""

from dataclasses import replace
from ipaddress import IPv4Network
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
from posture.analysis.outcome import PathOutcome
from posture.analysis.path import PathKind
from posture.analysis.services import list_covered_services
from posture.model.network import AclEntry, Endpoint, EndpointType, Facet, Route, Snapshot

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
    """Give KMS's interface endpoint in both subnets."""
    return interface("kms", KMS, network_interface_ids=("eni-1", "eni-2"), **more)


def private(*parts: Any, routes: tuple[Route, ...] = (), **more: Any) -> Snapshot:
    """Give a VPC of two subnets in two zones with these routes, beside a public one with a NAT."""
    main = table("main", *routes, main=True)
    return build_snapshot(*PUBLIC, A, B, main, ACLS, *ENIS, *parts, **more)


# --- by routes -----------------------------------------------------------------------------------


def test_all_by_the_gateway_endpoint() -> None:
    """The ordinary good case."""
    found = cell(private(gateway("s3"), routes=(TO_S3, BY_NAT)), "a", S3)
    assert (found.outcome, found.summary) == (PathOutcome.PRIVATE, "all by vpce-s3")


def test_part_by_a_more_specific_route() -> None:
    """Which part goes which way is told exactly."""
    detour = route("52.218.0.0/18", "nat-1")
    found = cell(private(gateway("s3"), routes=(TO_S3, BY_NAT, detour)), "a", S3)
    assert found.outcome is PathOutcome.PARTLY
    assert found.summary == "52.218.0.0/18 by nat-1, the rest by vpce-s3"


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
        ("eni-9", PathKind.APPLIANCE, PathOutcome.OTHER_NETWORK),
        ("i-1", PathKind.APPLIANCE, PathOutcome.OTHER_NETWORK),
        ("vpce-gwlb", PathKind.LOAD_BALANCER_ENDPOINT, PathOutcome.OTHER_NETWORK),
        ("vpce-ddb", PathKind.OTHER_ENDPOINT, PathOutcome.OTHER_NETWORK),
        ("vpce-strange", PathKind.UNKNOWN, PathOutcome.UNKNOWN),
        ("nat-strange", PathKind.NAT_GATEWAY, PathOutcome.UNKNOWN),
        ("mystery-1", PathKind.UNKNOWN, PathOutcome.UNKNOWN),
    ],
)
def test_every_kind_of_target(target: str, kind: PathKind, outcome: PathOutcome) -> None:
    """What a default route points to decides, where there is no endpoint's route."""
    load_balancer = interface("gwlb", CUSTOM, type=EndpointType.GATEWAY_LOAD_BALANCER)
    parts = (load_balancer, gateway("ddb", DYNAMODB))
    found = cell(private(*parts, routes=(route("0.0.0.0/0", target),)), "a", S3)
    assert found.outcome is outcome
    (path,) = found.paths or ()
    assert path.kind is kind


def test_ipv6_by_the_egress_only_gateway() -> None:
    """An IPv6 subnet has two families of ways, and each leaves by its own gateway."""
    lists = prefix_list("pl-s3v6", "2600:1fa0::/32", name=f"{S3[:-2]}ipv6.s3", owner="AWS")
    both = subnet("a", "a", "10.0.1.0/24", ipv6="2001:db8:0:1::/64")
    snapshot = private(both, lists, gateway("s3"), routes=(TO_S3, route("::/0", "eigw-1")))
    found = cell(snapshot, "a", S3)
    assert found.outcome is PathOutcome.PARTLY
    assert {path.kind: str(path.addresses) for path in found.paths or ()} == {
        PathKind.GATEWAY_ENDPOINT: "3.5.64.0/21, 52.218.0.0/17",
        PathKind.EGRESS_ONLY_GATEWAY: "2600:1fa0::/32",
    }


def test_no_route_and_a_blackhole_lead_nowhere() -> None:
    """Nothing arrives, and nothing leaves."""
    hole = route("0.0.0.0/0", "nat-1", blackhole=True)
    assert cell(private(), "a", S3).outcome is PathOutcome.NO_ROUTE
    assert cell(private(routes=(hole,)), "a", S3).outcome is PathOutcome.NO_ROUTE


def test_a_service_without_endpoint_takes_the_way_of_public_addresses() -> None:
    """Which of them are its own is not told, so the sentence does not name any."""
    snapshot = private(service(KMS), routes=(BY_NAT,))
    analysis = Analysis(snapshot)
    found = analysis.evaluate_cell(snapshot.subnets["subnet-a"], snapshot.services[KMS])
    assert (found.outcome, found.summary) == (PathOutcome.INTERNET, "all by nat-1")
    assert found.resolution.resolves_to is ResolvesTo.PUBLIC


# --- the subnet's ACL before a gateway endpoint --------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "outcome", "told"),
    [
        ((allow(100), allow(100, egress=True)), PathOutcome.PRIVATE, ""),
        ((allow(100),), PathOutcome.BLOCKED, "acl-a stops all of it (the final deny)"),
        ((allow(100, egress=True),), PathOutcome.BLOCKED, "acl-a stops all of it"),
        (
            (allow(100), allow(100, "10.0.0.0/8", egress=True)),
            PathOutcome.BLOCKED,
            "acl-a stops all of it",
        ),
        (
            (allow(100), allow(100, egress=True), deny(50, "52.218.0.0/17", egress=True)),
            PathOutcome.PARTLY,
            "acl-a stops 52.218.0.0/17 (rule 50 denies 52.218.0.0/17)",
        ),
        (
            (
                allow(100, protocol="6", from_port=32768, to_port=65535),
                allow(100, egress=True),
            ),
            PathOutcome.PARTLY,
            "stops all of it on its way back to ports 1024-32767",
        ),
    ],
)
def test_an_acl_before_a_gateway_endpoint(
    entries: tuple[AclEntry, ...], outcome: PathOutcome, told: str
) -> None:
    """It sees the service's public addresses, out on 443 and back to the client's ports."""
    guards = (acl("a", *entries, subnets=["a"]), open_acl("all", ["b", "public"]))
    found = cell(private(gateway("s3"), *guards, routes=(TO_S3,)), "a", S3)
    assert found.outcome is outcome
    assert told in found.summary


def test_an_unknown_acl_before_a_gateway_endpoint() -> None:
    """It may stop all of it."""
    found = cell(private(gateway("s3"), open_acl("all", ["b"]), routes=(TO_S3,)), "a", S3)
    assert found.outcome is PathOutcome.UNKNOWN
    assert "the network ACL of subnet-a could not be told" in found.summary


# --- a NAT gateway's own way ---------------------------------------------------------------------


def behind_nat(*routes: Route, **more: Any) -> Snapshot:
    """Give a private subnet that sends everything to a NAT in a subnet with these routes."""
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
        ((route("0.0.0.0/0", "vpce-gwlb"),), True, PathOutcome.OTHER_NETWORK),
        ((route("0.0.0.0/0", "tgw-1"),), True, PathOutcome.OTHER_NETWORK),
        ((route("0.0.0.0/0", "igw-1"),), False, PathOutcome.NO_ROUTE),
        ((route("0.0.0.0/0", "tgw-1"),), False, PathOutcome.OTHER_NETWORK),
        ((route("0.0.0.0/0", "mystery"),), True, PathOutcome.UNKNOWN),
        ((route("0.0.0.0/0", "igw-1", blackhole=True),), True, PathOutcome.NO_ROUTE),
    ],
)
def test_where_a_nat_sends_it(
    routes: tuple[Route, ...], *, public: bool, outcome: PathOutcome
) -> None:
    """One step by the routes of its own subnet, where a gateway endpoint's route is of no use."""
    assert cell(behind_nat(*routes, public=public), "a", S3).outcome is outcome


def test_a_failed_nat_sends_nothing() -> None:
    """Its state is told."""
    snapshot = behind_nat(route("0.0.0.0/0", "igw-1"))
    broken = replace(snapshot.nat_gateways["nat-1"], state="failed")
    found = cell(replace(snapshot, nat_gateways={"nat-1": broken}), "a", S3)
    assert found.outcome is PathOutcome.NO_ROUTE
    assert "nat-1 is failed" in found.summary


def test_a_nat_translates_no_ipv6() -> None:
    """What an IPv6 route sends to it goes nowhere."""
    lists = prefix_list("pl-s3v6", "2600:1fa0::/32", name=f"{S3[:-2]}ipv6.s3", owner="AWS")
    both = subnet("a", "a", "10.0.1.0/24", ipv6="2001:db8:0:1::/64")
    routes = (TO_S3, route("::/0", "nat-1"))
    found = cell(private(both, lists, gateway("s3"), routes=routes), "a", S3)
    assert found.outcome is PathOutcome.PARTLY
    assert "nat-1 translates IPv4 only" in found.summary


# --- by interfaces -------------------------------------------------------------------------------


def test_all_by_the_interface_endpoint() -> None:
    """Names lead there, everything is open on the way."""
    found = cell(private(kms(), routes=(BY_NAT,)), "a", KMS)
    assert (found.outcome, found.summary, found.own_zone) == (
        PathOutcome.PRIVATE,
        "by vpce-kms",
        True,
    )
    assert found.paths is None


def test_a_zone_without_an_interface_is_told() -> None:
    """It works, across zones."""
    endpoint = interface("kms", KMS, network_interface_ids=("eni-1",), subnet_ids=("subnet-a",))
    found = cell(private(endpoint), "b", KMS)
    assert (found.outcome, found.own_zone) == (PathOutcome.PRIVATE, False)


def test_one_interface_of_two_is_blocked() -> None:
    """A client may be given either, so it works in part."""
    closed = acl("b", subnets=["b"])
    snapshot = private(closed, open_acl("all", ["a", "public"]), kms())
    found = cell(snapshot, "a", KMS)
    assert found.outcome is PathOutcome.PARTLY
    assert "acl-b stops the whole subnet (the final deny)" in found.summary


def test_a_group_that_admits_nobody_blocks() -> None:
    """The sentence names the group."""
    found = cell(private(kms(), group("endpoints", admits("10.9.0.0/16"))), "a", KMS)
    assert found.outcome is PathOutcome.BLOCKED
    assert "sg-endpoints stops the whole subnet (no rule admits them on 443)" in found.summary


def test_a_group_that_admits_a_group() -> None:
    """Whether a workload has it is not known; that it must is."""
    found = cell(private(kms(), group("endpoints", admits("sg-clients"))), "a", KMS)
    assert (found.outcome, found.summary) == (
        PathOutcome.BY_SECURITY_GROUP,
        "by vpce-kms, for workloads in sg-clients",
    )


def test_an_interface_that_cannot_be_read_is_unknown() -> None:
    """A client may be given that one."""
    endpoint = interface("kms", KMS, network_interface_ids=("eni-1", "eni-secret"))
    found = cell(private(endpoint), "a", KMS)
    assert (found.outcome, found.missing) == (PathOutcome.UNKNOWN, ("eni-secret",))
    assert "eni-secret could not be read" in found.summary


def test_an_endpoint_without_interfaces_yet_is_unknown() -> None:
    """A pending one."""
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
    """A dual-stack endpoint whose names answer with IPv4 is reached by IPv4, whatever IPv6 does."""
    both = subnet("a", "a", "10.0.1.0/24", ipv6="2001:db8:0:1::/64")
    dual = eni("1", "b", "10.0.2.9", "2001:db8:0:2::9")
    endpoint = interface("kms", KMS, network_interface_ids=("eni-1",), ip_address_type="dualstack")
    snapshot = private(both, dual, endpoint)
    assert cell(snapshot, "a", KMS).outcome is PathOutcome.PARTLY  # the group admits no IPv6
    told = replace(endpoint, dns_record_ip_type="ipv4")
    assert cell(private(both, dual, told), "a", KMS).outcome is PathOutcome.PRIVATE


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
    """Between subnets a middlebox may stand; what it lets pass is not known here."""
    found = cell(private(kms(), table("a", detour, subnets=["a"])), "a", KMS)
    assert found.outcome is outcome


def test_a_middlebox_on_the_way_back_counts_as_well() -> None:
    """The endpoint's subnet sends the answers through it."""
    back = table("b", route("10.0.1.0/24", "eni-firewall"), subnets=["b"])
    found = cell(private(kms(), back), "a", KMS)
    assert found.outcome is PathOutcome.UNKNOWN
    assert "eni-firewall (route 10.0.1.0/24) of rtb-b" in found.summary


def test_a_local_route_in_whose_place_a_middlebox_stands() -> None:
    """The route for the whole VPC may have another target, too."""
    replaced = replace(table("a", subnets=["a"]), routes=(route("10.0.0.0/16", "eni-firewall"),))
    assert cell(private(kms(), replaced), "a", KMS).outcome is PathOutcome.UNKNOWN


def test_a_secondary_block_is_local_even_where_the_table_does_not_say() -> None:
    """Every table has a local route for each block of the VPC."""
    wider = replace(VPC, cidrs=(*VPC.cidrs, IPv4Network("100.64.0.0/16")))
    far = subnet("b", "b", "100.64.2.0/24")
    there = replace(ENIS[1], addresses=(eni("x", "b", "100.64.2.9").addresses))
    admitting = group("endpoints", admits("10.0.0.0/16"))
    endpoint = interface("kms", KMS, network_interface_ids=("eni-2",))
    snapshot = private(far, there, admitting, endpoint, routes=(BY_NAT,), vpc=wider)
    assert cell(snapshot, "a", KMS).outcome is PathOutcome.PRIVATE


# --- the matrix ----------------------------------------------------------------------------------


def test_the_columns_are_the_services_that_matter() -> None:
    """Gateway services, those of interface endpoints, and the required ones."""
    sns = service("com.amazonaws.eu-west-1.sns")
    snapshot = private(sns, service("com.amazonaws.eu-west-1.sqs"), kms(), interface("x", CUSTOM))
    named = [each.name for each in list_covered_services(snapshot, ["sns", "misspelt"])]
    assert named == sorted([S3, DYNAMODB, KMS, CUSTOM, sns.name])


def test_a_record_holds_equal_answers_once() -> None:
    """Subnets that fare alike share them; each row lists its answers in the services' order."""
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


def test_what_could_not_be_read_stands_in_the_record() -> None:
    """Whoever looks at the matrix learns why cells are unknown."""
    snapshot = private(kms(), unreadable={Facet.NETWORK_ACLS: "denied"})
    analysis = Analysis(snapshot)
    record = build_matrix_record(analysis.build_coverage(list_covered_services(snapshot)), analysis)
    assert record["unreadable"] == {"DescribeNetworkAcls": "denied"}
