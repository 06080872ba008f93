"""NAT gateway and endpoint charges that can be avoided."""

from typing import Any

import pytest

from network_builders import (
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
from posture.model.network import Route, Snapshot
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


def test_other_services_have_no_gateway_endpoint() -> None:
    """An interface endpoint is the only one there is."""
    assert statuses(ENDPOINT_COST, build_snapshot(A, interface("1"))) == {}
