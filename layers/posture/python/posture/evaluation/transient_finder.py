"""Finds what was open only between two observations, also by events that arrive late.

A window is the time between two stored snapshots; the last one ends with the present observation.
An event belongs to the window in which it happened. So that a pair of events is found whichever of
them arrives first, the snapshots keep the changes that are known of their windows
(docs/decisions/0078-record-transient-findings.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from posture.attribution.events import Earlier, Present, select_applied
from posture.attribution.states import resolve_for, trace_states
from posture.attribution.transients import HELD, Observed, find_held, find_transients
from posture.attribution.verdicts import StateVerdicts, Verdicts
from posture.evaluation.cause_finder import to_version
from posture.evaluation.recorder import EvaluatedScope, merge_changes
from posture.model.change import Change
from posture.model.finding import FindingStatus, Transition
from posture.model.region_access import AnySnapshot
from posture.remedies.effect import select_worst
from posture.store.scope_store import ScopeState
from posture.store.snapshots import StoredSnapshot, add_shared

MAX_WINDOWS = 5  # that one evaluation follows for late events
MAX_LOADED = 40  # snapshots, back to the windows of late events
# A record's time is a whole second, and the clocks of EC2 and of the monitor differ a little.
BLUR = timedelta(seconds=2)
# How long the changes of an unchanged scope are known: CloudTrail delivers within some 15 minutes.
LATE = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class Followed:
    """What was found between observations.

    Attributes:
        steps: The transient findings.
        snapshots: The stored snapshots, with changes that were not known of their windows.
        held_at: When the latest change was made that no caller is known to have put back, although
            it was; its second evaluation is to look again.
    """

    steps: tuple[Transition, ...] = ()
    snapshots: tuple[StoredSnapshot, ...] = ()
    held_at: datetime | None = None


class TransientFinder:
    """Finds the transient findings of one evaluation of a scope."""

    def __init__(
        self, evaluated: EvaluatedScope, load: Callable[[datetime], StoredSnapshot | None]
    ) -> None:
        self._evaluated = evaluated
        self._load = load
        self._changes = select_applied(evaluated.changes)
        self._version = to_version(evaluated.baseline)

    def find(self, state: ScopeState, latest: StoredSnapshot, *, is_new: bool) -> Followed:
        """Find what was transient since the latest stored snapshot, or before it by late events.

        Args:
            state: What is stored of the scope.
            latest: The latest stored snapshot.
            is_new: Whether the present snapshot is another one.
        """
        steps: list[Transition] = []
        snapshots: list[StoredSnapshot] = []
        held_at = state.record.held_at if state.record else None
        for stored, before, new in self._list_windows(latest, held_at):
            changes = merge_changes(stored.changes, new)
            steps += self._follow_former(state, before, stored, changes)
            if new:
                snapshots.append(replace(stored, changes=changes))
        found, held = self._follow_present(latest, is_new=is_new)
        steps += found
        late = (
            snapshots[0] if snapshots and snapshots[0].observed_at == latest.observed_at else None
        )
        base = late or latest
        later = merge_changes(latest.later, self._select_since(latest))
        later = tuple(it for it in later if it.time > self._evaluated.observed_at - LATE)
        if not is_new and {each.event_id for each in later} - {it.event_id for it in latest.later}:
            snapshots = [replace(base, later=later), *(it for it in snapshots if it is not late)]
        if held is None and held_at and not self._is_due(held_at):
            held = held_at
        return Followed(tuple(steps), tuple(snapshots), held)

    def _is_due(self, held_at: datetime) -> bool:
        """Whether what was held then is reported now, if no caller put it back."""
        return self._evaluated.observed_at - held_at >= HELD

    def _select_since(self, stored: StoredSnapshot) -> tuple[Change, ...]:
        """Select the changes of the last window, and of those the ones that say what they did."""
        known = {each.event_id for each in stored.changes}
        return tuple(
            each
            for each in self._changes
            if each.event_id not in known and each.time > stored.observed_at - BLUR
        )

    def _list_windows(
        self, latest: StoredSnapshot, held_at: datetime | None
    ) -> Iterator[tuple[StoredSnapshot, StoredSnapshot, Sequence[Change]]]:
        """List the former windows of which a change is new: end, beginning and the new changes.

        So is the window of a change whose second evaluation is due.
        """
        held = held_at if held_at and self._is_due(held_at) else None
        times = [*(each.time for each in self._changes), *([held] if held else [])]
        oldest = min(times, default=None)
        stored: StoredSnapshot | None = latest
        left, known = MAX_WINDOWS, {each.event_id for each in latest.later}
        for _ in range(MAX_LOADED):
            if oldest is None or stored is None or stored.previous is None or not left:
                return
            if oldest > stored.observed_at + BLUR:
                return
            before = self._load(stored.previous)
            if before is None:
                return
            # A record's time does not tell a window from the next one: a later one may know it.
            known |= _list_ids(before, stored) | {each.event_id for each in before.changes}
            new = [
                each
                for each in self._changes
                if each.event_id not in known
                and before.observed_at - BLUR < each.time <= stored.observed_at + BLUR
            ]
            if new or (held and before.observed_at < held <= stored.observed_at):
                yield stored, before, new
                left -= 1
            stored = before

    def _follow_former(
        self,
        state: ScopeState,
        before: StoredSnapshot,
        stored: StoredSnapshot,
        changes: Sequence[Change],
    ) -> list[Transition]:
        """Follow the changes of a former window; what is open by now was not put back."""
        changes = merge_changes(before.later, changes)
        states = self._trace(before, stored.snapshot, stored.observed_at, changes)
        if states is None:
            return []
        is_open = {each.id for each in state.findings.values() if each.status is FindingStatus.OPEN}
        observed = self._observe(states, stored.snapshot, stored.observed_at)
        return [
            each
            for each in find_transients(
                states, observed, now=self._evaluated.observed_at, known=_list_ids(before, stored)
            )
            if each.finding.resolved_by is None
            or each.finding.resolved_by.possible
            or each.finding.id not in is_open
        ]

    def _follow_present(
        self, latest: StoredSnapshot, *, is_new: bool
    ) -> tuple[tuple[Transition, ...], datetime | None]:
        it = self._evaluated
        changes = merge_changes(latest.later, self._select_since(latest))
        states = self._trace(latest, it.snapshot, it.observed_at, changes)
        if states is None:
            return (), None
        if is_new:
            observed = Observed(it.scope, it.observed_at, select_worst(it.verdicts), it.names)
        else:
            observed = self._observe(states, it.snapshot, it.observed_at)
        known = frozenset(each.event_id for each in latest.later)
        return find_transients(states, observed, known=known), find_held(states, observed)

    def _trace(
        self,
        before: StoredSnapshot,
        snapshot: AnySnapshot | None,
        at: datetime,
        changes: Iterable[Change],
    ) -> StateVerdicts | None:
        """Trace the states of a window; None where there is none between its ends."""
        it, number = self._evaluated, self._version.number
        known = [each for each in changes if each.time > before.observed_at - BLUR]
        if not any(each.request is not None for each in known):
            return None
        earlier = before.snapshot and add_shared(before.snapshot, it.snapshot)
        now = snapshot and add_shared(snapshot, it.snapshot)
        trace = trace_states(
            Earlier(it.scope, before.observed_at, earlier, number, it.code, before.observed_at),
            Present(it.scope, at, now, (self._version,), it.code),
            known,
        )
        if len(trace.states) + bool(trace.unexplained) <= 2:  # noqa: PLR2004 - both ends
            return None
        return StateVerdicts(trace, it.context)

    def _observe(
        self, states: StateVerdicts, snapshot: AnySnapshot | None, at: datetime
    ) -> Observed:
        """Evaluate the end of a window by what is required now, as the states between are."""
        it = self._evaluated
        baseline = resolve_for(self._version.document, it.scope, snapshot)
        last = replace(
            states.trace.states[0], at=at, snapshot=snapshot and add_shared(snapshot, it.snapshot),
            baseline=baseline,
        )  # fmt: skip
        verdicts: Verdicts = states.evaluate(last)
        return Observed(it.scope, at, verdicts, it.names)


def _list_ids(before: StoredSnapshot, stored: StoredSnapshot) -> frozenset[str]:
    """List the ids of the changes that were known of a window."""
    return frozenset(each.event_id for each in (*before.later, *stored.changes))
