"""What the policies of a service's endpoints let through, as steps of an explanation."""

from __future__ import annotations

from collections.abc import Iterator

from posture.analysis.endpoint_contexts import WITH_POLICY, policy_supported, site_of
from posture.analysis.step import Step
from posture.model.network import Endpoint, Service, Snapshot
from posture.policy import (
    Answer,
    Case,
    Decided,
    Finding,
    Trust,
    UnreadablePolicyError,
    decide_text,
)
from posture.policy.descriptions import in_words

QUESTIONS = {
    "untrusted_principal": ("lets in untrusted principals", "lets in trusted principals only"),
    "untrusted_resource": ("reaches untrusted resources", "reaches trusted resources only"),
}


def policy_steps(snapshot: Snapshot, service: Service, trust: Trust) -> Iterator[Step]:
    """Tell what the policy of each endpoint of a service lets through."""
    for _, endpoint in sorted(snapshot.endpoints.items()):
        if endpoint.service_name == service.name and endpoint.type in WITH_POLICY:
            yield _step(snapshot, endpoint, trust)


def _step(snapshot: Snapshot, endpoint: Endpoint, trust: Trust) -> Step:
    unsupported = policy_supported(snapshot, endpoint) is False
    if unsupported or endpoint.policy is None:
        why = "the service takes no policy" if unsupported else "EC2 tells no policy"
        return Step("policy", f"{endpoint.id}: {why}.", {"endpoint": endpoint.id, "answer": ""})
    case = Case(site_of(snapshot, endpoint), trust, snapshot.observed_at)
    try:
        decided = decide_text(endpoint.policy, case)
    except UnreadablePolicyError as error:
        text = f"The policy of {endpoint.id} cannot be read: {error}."
        return Step("policy", text, {"endpoint": endpoint.id, "answer": "unknown"})
    answers = {name: each.answer.value for name, each in decided.decision.questions.items()}
    text = f"The policy of {endpoint.id} {'; it '.join(_told(decided))}."
    return Step("policy", text, {"endpoint": endpoint.id, **answers})


def _told(decided: Decided) -> Iterator[str]:
    decision = decided.decision
    if decision.full_access.answer is Answer.YES:
        yield "is full access: it lets everybody do everything"
        return
    if decision.allows_nothing:
        yield "lets nothing through"
        return
    for name, (opened, closed) in QUESTIONS.items():
        yield _answer(decided, decision.questions[name], opened, closed)


def _answer(decided: Decided, finding: Finding, opened: str, closed: str) -> str:
    if finding.answer is Answer.NO:
        return closed
    if finding.answer is Answer.UNKNOWN or finding.request is None:
        return f"may be one that {opened}: {finding.reason}"
    return f"{opened}: for example, {in_words(finding.request, decided.policy)}"
