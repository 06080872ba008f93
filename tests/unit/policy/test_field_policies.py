"""Policies of the field, with the needs of their workloads: no false alarm, and nothing missed."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from posture.policy import (
    EndpointContext,
    PolicyAnswer,
    PolicyCheck,
    Trust,
    decide_policy_text,
    parse_policy,
)
from posture.policy.features.table import Use, expand_features
from posture.policy.needs import NeedStatus, check_needs, list_needs
from posture.policy.suggest import suggest_for_needs, suggest_policies

OWN = "111122223333"
ORGANIZATION = "o-a1b2c3d4e5"
ANSWERS = {True: PolicyAnswer.YES, False: PolicyAnswer.NO}
NAMES = {"P": "untrusted_principal", "R": "untrusted_resource", "full": "full_access"}
CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "field/policies.yaml").read_text(encoding="utf-8")
)["cases"]


def build_check(case: dict[str, Any]) -> PolicyCheck:
    """Return what the policy of a case is checked against."""
    name = case["service"]
    service = name if name.startswith("com.") else f"com.amazonaws.us-east-1.{name}"
    endpoint = EndpointContext(OWN, service, name in {"s3", "dynamodb"}, "vpc-1", "vpce-1")
    organizations = frozenset(case.get("trusted_organizations", [ORGANIZATION]))
    trust = Trust(
        frozenset(case.get("trusted_accounts", ())), organizations, own_organization=ORGANIZATION
    )
    return PolicyCheck(endpoint, trust, features=expand_features(tuple(case["needs"])))


def find_blocked(text: str, check: PolicyCheck) -> set[str]:
    """Return the features that a policy stops for all their users."""
    needs = list_needs(check.features, check.endpoint, Use.ALWAYS)
    results = check_needs(parse_policy(text), needs, check)
    assert not [each for each in results if each.status is NeedStatus.UNKNOWN]
    return {each.need.feature for each in results if each.status is NeedStatus.BLOCKED}


@pytest.mark.parametrize("case", CASES, ids=[each["name"] for each in CASES])
def test_a_policy_of_the_field(case: dict[str, Any]) -> None:
    """Its answers and the features that it stops are as expected, and so are the suggestions'."""
    text = json.dumps({"Version": "2012-10-17", "Statement": case["statements"]})
    check = build_check(case)
    decision = decide_policy_text(text, check).decision
    found = {short: decision.results[NAMES[short]].answer for short in case["answers"]}
    assert found == {short: ANSWERS[answer] for short, answer in case["answers"].items()}
    blocked = find_blocked(text, check)
    assert blocked == set(case.get("blocked", ()))
    for result in decision.results.values():
        example = result.request
        if example and ":s3:::" in example.resource and "us-east-1" in example.resource:
            assert example.owner == "aws"
    suggested = suggest_policies(text, decision, check)
    assert suggested or not {"P", "R"} & {k for k, v in case["answers"].items() if v}
    for each in suggested:
        assert find_blocked(each.text, check) <= blocked
    remedied = suggest_for_needs(text, decision, check)
    if remedied:
        assert not find_blocked(remedied, check)
    assert remedied or not blocked or "Deny" in text


def test_there_are_enough_of_them() -> None:
    """Thirty at least, AWS's examples among them."""
    assert len(CASES) >= 30
