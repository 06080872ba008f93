"""Compares the Regions of a plan before and after it, over all readings of the plan.

What every reading agrees on is the result. Where they differ, the result is unknown, and says what
the plan leaves open and what the most likely reading would be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from posture.analysis.path_outcome import PathOutcome
from posture.baseline.document import BaselineDocument
from posture.ec2.region import RegionSnapshot
from posture.model.scope import Scope
from posture.model.verdict import Evidence, Status, Verdict
from posture.remedies.cells import CellChange
from posture.remedies.effect import GOOD, VerdictKey, compare_verdicts, select_worst
from posture_cli.comparison.compare import (
    Comparison,
    ScopeComparison,
    ScopeSnapshot,
    compare_snapshots,
)
from posture_cli.plan.planned import PlannedChange
from posture_cli.recorded.observe import RecordedObserver, observe_region
from posture_cli.recorded.region import RecordedRegion


@dataclass(slots=True)
class _Variant:
    """A scope after the plan, in the readings that agree on it."""

    snapshot: ScopeSnapshot | None
    choices: list[str] = field(default_factory=list)  # that lead to it; none for the first reading


def compare_plan(changes: Sequence[PlannedChange], document: BaselineDocument) -> Comparison:
    """Compare the Regions of a plan before and after it.

    Args:
        changes: The Regions.
        document: The baseline.

    Raises:
        ScopeUnreadableError: The VPCs of a base are missing.
    """
    found = [_compare_change(each, document) for each in changes]
    notes = dict.fromkeys(note for change in changes for note in change.notes)
    return Comparison(
        scopes=tuple(scope for each in found for scope in each.scopes),
        unchanged=sum(each.unchanged for each in found),
        exempt=tuple(scope for each in found for scope in each.exempt),
        notes=(*notes, *dict.fromkeys(note for each in found for note in each.notes)),
    )


def _compare_change(change: PlannedChange, document: BaselineDocument) -> Comparison:
    before = {each.scope: each for each in observe(change.before)}
    variants: dict[Scope, list[_Variant]] = defaultdict(list)
    for at, recorded in enumerate(change.after):
        choice = change.choices[at - 1] if at else ""
        after = {each.scope: each for each in observe(recorded)}
        for scope in {*before, *after, *variants}:
            _add(variants[scope], after.get(scope), choice)
    scopes, exempt, notes, unchanged = [], [], [], 0
    for scope, listed in sorted(variants.items()):
        was = _as_list(before.get(scope))
        compared = [compare_snapshots(was, _as_list(it.snapshot), document) for it in listed]
        exempt += list(compared[0].exempt)
        if not any(each.scopes for each in compared):
            unchanged += compared[0].unchanged
            continue
        if len(compared) > 1:
            merged, open_choices = _merge(was, listed, compared, document)
            notes += open_choices
        else:
            merged = compared[0].scopes[0]
        scopes.append(merged)
    return Comparison(tuple(scopes), unchanged, tuple(exempt), tuple(notes))


def observe(recorded: RecordedRegion) -> Iterator[ScopeSnapshot]:
    """Observe the VPCs and endpoint services of a recorded Region."""
    region: RegionSnapshot = observe_region(recorded)
    yield from region.vpcs.values()
    yield from RecordedObserver(recorded).collect_services().services.values()


def _as_list(snapshot: ScopeSnapshot | None) -> list[ScopeSnapshot]:
    return [] if snapshot is None else [snapshot]


def _add(variants: list[_Variant], snapshot: ScopeSnapshot | None, choice: str) -> None:
    """Add a snapshot to the variants, unless one of them is the same."""
    same = next((each for each in variants if each.snapshot == snapshot), None)
    if same is None:
        same = _Variant(snapshot)
        variants.append(same)
    if choice and same is not variants[0]:
        same.choices.append(choice)


def _merge(
    was: list[ScopeSnapshot],
    variants: Sequence[_Variant],
    compared: Sequence[Comparison],
    document: BaselineDocument,
) -> tuple[ScopeComparison, list[str]]:
    """Merge the comparisons of all variants; return also the choices on which a result depends."""
    former = compare_snapshots([], was, document).scopes
    before = former[0].verdicts if former else ()
    parts = [each.scopes[0] if each.scopes else None for each in compared]
    choices = [it.choices for it in variants]
    used: dict[str, None] = {}
    verdicts = [select_worst(part.verdicts if part else before) for part in parts]
    after = list(_merge_verdicts(verdicts, choices, used))
    cells = tuple(_merge_cells(parts, choices, used))
    first = next(part for part in (parts[0], *parts) if part)
    lost = [part.effect.lost_routes if part else () for part in parts]
    routes = tuple(each for each in lost[0] if all(each in other for other in lost))
    effect = compare_verdicts(before, after, cells=cells, lost_routes=routes)
    return replace(first, effect=effect, verdicts=tuple(after)), list(used)


def _merge_verdicts(
    verdicts: Sequence[Mapping[VerdictKey, Verdict]],
    choices: Sequence[Sequence[str]],
    used: dict[str, None],
) -> Iterator[Verdict]:
    for key in dict.fromkeys(key for each in verdicts for key in each):
        found = [each.get(key) for each in verdicts]
        known = [each for each in found if each]
        results = {_classify(each) for each in found}
        if len(results) == 1:
            yield known[0]
            continue
        differing = [
            choice
            for each, listed in zip(found, choices, strict=True)
            if _classify(each) != _classify(found[0])
            for choice in listed[:1]
        ]
        used.update(dict.fromkeys(differing))
        yield _leave_unknown(known[0], found[0], dict.fromkeys(differing))


def _classify(verdict: Verdict | None) -> tuple[Status, str]:
    """Return what readings must agree on; no verdict is as good as a pass."""
    if verdict is None or verdict.status in GOOD:
        return Status.PASS, ""
    return verdict.status, verdict.severity


def _leave_unknown(some: Verdict, likely: Verdict | None, choices: Iterable[str]) -> Verdict:
    """Replace a verdict that depends on what the plan leaves open."""
    result = f"{likely.status}: {likely.summary}" if likely else "pass"
    return replace(
        some,
        status=Status.UNKNOWN,
        summary=f"{some.resource} depends on what the plan leaves open; most likely {result}",
        evidence=tuple(Evidence(each, {"open": each}) for each in choices),
        remediation=None,
        alternatives=(),
        root="",
    )


def _merge_cells(
    parts: Sequence[ScopeComparison | None],
    choices: Sequence[Sequence[str]],
    used: dict[str, None],
) -> Iterator[CellChange]:
    found = [
        {(it.subnet_id, it.service): it for it in part.effect.cells} if part else {}
        for part in parts
    ]
    for key in sorted({key for each in found for key in each}):
        changes = [each.get(key) for each in found]
        some = next(each for each in changes if each)
        outcomes = [each.after.outcome if each and each.after else None for each in changes]
        if len(set(outcomes)) == 1:
            yield some
            continue
        cell = some.after or some.before
        differing = [
            listed[0]
            for outcome, listed in zip(outcomes, choices, strict=True)
            if outcome != outcomes[0] and listed
        ]
        used.update(dict.fromkeys(differing))
        likely = changes[0].after.summary if changes[0] and changes[0].after else "unchanged"
        why = f"depends on what the plan leaves open; most likely {likely}"
        if cell:
            unknown = replace(
                cell, outcome=PathOutcome.UNKNOWN, summary=why, paths=None, reaches=(), obstacles=()
            )
            yield replace(some, after=unknown)
