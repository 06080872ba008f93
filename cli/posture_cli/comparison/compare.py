"""Compares snapshots before and after a change. Pure.

`what-if` and `plan` share it: they differ only in where the snapshot after the change comes from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from posture.analysis.addresses import AddressSet
from posture.analysis.central.view import build_view, find_links
from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Snapshot
from posture.model.scope import Scope
from posture.model.shared_network import SharedNetwork
from posture.model.verdict import Status, Verdict
from posture.remedies.cells import CellChange, LostRoute
from posture.remedies.effect import Effect, compare_contexts, compare_verdicts
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context, evaluate_endpoint_service
from posture_cli.comparison.charges import ChargesComparison, compare_charges

ScopeSnapshot = Snapshot | EndpointServiceSnapshot


class Kind(StrEnum):
    """What happens to a VPC or an endpoint service."""

    CHANGED = "changed"
    CREATED = "created"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class ScopeComparison:
    """One VPC or endpoint service before and after a change.

    Attributes:
        effect: The findings and cells that differ.
        verdicts: All verdicts after the change, passes included.
        charges: What is charged by the hour, before and after.
        names: The name tags of subnets, by id.
        former_routes: The routes by which subnets reached what they lose, by subnet id.
    """

    scope: Scope
    kind: Kind
    effect: Effect
    verdicts: tuple[Verdict, ...] = ()
    charges: ChargesComparison = field(default_factory=ChargesComparison)
    names: Mapping[str, str] = field(default_factory=dict)
    former_routes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_worse(self) -> bool:
        """Whether a finding opens or becomes worse, or a path is lost.

        What is created was not better before: there, something must fail.
        """
        if self.kind is Kind.CREATED:
            return any(each.status is Status.FAIL for each in self.effect.opened)
        return self.effect.is_worse


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a change does to VPCs and endpoint services; those that stay the same are left out.

    `unchanged` counts them. `notes` are sentences about what could not be compared: they are part
    of every output.
    """

    scopes: tuple[ScopeComparison, ...]
    unchanged: int = 0
    exempt: tuple[Scope, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_worse(self) -> bool:
        """Whether anything becomes worse: then the command exits with 1."""
        return any(each.is_worse for each in self.scopes)


@dataclass(frozen=True, slots=True)
class SharedComparison:
    """The network that the VPCs of a region share, before and after; None where it is not read."""

    before: SharedNetwork | None = None
    after: SharedNetwork | None = None

    def concerns(self, before: ScopeSnapshot | None, after: ScopeSnapshot | None) -> bool:
        """Whether it changed in what a VPC depends on."""
        if self.before is None or self.after is None or self.before is self.after:
            return False
        if not isinstance(before, Snapshot) or not isinstance(after, Snapshot):
            return False
        views = (
            build_view(shared, find_links(snapshot))
            for shared, snapshot in ((self.before, before), (self.after, after))
        )
        return len({each.digest for each in views}) > 1


NOT_SHARED = SharedComparison()
NO_EFFECT = Effect()


def compare_snapshots(
    before: Iterable[ScopeSnapshot],
    after: Iterable[ScopeSnapshot],
    document: BaselineDocument,
    notes: Sequence[str] = (),
    shared: SharedComparison = NOT_SHARED,
) -> Comparison:
    """Compare the VPCs and endpoint services of regions before and after a change.

    Args:
        before: The snapshots before; a scope that is only here is deleted.
        after: The snapshots after; a scope that is only here is created.
        document: The baseline by which both are evaluated.
        notes: Sentences about what could not be compared.
        shared: The network that the VPCs share.
    """
    was = {each.scope: each for each in before}
    now = {each.scope: each for each in after}
    found: list[ScopeComparison] = []
    exempt: list[Scope] = []
    scopes = sorted({*was, *now})
    changed = [
        each
        for each in scopes
        if not _is_same(was.get(each), now.get(each))
        or shared.concerns(was.get(each), now.get(each))
    ]
    for scope in changed:
        first = _Side.of(was.get(scope), document, shared.before)
        last = _Side.of(now.get(scope), document, shared.after)
        if first.exempt or last.exempt:
            exempt.append(scope)
            continue
        compared = _compare_sides(scope, first, last)
        if compared.effect != NO_EFFECT or not _is_same(was.get(scope), now.get(scope)):
            found.append(compared)
    unchanged = len(scopes) - len(found) - len(exempt)
    return Comparison(tuple(found), unchanged, tuple(exempt), tuple(notes))


def _is_same(before: ScopeSnapshot | None, after: ScopeSnapshot | None) -> bool:
    """Whether nothing differs except the time of observation."""
    if before is None or after is None:
        return False
    return replace(before, observed_at=after.observed_at) == after


@dataclass(frozen=True, slots=True)
class _Side:
    """A scope before or after the change; without a snapshot if it does not exist there."""

    snapshot: ScopeSnapshot | None = None
    context: VpcContext | None = None  # of a VPC
    verdicts: tuple[Verdict, ...] = ()
    exempt: bool = False

    @property
    def vpc(self) -> Snapshot | None:
        """The snapshot, if it is one of a VPC."""
        return self.context.snapshot if self.context else None

    @classmethod
    def of(
        cls,
        snapshot: ScopeSnapshot | None,
        document: BaselineDocument,
        shared: SharedNetwork | None,
    ) -> _Side:
        """Evaluate a snapshot, unless the baseline exempts it."""
        if snapshot is None:
            return cls()
        tags = snapshot.vpc.tags if isinstance(snapshot, Snapshot) else snapshot.tags
        baseline = resolve_baseline(document, snapshot.scope, tags)
        if baseline.exempt:
            return cls(snapshot, exempt=True)
        if not isinstance(snapshot, Snapshot):
            verdicts = evaluate_endpoint_service(snapshot, baseline)
            return cls(snapshot, verdicts=tuple(map(Verdict.drop_unproven_command, verdicts)))
        context = VpcContext(snapshot, baseline, shared=shared)
        verdicts = evaluate_context(context)
        return cls(snapshot, context, tuple(map(Verdict.drop_unproven_command, verdicts)))


def _compare_sides(scope: Scope, before: _Side, after: _Side) -> ScopeComparison:
    if before.snapshot is None:
        kind = Kind.CREATED
    else:
        kind = Kind.DELETED if after.snapshot is None else Kind.CHANGED
    contexts = [each.context for each in (before, after) if each.context]
    if before.context and after.context:
        effect = compare_contexts(before.context, after.context, before.verdicts, after.verdicts)
    else:
        cells = tuple(_list_cells(contexts[0], kind)) if contexts else ()
        effect = compare_verdicts(before.verdicts, after.verdicts, cells=cells)
    return ScopeComparison(
        scope=scope,
        kind=kind,
        effect=effect,
        verdicts=after.verdicts,
        charges=compare_charges(before.vpc, after.vpc),
        names={
            each.id: each.tags["Name"]
            for context in contexts
            for each in context.snapshot.subnets.values()
            if each.tags.get("Name")
        },
        former_routes={
            each.subnet_id: _find_former_routes(contexts[0], each) for each in effect.lost_routes
        },
    )


def _find_former_routes(context: VpcContext, lost: LostRoute) -> tuple[str, ...]:
    """Find the routes that carried the traffic that a subnet loses, such as `0.0.0.0/0 to nat-1`.

    They say at a glance what the remaining address blocks would not.
    """
    snapshot = context.snapshot
    table = context.analysis.paths.find_table(snapshot.subnets[lost.subnet_id])
    found = []
    for route in table.routes if table else ():
        listed = snapshot.prefix_lists.get(route.prefix_list_id or "")
        blocks = [route.cidr] if route.cidr else (listed and listed.cidrs) or ()
        if not route.blackhole and AddressSet.of(blocks) & lost.addresses:
            found.append(f"{route.destination} to {route.target.id}")
    return tuple(found)


def _list_cells(context: VpcContext, kind: Kind) -> Iterator[CellChange]:
    """List all cells of a VPC that is created or deleted."""
    for subnet, row in sorted(context.coverage.cells.items()):
        for service, cell in sorted(row.items()):
            pair = (None, cell) if kind is Kind.CREATED else (cell, None)
            yield CellChange(subnet, service, *pair)
