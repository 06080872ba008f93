"""Remarks beside the verdict, and the bounds of it."""

import json
from typing import Any

import pytest

from posture.policy import (
    EndpointContext,
    PolicyAnswer,
    PolicyCheck,
    decide_policy,
    decide_policy_text,
    parse_policy,
)

OWN = "111122223333"
ALLOW: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
ENDPOINT = EndpointContext(OWN, "com.amazonaws.eu-west-1.s3", vpc_id="vpc-1", endpoint_id="vpce-1")


def remarks(
    statement: dict[str, Any], endpoint: EndpointContext = ENDPOINT, version: str = "2012-10-17"
) -> set[str]:
    """Give the ids of the remarks on a statement."""
    text = json.dumps({"Version": version, "Statement": statement})
    return {each.id for each in decide_policy_text(text, PolicyCheck(endpoint)).lints}


def under(**condition: Any) -> dict[str, Any]:
    """Allow everything under a condition."""
    return {**ALLOW, "Condition": condition}


@pytest.mark.parametrize(
    ("statement", "remark"),
    [
        ({**ALLOW, "Effect": "Deny"}, "deny-only"),
        (under(**{"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-a"}}),
         "for-all-values-when-absent"),
        (under(**{"ForAnyValue:StringEquals": {"aws:PrincipalOrgID": "o-a"}}),
         "set-operator-on-single-key"),
        (under(StringLike={"aws:PrincipalAccount": "1111*"}), "wildcard-in-id"),
        (under(StringLike={"aws:PrincipalOrgPaths": "*/ou-1/*"}), "path-without-organization"),
        ({**under(StringNotEquals={"aws:PrincipalTag/x": "y"}), "Effect": "Deny"},
         "tag-exempts-from-deny"),
        (under(StringEquals={"aws:SourceVpc": "vpc-1"}), "tautological-source"),
        (under(StringEquals={"aws:SourceVpc": "vpc-2"}), "source-never-matches"),
        (under(IpAddress={"aws:SourceIp": "10.0.0.0/8"}), "key-never-present"),
        (under(StringNotEqualsIfExists={"aws:PrincipalOrgID": "o-a"}), "if-exists-on-negated"),
        (under(StringEquals={"aws:PrincipalArn": "arn:*"}), "literal-asterisk"),
        (under(StringEquals={"aws:PrincipalOrganization": "o-a"}), "unknown-key"),
        (under(StringMagic={"aws:PrincipalArn": "arn:*"}), "unknown-operator"),
        ({**ALLOW, "Principal": {"AWS": "arn:aws:iam::*:root"}}, "wildcard-in-principal"),
        ({**ALLOW, "Action": ["s3:*", "kms:Decrypt"]}, "action-of-other-service"),
    ],
)  # fmt: skip
def test_what_does_not_mean_what_it_seems_to(statement: dict[str, Any], remark: str) -> None:
    """Each has its remark, and a plain statement has none."""
    assert remark in remarks(statement)
    assert remarks(ALLOW) == set()


def test_a_gateway_endpoint_wants_everybody_as_principal() -> None:
    """Named ones are not honoured."""
    gateway = EndpointContext(OWN, "s3", gateway=True)
    assert "named-principal-at-gateway" in remarks({**ALLOW, "Principal": {"AWS": OWN}}, gateway)
    assert remarks({**ALLOW, "Principal": {"AWS": "*"}}, gateway) == set()


def test_variables_in_the_old_version() -> None:
    """They are literal text there."""
    statement = under(StringEquals={"aws:ResourceAccount": "${aws:PrincipalAccount}"})
    assert "variable-in-old-version" in remarks(statement, version="2008-10-17")
    assert "variable-in-old-version" not in remarks(statement)


def test_a_name_that_stands_twice_is_read_both_ways() -> None:
    """Where the readings differ, nothing is known."""
    same = '{"Statement": {"Sid": "a", "Sid": "b", "Effect": "Allow", "Principal": "*", '
    same += '"Action": "*", "Resource": "*"}}'
    other = same.replace('"Sid": "a", "Sid": "b", ', '"Effect": "Deny", ')
    assert (
        decide_policy_text(same, PolicyCheck(ENDPOINT)).decision.full_access.answer
        is PolicyAnswer.YES
    )
    found = decide_policy_text(other, PolicyCheck(ENDPOINT))
    assert found.decision.full_access.answer is PolicyAnswer.UNKNOWN
    assert "Effect appears twice" in found.decision.full_access.reason
    assert "duplicate-name" in {each.id for each in found.lints}


def test_a_policy_that_costs_too_much_is_unknown() -> None:
    """With the reason; it cannot run away."""
    statement = under(StringLike={"aws:PrincipalArn": "arn:aws:iam::*:role/*q*z*q*z*"})
    text = json.dumps({"Version": "2012-10-17", "Statement": statement})
    found = decide_policy(parse_policy(text), PolicyCheck(ENDPOINT), max_states=3)
    assert found.untrusted_principal.answer is PolicyAnswer.UNKNOWN
    assert "too complex to decide" in found.untrusted_principal.reason
