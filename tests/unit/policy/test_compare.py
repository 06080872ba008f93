"""Comparison of two policies: every difference is found, and every example is one."""

import json
import os
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_strategies import (
    CASES,
    DOCUMENTS,
    ORGANIZATION,
    OTHER_ORGANIZATION,
    OWN,
    TRUST,
    UNTRUSTED,
    carried,
    requests,
    some,
    text_of,
)
from posture.policy import (
    EndpointContext,
    PolicyAnswer,
    PolicyCheck,
    Request,
    evaluate,
    parse_policy,
)
from posture.policy.compare import (
    CallerGroup,
    PolicyComparison,
    ResourceGroup,
    compare_policies,
    find_denied_request,
)
from posture.policy.decide import MAX_UNITS
from posture.policy.request import CallerKind

MANY = settings(max_examples=int(os.environ.get("POLICY_EXAMPLES", "45")), deadline=None)
# Of work on a random example. Five of forty need more, up to ten times as much, and would take two
# thirds of the time.
UNITS = MAX_UNITS // 4
S3 = PolicyCheck(EndpointContext(OWN, "com.amazonaws.eu-west-1.s3", gateway=True), TRUST)
ANY: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
DIRECT = {CallerGroup.TRUSTED, CallerGroup.UNTRUSTED, CallerGroup.ANONYMOUS}


def compare(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> PolicyComparison:
    """Compare two lists of statements at an S3 endpoint."""
    return compare_policies(text_of(old), text_of(new), S3)


def rows_of(found: PolicyComparison) -> set[tuple[bool, str, str]]:
    """Return the direction, the callers and the resources of each change."""
    return {(each.becomes_allowed, each.callers, each.resources) for each in found.changes}


@MANY
@given(DOCUMENTS, DOCUMENTS, CASES, st.lists(requests(), min_size=20, max_size=20))
def test_no_difference_is_missed_and_every_example_is_one(
    old: list[dict[str, Any]],
    new: list[dict[str, Any]],
    case: PolicyCheck,
    attempts: list[Request],
) -> None:
    """Random requests never contradict "none exists"; the evaluator confirms each example."""
    before, after = parse_policy(text_of(old)), parse_policy(text_of(new))
    gateway = case.endpoint.gateway
    found = compare_policies(text_of(old), text_of(new), case, UNITS)
    directions = {each.becomes_allowed for each in found.changes}
    for request in attempts:
        was = evaluate(before, request, gateway=gateway).allowed
        is_now = evaluate(after, request, gateway=gateway).allowed
        if was != is_now and carried(case, request):
            assert found.unknown or is_now in directions, request
    trust = case.trust.with_account(OWN)
    for change in found.changes:
        for request in change.examples:
            assert evaluate(before, request, gateway=gateway).allowed != change.becomes_allowed
            assert evaluate(after, request, gateway=gateway).allowed == change.becomes_allowed
            if request.kind is CallerKind.PRINCIPAL and change.callers in DIRECT:
                is_trusted = trust.covers(request.account, request.organization)
                assert is_trusted == (change.callers is CallerGroup.TRUSTED)
        assert len({each.action for each in change.examples}) == len(change.examples)


SIMPLE_CONDITIONS: tuple[dict[str, Any], ...] = tuple(
    {operator: {key: value}}
    for operator in ("StringEquals", "StringNotEquals", "StringEqualsIfExists")
    for key, value in (
        ("aws:PrincipalAccount", OWN),
        ("aws:PrincipalOrgID", ORGANIZATION),
        ("aws:ResourceAccount", [OWN, UNTRUSTED]),
        ("aws:ResourceOrgID", ORGANIZATION),
    )
)
SIMPLE_STATEMENTS = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Allow", "Deny"]),
        "Principal": st.sampled_from(["*", {"AWS": "*"}]),
        "Action": some("*", "s3:GetObject", "s3:PutObject", "s3:List*"),
        "Resource": some("*", "arn:aws:s3:::corp-data/*", "arn:aws:s3:::corp-*"),
        "Condition": st.sampled_from([{}, *SIMPLE_CONDITIONS]),
    }
)
SIMPLE_DOCUMENTS = st.lists(SIMPLE_STATEMENTS, min_size=1, max_size=3)


