"""Whose services endpoints lead to."""

import pytest

from network_builders import (
    CUSTOM,
    gateway,
    interface,
    picture,
    service,
    statuses,
    verdicts,
)
from posture.model.baseline import Baseline
from posture.model.network import EndpointType
from posture.model.verdict import Status

FOREIGN = "endpoint-to-foreign-service"

STRANGER = "999988887777"


# --- other people's services ---------------------------------------------------------------------


def somebodys(owner: str) -> tuple[object, ...]:
    """Give an endpoint to a custom service of this owner."""
    return service(CUSTOM, owner=owner), interface("1", CUSTOM)


def test_a_strangers_service_fails() -> None:
    """It names the owner."""
    verdict = verdicts(FOREIGN, picture(*somebodys(STRANGER)))["vpce-1"]
    assert verdict.status is Status.FAIL
    assert f"of {STRANGER}, whom the baseline does not allow" in verdict.summary


@pytest.mark.parametrize(
    "baseline",
    [
        Baseline(allowed_endpoint_services=frozenset({CUSTOM})),
        Baseline(allowed_endpoint_services=frozenset({STRANGER})),
        Baseline(trusted_accounts=frozenset({STRANGER})),
    ],
    ids=["the service", "its owner", "a trusted account"],
)
def test_what_the_baseline_allows_passes(baseline: Baseline) -> None:
    """By name, by owner, or as a trusted account."""
    assert statuses(FOREIGN, picture(*somebodys(STRANGER)), baseline) == {"vpce-1": Status.PASS}


def test_an_unknown_owner_is_unknown() -> None:
    """Unless the service itself is allowed."""
    snapshot = picture(interface("1", CUSTOM))
    allowed = Baseline(allowed_endpoint_services=frozenset({CUSTOM}))
    assert statuses(FOREIGN, snapshot) == {"vpce-1": Status.UNKNOWN}
    assert statuses(FOREIGN, snapshot, allowed) == {"vpce-1": Status.PASS}


def test_awss_own_services_are_nobodys() -> None:
    """They are not judged here."""
    assert statuses(FOREIGN, picture(interface("1"), gateway("2"))) == {}


def test_a_resource_configuration_tells_its_owner() -> None:
    """Its ARN holds the account."""
    arn = f"arn:aws:vpc-lattice:eu-west-1:{STRANGER}:resourceconfiguration/rcfg-1"
    endpoint = interface("1", arn, type=EndpointType.RESOURCE)
    trusted = Baseline(trusted_accounts=frozenset({STRANGER}))
    assert statuses(FOREIGN, picture(endpoint)) == {"vpce-1": Status.FAIL}
    assert statuses(FOREIGN, picture(endpoint), trusted) == {"vpce-1": Status.PASS}
