"""Endpoints that connect to other customers' services."""

import pytest

from network_builders import (
    CUSTOM,
    build_snapshot,
    gateway,
    interface,
    service,
    statuses,
    verdicts,
)
from posture.model.baseline import Baseline
from posture.model.network import EndpointType
from posture.model.verdict import Status

FOREIGN = "endpoint-connects-to-unlisted-service"

UNTRUSTED = "999988887777"


# --- other people's services ---------------------------------------------------------------------


def somebodys(owner: str) -> tuple[object, ...]:
    """Build an endpoint to a custom service of this owner."""
    return service(CUSTOM, owner=owner), interface("1", CUSTOM)


def test_an_untrusted_accounts_service_fails() -> None:
    """It names the owner."""
    verdict = verdicts(FOREIGN, build_snapshot(*somebodys(UNTRUSTED)))["vpce-1"]
    assert verdict.status is Status.FAIL
    assert f"of {UNTRUSTED}, which the baseline does not allow" in verdict.summary


@pytest.mark.parametrize(
    "baseline",
    [
        Baseline(allowed_endpoint_services=frozenset({CUSTOM})),
        Baseline(allowed_endpoint_services=frozenset({UNTRUSTED})),
        Baseline(trusted_accounts=frozenset({UNTRUSTED})),
    ],
    ids=["the service", "its owner", "a trusted account"],
)
def test_what_the_baseline_allows_passes(baseline: Baseline) -> None:
    """By name, by owner, or as a trusted account."""
    assert statuses(FOREIGN, build_snapshot(*somebodys(UNTRUSTED)), baseline) == {
        "vpce-1": Status.PASS
    }


@pytest.mark.parametrize(
    ("items", "without"),
    [
        ((interface("1", CUSTOM),), Status.FAIL),
        (somebodys("aws-marketplace"), Status.UNKNOWN),
    ],
    ids=["not listed: this account may not find it", "listed without an account"],
)
def test_a_service_without_known_owner_is_allowed_by_name_only(
    items: tuple[object, ...], without: Status
) -> None:
    """Whether it fails or is unknown otherwise."""
    allowed = Baseline(allowed_endpoint_services=frozenset({CUSTOM}))
    assert statuses(FOREIGN, build_snapshot(*items)) == {"vpce-1": without}
    assert statuses(FOREIGN, build_snapshot(*items), allowed) == {"vpce-1": Status.PASS}


def test_aws_services_are_not_evaluated() -> None:
    """They are not judged here."""
    assert statuses(FOREIGN, build_snapshot(interface("1"), gateway("2"))) == {}


def test_a_resource_configuration_tells_its_owner() -> None:
    """Its ARN holds the account."""
    arn = f"arn:aws:vpc-lattice:eu-west-1:{UNTRUSTED}:resourceconfiguration/rcfg-1"
    endpoint = interface("1", arn, type=EndpointType.RESOURCE)
    trusted = Baseline(trusted_accounts=frozenset({UNTRUSTED}))
    assert statuses(FOREIGN, build_snapshot(endpoint)) == {"vpce-1": Status.FAIL}
    assert statuses(FOREIGN, build_snapshot(endpoint), trusted) == {"vpce-1": Status.PASS}
