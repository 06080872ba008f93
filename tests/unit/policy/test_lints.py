"""The lints of a policy, and the limits of a decision."""

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
from posture.policy.search_budget import SearchBudget

OWN = "111122223333"
ALLOW: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
ENDPOINT = EndpointContext(OWN, "com.amazonaws.eu-west-1.s3", vpc_id="vpc-1", endpoint_id="vpce-1")


def lint_ids(
    statement: dict[str, Any], endpoint: EndpointContext = ENDPOINT, version: str = "2012-10-17"
) -> set[str]:
    """Return the ids of the lints of a statement."""
    text = json.dumps({"Version": version, "Statement": statement})
    return {each.id for each in decide_policy_text(text, PolicyCheck(endpoint)).lints}


def allow_if(**condition: Any) -> dict[str, Any]:
    """Build a statement that allows everything under a condition."""
    return {**ALLOW, "Condition": condition}


@pytest.mark.parametrize(
    ("statement", "remark"),
    [
        ({**ALLOW, "Effect": "Deny"}, "deny-only"),
        (allow_if(**{"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-a"}}),
         "for-all-values-when-absent"),
        (allow_if(**{"ForAnyValue:StringEquals": {"aws:PrincipalOrgID": "o-a"}}),
         "set-operator-on-single-key"),
        (allow_if(StringLike={"aws:PrincipalAccount": "1111*"}), "wildcard-in-id"),
        (allow_if(StringLike={"aws:PrincipalOrgPaths": "*/ou-1/*"}), "path-without-organization"),
        ({**allow_if(StringNotEquals={"aws:PrincipalTag/x": "y"}), "Effect": "Deny"},
         "tag-exempts-from-deny"),
        (allow_if(StringEquals={"aws:SourceVpc": "vpc-1"}), "tautological-source"),
        (allow_if(StringEquals={"aws:SourceVpc": "vpc-2"}), "source-never-matches"),
        (allow_if(IpAddress={"aws:SourceIp": "10.0.0.0/8"}), "key-never-present"),
        (allow_if(StringNotEqualsIfExists={"aws:PrincipalOrgID": "o-a"}), "if-exists-on-negated"),
        (allow_if(StringEquals={"aws:PrincipalArn": "arn:*"}), "literal-asterisk"),
        (allow_if(StringEquals={"aws:PrincipalOrganization": "o-a"}), "unknown-key"),
        (allow_if(StringMagic={"aws:PrincipalArn": "arn:*"}), "unknown-operator"),
        ({**ALLOW, "Principal": {"AWS": "arn:aws:iam::*:root"}}, "wildcard-in-principal"),
        ({**ALLOW, "Action": ["s3:*", "kms:Decrypt"]}, "action-of-other-service"),
        ({**ALLOW, "Resource": "arn:aws-cn:s3:::corp-data"}, "other-partition"),
        ({**ALLOW, "Resource": "arn:aws:s3:::prod-*-starport-layer-bucket/*"},
         "wildcard-in-bucket-of-aws"),
        ({**ALLOW, "Resource": "arn:aws:s3:::aws-patch-manager-eu-west-1-*/*"},
         "wildcard-in-bucket-of-aws"),
        ({**ALLOW, "Action": ["s3:GetObject", "s3:ListAllMyBuckets"],
          "Resource": "arn:aws:s3:::corp-data/*"}, "action-without-resource"),
    ],
)  # fmt: skip
def test_each_lint(statement: dict[str, Any], remark: str) -> None:
    """A statement with a surprising effect is reported, a plain one is not."""
    assert remark in lint_ids(statement)
    assert lint_ids(ALLOW) == set()


def test_named_principals_at_a_gateway_endpoint() -> None:
    """Gateway endpoints ignore them."""
    gateway = EndpointContext(OWN, "s3", gateway=True)
    assert "named-principal-at-gateway" in lint_ids({**ALLOW, "Principal": {"AWS": OWN}}, gateway)
    assert lint_ids({**ALLOW, "Principal": {"AWS": "*"}}, gateway) == set()


def test_variables_in_the_old_version() -> None:
    """They are literal text without Version 2012-10-17."""
    statement = allow_if(StringEquals={"aws:ResourceAccount": "${aws:PrincipalAccount}"})
    assert "variable-in-old-version" in lint_ids(statement, version="2008-10-17")
    assert "variable-in-old-version" not in lint_ids(statement)


def test_a_name_that_appears_twice_is_read_both_ways() -> None:
    """The answer is unknown if the readings differ."""
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


def test_a_policy_that_is_too_complex_is_unknown() -> None:
    """The answer says so."""
    statement = allow_if(StringLike={"aws:PrincipalArn": "arn:aws:iam::*:role/*q*z*q*z*"})
    text = json.dumps({"Version": "2012-10-17", "Statement": statement})
    found = decide_policy(parse_policy(text), PolicyCheck(ENDPOINT), SearchBudget(3))
    assert found.untrusted_principal.answer is PolicyAnswer.UNKNOWN
    assert "too complex" in found.untrusted_principal.reason
    assert "StringLike aws:PrincipalArn of statement 1" in found.untrusted_principal.reason


