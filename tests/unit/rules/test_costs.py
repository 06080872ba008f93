"""NAT gateway and endpoint charges that can be avoided."""

from typing import Any

import pytest

from network_builders import (
    CUSTOM,
    DYNAMODB,
    S3,
    build_snapshot,
    gateway,
    interface,
    nat,
    route,
    statuses,
    subnet,
    table,
    verdict_text,
    verdicts,
)
from posture.model.network import EndpointType, Route, Snapshot
from posture.model.verdict import Status

NAT_COST = "nat-gateway-charges-avoidable"
ENDPOINT_COST = "interface-endpoint-charges-avoidable"

A, B = subnet("a", "a"), subnet("b", "b")


def by_nat(*routes: Route) -> Snapshot:
    """Build two subnets with a default route to a NAT gateway and these routes."""
    return build_snapshot(
        A, B, nat("1", None), gateway("s3", S3, ["main"]), gateway("ddb", DYNAMODB, ["main"]),
        table("main", route("0.0.0.0/0", "nat-1"), *routes, main=True),
    )  # fmt: skip


def test_a_nat_gateway_that_carries_s3_traffic_fails() -> None:
    """The estimate states its volume, price and source."""
    verdict = verdicts(NAT_COST, by_nat(route("pl-ddb", "vpce-ddb")))["nat-1"]
    assert verdict.status is Status.FAIL
    assert "charges for s3 traffic from subnet-a and subnet-b" in verdict.summary
    assert "45.00 USD a month" in verdict_text(verdict)
    assert "1000 GB a month in both directions, 0.045 USD a GB" in verdict_text(verdict)
    assert "https://aws.amazon.com/vpc/pricing/" in verdict_text(verdict)


def test_a_nat_gateway_beside_both_endpoints_passes() -> None:
    """It carries other traffic only."""
    snapshot = by_nat(route("pl-s3", "vpce-s3"), route("pl-ddb", "vpce-ddb"))
    assert statuses(NAT_COST, snapshot) == {"nat-1": Status.PASS}


def test_s3_by_an_interface_endpoint_from_inside() -> None:
    """Charged by the hour and gigabyte, where a gateway endpoint is free."""
    verdict = verdicts(ENDPOINT_COST, build_snapshot(A, gateway("s3"), interface("x", S3)))[
        "vpce-x"
    ]
    assert verdict.status is Status.FAIL
    assert "10.00 USD a month" in verdict_text(verdict)
    assert "PrivateDnsOnlyForInboundResolverEndpoint=true" in verdict_text(verdict)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"private_dns": False}, Status.PASS),
        ({"private_dns_only_for_inbound_resolver": True}, Status.PASS),
        ({"private_dns": None}, Status.UNKNOWN),
    ],
)
def test_an_endpoint_for_other_networks_passes(more: dict[str, Any], status: Status) -> None:
    """Then it is for other networks."""
    snapshot = build_snapshot(A, gateway("s3"), interface("x", S3, **more))
    assert statuses(ENDPOINT_COST, snapshot) == {"vpce-x": status}


@pytest.mark.parametrize("state", ["pendingAcceptance", "failed", "deleting"])
def test_an_endpoint_that_carries_nothing_yet_is_not_charged_for(state: str) -> None:
    """Another rule reports it."""
    snapshot = build_snapshot(A, gateway("s3"), interface("x", S3, state=state))
    assert statuses(ENDPOINT_COST, snapshot) == {}


def test_other_services_have_no_gateway_endpoint() -> None:
    """An interface endpoint is the only one there is."""
    assert statuses(ENDPOINT_COST, build_snapshot(A, interface("1"))) == {}


FIREWALL = interface(
    "fw", CUSTOM, type=EndpointType.GATEWAY_LOAD_BALANCER, subnet_ids=("subnet-fw",)
)
BEHIND = (subnet("public"), table("public", route("0.0.0.0/0", "vpce-fw"), subnets=["public"]))


@pytest.mark.parametrize(
    ("routes", "status"),
    [
        ([route("0.0.0.0/0", "igw-1")], Status.FAIL),
        ([route("0.0.0.0/0", "tgw-1")], Status.FAIL),
        ([route("pl-s3", "vpce-s3"), route("pl-ddb", "vpce-s3")], Status.FAIL),
        ([], Status.PASS),
    ],
)
def test_a_nat_gateway_before_a_firewall(routes: list[Route], status: Status) -> None:
    """It charges for what it processes, wherever the firewall sends it; not if it is dropped."""
    snapshot = build_snapshot(
        A, nat("1"), table("main", route("0.0.0.0/0", "nat-1"), main=True), FIREWALL, *BEHIND,
        gateway("s3"), subnet("fw"), table("fw", *routes, subnets=["fw"]),
    )  # fmt: skip
    assert statuses(NAT_COST, snapshot)["nat-1"] is status


def test_a_firewall_before_a_nat_gateway() -> None:
    """The sender's default route leads to the firewall, and the firewall's to the NAT gateway."""
    snapshot = build_snapshot(
        A, table("main", route("0.0.0.0/0", "vpce-fw"), main=True), FIREWALL, nat("1", None),
        subnet("fw"), table("fw", route("0.0.0.0/0", "nat-1"), subnets=["fw"]),
    )  # fmt: skip
    verdict = verdicts(NAT_COST, snapshot)["nat-1"]
    assert verdict.status is Status.FAIL
    assert "from subnet-a and subnet-fw" in verdict.summary


def test_a_nat_gateway_that_an_appliance_may_use_is_unknown() -> None:
    """Where the appliance sends traffic is not known."""
    snapshot = build_snapshot(
        A, nat("1", None), table("main", route("0.0.0.0/0", "eni-1"), main=True)
    )
    verdict = verdicts(NAT_COST, snapshot)["nat-1"]
    assert verdict.status is Status.UNKNOWN
    assert "eni-1" in verdict_text(verdict)
