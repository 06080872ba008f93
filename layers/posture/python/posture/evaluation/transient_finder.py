"""Finds what was open only between two observations, also by events that arrive late.

A window is the time between two stored snapshots; the last one ends with the present observation.
An event belongs to the window in which it happened. So that a pair of events is found whichever of
them arrives first, the snapshots keep the changes that are known of their windows
(docs/decisions/0078-record-transient-findings.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from posture.attribution.events import Earlier, Present, select_applied
from posture.attribution.states import resolve_for, trace_states
from posture.attribution.transients import HELD, Observed, find_held, find_transients
from posture.attribution.verdicts import StateVerdicts, Verdicts
from posture.evaluation.cause_finder import to_version
from posture.evaluation.recorder import EvaluatedScope, merge_changes
from posture.evaluation.windows import Window, Windows, load_windows
from posture.lean_dataclass import dataclass
from posture.model.change import Change
from posture.model.finding import FindingStatus, Transition
from posture.model.region_access import AnySnapshot
from posture.remedies.effect import select_worst
from posture.store.scope_evaluation import ScopeState
from posture.store.snapshots import StoredSnapshot, add_shared

MAX_WINDOWS = 5  # that one evaluation follows for late events
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
        due = held_at if held_at and self._is_due(held_at) else None
        times = [*(each.time for each in self._changes), *([due] if due else [])]
        since = min(times, default=self._evaluated.observed_at)
        windows = load_windows(self._load, latest.observed_at, since, BLUR)
        changes = [each for each in self._changes if windows.is_new(each)]
        followed_later = {each.event_id for each in latest.later}
        late = [each for each in changes if each.event_id not in followed_later]
        for window, new in _select_windows(windows, late, due):
            known = merge_changes(window.end.changes, new)
            steps += self._follow_former(state, window, known)
            if new:
                snapshots.append(replace(window.end, changes=known))
        new = [each for each in changes if each.time > latest.observed_at - BLUR]
        later = merge_changes(latest.later, new)
        found, held = self._follow_present(latest, later, is_new=is_new)
        steps += found
        if not is_new:
            recent = [it for it in later if it.time > self._evaluated.observed_at - LATE]
            if {each.event_id for each in recent} - followed_later:
                amended = {each.observed_at: each for each in snapshots}
                base = amended.get(latest.observed_at, latest)
                amended[latest.observed_at] = replace(base, later=tuple(recent))
                snapshots = list(amended.values())
        if held is None and held_at and not due:
            held = held_at
        return Followed(tuple(steps), tuple(snapshots), held)

    def _is_due(self, held_at: datetime) -> bool:
        """Whether what was held then is reported now, if no caller put it back."""
        return self._evaluated.observed_at - held_at >= HELD

    def _follow_former(
        self, state: ScopeState, window: Window, changes: Sequence[Change]
    ) -> list[Transition]:
        """Follow the changes of a former window; what is open by now was not put back."""
        before, stored = window.begin, window.end
        if before is None:
            return []
        changes = merge_changes(before.later, changes)
        states = self._trace(before, stored.snapshot, stored.observed_at, changes)
        if states is None:
            return []
        is_open = {each.id for each in state.findings.values() if each.status is FindingStatus.OPEN}
        observed = self._observe(states, stored.snapshot, stored.observed_at)
        return [
            each
            for each in find_transients(
                states, observed, now=self._evaluated.observed_at, known=window.known
            )
            if each.finding.resolved_by is None
            or each.finding.resolved_by.possible
            or each.finding.id not in is_open
        ]

    def _follow_present(
        self, latest: StoredSnapshot, changes: Sequence[Change], *, is_new: bool
    ) -> tuple[tuple[Transition, ...], datetime | None]:
        it = self._evaluated
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


def _select_windows(
    windows: Windows, changes: Sequence[Change], due: datetime | None
) -> Iterator[tuple[Window, Sequence[Change]]]:
    """Select the windows of which a change is new, or was held and is due, with the new changes."""
    left = MAX_WINDOWS
    for window in windows.listed:
        begin, end = window.begin, window.end
        if begin is None or not left:
            return
        new = [
            each
            for each in changes
            if begin.observed_at - BLUR < each.time <= end.observed_at + BLUR
        ]
        if new or (due and begin.observed_at < due <= end.observed_at):
            yield window, new
            left -= 1
