"""Endpoints used from other networks, duplicates, zones without an interface, and costs."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from network_builders import (
    DYNAMODB,
    KMS,
    NOW,
    S3,
    VPC,
    acl,
    admits,
    allow,
    deny,
    eni,
    gateway,
    group,
    interface,
    nat,
    open_acl,
    picture,
    prefix_list,
    route,
    service,
    statuses,
    subnet,
    table,
    told,
    verdicts,
)
from posture.model.network import GroupReference, Route, SecurityGroupRule, Snapshot
from posture.model.verdict import Severity, Status

SHARED = "endpoint-open-to-other-networks"
SECOND = "duplicate-interface-endpoint"
ZONE = "zone-without-endpoint-interface"
NAT_COST = "nat-cost-avoidable"
ENDPOINT_COST = "interface-endpoint-cost-avoidable"


# --- from other networks -------------------------------------------------------------------------


def hub(*rules: SecurityGroupRule, routes: tuple[Route, ...] = (), more: Any = ()) -> Snapshot:
    """Give KMS's endpoint behind a group of these rules, in a subnet with these routes."""
    return picture(
        subnet("a", "a", "10.0.1.0/24"), table("main", *routes, main=True), open_acl("all", ["a"]),
        eni("1", "a", "10.0.1.9"), group("endpoints", *rules),
        interface("kms", KMS, network_interface_ids=("eni-1",), subnet_ids=("subnet-a",)), *more,
    )  # fmt: skip


@pytest.mark.parametrize("target", ["pcx-1", "tgw-1", "vgw-1", "core-1", "lgw-1"])
def test_a_network_that_is_admitted_and_answered(target: str) -> None:
    """The group admits it, and a route leads back."""
    snapshot = hub(admits("10.0.0.0/8"), routes=(route("10.9.0.0/16", target),))
    verdict = verdicts(SHARED, snapshot)["vpce-kms"]
    assert verdict.status is Status.FAIL
    assert "can be used from other networks: 10.9.0.0/16" in verdict.summary
    assert f"rtb-main routes 10.9.0.0/16 to {target}." in told(verdict)
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
        ([admits("198.51.100.0/24")], [route("0.0.0.0/0", "tgw-1")]),
    ],
    ids=[
        "not admitted",
        "no way back",
        "a dead way back",
        "the internet is no neighbour",
        "a NAT is no neighbour",
        "another port",
        "public addresses are none of a default route's neighbours",
    ],
)
def test_networks_that_cannot_use_it(rules: list[SecurityGroupRule], routes: list[Route]) -> None:
    """Both must hold: admitted on 443, and answered."""
    assert statuses(SHARED, hub(*rules, routes=tuple(routes))) == {"vpce-kms": Status.PASS}


def test_a_default_route_makes_every_private_address_a_neighbour() -> None:
    """As far as the group admits them, and but for the VPC's own."""
    verdict = verdicts(SHARED, hub(admits("10.0.0.0/15"), routes=(route("0.0.0.0/0", "tgw-1"),)))
    assert verdict["vpce-kms"].summary.endswith("from other networks: 10.1.0.0/16")


def test_an_endpoint_open_to_everybody_is_told_once() -> None:
    """By the rule about that."""
    snapshot = hub(admits("0.0.0.0/0"), routes=(route("10.9.0.0/16", "pcx-1"),))
    assert statuses(SHARED, snapshot) == {"vpce-kms": Status.NOT_APPLICABLE}


def test_an_acl_before_the_endpoint_keeps_them_out() -> None:
    """Inbound, or their answers."""
    guard = acl("all", deny(50, "10.9.0.0/16"), allow(100), allow(100, egress=True), subnets=["a"])
    snapshot = hub(admits("10.0.0.0/8"), routes=(route("10.9.0.0/16", "pcx-1"),), more=(guard,))
    assert statuses(SHARED, snapshot) == {"vpce-kms": Status.PASS}


def test_a_group_of_a_peered_vpc() -> None:
    """It is named with the peering."""
    peer = GroupReference("sg-theirs", "444455556666", "vpc-9", "pcx-1")
    verdict = verdicts(SHARED, hub(replace(admits("sg-theirs"), group=peer)))["vpce-kms"]
    assert verdict.status is Status.FAIL
    assert "admits workloads in sg-theirs of vpc-9 by pcx-1 on 443" in told(verdict)
    assert "pcx-1" in verdict.concerns


def test_a_group_of_the_own_vpc_is_no_stranger() -> None:
    """EC2 names the VPC of a referenced group, too."""
    own = GroupReference("sg-ours", "111122223333", "vpc-1")
    assert statuses(SHARED, hub(replace(admits("sg-ours"), group=own))) == {"vpce-kms": Status.PASS}


def test_an_unread_list_is_unknown() -> None:
    """It may admit another network."""
    assert statuses(SHARED, hub(admits("pl-secret"))) == {"vpce-kms": Status.UNKNOWN}


# --- duplicates ----------------------------------------------------------------------------------


def test_one_endpoint_a_service_passes() -> None:
    """Of each."""
    snapshot = picture(interface("1"), interface("2", "com.amazonaws.eu-west-1.sns"))
    assert statuses(SECOND, snapshot) == {"vpce-1": Status.PASS, "vpce-2": Status.PASS}


def test_the_one_with_the_names_stays() -> None:
    """The other is the second, whichever is older; its cost is estimated."""
    older = NOW - timedelta(days=9)
    spare = interface("1", private_dns=False, created_at=older, network_interface_ids=("e1", "e2"))
    found = verdicts(SECOND, picture(spare, interface("2")))
    assert {name: each.status for name, each in found.items()} == {
        "vpce-1": Status.FAIL,
        "vpce-2": Status.PASS,
    }
    assert "14.60 dollars a month" in told(found["vpce-1"])
    assert "2 interfaces, 730 hours a month, 0.01 dollars an hour" in told(found["vpce-1"])
    assert "https://aws.amazon.com/privatelink/pricing/" in told(found["vpce-1"])


