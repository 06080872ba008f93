"""Evaluates the rules that a change of a VPC concerns. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from posture.model.network import Snapshot
from posture.model.verdict import Verdict
from posture.rules import endpoint_policies
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context
from posture.rules.rule_catalogue import VPC_RULES
from posture.rules.trial import build_trial, get_network

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


def evaluate_policies(
    before: VpcContext, snapshot: Snapshot, policy_units: int, verdicts: Sequence[Verdict]
) -> tuple[VpcContext, tuple[Verdict, ...]]:
    """Evaluate the policies that a change concerns, if it concerns nothing else.

    Args:
        before: The VPC before.
        snapshot: Its snapshot after the change.
        policy_units: The work that all its endpoint policies together may take.
        verdicts: All verdicts before.

    Returns:
        The VPC after it, and all verdicts.
    """
    former, network = before.snapshot.endpoints, get_network(before)
    concerned = frozenset(name for name, it in snapshot.endpoints.items() if it is not former[name])
    after = build_trial(before, snapshot, network, policy_units, concerned)
    found = evaluate_context(after, POLICY_RULES.values())
    known = [each for each in verdicts if each.rule in POLICY_RULES]
    # A rule that fails, or whose input is incomplete, answers for the whole VPC instead.
    if any(each.resource == snapshot.scope.subject for each in (*known, *found)):
        after = build_trial(before, snapshot, network, policy_units)
        found, known = evaluate_context(after, POLICY_RULES.values()), []
    others = (each for each in verdicts if each.rule not in POLICY_RULES)
    return after, (*others, *(each for each in known if each.resource not in concerned), *found)


def _have_same_policies(before: VpcContext, after: VpcContext) -> bool:
    """Return whether the same endpoints have the same policies, with the same meaning."""
    if after.changed_policies or before.snapshot.services != after.snapshot.services:
        return False
    was, now = (
        [(each.id, each.type, each.service_name, each.state, each.policy) for each in it.endpoints]
        for it in (before, after)
    )
    return was == now
