"""The states of a scope between an earlier snapshot and the present one: one after each event.

The calls of the changes are applied in order of time, with the effect that their requests say.
What is left to explain of the present snapshot is added at the call that may have done it: its
state is then possible, not exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, groupby, islice, permutations
from operator import attrgetter

from posture.attribution.calls import (
    RefusedCallError,
    UnknownEffectError,
    apply_call,
    may_explain,
)
from posture.attribution.differences import Difference, list_differences, make_changes
from posture.attribution.events import (
    LAG,
    READING,
    Earlier,
    Event,
    Present,
    build_baseline_cause,
    build_cause,
    build_upgrade_cause,
    list_clock_events,
    list_shared_causes,
    list_versions,
    select_applied,
)
from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.lean_dataclass import dataclass
from posture.model.baseline import Baseline
from posture.model.change import Change
from posture.model.finding import Cause
from posture.model.network import Snapshot
from posture.model.region_access import AnySnapshot
from posture.model.scope import Scope

MAX_CALLS = 100
MAX_TRIED = 5  # orders of the calls of a second, and calls around the reading left out or added
SECOND = timedelta(seconds=1)  # the resolution of CloudTrail's times
Resource = tuple[str, str]  # the part of the snapshot, and the id


@dataclass(frozen=True, slots=True)
class State:
    """A scope after an event.

    Attributes:
        cause: The event. Of the first state: the upgrade of the monitor since, the change of the
            shared network since, or None. Their former state is not known, so they come first.
        change: The call, where the event is one.
        at: When it happened.
        snapshot: The snapshot then; None where the scope does not exist.
        baseline: The baseline that applies to it.
        exact: Whether the effect of the event is known. It is only possible where it was read off
            the present snapshot.
        differences: What the event changed.
        candidates: All events that can have led to the first state, where there are several, or
            where one is a call that may have changed the shared network.
    """

    cause: Cause | None
    change: Change | None
    at: datetime
    snapshot: AnySnapshot | None
    baseline: Baseline
    exact: bool = True
    differences: tuple[Difference, ...] = ()
    candidates: tuple[Cause, ...] = ()

    @property
    def changed(self) -> frozenset[Resource]:
        """The resources that the event changed."""
        return frozenset((each.part, each.id) for each in self.differences)


@dataclass(frozen=True, slots=True)
class Trace:
    """The states from an earlier snapshot to the present, each after the event that led to it.

    Attributes:
        states: The earlier state, then one for each event that changed something.
        unexplained: The differences between the last state and the present snapshot.
        unapplied: The calls whose effect is neither known nor to be seen.
    """

    states: tuple[State, ...]
    unexplained: tuple[Difference, ...] = ()
    unapplied: tuple[Change, ...] = ()


def trace_states(earlier: Earlier, present: Present, changes: Iterable[Change]) -> Trace:
    """Apply the events between two snapshots in order of time.

    Args:
        earlier: The earlier snapshot.
        present: The present snapshot.
        changes: The known changes of the scope; those that belong to another time are left out.
    """
    calls = select_calls(earlier, present, changes)
    # A snapshot may lack calls of the second of its reading, and may have some of those after it.
    until = sum(each.time <= present.observed_at for each in calls)
    since = sum(each.time <= present.observed_at - SECOND for each in calls)
    longer = range(until + 1, min(len(calls), until + MAX_TRIED) + 1)
    shorter = range(until - 1, max(since, until - MAX_TRIED) - 1, -1)
    best = _trace(earlier, present, calls[:until])
    unlike = frozenset(each.id for each in best.unexplained)
    orders = islice(_list_orders(calls[:until], unlike), MAX_TRIED)
    for tried in chain(orders, (calls[:number] for number in (*longer, *shorter))):
        if not best.unexplained:
            break
        other = _trace(earlier, present, tried)
        best = other if len(other.unexplained) < len(best.unexplained) else best
    return best


def _list_orders(calls: Sequence[Change], ids: frozenset[str]) -> Iterator[Sequence[Change]]:
    """List the other orders of the calls of one second that name the same of some resources."""
    seconds = [tuple(each) for _, each in groupby(calls, attrgetter("time"))]
    for number, together in enumerate(seconds):
        naming = [each for each in together if each.resource_ids & ids]
        others = [each for each in together if not each.resource_ids & ids]
        for order in islice(permutations(naming), 1, None):
            yield [*chain(*seconds[:number]), *others, *order, *chain(*seconds[number + 1 :])]


def _trace(earlier: Earlier, present: Present, calls: Sequence[Change]) -> Trace:
    first = _Run(earlier, present, calls)
    left = list_differences(first.snapshot, present.snapshot)
    if not left:
        return first.build(())
    added = {
        change.event_id: tuple(
            each
            for each in left
            if may_explain(change, each, applied=change.event_id in first.applied)
        )
        for change in calls
    }
    if not any(added.values()):
        return first.build(left)
    second = _Run(earlier, present, calls, added)
    return second.build(list_differences(second.snapshot, present.snapshot))


def select_calls(
    earlier: Earlier, present: Present, changes: Iterable[Change]
) -> tuple[Change, ...]:
    """Select the calls that may lie between two snapshots, each once, in order of time."""
    since, until = earlier.confirmed_at - LAG, present.observed_at + READING
    return select_applied(changes, since=since, until=until)[-MAX_CALLS:]


class _Run:
    """One pass over the events. `added` are the differences that are added at each call."""

    def __init__(
        self,
        earlier: Earlier,
        present: Present,
        calls: Sequence[Change],
        added: Mapping[str, Sequence[Difference]] | None = None,
    ) -> None:
        self._present = present
        self._added = added or {}
        self.snapshot = earlier.snapshot
        self.applied: set[str] = set()
        self._unapplied: list[Change] = []
        known = {each.number: each for each in present.versions}
        self._version = known.get(earlier.version, present.versions[-1])
        upgraded = build_upgrade_cause(present) if earlier.code != present.code else None
        if earlier.version not in known:
            upgraded = upgraded or build_baseline_cause(self._version, present.observed_at)
        shared = list_shared_causes(present.shared) if present.shared else ()
        causes = (*((upgraded,) if upgraded else ()), *shared)
        certain = len(causes) <= 1 and not (present.shared and present.shared.calls)
        self._states = [
            State(
                causes[0] if causes else None,
                None,
                earlier.observed_at,
                self.snapshot,
                self._resolve(),
                candidates=() if certain else causes,
            )
        ]
        current = resolve_for(present.versions[-1].document, present.scope, present.snapshot)
        others = (
            *(list_versions(earlier, present) if earlier.version in known else ()),
            *list_clock_events(earlier, present, current),
        )
        events = [*(Event(build_cause(each), each) for each in calls), *others]
        for _, group in groupby(sorted(events, key=attrgetter("time")), attrgetter("time")):
            self._apply_together(list(group))

    def build(self, unexplained: tuple[Difference, ...]) -> Trace:
        """Build the trace."""
        return Trace(tuple(self._states), unexplained, tuple(self._unapplied))

    def _apply_together(self, events: list[Event]) -> None:
        """Apply the events of one second, whose order is not known: in an order that EC2 accepts.

        https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
        """
        waiting = events
        while waiting:
            refused = [each for each in waiting if not self._apply(each)]
            if len(refused) == len(waiting):
                for each in refused:
                    self._apply(each, refuse=False)
                return
            waiting = refused

    def _apply(self, event: Event, *, refuse: bool = True) -> bool:
        """Apply an event; False where EC2 would have refused the call in this state."""
        if event.change is None:
            self._version = event.version or self._version
            self._add(event, self.snapshot, exact=True, is_clock=event.version is None)
            return True
        change, before = event.change, self.snapshot
        exact = True
        try:
            after = apply_call(before, change, self._present.scope, self._present.snapshot)
            self.applied.add(change.event_id)
        except RefusedCallError:
            if refuse:
                return False
            after, exact = before, False
        except UnknownEffectError:
            after, exact = before, False
        if after is not None and (added := self._added.get(change.event_id)):
            after = make_changes(after, added)
            exact = exact and all(each.id == change.created for each in added)
        if not self._add(event, after, exact=exact) and not exact:
            self._unapplied.append(change)
        return True

    def _add(
        self, event: Event, after: AnySnapshot | None, *, exact: bool, is_clock: bool = False
    ) -> bool:
        """Add a state, unless it is the one before."""
        before, self.snapshot = self.snapshot, after
        differences = () if before is after else list_differences(before, after)
        baseline = self._resolve()
        is_same = not differences and (before is None) == (after is None)
        if is_same and baseline == self._states[-1].baseline and not is_clock:
            self.snapshot = before
            return False
        self._states.append(
            State(event.cause, event.change, event.time, after, baseline, exact, differences)
        )
        return True

    def _resolve(self) -> Baseline:
        return resolve_for(self._version.document, self._present.scope, self.snapshot)


def resolve_for(document: BaselineDocument, scope: Scope, snapshot: AnySnapshot | None) -> Baseline:
    """Resolve a baseline for a scope with the tags of a snapshot."""
    if isinstance(snapshot, Snapshot):
        return resolve_baseline(document, scope, snapshot.vpc.tags)
    return resolve_baseline(document, scope, snapshot.tags if snapshot else {})