def test_a_broken_endpoint_is_no_duplicate() -> None:
    """It has another rule."""
    snapshot = picture(interface("1"), interface("2", state="failed"))
    assert statuses(SECOND, snapshot) == {"vpce-1": Status.PASS}


# --- zones ---------------------------------------------------------------------------------------

A, B, C = subnet("a", "a"), subnet("b", "b"), subnet("c", "c")


def test_every_zone_has_an_interface() -> None:
    """Two subnets, two zones, two interfaces."""
    assert statuses(ZONE, picture(A, B, interface("1"))) == {"vpce-1": Status.PASS}


def test_a_zone_without_one_is_named() -> None:
    """With what an interface there would cost, and that crossing zones costs nothing."""
    verdict = verdicts(ZONE, picture(A, B, C, interface("1")))["vpce-1"]
    assert (verdict.status, verdict.severity) == (Status.FAIL, Severity.INFORMATIONAL)
    assert "has no interface in eu-west-1c, where subnet-c is" in verdict.summary
    assert "--add-subnet-ids subnet-c" in told(verdict)
    assert "not charged" in told(verdict)
    assert "7.30 dollars a month" in told(verdict)


def test_a_zone_where_the_service_is_not_offered() -> None:
    """Nothing can be done there."""
    limited = service(KMS, zones=("eu-west-1a", "eu-west-1b"))
    assert statuses(ZONE, picture(A, B, C, limited, interface("1"))) == {"vpce-1": Status.PASS}


def test_one_zone_only_is_another_rules_matter() -> None:
    """It is told once."""
    alone = interface("1", subnet_ids=("subnet-a",))
    assert statuses(ZONE, picture(A, B, alone)) == {"vpce-1": Status.NOT_APPLICABLE}


# --- costs ---------------------------------------------------------------------------------------


def by_nat(*routes: Route) -> Snapshot:
    """Give two subnets that send everything by a NAT, but for these routes."""
    return picture(
        A, B, nat("1", None), gateway("s3", S3, ["main"]), gateway("ddb", DYNAMODB, ["main"]),
        table("main", route("0.0.0.0/0", "nat-1"), *routes, main=True),
    )  # fmt: skip


def test_a_nat_that_carries_what_is_free_otherwise() -> None:
    """The estimate states its volume, price and source."""
    verdict = verdicts(NAT_COST, by_nat(route("pl-ddb", "vpce-ddb")))["nat-1"]
    assert verdict.status is Status.FAIL
    assert "carrying s3 from subnet-a and subnet-b" in verdict.summary
    assert "45.00 dollars a month" in told(verdict)
    assert "1000 GB a month, 0.045 dollars a GB" in told(verdict)
    assert "https://aws.amazon.com/vpc/pricing/" in told(verdict)


def test_a_nat_beside_both_endpoints_passes() -> None:
    """It carries what it is for."""
    snapshot = by_nat(route("pl-s3", "vpce-s3"), route("pl-ddb", "vpce-ddb"))
    assert statuses(NAT_COST, snapshot) == {"nat-1": Status.PASS}


def test_s3_by_an_interface_endpoint_from_inside() -> None:
    """Charged by the hour and gigabyte, where a gateway endpoint is free."""
    verdict = verdicts(ENDPOINT_COST, picture(A, gateway("s3"), interface("x", S3)))["vpce-x"]
    assert verdict.status is Status.FAIL
    assert "10.00 dollars a month" in told(verdict)
    assert "PrivateDnsOnlyForInboundResolverEndpoint=true" in told(verdict)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"private_dns": False}, Status.PASS),
        ({"private_dns_only_for_inbound_resolver": True}, Status.PASS),
        ({"private_dns": None}, Status.UNKNOWN),
    ],
)
def test_what_the_vpc_itself_does_not_send_there(more: dict[str, Any], status: Status) -> None:
    """Then it is for other networks."""
    snapshot = picture(A, gateway("s3"), interface("x", S3, **more))
    assert statuses(ENDPOINT_COST, snapshot) == {"vpce-x": status}


def test_other_services_have_no_gateway_endpoint() -> None:
    """An interface endpoint is the only one there is."""
    assert statuses(ENDPOINT_COST, picture(A, interface("1"))) == {}


def test_an_endpoint_whose_names_lead_elsewhere_says_where_and_what_it_costs() -> None:
    """Present, paid for and unused: the ways of the public addresses are the evidence."""
    parts = (A, B, table("main", route("0.0.0.0/0", "nat-1"), main=True), nat("1", None))
    off = verdicts("private-dns-off", picture(*parts, interface("1", private_dns=False)))["vpce-1"]
    assert "From subnet-a and subnet-b the public addresses of kms: all by nat-1." in told(off)
    assert "zones are not read" in told(off)
    assert "14.60 dollars a month" in told(off)
    dead = picture(*parts, interface("1"), vpc=replace(VPC, dns_support=False))
    without = verdicts("private-dns-ineffective", dead)["vpce-1"]
    assert "all by nat-1" in told(without)
    assert without.root == "enableDnsSupport of vpc-1 is off"


def test_prefix_lists_in_groups_are_read() -> None:
    """A list admits what its entries hold."""
    listed = prefix_list("pl-own", "10.9.0.0/16")
    snapshot = hub(admits("pl-own"), routes=(route("10.9.0.0/16", "pcx-1"),), more=(listed,))
    assert statuses(SHARED, snapshot) == {"vpce-kms": Status.FAIL}
