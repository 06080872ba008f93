"""From a policy's text to its verdict, in one call."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from posture.policy.decide import Answer, Case, Decision, Finding, decide
from posture.policy.descriptions import decision_record
from posture.policy.document import Policy
from posture.policy.lints import Lint, lint
from posture.policy.parse import parse
from posture.policy.sited import at, unsited


@dataclass(frozen=True, slots=True)
class Decided:
    """A policy with its verdict and the remarks on it."""

    policy: Policy
    decision: Decision
    lints: tuple[Lint, ...] = ()

    def record(self) -> dict[str, Any]:
        """Give it as plain values, as `posture policy check --output json` writes it."""
        remarks = tuple(asdict(each) for each in self.lints)
        return decision_record(self.decision, self.policy, remarks)


def decide_text(text: str, case: Case) -> Decided:
    """Decide a policy; of names that stand twice, both readings are decided.

    A text is decided once for all the endpoints and hours that it cannot tell apart.

    Raises:
        UnreadablePolicyError: the text is no policy document; names the place.
    """
    decided = _decided(text, unsited(text, case))
    return replace(decided, decision=at(case.site, decided.decision))


@lru_cache(maxsize=256)
def _decided(text: str, case: Case) -> Decided:
    policy = parse(text)
    decision = decide(policy, case)
    if policy.duplicates:
        other = decide(parse(text, keep="first"), case)
        decision = _agreed(decision, other, policy.duplicates[0].name)
    return Decided(policy, decision, lint(policy, case.site))


def _agreed(last: Decision, first: Decision, name: str) -> Decision:
    reason = f"{name} stands twice, and it is not documented which of them holds"
    unknown = Finding(Answer.UNKNOWN, reason=reason)

    def both(one: Finding, other: Finding) -> Finding:
        return one if one.answer is other.answer else unknown

    disallowed = None
    if last.disallowed_action and first.disallowed_action:
        disallowed = both(last.disallowed_action, first.disallowed_action)
    return Decision(
        both(last.full_access, first.full_access),
        both(last.untrusted_principal, first.untrusted_principal),
        both(last.untrusted_resource, first.untrusted_resource),
        both(last.anything, first.anything),
        disallowed,
    )
