"""A policy is decided once for all endpoints and times that it cannot distinguish."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from policy_strategies import CASES, DOCUMENTS, OWN, text_of
from posture.policy import (
    DecidedPolicy,
    EndpointContext,
    PolicyAnswer,
    PolicyCheck,
    Request,
    Trust,
    decide_policy,
    decide_policy_text,
    decided_policy,
    parse_policy,
)
from posture.policy.endpoint_dependence import generalize_check
from posture.policy.lints import lint_policy

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SERVICE = "com.amazonaws.eu-central-1.s3"
ONE = PolicyCheck(
    EndpointContext(OWN, SERVICE, gateway=True, vpc_id="vpc-1", endpoint_id="vpce-1"), now=NOON
)
OTHER = replace(
    ONE,
    endpoint=replace(ONE.endpoint, vpc_id="vpc-2", endpoint_id="vpce-2"),
    now=NOON + timedelta(hours=1),
)


@pytest.fixture
def decisions(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[PolicyCheck]]:
    """Record the check of every decision that is not cached."""
    made: list[PolicyCheck] = []

    def noted(policy: Any, case: PolicyCheck, budget: Any) -> Any:
        made.append(case)
        return decide_policy(policy, case, budget)

    monkeypatch.setattr(decided_policy, "decide_policy", noted)
    decided_policy._decide.cache_clear()
    yield made
    decided_policy._decide.cache_clear()


def policy(**more: Any) -> str:
    """Build a policy of one statement."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def requests(decided: DecidedPolicy) -> list[Request]:
    """Return all requests in a decision."""
    findings = (*decided.decision.results.values(), decided.decision.anything)
    return [
        request
        for each in findings
        for request in (each.request, *each.exceptions)
        if request is not None
    ]


def test_equal_policies_of_two_endpoints_are_decided_once(decisions: list[PolicyCheck]) -> None:
    """Their VPCs and the times of the checks differ."""
    text = policy()
    assert decide_policy_text(text, ONE).decision != decide_policy_text(text, OTHER).decision
    assert len(decisions) == 1


def test_the_general_check_keeps_all_but_the_endpoint_and_the_time() -> None:
    """Also what most checks leave out."""
    endpoint = replace(ONE.endpoint, own_organization="o-1/r-1/ou-1/")
    check = PolicyCheck(
        endpoint, Trust(frozenset({OWN})), NOON, frozenset({"s3:*"}), ("ecr",), True
    )
    general = generalize_check(policy(), check)
    assert general == replace(
        check, now=None, endpoint=replace(endpoint, vpc_id=None, endpoint_id=None)
    )
    named = policy(Condition={"StringEquals": {"aws:sourceVpce": "vpce-1"}})
    assert generalize_check(named, check) is check


@pytest.mark.parametrize("case", [ONE, OTHER])
def test_every_example_names_its_own_endpoint(case: PolicyCheck) -> None:
    """This includes the exceptions."""
    closed = policy(Condition={"StringEquals": {"aws:PrincipalAccount": OWN}})
    for text in (policy(), closed):
        decide_policy_text(text, ONE)
        found = requests(decide_policy_text(text, case))
        assert found
        for request in found:
            assert request.context["aws:sourcevpc"] == (case.endpoint.vpc_id,)
            assert request.context["aws:sourcevpce"] == (case.endpoint.endpoint_id,)


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:SourceVpce": "vpce-1"}},
        {"StringEquals": {"AWS:SOURCEVPC": "vpc-1"}},
        {"StringEquals": {"aws:PrincipalTag/home": "${aws:sourceVPCE}"}},
        {"DateGreaterThan": {"aws:CurrentTime": "2026-11-24T12:30:00Z"}},
        {"NumericLessThan": {"AWS:EPOCHTIME": "1795000000"}},
    ],
)
def test_a_policy_that_names_endpoint_or_time_is_decided_for_each(
    decisions: list[PolicyCheck], condition: dict[str, Any]
) -> None:
    """The case of the keys does not matter."""
    text = policy(Condition=condition)
    decide_policy_text(text, ONE)
    decide_policy_text(text, OTHER)
    assert decisions == [ONE, OTHER]


def test_an_escaped_key_is_recognised(decisions: list[PolicyCheck]) -> None:
    """JSON may escape characters of the key."""
    text = policy(Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}}).replace("V", "\\u0056")
    found = decide_policy_text(text, ONE), decide_policy_text(text, OTHER)
    assert decisions == [ONE, OTHER]
    assert found[0].decision.anything.answer is not found[1].decision.anything.answer


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS, CASES)
def test_a_shared_decision_equals_a_separate_one(
    stated: list[dict[str, Any]], case: PolicyCheck
) -> None:
    """Answers, examples and lints are the same for every policy and endpoint."""
    text = text_of(stated)
    for endpoint in (ONE.endpoint, OTHER.endpoint):
        there = replace(
            case,
            now=NOON,
            endpoint=replace(
                case.endpoint, vpc_id=endpoint.vpc_id, endpoint_id=endpoint.endpoint_id
            ),
        )
        found, plain = decide_policy_text(text, there), parse_policy(text)
        assert found.decision == decide_policy(plain, there)
        assert found.lints == lint_policy(plain, there.endpoint)


def test_the_account_of_an_endpoint_need_not_be_known() -> None:
    """A policy that names the endpoint's VPC by its ARN is decided for any account."""
    condition = {"ArnLike": {"aws:SourceVpcArn": "arn:aws:ec2:eu-west-1:*:vpc/vpc-1"}}
    statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": statement | {"Condition": condition}})
    endpoint = EndpointContext("", "com.amazonaws.eu-west-1.s3", gateway=True, vpc_id="vpc-1")
    decision = decide_policy_text(text, PolicyCheck(endpoint)).decision
    assert decision.full_access.answer is PolicyAnswer.YES
