"""Evaluates the rules that a change of a VPC concerns. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from posture.model.verdict import Verdict
from posture.rules import endpoint_policies
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context
from posture.rules.rule_catalogue import VPC_RULES

# A command that sets policies only concerns these rules, and no other command does: tests show
# that no other rule reads a policy, and that these read nothing else.
POLICY_RULES = {rule.id: rule for rule in endpoint_policies.RULES}
OTHER_RULES = tuple(rule for rule in VPC_RULES if rule.id not in POLICY_RULES)


def evaluate_changed(
    before: VpcContext, after: VpcContext, verdicts: Iterable[Verdict]
) -> tuple[Verdict, ...]:
    """Evaluate all rules after a change, except those about policies if no policy is concerned.

    Args:
        before: The VPC before.
        after: The VPC after.
        verdicts: All verdicts before.
    """
    if (
        before.is_unused_default
        or after.is_unused_default
        or not _have_same_policies(before, after)
    ):
        return evaluate_context(after)
    known = (each for each in verdicts if each.rule in POLICY_RULES)
    return (*evaluate_context(after, OTHER_RULES), *known)


def _have_same_policies(before: VpcContext, after: VpcContext) -> bool:
    """Return whether the same endpoints have the same policies, with the same meaning."""
    if after.changed_policies or before.snapshot.services != after.snapshot.services:
        return False
    was, now = (
        [(each.id, each.type, each.service_name, each.state, each.policy) for each in it.endpoints]
        for it in (before, after)
    )
    return was == now
