"""Properties of every policy: no example is wrong, and no allowed request is missed."""

import json
import os
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from policy_strategies import (
    CASES,
    DOCUMENTS,
    ORGANIZATION,
    OTHER_ORGANIZATION,
    OWN,
    UNTRUSTED,
    answers,
    carried,
    list_contradictions,
    requests,
    statements,
    text_of,
)
from posture.policy import (
    Policy,
    PolicyAnswer,
    PolicyCheck,
    PolicyDecision,
    Request,
    Trust,
    decide_policy,
    evaluate,
    parse_policy,
)
from posture.policy.needs import Need, NeedStatus, Signer, Use, check_needs
from posture.policy.request import CallerKind
from posture.policy.suggest import suggest_policies

MANY = settings(max_examples=int(os.environ.get("POLICY_EXAMPLES", "60")), deadline=None)


@MANY
@given(DOCUMENTS, CASES, st.lists(requests(), min_size=20, max_size=20))
def test_no_allowed_request_is_missed(
    stated: list[dict[str, Any]], case: PolicyCheck, attempts: list[Request]
) -> None:
    """Random requests, evaluated for the policy, never contradict the answer no."""
    assert not list(list_contradictions(text_of(stated), case, attempts))


@MANY
@given(DOCUMENTS, CASES)
def test_every_example_is_confirmed(stated: list[dict[str, Any]], case: PolicyCheck) -> None:
    """Every example is allowed and untrusted."""
    text = text_of(stated)
    found = decide_policy(parse_policy(text), case)
    for finding in found.results.values():
        assert "confirm" not in finding.reason
        if finding.answer is PolicyAnswer.YES:
            assert finding.request
            assert finding.statement
            assert evaluate(
                parse_policy(text), finding.request, gateway=case.endpoint.gateway
            ).allowed
            assert carried(case, finding.request)
    _assert_untrusted(found, case)


def _assert_untrusted(found: PolicyDecision, case: PolicyCheck) -> None:
    trust = case.trust.with_account(OWN)
    principal, resource = found.untrusted_principal.request, found.untrusted_resource.request
    if principal and found.untrusted_principal.answer is PolicyAnswer.YES:
        assert principal.kind is not CallerKind.SERVICE
        assert not trust.covers(principal.account, principal.organization)
    if resource and found.untrusted_resource.answer is PolicyAnswer.YES:
        assert not trust.covers(resource.owner, resource.owner_organization)


@MANY
@given(DOCUMENTS, statements(), CASES)
def test_another_deny_never_allows_more(
    stated: list[dict[str, Any]], other: dict[str, Any], case: PolicyCheck
) -> None:
    """An answer no stays no, or becomes unknown, with another Deny statement."""
    before = answers(text_of(stated), case)
    after = answers(text_of([*stated, {**other, "Effect": "Deny"}]), case)
    for name, answer in before.items():
        if answer is PolicyAnswer.NO:
            assert after[name] is not PolicyAnswer.YES


@MANY
@given(DOCUMENTS, CASES)
def test_more_trust_never_adds_an_untrusted_request(
    stated: list[dict[str, Any]], case: PolicyCheck
) -> None:
    """An answer no does not become yes when more accounts are trusted."""
    wider = replace(
        case.trust,
        accounts=case.trust.accounts | {UNTRUSTED},
        organizations=case.trust.organizations | {OTHER_ORGANIZATION},
    )
    before, after = (
        answers(text_of(stated), case),
        answers(text_of(stated), replace(case, trust=wider)),
    )
    for name, answer in before.items():
        if answer is PolicyAnswer.NO:
            assert after[name] is not PolicyAnswer.YES


@MANY
@given(DOCUMENTS, CASES, st.randoms(use_true_random=False))
def test_equivalent_texts_have_the_same_answers(
    stated: list[dict[str, Any]], case: PolicyCheck, random: Any
) -> None:
    """Order of statements, scalars for lists of one, and case of keys and actions do not matter."""
    written = [_rewrite(each) for each in stated]
    random.shuffle(written)
    assert answers(text_of(stated), case) == answers(text_of(written), case)


def _rewrite(statement: dict[str, Any]) -> dict[str, Any]:
    found = dict(statement)
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if name in found:
            listed = found[name] if isinstance(found[name], list) else [found[name]]
            found[name] = [each.upper() if "ction" in name else each for each in listed]
    if "Condition" in found:
        found["Condition"] = {
            operator: {
                key.swapcase() if "/" not in key else key: each
                if isinstance(each, list)
                else [each]
                for key, each in tests.items()
            }
            for operator, tests in found["Condition"].items()
        }
    return found


@MANY
@given(DOCUMENTS, CASES, st.lists(requests(), min_size=10, max_size=10))
def test_the_suggested_policy_denies_untrusted_requests_only(
    stated: list[dict[str, Any]], case: PolicyCheck, attempts: list[Request]
) -> None:
    """Requests of trusted principals for trusted resources keep their result."""
    text = text_of(stated)
    policy = parse_policy(text)
    trust = case.trust.with_account(OWN)
    for suggested in suggest_policies(text, decide_policy(policy, case), case):
        closed = parse_policy(suggested.text)
        found = decide_policy(closed, case)
        assert found.untrusted_principal.answer is PolicyAnswer.NO
        assert found.untrusted_resource.answer is PolicyAnswer.NO
        if suggested.keeps_rest:
            assert json.loads(suggested.text)["Statement"][: len(stated)] == stated
            _compare_trusted(policy, closed, case, trust, attempts)


def _compare_trusted(
    policy: Policy, closed: Policy, case: PolicyCheck, trust: Trust, attempts: list[Request]
) -> None:
    """Assert that requests of trusted principals for trusted resources keep their result."""
    for request in attempts:
        trusted = request.kind is CallerKind.PRINCIPAL and (
            trust.covers(request.account, request.organization)
            and trust.covers(request.owner, request.owner_organization)
        )
        if trusted:
            before = evaluate(policy, request, gateway=case.endpoint.gateway)
            after = evaluate(closed, request, gateway=case.endpoint.gateway)
            assert before.allowed == after.allowed


@MANY
@given(DOCUMENTS, CASES, st.lists(requests(), min_size=20, max_size=20))
def test_no_need_is_blocked_that_a_role_of_the_account_can_meet(
    stated: list[dict[str, Any]], case: PolicyCheck, attempts: list[Request]
) -> None:
    """Whichever role it is, and whatever resource it uses."""
    policy = parse_policy(text_of(stated))
    check = replace(case, trust=replace(case.trust, own_organization=ORGANIZATION))
    blocked: dict[str, bool] = {}
    for request in attempts:
        is_own = (request.account, request.organization) == (OWN, ORGANIZATION)
        if not is_own or not request.session:
            continue
        if evaluate(policy, request, gateway=case.endpoint.gateway).allowed:
            if request.action not in blocked:
                (found,) = check_needs(policy, [build_need(request.action)], check)
                blocked[request.action] = found.status is NeedStatus.BLOCKED
            assert not blocked[request.action], request


def build_need(action: str) -> Need:
    """Build a need of some resource that the workload chooses."""
    return Need(
        feature="example",
        title="Example",
        purpose="requests",
        use=Use.ALWAYS,
        signers=(Signer.OWN,),
        confirmed=True,
        actions=(action,),
        asked=(action,),
        resource="",
        examples=(),
        owned_by_aws=False,
        owner="",
        missing="",
        sources=(),
    )
