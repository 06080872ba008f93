"""What a change of a network does: findings that open, resolve or worsen, and paths. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from posture.lean_dataclass import dataclass
from posture.model.verdict import Status, Verdict
from posture.remedies.cells import CellChange, LostRoute, list_cell_changes, list_lost_routes
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context

GOOD = frozenset({Status.PASS, Status.NOT_APPLICABLE})
WORST_FIRST = (Status.FAIL, Status.UNKNOWN, Status.PASS, Status.NOT_APPLICABLE)
# Findings of these rules stop traffic that workloads need: one more fact is worse, and no other
# finding is worth it.
STOPS_TRAFFIC = frozenset(
    {
        "endpoint-not-available",
        "endpoint-policy-blocks-required-service",
        "endpoint-unreachable-from-subnet",
        "gateway-endpoint-blocked-by-network-acl",
        "network-acl-blocks-return-traffic",
    }
)

VerdictKey = tuple[str, str]  # the rule and the resource


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A verdict that is bad before and after, with another status or severity, or more facts."""

    before: Verdict
    after: Verdict

    @property
    def is_worse(self) -> bool:
        """Whether it fails where it was unknown, is more severe, or stops more traffic."""
        return _badness(self.after) < _badness(self.before) or bool(self.added)

    @property
    def added(self) -> tuple[str, ...]:
        """The facts that were not among those before, if they say that traffic is stopped."""
        if self.after.rule not in STOPS_TRAFFIC:
            return ()
        known = {fact.text for fact in self.before.evidence}
        return tuple(fact.text for fact in self.after.evidence if fact.text not in known)

    @property
    def is_material(self) -> bool:
        """Whether anything differs that a reader would act on."""
        return self.is_worse or _badness(self.after) != _badness(self.before)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change of a scope does.

    A verdict is bad if it fails or is unknown. All are in order of severity.

    Attributes:
        opened: Bad verdicts that are not bad, or do not exist, before the change.
        resolved: Bad verdicts before the change that are not bad, or do not exist, after it.
        changed: Verdicts that stay bad with another status or severity.
        cells: The cells of the coverage matrix that differ.
        lost_routes: Other addresses that subnets no longer have a route to.
    """

    opened: tuple[Verdict, ...] = ()
    resolved: tuple[Verdict, ...] = ()
    changed: tuple[VerdictChange, ...] = ()
    cells: tuple[CellChange, ...] = ()
    lost_routes: tuple[LostRoute, ...] = ()

    @property
    def worsened(self) -> tuple[VerdictChange, ...]:
        """The verdicts that stay bad and become worse."""
        return tuple(each for each in self.changed if each.is_worse)

    @property
    def lost_cells(self) -> tuple[CellChange, ...]:
        """The cells in which less traffic reaches the service than before, or less privately."""
        return tuple(each for each in self.cells if each.is_lost)

    def join(self, other: Effect) -> Effect:
        """Add what the change breaks of another scope; what it resolves there is left out."""
        return replace(
            self,
            opened=_sort((*self.opened, *other.opened)),
            changed=(*self.changed, *other.changed),
            cells=(*self.cells, *other.cells),
            lost_routes=(*self.lost_routes, *other.lost_routes),
        )

    @property
    def is_worse(self) -> bool:
        """Whether anything opens, becomes worse or is lost."""
        return bool(self.opened or self.worsened or self.lost_cells or self.lost_routes)


def compare(before: VpcContext, after: VpcContext) -> Effect:
    """Evaluate a VPC before and after a change, and compare all verdicts and paths.

    The contexts keep their analyses: pass the same `before` for several changes of one VPC.
    """
    return compare_contexts(before, after, evaluate_context(before), evaluate_context(after))


def compare_contexts(
    before: VpcContext,
    after: VpcContext,
    verdicts_before: Iterable[Verdict],
    verdicts_after: Iterable[Verdict],
) -> Effect:
    """Compare a VPC before and after a change as `compare`, for callers that have evaluated it."""
    return compare_verdicts(
        verdicts_before,
        verdicts_after,
        cells=list_cell_changes(before, after),
        lost_routes=list_lost_routes(before, after),
    )


def compare_verdicts(
    before: Iterable[Verdict],
    after: Iterable[Verdict],
    *,
    cells: tuple[CellChange, ...] = (),
    lost_routes: tuple[LostRoute, ...] = (),
) -> Effect:
    """Compare the verdicts on a scope before and after a change.

    Args:
        before: All verdicts before, passes included.
        after: All verdicts after.
        cells: What else differs, for the result.
        lost_routes: As well.
    """
    bad_before = select_worst(each for each in before if each.status not in GOOD)
    bad_after = select_worst(each for each in after if each.status not in GOOD)
    kept = (
        VerdictChange(was, now)
        for key, now in bad_after.items()
        if (was := bad_before.get(key)) is not None and was is not now
    )
    return Effect(
        opened=_sort(bad_after[key] for key in bad_after.keys() - bad_before),
        resolved=_sort(bad_before[key] for key in bad_before.keys() - bad_after),
        changed=tuple(
            sorted(
                (each for each in kept if each.is_material),
                key=lambda each: _order(each.after),
            )
        ),
        cells=cells,
        lost_routes=lost_routes,
    )


def select_worst(verdicts: Iterable[Verdict]) -> dict[VerdictKey, Verdict]:
    """Return the verdicts by rule and resource; of several, the worst, as findings keep it."""
    worst: dict[VerdictKey, Verdict] = {}
    for verdict in verdicts:
        key = get_key(verdict)
        other = worst.get(key)
        if other is None or _tie(verdict) < _tie(other):
            worst[key] = verdict
    return worst


def get_key(verdict: Verdict) -> VerdictKey:
    """Return what two verdicts on one finding have in common."""
    return verdict.rule, verdict.resource


def _badness(verdict: Verdict) -> tuple[int, int]:
    return WORST_FIRST.index(verdict.status), verdict.severity.rank


def _tie(verdict: Verdict) -> tuple[int, int, str]:
    return *_badness(verdict), verdict.summary


def _order(verdict: Verdict) -> tuple[int, int, str, str]:
    return verdict.severity.rank, WORST_FIRST.index(verdict.status), *get_key(verdict)


def _sort(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    return tuple(sorted(verdicts, key=_order))
