"""Parse, decide and lint the text of a policy in one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import lru_cache
from typing import Any

from posture.lean_dataclass import dataclass
from posture.policy.decide import (
    MAX_UNITS,
    TOO_COMPLEX,
    PolicyAnswer,
    PolicyDecision,
    QuestionResult,
    decide_policy,
)
from posture.policy.descriptions import build_decision_record
from posture.policy.document import Policy, shorten
from posture.policy.endpoint_dependence import generalize_check, restore_endpoint
from posture.policy.json_reader import MalformedPolicyError
from posture.policy.lints import Lint, lint_policy
from posture.policy.parse import parse_policy
from posture.policy.policy_check import PolicyCheck
from posture.policy.search_budget import SearchBudget

FIRST_UNITS = MAX_UNITS // 16  # more than most policies need
LEAST_UNITS = MAX_UNITS // 256


@dataclass(frozen=True, slots=True)
class DecidedPolicy:
    """A policy, the answers about it, the lints, and the units of work that it took."""

    policy: Policy
    decision: PolicyDecision
    lints: tuple[Lint, ...] = ()
    units: int = 0

    def to_record(self) -> dict[str, Any]:
        """Return plain values, as `posture policy check --output json` writes them."""
        lints = [{**asdict(each), "source": each.source} for each in self.lints]
        return {**build_decision_record(self.decision, self.policy), "lints": lints}


def decide_policy_text(text: str, check: PolicyCheck, units: int = MAX_UNITS) -> DecidedPolicy:
    """Decide the text of a policy, once for all endpoints and times that it cannot distinguish.

    If a name appears twice, both readings are decided, and answers that differ are unknown.

    Args:
        text: The policy.
        check: What it is checked against.
        units: The work that all of it may take.

    Raises:
        MalformedPolicyError: The text is not a policy document.
    """
    return _decide_for(text, generalize_check(text, check), check, units)


def _decide_for(text: str, general: PolicyCheck, check: PolicyCheck, units: int) -> DecidedPolicy:
    """Decide a policy by a check without what it cannot distinguish, for one endpoint."""
    decided = _decide(text, general, units)
    decision = restore_endpoint(check.endpoint, decided.decision)
    return DecidedPolicy(decided.policy, decision, decided.lints, decided.units)


def decide_policies(
    stated: Mapping[str, tuple[str, PolicyCheck]], units: int
) -> dict[str, DecidedPolicy | MalformedPolicyError]:
    """Decide several policies, which share the work fairly: those that need little come first.

    Args:
        stated: The text of each policy and what it is checked against, by any name.
        units: The work that all of them together may take.
    """
    found: dict[str, DecidedPolicy | MalformedPolicyError] = {}
    alike: dict[tuple[str, PolicyCheck], list[str]] = {}
    for name, (text, check) in stated.items():
        alike.setdefault((text, generalize_check(text, check)), []).append(name)
    pending, left, before = list(alike), units, 0
    for most in (FIRST_UNITS, MAX_UNITS):
        if not pending:
            break
        # Halves of the maximum, so that policies are found in the cache.
        share, available = most, left // 2 if most == FIRST_UNITS else left
        while share * len(pending) > available and share > LEAST_UNITS:
            share //= 2
        if share <= before:
            break
        before = share
        for job in pending:
            text, general = job
            for name in alike[job]:
                try:
                    found[name] = _decide_for(text, general, stated[name][1], share)
                except MalformedPolicyError as error:
                    found[name] = error
            first = found[alike[job][0]]
            left -= first.units if isinstance(first, DecidedPolicy) else 0
        pending = [job for job in pending if is_unfinished(found[alike[job][0]])]
    return found


def is_unfinished(decided: DecidedPolicy | MalformedPolicyError) -> bool:
    """Return whether a policy took more work than it was given."""
    return isinstance(decided, DecidedPolicy) and any(
        each.reason.startswith(TOO_COMPLEX) for each in decided.decision.results.values()
    )


@lru_cache(maxsize=512)
def _decide(text: str, check: PolicyCheck, units: int) -> DecidedPolicy:
    policy = parse_policy(text)
    budget = SearchBudget(units // 2 if policy.duplicates else units)
    decision = decide_policy(policy, check, budget)
    spent = sum(budget.spent.values())
    if policy.duplicates:
        budget = SearchBudget(units // 2)
        other = decide_policy(parse_policy(text, keep="first"), check, budget)
        spent += sum(budget.spent.values())
        decision = _combine(decision, other, policy.duplicates[0].name)
    return DecidedPolicy(policy, decision, lint_policy(policy, check.endpoint), spent)


def _combine(last: PolicyDecision, first: PolicyDecision, name: str) -> PolicyDecision:
    reason = f"{shorten(name)} appears twice, and AWS does not document which one it uses"
    unknown = QuestionResult(PolicyAnswer.UNKNOWN, reason=reason)
    pairs = ((getattr(last, each.name), getattr(first, each.name)) for each in fields(last))
    return PolicyDecision(
        *(one if one is None or one.answer is other.answer else unknown for one, other in pairs)
    )
