"""Endpoint services: allowed principals, connections, acceptance and private DNS names."""

from dataclasses import replace

import pytest

from network_builders import ACCOUNT, NOW, REGION, verdict_text
from posture.model.baseline import Baseline
from posture.model.endpoint_service import Connection, EndpointServiceSnapshot, ServiceFacet
from posture.model.scope import Scope
from posture.model.verdict import Severity, Status, Verdict
from posture.rules.engine import evaluate_endpoint_service

SERVICE_ID = "vpce-svc-1"
UNTRUSTED = "999988887777"
TRUSTED = Baseline(trusted_accounts=frozenset({ACCOUNT}))
PLAIN = EndpointServiceSnapshot(
    scope=Scope(ACCOUNT, REGION, SERVICE_ID),
    observed_at=NOW,
    name=f"com.amazonaws.vpce.{REGION}.{SERVICE_ID}",
    state="available",
    acceptance_required=True,
)

OPEN = "endpoint-service-allows-untrusted-principal"
CONNECTED = "endpoint-service-untrusted-connection"
AUTOMATIC = "endpoint-service-acceptance-not-required"
ABROAD = "endpoint-service-supports-other-region"
UNVERIFIED = "endpoint-service-private-dns-unverified"


def verdict(rule: str, snapshot: EndpointServiceSnapshot) -> Verdict:
    """Return the only verdict of a rule."""
    (found,) = [each for each in evaluate_endpoint_service(snapshot, TRUSTED) if each.rule == rule]
    return found


@pytest.mark.parametrize(
    ("principals", "status"),
    [
        ((), Status.PASS),
        ((f"arn:aws:iam::{ACCOUNT}:root",), Status.PASS),
        ((f"arn:aws:iam::{ACCOUNT}:role/Deploy",), Status.PASS),
        ((ACCOUNT,), Status.PASS),
        ((f"arn:aws:iam::{UNTRUSTED}:root",), Status.FAIL),
        ((UNTRUSTED,), Status.FAIL),
        ((f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{UNTRUSTED}:root"), Status.FAIL),
        (("*",), Status.FAIL),
        (("something else",), Status.FAIL),
    ],
)
def test_who_may_connect(principals: tuple[str, ...], status: Status) -> None:
    """Only trusted accounts pass; a principal without an account is untrusted."""
    assert verdict(OPEN, replace(PLAIN, principals=principals)).status is status


def test_every_principal_without_acceptance_is_critical() -> None:
    """The severity is lower while connections require acceptance."""
    any_principal = replace(PLAIN, principals=("*",))
    assert verdict(OPEN, any_principal).severity is Severity.HIGH
    found = verdict(OPEN, replace(any_principal, acceptance_required=False))
    assert found.severity is Severity.CRITICAL
    assert "--remove-allowed-principals '*'" in verdict_text(found)


@pytest.mark.parametrize(
    ("owner", "state", "status"),
    [
        (ACCOUNT, "available", Status.PASS),
        (UNTRUSTED, "available", Status.FAIL),
        (UNTRUSTED, "pendingacceptance", Status.FAIL),
        (UNTRUSTED, "rejected", Status.PASS),
        (UNTRUSTED, "deleted", Status.PASS),
    ],
)
def test_who_is_connected(owner: str, state: str, status: Status) -> None:
    """A rejected endpoint is not connected."""
    snapshot = replace(PLAIN, connections=(Connection("vpce-9", owner, state),))
    assert verdict(CONNECTED, snapshot).status is status


@pytest.mark.parametrize(
    ("required", "status"), [(True, Status.PASS), (False, Status.FAIL), (None, Status.UNKNOWN)]
)
def test_who_decides(*, required: bool | None, status: Status) -> None:
    """The owner ought to."""
    assert verdict(AUTOMATIC, replace(PLAIN, acceptance_required=required)).status is status


def test_a_denied_fact_is_unknown_for_its_rules_only() -> None:
    """The others answer all the same."""
    snapshot = replace(PLAIN, unreadable={ServiceFacet.PERMISSIONS: "denied"})
    assert verdict(OPEN, snapshot).status is Status.UNKNOWN
    assert verdict(CONNECTED, snapshot).status is Status.PASS


def test_a_service_that_may_not_be_listed_is_unknown_to_every_rule() -> None:
    """Without its attributes, nothing passes."""
    snapshot = replace(PLAIN, unreadable={ServiceFacet.CONFIGURATION: "denied"})
    assert {each.status for each in evaluate_endpoint_service(snapshot, TRUSTED)} == {
        Status.UNKNOWN
    }


@pytest.mark.parametrize(
    ("name", "state", "status"),
    [
        (None, None, Status.NOT_APPLICABLE),
        ("api.example.com", "verified", Status.PASS),
        ("api.example.com", "pendingverification", Status.FAIL),
        ("api.example.com", "failed", Status.FAIL),
        ("api.example.com", None, Status.UNKNOWN),
    ],
)
def test_a_private_name_is_verified(name: str | None, state: str | None, status: Status) -> None:
    """No other state allows use; a service without a name is not evaluated."""
    found = verdict(UNVERIFIED, replace(PLAIN, private_dns_name=name, private_dns_state=state))
    assert found.status is status
    if status is Status.FAIL:
        assert "Add the TXT record" in verdict_text(found)
        assert "--remove-private-dns-name" in verdict_text(found)


@pytest.mark.parametrize(
    ("regions", "status"),
    [
        ((), Status.PASS),
        ((REGION,), Status.PASS),
        ((REGION, "eu-central-1"), Status.PASS),
        (("us-east-1",), Status.FAIL),
        ((REGION, "eu-central-1", "us-east-1"), Status.FAIL),
        (None, Status.NOT_APPLICABLE),
    ],
)
def test_the_regions_from_which_consumers_may_connect(
    regions: tuple[str, ...] | None, status: Status
) -> None:
    """Its own Region and those that the baseline allows."""
    baseline = replace(TRUSTED, allowed_regions=frozenset({"eu-central-1"}))
    verdicts = evaluate_endpoint_service(replace(PLAIN, regions=regions), baseline)
    (found,) = [each for each in verdicts if each.rule == ABROAD]
    assert found.status is status
    if status is Status.FAIL:
        assert "--remove-supported-regions us-east-1" in verdict_text(found)