def list_simple_requests() -> Iterator[Request]:
    """Yield a request of every kind that the simple policies can distinguish."""
    parties = [
        (account, organization)
        for account in (OWN, UNTRUSTED, "777788889999")
        for organization in (None, ORGANIZATION, OTHER_ORGANIZATION)
    ]
    calls = [
        *product(
            ("s3:GetObject", "s3:PutObject", "s3:ListMultipartUploadParts", "s3:DeleteObject"),
            ("corp-data/x", "corp-x/x", "other/x"),
        ),
        ("s3:ListBucket", "corp-x"),
        ("s3:ListBucket", "other"),
    ]
    callers: list[tuple[str, str | None]] = [*parties, ("anonymous", None)]
    for caller, owner, (action, name) in product(callers, parties, calls):
        if caller[0] != owner[0] or caller == owner:
            yield build_simple_request(caller, owner, action, f"arn:aws:s3:::{name}")
    for caller in parties:  # an action without a resource
        yield build_simple_request(caller, caller, "s3:ListAllMyBuckets", "*")


def build_simple_request(
    caller: tuple[str, str | None], owner: tuple[str, str | None], action: str, resource: str
) -> Request:
    """Build a request with the keys that the simple policies name."""
    is_principal = caller[0] != "anonymous"
    known = {
        "aws:principalaccount": caller[0],
        "aws:principalorgid": caller[1],
        "aws:resourceaccount": owner[0],
        "aws:resourceorgid": owner[1],
    }
    return Request(
        kind=CallerKind.PRINCIPAL if is_principal else CallerKind.ANONYMOUS,
        account=caller[0],
        principal="",
        session="",
        action=action,
        resource=resource,
        owner=owner[0],
        context={key: (value,) for key, value in known.items() if value},
    )


SIMPLE_REQUESTS = tuple(list_simple_requests())


