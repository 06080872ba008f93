"""The evaluator of requests: every operator, and the documented special cases.

Operators: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
Sets: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
Variables: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
Principals: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from posture.policy import Request, evaluate, parse_policy
from posture.policy.conditions import UnsupportedElementError
from posture.policy.request import CallerKind

OWN = "111122223333"
ALLOW: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
DENY = {**ALLOW, "Effect": "Deny"}
ROLE = f"arn:aws:iam::{OWN}:role/app/Worker"
Values = tuple[str, ...]


def build_request(
    context: Mapping[str, Values] | None = None,
    *,
    action: str = "s3:GetObject",
    resource: str = "arn:aws:s3:::bucket/key",
    kind: CallerKind = CallerKind.PRINCIPAL,
    principal: str = ROLE,
) -> Request:
    """Build a request for an object by a session of a role."""
    session = "session" if ":role/" in principal else ""
    return Request(kind, OWN, principal, session, action, resource, OWN, context=context or {})


def allowed(
    statements: Any, request: Request, *, version: str = "2012-10-17", **more: bool
) -> bool:
    """Return whether statements allow a request."""
    policy = parse_policy(json.dumps({"Version": version, "Statement": statements}))
    return evaluate(policy, request, **more).allowed


def holds(operator: str, stated: Any, given: Values | None, *, key: str = "aws:x") -> bool:
    """Return whether a condition holds for values of its key; None: the key is absent."""
    statement = {**ALLOW, "Condition": {operator: {key: stated}}}
    return allowed(statement, build_request({} if given is None else {key.lower(): given}))


@pytest.mark.parametrize(
    ("operator", "stated", "given", "outcome"),
    [
        ("StringEquals", "red", ("red",), True),
        ("StringEquals", "red", ("Red",), False),
        ("StringEquals", ["blue", "red"], ("red",), True),
        ("StringEquals", "r*", ("red",), False),
        ("StringNotEquals", "red", ("blue",), True),
        ("StringNotEquals", ["red", "blue"], ("blue",), False),
        ("StringEqualsIgnoreCase", "RED", ("red",), True),
        ("StringNotEqualsIgnoreCase", "RED", ("red",), False),
        ("StringLike", "r?d*", ("red/4",), True),
        ("StringLike", "R*", ("red",), False),
        ("StringNotLike", "r*", ("red",), False),
        ("ArnLike", "arn:aws:iam::*:role/*", ("arn:aws:iam::1:role/a/b",), True),
        ("ArnEquals", "arn:aws:iam::*:role/*", ("arn:aws:iam::1:role/a",), True),
        ("ArnLike", "arn:aws:*:role/*", ("arn:aws:iam::1:role/a",), False),
        ("ArnLike", "arn:*:a", ("arn:aws:iam::1:a",), False),
        ("ArnNotLike", "arn:aws:iam::1:*", ("arn:aws:iam::2:role/a",), True),
        ("ArnLike", "*", ("arn:aws:iam::2:role/a",), True),
        ("ArnLike", "", ("arn:aws:iam::2:role/a",), False),
        ("NumericEquals", "10", ("10.0",), True),
        ("NumericNotEquals", "10", ("10",), False),
        ("NumericLessThan", 10, ("9.5",), True),
        ("NumericLessThanEquals", "10", ("10",), True),
        ("NumericGreaterThan", "10", ("10",), False),
        ("NumericGreaterThanEquals", ["30", "10"], ("20",), True),
        ("NumericEquals", "10", ("ten",), False),
        ("DateEquals", "2026-01-01T00:00:00Z", ("1767225600",), True),
        ("DateLessThan", "2026-01-01", ("2025-12-31T23:59:59Z",), True),
        ("DateGreaterThan", "2026-01-01T00:00:00+01:00", ("2025-12-31T23:30:00Z",), True),
        ("DateGreaterThanEquals", "2026", ("2026-01-01T00:00:00Z",), True),
        ("Bool", "TRUE", ("true",), True),
        ("Bool", False, ("false",), True),
        ("BinaryEquals", "QQ==", ("QQ==",), True),
        ("BinaryEquals", "QQ==", ("Qq==",), False),
        ("IpAddress", "10.0.0.0/8", ("10.255.255.255",), True),
        ("IpAddress", "10.0.0.0/8", ("11.0.0.0",), False),
        ("IpAddress", "10.1.2.3", ("10.1.2.3",), True),
        ("IpAddress", "2001:DB8::/32", ("2001:db8:0:1::",), True),
        ("IpAddress", "0.0.0.0/0", ("2001:db8::1",), False),
        ("NotIpAddress", ["10.0.0.0/8", "2001:db8::/32"], ("11.0.0.0",), True),
        ("Null", "true", ("x",), False),
        ("Null", False, ("x",), True),
        ("stringequals", "red", ("red",), True),
    ],
)
def test_an_operator_compares(operator: str, stated: Any, given: Values, *, outcome: bool) -> None:
    """Several values are ORed; for negated operators none may match."""
    assert holds(operator, stated, given) is outcome


@pytest.mark.parametrize(
    ("operator", "outcome"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAllValues:StringNotEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
        ("ArnLike", False),
        ("ArnNotLike", True),
        ("Bool", False),
        ("BoolIfExists", True),
    ],
)
def test_an_absent_key(operator: str, *, outcome: bool) -> None:
    """A positive operator fails, a negated one holds; IfExists and ForAllValues hold."""
    assert holds(operator, "true", None) is outcome


def test_null_asks_whether_a_key_is_absent() -> None:
    """Null compares nothing else."""
    assert holds("Null", "true", None)
    assert not holds("Null", "false", None)


@pytest.mark.parametrize(
    ("operator", "stated", "given", "outcome"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
        ("ForAllValues:StringEquals", ["a"], (), True),
        ("ForAnyValue:StringEquals", ["a"], (), False),
        ("ForAnyValue:StringEquals", ["a"], ("c", "a"), True),
        ("ForAnyValue:StringNotEquals", ["a"], ("a", "c"), True),
        ("ForAnyValue:StringNotEquals", ["a"], ("a",), False),
        ("ForAllValues:StringNotEquals", ["a"], ("b", "c"), True),
        ("ForAllValues:StringNotLike", ["a*"], ("b", "ab"), False),
        ("StringEquals", ["a"], ("a", "b"), True),
        ("StringNotEquals", ["a"], ("a", "b"), False),
    ],
)
def test_keys_with_several_values(
    operator: str, stated: Any, given: Values, *, outcome: bool
) -> None:
    """ForAllValues tests every value, ForAnyValue any of them."""
    assert holds(operator, stated, given, key="aws:TagKeys") is outcome


def test_keys_and_operators_are_anded() -> None:
    """One condition that fails is enough; the case of keys is ignored."""
    condition = {"StringEquals": {"aws:A": "1", "AWS:b": "2"}, "Bool": {"aws:C": "true"}}
    statement = {**ALLOW, "Condition": condition}
    full = {"aws:a": ("1",), "aws:b": ("2",), "aws:c": ("true",)}
    assert allowed(statement, build_request(full))
    for key in full:
        assert not allowed(statement, build_request({**full, key: ("0",)}))


@pytest.mark.parametrize(
    ("stated", "context", "outcome"),
    [
        ("${aws:username}", {"aws:username": ("eve",), "aws:x": ("eve",)}, True),
        ("${AWS:UserName}", {"aws:username": ("eve",), "aws:x": ("eve",)}, True),
        ("${aws:username}", {"aws:x": ("${aws:username}",)}, False),
        ("${aws:username, 'bob'}", {"aws:x": ("bob",)}, True),
        ("${aws:username, 'bob'}", {"aws:username": ("eve",), "aws:x": ("bob",)}, False),
        ("a${*}", {"aws:x": ("a*",)}, True),
        ("a${*}", {"aws:x": ("ab",)}, False),
        ("${aws:username}*", {"aws:username": ("e*e",), "aws:x": ("eve1",)}, False),
        ("${?}${$}", {"aws:x": ("?$",)}, True),
    ],
)
def test_variables(stated: str, context: dict[str, Values], *, outcome: bool) -> None:
    """Wildcards in a value are literal; without value or default nothing matches."""
    statement = {**ALLOW, "Condition": {"StringLike": {"aws:x": stated}}}
    assert allowed(statement, build_request(context)) is outcome


def test_variables_are_literal_in_the_old_version() -> None:
    """Variables require Version 2012-10-17."""
    statement = {**ALLOW, "Condition": {"StringEquals": {"aws:x": "${aws:username}"}}}
    context = {"aws:username": ("eve",), "aws:x": ("${aws:username}",)}
    assert allowed(statement, build_request(context), version="2008-10-17")
    assert not allowed(statement, build_request(context))


@pytest.mark.parametrize(
    ("resource", "given", "outcome"),
    [
        ("*", "arn:aws:s3:::b/k", True),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/k/l:m", True),
        ("arn:aws:s3:::b", "arn:aws:s3:::b/k", False),
        ("arn:aws:sqs:*:1:q", "arn:aws:sqs:eu-west-1:1:q", True),
        ("arn:aws:sqs:*:q", "arn:aws:sqs:eu-west-1:1:q", True),
        ("arn:aws:sqs:*-1:q", "arn:aws:sqs:eu-west-1:1:q", False),
        ("arn:aws:sqs:?:q", "arn:aws:sqs:eu-west-1:1:q", False),
        ("arn:aws:*:q*s", "arn:aws:sqs:eu-west-1:1:queues", True),
        ("arn:aws:*:q*s", "arn:aws:sqs:eu-west-1:1:q:s", False),
        ("arn:aws:sqs", "arn:aws:sqs:eu-west-1:1:q", True),
        ("arn:aws:s3:::B/*", "arn:aws:s3:::b/k", False),
        ("arn:aws:s3:::b/*", "*", False),
    ],
)
def test_resources(resource: str, given: str, *, outcome: bool) -> None:
    """Resources are case-sensitive; a `*` spans colons only at the end of a field."""
    assert allowed({**ALLOW, "Resource": resource}, build_request(resource=given)) is outcome
    excluding = {name: each for name, each in ALLOW.items() if name != "Resource"}
    assert (
        allowed({**excluding, "NotResource": resource}, build_request(resource=given))
        is not outcome
    )


@pytest.mark.parametrize(
    ("action", "outcome"),
    [("*", True), ("S3:GETOBJECT", True), ("s3:Get?bject", True), ("s3:Put*", False)],
)
def test_actions(action: str, *, outcome: bool) -> None:
    """The case of actions is ignored."""
    assert allowed({**ALLOW, "Action": action}, build_request()) is outcome
    excluding = {name: each for name, each in ALLOW.items() if name != "Action"}
    assert allowed({**excluding, "NotAction": action}, build_request()) is not outcome


@pytest.mark.parametrize(
    ("principal", "outcome"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": OWN}, True),
        ({"AWS": f"arn:aws:iam::{OWN}:root"}, True),
        ({"AWS": ROLE}, True),
        ({"AWS": f"arn:aws:sts::{OWN}:assumed-role/Worker/session"}, True),
        ({"AWS": f"arn:aws:sts::{OWN}:assumed-role/Worker/other"}, False),
        ({"AWS": f"arn:aws:iam::{OWN}:role/Worker"}, False),
        ({"AWS": "444455556666"}, False),
        ({"AWS": "AIDACKCEVSQ6C2EXAMPLE"}, False),
        ({"Service": "ec2.amazonaws.com"}, False),
    ],
)
def test_principals(principal: Any, *, outcome: bool) -> None:
    """An account includes all its principals, a role its sessions."""
    assert allowed({**ALLOW, "Principal": principal}, build_request()) is outcome
    excluding = {name: each for name, each in ALLOW.items() if name != "Principal"}
    assert allowed({**excluding, "NotPrincipal": principal}, build_request()) is not outcome


def test_an_account_at_a_gateway_endpoint_is_its_root_user() -> None:
    """Other principals of the account are not included."""
    statement = {**ALLOW, "Principal": {"AWS": OWN}}
    root = build_request(principal=f"arn:aws:iam::{OWN}:root")
    assert allowed(statement, root, gateway=True)
    assert not allowed(statement, build_request(), gateway=True)


@pytest.mark.parametrize(
    ("kind", "bare", "aws"),
    [
        (CallerKind.ANONYMOUS, True, True),
        (CallerKind.SERVICE, True, True),
        (CallerKind.FEDERATED, True, False),
    ],
)
def test_callers_without_a_principal(kind: CallerKind, *, bare: bool, aws: bool) -> None:
    """A bare `*` includes them all."""
    request = build_request(kind=kind, principal="")
    assert allowed(ALLOW, request) is bare
    assert allowed({**ALLOW, "Principal": {"AWS": "*"}}, request) is aws
    assert not allowed({**ALLOW, "Principal": {"AWS": OWN}}, request)


def test_an_explicit_deny_wins() -> None:
    """Its position does not matter, and neither do unsupported elements elsewhere."""
    unknown = {**ALLOW, "Condition": {"StringMagic": {"aws:x": "y"}}}
    assert not allowed([ALLOW, DENY], build_request())
    assert not allowed([unknown, DENY], build_request())
    assert allowed([unknown, ALLOW], build_request())
    with pytest.raises(UnsupportedElementError, match="StringMagic"):
        allowed(unknown, build_request())


def test_a_request_that_no_statement_allows_is_denied() -> None:
    """The deny is implicit."""
    assert not allowed([], build_request())
    assert not allowed({**ALLOW, "Action": "sqs:*"}, build_request())
