"""Parse, decide and lint the text of a policy in one call."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from typing import Any

from posture.policy.decide import PolicyAnswer, PolicyDecision, QuestionResult, decide_policy
from posture.policy.descriptions import build_decision_record
from posture.policy.document import Policy
from posture.policy.endpoint_dependence import generalise_check, restore_endpoint
from posture.policy.lints import Lint, lint_policy
from posture.policy.parse import parse_policy
from posture.policy.policy_check import PolicyCheck


@dataclass(frozen=True, slots=True)
class DecidedPolicy:
    """A policy, the answers about it, and the lints."""

    policy: Policy
    decision: PolicyDecision
    lints: tuple[Lint, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return plain values, as `posture policy check --output json` writes them."""
        lints = [asdict(each) for each in self.lints]
        return {**build_decision_record(self.decision, self.policy), "lints": lints}


def decide_policy_text(text: str, check: PolicyCheck) -> DecidedPolicy:
    """Decide the text of a policy, once for all endpoints and times that it cannot distinguish.

    If a name appears twice, both readings are decided, and answers that differ are unknown.

    Raises:
        MalformedPolicyError: The text is not a policy document.
    """
    decided = _decide(text, generalise_check(text, check))
    return replace(decided, decision=restore_endpoint(check.endpoint, decided.decision))


@lru_cache(maxsize=256)
def _decide(text: str, check: PolicyCheck) -> DecidedPolicy:
    policy = parse_policy(text)
    decision = decide_policy(policy, check)
    if policy.duplicates:
        other = decide_policy(parse_policy(text, keep="first"), check)
        decision = _combine(decision, other, policy.duplicates[0].name)
    return DecidedPolicy(policy, decision, lint_policy(policy, check.endpoint))


def _combine(last: PolicyDecision, first: PolicyDecision, name: str) -> PolicyDecision:
    reason = f"{name} appears twice, and AWS does not document which one it uses"
    unknown = QuestionResult(PolicyAnswer.UNKNOWN, reason=reason)
    pairs = ((getattr(last, each.name), getattr(first, each.name)) for each in fields(last))
    return PolicyDecision(
        *(one if one is None or one.answer is other.answer else unknown for one, other in pairs)
    )