@pytest.mark.parametrize(
    ("lint", "statement"),
    [
        ("duplicate-sid", [{**ALLOW, "Sid": "Same"}, {**ALLOW, "Sid": "Same"}]),
        ("empty-list", {**ALLOW, "Action": []}),
        ("empty-list", {**ALLOW, "Resource": []}),
        ("empty-list", {**ALLOW, "Principal": {"AWS": []}}),
        ("empty-list", allow_if(StringEquals={"aws:PrincipalAccount": []})),
        ("numeric-operator-on-id", allow_if(NumericEquals={"aws:PrincipalAccount": OWN})),
        ("wildcard-in-id", allow_if(StringLike={"aws:SourceVpc": "vpc-1234567*"})),
        ("partial-account-in-arn", {**ALLOW, "Resource": "arn:aws:sqs:*:1111*:queue"}),
        (
            "partial-account-in-arn",
            allow_if(ArnLike={"aws:PrincipalArn": "arn:aws:iam::11112222333?:role/r"}),
        ),
        (
            "partial-account-in-arn",
            allow_if(StringLike={"aws:PrincipalArn": "arn:aws:iam::11112222333?:role/r"}),
        ),
        ("short-text-at-wildcard", allow_if(StringLike={"aws:PrincipalTag/team": "dev*"})),
        ("short-text-at-wildcard", allow_if(StringLike={"aws:PrincipalTag/team": "abcdef*ab?c"})),
    ],
)
def test_what_ec2_rejects_in_a_new_policy_is_a_lint(
    lint: str, statement: dict[str, Any] | list[dict[str, Any]]
) -> None:
    """Older policies may still hold it; each lint names a page of AWS's documentation."""
    text = json.dumps({"Version": "2012-10-17", "Statement": statement})
    found = decide_policy_text(text, PolicyCheck(ENDPOINT)).lints
    (remark, *_) = [each for each in found if each.id == lint]
    assert remark.source.startswith("https://docs.aws.amazon.com/")
    assert remark.text.endswith(".")


@pytest.mark.parametrize(
    "statement",
    [
        [{**ALLOW, "Sid": "One"}, {**ALLOW, "Sid": "Other"}, ALLOW, ALLOW],
        {**ALLOW, "Resource": ["arn:aws:sqs:*:*:queue", f"arn:aws:sqs:*:{OWN}:queue*"]},
        allow_if(StringLike={"aws:PrincipalTag/team": ["platform*", "*platform", "a-team-*x"]}),
        allow_if(NumericLessThan={"s3:max-keys": 10}),
        allow_if(StringLike={"aws:PrincipalTag/of": "arn:aws:iam::11112222333?:role/r"}),
    ],
)
def test_what_ec2_accepts_is_no_lint(statement: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Six characters on one side of a wildcard are enough."""
    text = json.dumps({"Version": "2012-10-17", "Statement": statement})
    found = {each.id for each in decide_policy_text(text, PolicyCheck(ENDPOINT)).lints}
    rules = {"duplicate-sid", "numeric-operator-on-id", "partial-account-in-arn"}
    assert not found & (rules | {"empty-list", "short-text-at-wildcard", "wildcard-in-id"})


@pytest.mark.parametrize(
    ("statement", "service"),
    [
        ({**ALLOW, "Action": ["glue:CreateJob", "iam:PassRole"]}, "glue"),
        ({**ALLOW, "Resource": "arn:*:s3:::corp-data"}, "s3"),
        ({**ALLOW, "Resource": ["arn:aws:s3:::corp-*", "arn:aws:s3:::*"]}, "s3"),
        ({**ALLOW, "Resource": "arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/*"}, "s3"),
        ({**ALLOW, "Action": "s3:ListAllMyBuckets", "Resource": ["*", "arn:aws:s3:::a"]}, "s3"),
        (allow_if(StringEquals={"aws:VpceAccount": OWN}), "ecr.api"),
    ],
)
def test_what_is_meant_has_no_lint(statement: dict[str, Any], service: str) -> None:
    """A remark on each policy would not be read."""
    endpoint = EndpointContext(OWN, f"com.amazonaws.eu-west-1.{service}")
    assert lint_ids(statement, endpoint) == set()


def test_a_key_that_the_service_does_not_send_is_named() -> None:
    """AWS lists the services that send it; a Deny with it hits every request of the others."""
    deny = {**allow_if(StringNotEquals={"aws:VpceAccount": OWN}), "Effect": "Deny"}
    sts = EndpointContext(OWN, "com.amazonaws.eu-west-1.sts")
    assert "key-never-present" in lint_ids(deny, sts)
