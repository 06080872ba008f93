"""Suggested policies: whoever is trusted keeps working, and nothing else does."""

import json
from typing import Any

import pytest

from posture.policy import (
    EndpointContext,
    PolicyAnswer,
    PolicyCheck,
    Request,
    Trust,
    decide_policy_text,
    evaluate,
    parse_policy,
)
from posture.policy.compare import CallerGroup, ResourceGroup, compare_policies
from posture.policy.request import CallerKind
from posture.policy.suggest import SuggestedPolicy, suggest_policies

OWN, UNTRUSTED = "111122223333", "444455556666"
ORGANIZATION = "o-a1b2c3d4e5"
TRUST = Trust(frozenset(), frozenset({ORGANIZATION}), own_organization=ORGANIZATION)
ANY: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


def build_check(service: str, **settings: Any) -> PolicyCheck:
    """Build what a policy is checked against."""
    name = f"com.amazonaws.us-east-1.{service}"
    return PolicyCheck(EndpointContext(OWN, name, gateway=service == "s3"), TRUST, **settings)


def suggest(check: PolicyCheck, *statements: dict[str, Any]) -> tuple[str, list[SuggestedPolicy]]:
    """Return a policy and what is suggested instead."""
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    decision = decide_policy_text(text, check).decision
    return text, list(suggest_policies(text, decision, check))


@pytest.mark.parametrize("service", ["s3", "sqs", "ecr.api", "sts", "events", "ec2"])
def test_an_untrusted_principal_is_replaced_by_the_own_account(service: str) -> None:
    """A policy for somebody else alone must not become one for nobody."""
    check = build_check(service, features=("ecr",))
    _, found = suggest(check, {**ANY, "Principal": {"AWS": f"arn:aws:iam::{UNTRUSTED}:root"}})
    assert found
    for each in found:
        decision = decide_policy_text(each.text, check).decision
        assert decision.untrusted_principal.answer is PolicyAnswer.NO
        deny_all = json.dumps({"Statement": {**ANY, "Effect": "Deny"}})
        compared = compare_policies(deny_all, each.text, check)
        groups = {(change.callers, change.resources) for change in compared.changes}
        assert (CallerGroup.TRUSTED, ResourceGroup.TRUSTED) in groups


def test_trusted_requests_without_a_key_of_the_owner_are_kept() -> None:
    """EventBridge leaves it out of PutEvents: a Deny for other owners would stop it."""
    check = build_check("events")
    stated = {key: value for key, value in ANY.items() if key != "Action"}
    _, (kept, *_) = suggest(check, {**stated, "NotAction": "events:DeleteRule"})
    assert kept.keeps_rest
    for account, is_allowed in ((OWN, True), (UNTRUSTED, False)):
        bus = f"arn:aws:events:us-east-1:{account}:event-bus/default"
        role = f"arn:aws:iam::{OWN}:role/Publisher"
        context = {"aws:principalaccount": (OWN,), "aws:principalorgid": (ORGANIZATION,)}
        request = Request(
            CallerKind.PRINCIPAL, OWN, role, "s", "events:PutEvents", bus, account, context=context
        )
        assert evaluate(parse_policy(kept.text), request).allowed == is_allowed


def test_actions_that_are_not_listed_are_denied() -> None:
    """The other statements stay as they are."""
    check = build_check("s3", allowed_actions=frozenset({"s3:Get*", "kms:*"}))
    perimeter = {"aws:PrincipalOrgID": ORGANIZATION, "aws:ResourceOrgID": ORGANIZATION}
    stated = {**ANY, "Action": "s3:*", "Condition": {"StringEquals": perimeter}}
    _, (kept, least) = suggest(check, stated)
    assert kept.keeps_rest
    added = json.loads(kept.text)["Statement"][1:]
    assert added == [
        {
            "Sid": "DenyOtherActions",
            "Effect": "Deny",
            "Principal": "*",
            "NotAction": ["kms:*", "s3:Get*"],
            "Resource": "*",
        }
    ]
    assert json.loads(least.text)["Statement"][0]["Action"] == ["s3:Get*"]
    for each in (kept, least):
        results = decide_policy_text(each.text, check).decision.results.values()
        assert {result.answer for result in results} == {PolicyAnswer.NO}


def test_nothing_is_suggested_for_a_policy_that_is_closed() -> None:
    """There is nothing to deny."""
    own = {"aws:PrincipalAccount": OWN, "aws:ResourceAccount": OWN}
    assert suggest(build_check("s3"), {**ANY, "Condition": {"StringEquals": own}})[1] == []
