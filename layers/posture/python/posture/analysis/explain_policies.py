"""What the policies of a service's endpoints let through, as steps of an explanation."""

from __future__ import annotations

from collections.abc import Iterator

from posture.analysis.policy import (
    Answer,
    Case,
    Decided,
    Finding,
    Trust,
    UnreadablePolicyError,
    decide_text,
)
from posture.analysis.policy.words import in_words
from posture.analysis.sites import WITH_POLICY, site_of
from posture.analysis.step import Step
from posture.model.network import Endpoint, Service, Snapshot

QUESTIONS = {
    "untrusted_principal": ("lets in untrusted principals", "lets in trusted principals only"),
    "untrusted_resource": ("reaches untrusted resources", "reaches trusted resources only"),
}


def policy_steps(snapshot: Snapshot, service: Service, trust: Trust) -> Iterator[Step]:
    """Tell what the policy of each endpoint of a service lets through."""
    for _, endpoint in sorted(snapshot.endpoints.items()):
        if endpoint.service_name == service.name and endpoint.type in WITH_POLICY:
            yield _step(snapshot, service, endpoint, trust)


def _step(snapshot: Snapshot, service: Service, endpoint: Endpoint, trust: Trust) -> Step:
    if endpoint.policy is None or service.policy_supported is False:
        why = "EC2 tells no policy" if endpoint.policy is None else "the service takes no policy"
        return Step("policy", f"{endpoint.id}: {why}.", {"endpoint": endpoint.id, "answer": ""})
    case = Case(
        site_of(snapshot, endpoint),
        trust,
        snapshot.observed_at,
    )
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