@MANY
@given(SIMPLE_DOCUMENTS, SIMPLE_DOCUMENTS)
def test_the_answer_equals_that_of_trying_every_request(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    """For policies that distinguish few requests, all of them are tried as well."""
    before, after = parse_policy(text_of(old)), parse_policy(text_of(new))
    tried: set[bool] = set()
    for request in SIMPLE_REQUESTS:
        was, is_now = (evaluate(each, request, gateway=True).allowed for each in (before, after))
        if was != is_now:
            tried.add(is_now)
    found = compare(old, new)
    assert not found.unknown
    assert {each.becomes_allowed for each in found.changes if each.callers in DIRECT} == tried


@MANY
@given(DOCUMENTS, CASES, st.randoms(use_true_random=False))
def test_the_order_of_statements_makes_no_difference(
    stated: list[dict[str, Any]], case: PolicyCheck, random: Any
) -> None:
    """Nor do Sids, line breaks and scalars for lists of one."""
    written = [{**each, "Sid": f"S{at}"} for at, each in enumerate(stated)]
    random.shuffle(written)
    text = json.dumps({"Version": "2012-10-17", "Statement": written}, indent=2)
    found = compare_policies(text_of(stated), text, case)
    assert not found.changes
    assert not found.unknown


def test_a_statement_that_another_one_covers_makes_no_difference() -> None:
    """The requests are compared, not the texts."""
    reads = {**ANY, "Action": "s3:GetObject"}
    assert compare([ANY], [reads, ANY]) == PolicyComparison((), ())


def test_each_group_has_its_examples() -> None:
    """Who becomes able to do what, and who no longer is."""
    own = {"StringEquals": {"aws:PrincipalAccount": OWN, "aws:ResourceAccount": OWN}}
    old = [{**ANY, "Action": "s3:*", "Condition": own}]
    layers = "arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/*"
    new: list[dict[str, Any]] = [
        {**ANY, "Action": "s3:GetObject", "Condition": own},
        {**ANY, "Sid": "Layers", "Action": "s3:GetObject", "Resource": layers},
    ]
    found = compare(old, new)
    rows = rows_of(found)
    assert (True, CallerGroup.ANONYMOUS, ResourceGroup.AWS) in rows
    assert (False, CallerGroup.TRUSTED, ResourceGroup.TRUSTED) in rows
    assert (False, CallerGroup.ANONYMOUS, ResourceGroup.AWS) not in rows
    gained = next(each for each in found.changes if each.becomes_allowed)
    assert {str(each) for each in gained.statements} == {"statement 2 (Layers) of the new policy"}
    lost = next(each for each in found.changes if not each.becomes_allowed)
    assert "s3:GetObject" not in {each.action for each in lost.examples}


def test_a_denial_becomes_an_example() -> None:
    """A Deny of the new policy is found beside an Allow that both have."""
    deny = {**ANY, "Effect": "Deny", "Action": "s3:DeleteObject"}
    found = compare([ANY], [ANY, deny])
    assert {each.becomes_allowed for each in found.changes} == {False}
    assert {each.action for change in found.changes for each in change.examples} == {
        "s3:DeleteObject"
    }


def test_versions_are_respected() -> None:
    """Without Version 2012-10-17 a variable is literal text."""
    stated = {**ANY, "Resource": "arn:aws:s3:::${aws:PrincipalAccount}/*"}
    old = json.dumps({"Statement": stated})
    found = compare_policies(old, text_of([stated]), S3)
    assert {each.becomes_allowed for each in found.changes} == {True}


@pytest.mark.parametrize(
    "condition",
    [{"StringMagic": {"aws:x": "y"}}, {"StringEquals": {"aws:SourceVpc": "vpc-1"}}],
)
def test_what_cannot_be_decided_is_unknown(condition: dict[str, Any]) -> None:
    """With the reason, and no example."""
    found = compare([{**ANY, "Action": "s3:GetObject"}], [{**ANY, "Condition": condition}])
    assert found.unknown
    assert True not in {each.becomes_allowed for each in found.changes}


def test_too_little_work_is_unknown() -> None:
    """A comparison that is not finished is no "none exists"."""
    found = compare_policies(text_of([ANY]), text_of([{**ANY, "Action": "s3:Get*"}]), S3, units=50)
    assert "too complex" in "".join(found.unknown)


def test_a_name_that_appears_twice_is_unknown_where_it_matters() -> None:
    """AWS does not document which of the two values it uses."""
    twice = '{"Statement": {"Effect": "Allow", "Effect": "Deny", "Principal": "*", "Action": "*"'
    text = f'{twice}, "Resource": "*"}}}}'
    found = compare_policies(text, text_of([ANY]), S3)
    assert "appears twice" in "".join(found.unknown)


@MANY
@given(DOCUMENTS, DOCUMENTS, CASES)
def test_what_trusted_principals_lose_is_what_the_comparison_shows(
    old: list[dict[str, Any]], new: list[dict[str, Any]], case: PolicyCheck
) -> None:
    """The single question agrees with the whole comparison wherever that is certain."""
    answer = find_denied_request(text_of(old), text_of(new), case, UNITS)[0].answer
    compared = compare_policies(text_of(old), text_of(new), case, UNITS)
    lost = (False, CallerGroup.TRUSTED, ResourceGroup.TRUSTED) in rows_of(compared)
    if not compared.unknown:
        assert answer is (PolicyAnswer.YES if lost else PolicyAnswer.NO)


def test_what_a_policy_denies_anew_is_of_the_endpoints_region() -> None:
    """Own event buses of the Region are kept by their ARN; no other Region has this endpoint."""
    check = PolicyCheck(EndpointContext(OWN, "com.amazonaws.eu-west-1.events"))
    old = text_of([{**ANY, "Condition": {"StringEquals": {"aws:PrincipalAccount": OWN}}}])
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "*",
        "NotResource": f"arn:aws:events:eu-west-1:{OWN}:*",
        "Condition": {"StringNotEquals": {"aws:ResourceAccount": OWN}},
    }
    stated = json.loads(old)["Statement"]
    found, units = find_denied_request(old, text_of([*stated, deny]), check)
    assert found.answer is PolicyAnswer.NO
    assert units
    del deny["NotResource"]
    found, _ = find_denied_request(old, text_of([*stated, {**deny, "Resource": "*"}]), check)
    assert found.request
    assert found.request.action == "events:PutEvents"
    assert f":eu-west-1:{OWN}:" in found.request.resource
