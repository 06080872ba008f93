"""What the policies of a service's endpoints let through, as steps of an explanation."""

from __future__ import annotations

from collections.abc import Iterator

from posture.analysis.endpoint_contexts import (
    TYPES_WITH_POLICY,
    build_endpoint_context,
    supports_policy,
)
from posture.analysis.step import ExplanationStep
from posture.model.network import Endpoint, Service, Snapshot
from posture.policy import (
    DecidedPolicy,
    MalformedPolicyError,
    PolicyAnswer,
    PolicyCheck,
    QuestionResult,
    Trust,
    decide_policy_text,
)
from posture.policy.descriptions import describe_request

QUESTIONS = {
    "untrusted_principal": ("lets in untrusted principals", "lets in trusted principals only"),
    "untrusted_resource": ("reaches untrusted resources", "reaches trusted resources only"),
}


def explain_policies(
    snapshot: Snapshot, service: Service, trust: Trust
) -> Iterator[ExplanationStep]:
    """Tell what the policy of each endpoint of a service lets through."""
    for _, endpoint in sorted(snapshot.endpoints.items()):
        if endpoint.service_name == service.name and endpoint.type in TYPES_WITH_POLICY:
            yield _step(snapshot, endpoint, trust)


def _step(snapshot: Snapshot, endpoint: Endpoint, trust: Trust) -> ExplanationStep:
    unsupported = supports_policy(snapshot, endpoint) is False
    if unsupported or endpoint.policy is None:
        why = "the service takes no policy" if unsupported else "EC2 tells no policy"
        return ExplanationStep(
            "policy", f"{endpoint.id}: {why}.", {"endpoint": endpoint.id, "answer": ""}
        )
    case = PolicyCheck(build_endpoint_context(snapshot, endpoint), trust, snapshot.observed_at)
    try:
        decided = decide_policy_text(endpoint.policy, case)
    except MalformedPolicyError as error:
        text = f"The policy of {endpoint.id} cannot be read: {error}."
        return ExplanationStep("policy", text, {"endpoint": endpoint.id, "answer": "unknown"})
    answers = {name: each.answer.value for name, each in decided.decision.questions.items()}
    text = f"The policy of {endpoint.id} {'; it '.join(_told(decided))}."
    return ExplanationStep("policy", text, {"endpoint": endpoint.id, **answers})


def _told(decided: DecidedPolicy) -> Iterator[str]:
    decision = decided.decision
    if decision.full_access.answer is PolicyAnswer.YES:
        yield "is full access: it lets everybody do everything"
        return
    if decision.allows_nothing:
        yield "lets nothing through"
        return
    for name, (opened, closed) in QUESTIONS.items():
        yield _answer(decided, decision.questions[name], opened, closed)


def _answer(decided: DecidedPolicy, finding: QuestionResult, opened: str, closed: str) -> str:
    if finding.answer is PolicyAnswer.NO:
        return closed
    if finding.answer is PolicyAnswer.UNKNOWN or finding.request is None:
        return f"may be one that {opened}: {finding.reason}"
    return f"{opened}: for example, {describe_request(finding.request, decided.policy)}"
