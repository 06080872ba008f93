"""Proposes what makes a service reachable through central endpoints: names, routes and gates.

The first broken step is mended, the network after that is asked again, and so on until the names
and the paths hold. What changes the VPC alone comes before what changes others, and its own blocks
before anything wider (docs/decisions/0101-remedies-in-other-accounts.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from posture.analysis.central.answers import NameOutcome, StepKind, StepStatus
from posture.edits.format import format_sequence
from posture.edits.state import NetworkState, apply_to_state
from posture.errors import EditError
from posture.lean_dataclass import dataclass
from posture.model.network import Snapshot
from posture.model.verdict import Remediation
from posture.rules.central.use import CentralUse, evaluate_use
from posture.rules.contexts import VpcContext
from posture.rules.remediation.central_gates import list_gate_edits
from posture.rules.remediation.central_links import list_link_edits
from posture.rules.remediation.central_names import list_name_edits
from posture.rules.remediation.central_policies import list_policy_edits
from posture.rules.remediation.central_problem import Plan, Problem
from posture.rules.remediation.central_texts import describe_accounts, describe_plan
from posture.rules.trial import build_trial, get_network

MOST_TRIALS = 24  # networks that are evaluated for one use
MOST_STEPS = 8  # that one plan mends
MOST_PLANS = 3  # that are proposed
MOST_KNOWN = 4  # plans for other services that are tried first


def propose_central(vpc: VpcContext, use: CentralUse) -> tuple[Remediation, ...]:
    """Propose what lets a VPC reach a service through central endpoints, the least first.

    Args:
        vpc: The VPC, with the network that it shares with others.
        use: How it uses the central endpoints of the service.

    Returns:
        Remediations with a command each, whose text says in which accounts it runs; none where
        nothing mends all that is broken.
    """
    known: list[_Known] = vpc.remember(("central plans",), list)  # what was used last at the end
    for index, each in enumerate(known):  # what mends one service often mends the others
        if _is_mended(use, evaluate_use(each.after, use.service)):
            known.append(known.pop(index))
            return (each.remediation,)
    found = [_Known(_build(vpc, plan), after) for plan, after in _Search(use).find_plans(vpc)]
    known += found[:1]
    del known[:-MOST_KNOWN]
    return tuple(each.remediation for each in found)


@dataclass(frozen=True, slots=True)
class _Known:
    """A remediation of some service, and the VPC after it."""

    remediation: Remediation
    after: VpcContext


def _build(vpc: VpcContext, plan: Plan) -> Remediation:
    scope = vpc.snapshot.scope
    accounts = apply_to_state(NetworkState((vpc.snapshot,), get_network(vpc)), plan).accounts
    text = f"{describe_plan(plan, vpc)} {describe_accounts(accounts, scope)}".strip()
    profiles = ["" if each == scope.account else each for each in accounts]
    return Remediation(text, format_sequence(plan, profiles=profiles))


@dataclass(frozen=True, slots=True)
class _Found:
    """A plan, the VPC after it, and how many broken steps it mends."""

    edits: Plan
    after: VpcContext
    steps: int


@dataclass(slots=True)
class _Search:
    """Searches for plans that mend a use, within a number of trials."""

    use: CentralUse
    trials: int = 0
    seen: set[tuple[object, ...]] = field(default_factory=set)

    def find_plans(self, vpc: VpcContext) -> list[tuple[Plan, VpcContext]]:
        """Find plans that begin with different edits, those of the fewest steps first.

        Returns:
            Each plan with the VPC after it.
        """
        found: dict[Plan, _Found] = {}
        self.seen.add(_get_key(self.use))
        for first in _list_candidates(Problem(vpc, self.use)):
            if len(found) >= MOST_PLANS:
                break
            if plan := self._complete(vpc, first):
                found.setdefault(plan.edits, plan)
        ordered = sorted(found.values(), key=lambda each: each.steps)
        return [(each.edits, each.after) for each in ordered]

    def _complete(self, vpc: VpcContext, edits: Plan, steps: int = 1) -> _Found | None:
        """Extend edits until the use holds; None if that is not found."""
        if self.trials >= MOST_TRIALS:
            return None
        self.trials += 1
        after = _try(vpc, edits)
        if after is None:
            return None
        use = evaluate_use(after, self.use.service)
        if _is_mended(self.use, use):
            return _Found(edits, after, steps)
        key = _get_key(use)
        if key in self.seen or steps >= MOST_STEPS:
            return None
        self.seen.add(key)
        for more in _list_candidates(Problem(after, use)):
            if plan := self._complete(vpc, (*edits, *more), steps + 1):
                return plan
        return None


def _is_mended(before: CentralUse, after: CentralUse) -> bool:
    """Return whether a use holds; if it did before, whether fewer names lead past."""
    if after.status is not StepStatus.HOLDS:
        return False
    return before.status is not StepStatus.HOLDS or _count_past(after) < _count_past(before)


def _count_past(use: CentralUse) -> int:
    return sum(each.outcome is not NameOutcome.ENDPOINT for each in use.names)


def _get_key(use: CentralUse) -> tuple[object, ...]:
    """Return what differs when a step is mended."""
    names = tuple((each.name, each.outcome) for each in use.names)
    return use.deciding, use.affected, names


def _try(vpc: VpcContext, edits: Plan) -> VpcContext | None:
    """Return the VPC after edits; None if AWS would refuse one, or its effect is not known."""
    try:
        state = apply_to_state(NetworkState((vpc.snapshot,), get_network(vpc)), edits).state
    except EditError:
        return None
    (snapshot,) = state.snapshots
    assert isinstance(snapshot, Snapshot)  # noqa: S101 - as before
    return build_trial(vpc, snapshot, state.shared)


def _list_candidates(problem: Problem) -> Iterator[Plan]:
    """List what may mend the step that decides, the least first."""
    if problem.shared is None or problem.use.status is StepStatus.UNKNOWN:
        return
    if problem.step and problem.step.kind is StepKind.POLICY:
        yield from list_policy_edits(problem)
        return
    if problem.path is None:
        yield from list_name_edits(problem)
        return
    yield from list_link_edits(problem)
    yield from list_gate_edits(problem)
