"""Availability Zones of interface endpoints."""

import pytest

from network_builders import (
    KMS,
    build_snapshot,
    gateway,
    interface,
    service,
    statuses,
    subnet,
    verdict_text,
    verdicts,
)
from posture.model.network import EndpointType
from posture.model.verdict import Severity, Status

ZONES = "endpoint-single-availability-zone"
ZONE = "availability-zone-without-endpoint"

A, B, C, A2 = subnet("a", "a"), subnet("b", "b"), subnet("c", "c"), subnet("a2", "a")
IN_ONE = interface("1", subnet_ids=("subnet-a",))


# --- one zone only -------------------------------------------------------------------------------


def test_two_zones_pass() -> None:
    """One network interface in each of two Availability Zones."""
    assert statuses(ZONES, build_snapshot(A, B, interface("1"))) == {"vpce-1": Status.PASS}


def test_one_zone_fails_with_the_subnet_to_add() -> None:
    """The command names a subnet in another Availability Zone."""
    verdict = verdicts(ZONES, build_snapshot(A, B, IN_ONE))["vpce-1"]
    assert verdict.status is Status.FAIL
    assert "is in eu-west-1a only, but the VPC also has subnets in eu-west-1b" in verdict.summary
    assert "--add-subnet-ids subnet-b" in verdict_text(verdict)


def test_two_subnets_of_one_zone_are_one_zone() -> None:
    """Zones count, not subnets."""
    endpoint = interface("1", subnet_ids=("subnet-a", "subnet-a2"))
    assert statuses(ZONES, build_snapshot(A, A2, B, endpoint)) == {"vpce-1": Status.FAIL}


def test_a_vpc_in_one_zone_is_not_applicable() -> None:
    """No other Availability Zone has subnets."""
    assert statuses(ZONES, build_snapshot(A, A2, IN_ONE)) == {"vpce-1": Status.NOT_APPLICABLE}


def test_a_service_in_one_zone_is_not_applicable() -> None:
    """Some endpoint services exist in a single Availability Zone."""
    only_a = service(KMS, zones=("eu-west-1a",))
    assert statuses(ZONES, build_snapshot(A, B, IN_ONE, only_a)) == {
        "vpce-1": Status.NOT_APPLICABLE
    }


def test_a_missing_subnet_is_unknown() -> None:
    """Its zone is not known, which does not matter where two other zones are."""
    assert statuses(ZONES, build_snapshot(A, interface("1"))) == {"vpce-1": Status.UNKNOWN}
    three = interface("1", subnet_ids=("subnet-a", "subnet-b", "subnet-shared"))
    assert statuses(ZONES, build_snapshot(A, B, three)) == {"vpce-1": Status.PASS}


@pytest.mark.parametrize(
    ("state", "status"), [("available", Status.FAIL), ("pending", Status.NOT_APPLICABLE)]
)
def test_an_endpoint_without_subnets_fails(state: str, status: Status) -> None:
    """EC2 creates one when no subnet is given; no subnet can reach it."""
    assert statuses(ZONES, build_snapshot(A, B, interface("1", subnet_ids=(), state=state))) == {
        "vpce-1": status
    }


def test_gateway_endpoints_have_no_zone() -> None:
    """They are routes."""
    assert statuses(ZONES, build_snapshot(A, B, gateway("s3"))) == {}


# --- a zone without an interface -----------------------------------------------------------------


def test_every_zone_has_an_interface() -> None:
    """Two subnets, two zones, two interfaces."""
    assert statuses(ZONE, build_snapshot(A, B, interface("1"))) == {"vpce-1": Status.PASS}


def test_a_zone_without_an_interface_is_named() -> None:
    """The evidence estimates the charges, and says that cross-zone traffic is free."""
    verdict = verdicts(ZONE, build_snapshot(A, B, C, interface("1")))["vpce-1"]
    assert (verdict.status, verdict.severity) == (Status.FAIL, Severity.INFORMATIONAL)
    assert "has no network interface in eu-west-1c, the zone of subnet-c" in verdict.summary
    assert "--add-subnet-ids subnet-c" in verdict_text(verdict)
    assert "is free of charge" in verdict_text(verdict)
    assert "7.30 USD a month" in verdict_text(verdict)


def test_a_zone_where_the_service_is_not_offered() -> None:
    """Nothing can be done there."""
    limited = service(KMS, zones=("eu-west-1a", "eu-west-1b"))
    assert statuses(ZONE, build_snapshot(A, B, C, limited, interface("1"))) == {
        "vpce-1": Status.PASS
    }


def test_a_single_zone_is_reported_once() -> None:
    """By its own rule."""
    alone = interface("1", subnet_ids=("subnet-a",))
    assert statuses(ZONE, build_snapshot(A, B, alone)) == {"vpce-1": Status.NOT_APPLICABLE}


@pytest.mark.parametrize("kind", [EndpointType.RESOURCE, EndpointType.SERVICE_NETWORK])
def test_every_endpoint_with_network_interfaces_has_zones(kind: EndpointType) -> None:
    """Not only those for services."""
    endpoint = interface("1", "arn:aws:vpc-lattice:x", type=kind, subnet_ids=("subnet-a",))
    assert statuses(ZONES, build_snapshot(A, B, endpoint)) == {"vpce-1": Status.FAIL}
