"""Whom endpoints trust: the default policy, and other people's services."""

import json
from typing import Any

import pytest

from network_builders import (
    CUSTOM,
    KMS,
    gateway,
    interface,
    picture,
    service,
    statuses,
    told,
    verdicts,
)
from posture.model.baseline import Baseline
from posture.model.network import EndpointType
from posture.model.verdict import Status

POLICY = "endpoint-policy-full-access"
FOREIGN = "endpoint-to-foreign-service"

ALLOW_ALL = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
STRANGER = "999988887777"


def policy(*statements: Any) -> str:
    """Write a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (policy(ALLOW_ALL), Status.FAIL),
        (json.dumps({"Statement": ALLOW_ALL}), Status.FAIL),
        (policy({**ALLOW_ALL, "Sid": "x", "Principal": {"AWS": "*"}}), Status.FAIL),
        (policy({**ALLOW_ALL, "Principal": {"AWS": ["*"]}, "Action": ["*"]}), Status.FAIL),
        (policy({**ALLOW_ALL, "Action": ["s3:Get*", "*"]}), Status.FAIL),
        (policy({**ALLOW_ALL, "Action": "kms:*"}, ALLOW_ALL), Status.FAIL),
        (policy({**ALLOW_ALL, "Action": "kms:*"}), Status.PASS),
        (policy({**ALLOW_ALL, "Resource": "arn:aws:s3:::mine/*"}), Status.PASS),
        (policy({**ALLOW_ALL, "Condition": {"Bool": {"aws:x": "true"}}}), Status.PASS),
        (policy({**ALLOW_ALL, "Principal": {"AWS": STRANGER}}), Status.PASS),
        (policy(ALLOW_ALL, {**ALLOW_ALL, "Effect": "Deny", "Action": "s3:*"}), Status.PASS),
        (policy({**ALLOW_ALL, "Effect": "Deny"}), Status.PASS),
        (policy(), Status.PASS),
        ("not a policy", Status.UNKNOWN),
        ('"text"', Status.UNKNOWN),
        ('{"Statement": 3}', Status.UNKNOWN),
        (None, Status.UNKNOWN),
    ],
)
def test_the_default_policy(text: str | None, status: Status) -> None:
    """One statement that lets everybody do everything, and nothing that limits it."""
    assert statuses(POLICY, picture(interface("1", policy=text))) == {"vpce-1": status}


def test_a_service_without_policies_is_not_faulted() -> None:
    """Its endpoints show the default policy, and nobody can change it."""
    snapshot = picture(
        service(KMS, policy_supported=False), interface("1", policy=policy(ALLOW_ALL))
    )
    assert statuses(POLICY, snapshot) == {"vpce-1": Status.NOT_APPLICABLE}


def test_unknown_support_is_unknown() -> None:
    """Where EC2 does not tell, or the catalogue does not list the service."""
    open_policy = policy(ALLOW_ALL)
    untold = picture(service(KMS, policy_supported=None), interface("1", policy=open_policy))
    unlisted = picture(interface("1", CUSTOM, policy=open_policy))
    assert statuses(POLICY, untold) == {"vpce-1": Status.UNKNOWN}
    assert statuses(POLICY, unlisted) == {"vpce-1": Status.UNKNOWN}


def test_a_restrictive_policy_passes_whatever_is_known_of_the_service() -> None:
    """It would not be there if the service did not support it."""
    assert statuses(POLICY, picture(interface("1", CUSTOM))) == {"vpce-1": Status.PASS}


def test_the_statement_is_the_evidence() -> None:
    """A person can look it up."""
    verdict = verdicts(POLICY, picture(gateway("1", policy=policy(ALLOW_ALL))))["vpce-1"]
    assert json.loads(verdict.evidence[0].record["statement"]) == ALLOW_ALL
    assert "modify-vpc-endpoint --vpc-endpoint-id vpce-1 --policy-document" in told(verdict)


def test_load_balancer_endpoints_have_no_policy() -> None:
    """They are not judged."""
    endpoint = interface("1", type=EndpointType.GATEWAY_LOAD_BALANCER, policy=None)
    assert statuses(POLICY, picture(endpoint)) == {}


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
