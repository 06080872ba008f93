"""From a policy's text to its verdict, in one call."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from posture.policy.decide import (
    PolicyAnswer,
    PolicyDecision,
    QuestionResult,
    decide_policy,
)
from posture.policy.descriptions import decision_record
from posture.policy.document import Policy
from posture.policy.endpoint_dependence import generalise_check, restore_endpoint
from posture.policy.lints import Lint, lint_policy
from posture.policy.parse import parse_policy
from posture.policy.policy_check import PolicyCheck


@dataclass(frozen=True, slots=True)
class DecidedPolicy:
    """A policy with its verdict and the remarks on it."""

    policy: Policy
    decision: PolicyDecision
    lints: tuple[Lint, ...] = ()

    def record(self) -> dict[str, Any]:
        """Give it as plain values, as `posture policy check --output json` writes it."""
        remarks = tuple(asdict(each) for each in self.lints)
        return decision_record(self.decision, self.policy, remarks)


def decide_policy_text(text: str, check: PolicyCheck) -> DecidedPolicy:
    """Decide a policy; of names that stand twice, both readings are decided.

    A text is decided once for all the endpoints and hours that it cannot tell apart.

    Raises:
        UnreadablePolicyError: the text is no policy document; names the place.
    """
    decided = _decided(text, generalise_check(text, check))
    return replace(decided, decision=restore_endpoint(check.endpoint, decided.decision))


@lru_cache(maxsize=256)
def _decided(text: str, check: PolicyCheck) -> DecidedPolicy:
    policy = parse_policy(text)
    decision = decide_policy(policy, check)
    if policy.duplicates:
        other = decide_policy(parse_policy(text, keep="first"), check)
        decision = _agreed(decision, other, policy.duplicates[0].name)
    return DecidedPolicy(policy, decision, lint_policy(policy, check.endpoint))


def _agreed(last: PolicyDecision, first: PolicyDecision, name: str) -> PolicyDecision:
    reason = f"{name} stands twice, and it is not documented which of them holds"
    unknown = QuestionResult(PolicyAnswer.UNKNOWN, reason=reason)

    def both(one: QuestionResult, other: QuestionResult) -> QuestionResult:
        return one if one.answer is other.answer else unknown

    disallowed = None
    if last.disallowed_action and first.disallowed_action:
        disallowed = both(last.disallowed_action, first.disallowed_action)
    return PolicyDecision(
        both(last.full_access, first.full_access),
        both(last.untrusted_principal, first.untrusted_principal),
        both(last.untrusted_resource, first.untrusted_resource),
        both(last.anything, first.anything),
        disallowed,
    )
