"""Explain what the policies of a service's endpoints allow."""

from __future__ import annotations

from collections.abc import Iterator

from posture.analysis.endpoint_contexts import (
    TYPES_WITH_POLICY,
    build_endpoint_context,
    supports_policy,
)
from posture.analysis.step import ExplanationStep
from posture.model.baseline import Baseline
from posture.model.network import Endpoint, Service, Snapshot
from posture.policy import (
    DecidedPolicy,
    MalformedPolicyError,
    PolicyAnswer,
    PolicyCheck,
    QuestionResult,
    decide_policy_text,
)
from posture.policy.descriptions import describe_request
from posture.policy.needs import NeedStatus, Use
from posture.policy.needs.check import check_needs_of_text
from posture.policy.needs.descriptions import describe_purpose
from posture.policy.required import build_policy_check

QUESTIONS = {
    "untrusted_principal": ("allows untrusted principals", "allows trusted principals only"),
    "untrusted_resource": ("allows untrusted resources", "allows trusted resources only"),
}


def explain_policies(
    snapshot: Snapshot, service: Service, baseline: Baseline
) -> Iterator[ExplanationStep]:
    """Explain what the policy of each endpoint of a service allows, and what it stops."""
    for _, endpoint in sorted(snapshot.endpoints.items()):
        if endpoint.service_name == service.name and endpoint.type in TYPES_WITH_POLICY:
            yield explain_policy(snapshot, endpoint, baseline)


def explain_policy(snapshot: Snapshot, endpoint: Endpoint, baseline: Baseline) -> ExplanationStep:
    """Explain what the policy of an endpoint allows, and what it stops."""
    unsupported = supports_policy(snapshot, endpoint) is False
    if unsupported or endpoint.policy is None:
        why = "the service does not support policies" if unsupported else "EC2 returns no policy"
        return ExplanationStep(
            "policy", f"{endpoint.id}: {why}.", {"endpoint": endpoint.id, "answer": ""}
        )
    context = build_endpoint_context(snapshot, endpoint)
    check = build_policy_check(context, baseline, snapshot.observed_at)
    try:
        decided = decide_policy_text(endpoint.policy, check)
    except MalformedPolicyError as error:
        text = f"The policy of {endpoint.id} cannot be parsed: {error}."
        return ExplanationStep("policy", text, {"endpoint": endpoint.id, "answer": "unknown"})
    answers = {name: each.answer.value for name, each in decided.decision.results.items()}
    stopped = _list_stopped(endpoint.policy, check)
    clauses = [*_describe_decision(decided), *(f"stops {each}" for each in stopped)]
    record = {"endpoint": endpoint.id, **answers, "stops": "; ".join(stopped)}
    text = f"The policy of {endpoint.id} {'; it '.join(clauses)}."
    return ExplanationStep("policy", text, record)


def _list_stopped(text: str, check: PolicyCheck) -> list[str]:
    """Return the features that the baseline requires and that a policy stops."""
    results = check_needs_of_text(text, check, Use.ALWAYS)
    blocked = (each for each in results if each.status is NeedStatus.BLOCKED)
    return list(dict.fromkeys(map(describe_purpose, blocked)))


def _describe_decision(decided: DecidedPolicy) -> Iterator[str]:
    decision = decided.decision
    if decision.full_access.answer is PolicyAnswer.YES:
        yield "allows full access"
        return
    if decision.allows_nothing:
        yield "allows no request"
        return
    for name, (yes, no) in QUESTIONS.items():
        yield _describe_answer(decided, decision.results[name], yes, no)


def _describe_answer(decided: DecidedPolicy, result: QuestionResult, yes: str, no: str) -> str:
    if result.answer is PolicyAnswer.NO:
        return no
    if result.answer is PolicyAnswer.UNKNOWN or result.request is None:
        return f"possibly {yes}: {result.reason}"
    return f"{yes}: for example, {describe_request(result.request, decided.policy)}"
