"""The windows of a scope: the times between two of its stored snapshots, the latest first.

CloudTrail's times are whole seconds, and the clocks of EC2 and of the monitor differ a little. So a
change may lie in one of several windows by its time, and the one that knows it may be any of them:
whether a change is new is decided by all windows that it may lie in.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from posture.lean_dataclass import dataclass
from posture.model.change import Change
from posture.store.snapshots import StoredSnapshot

MAX_LOADED = 40  # snapshots, back to the windows of late events


@dataclass(frozen=True, slots=True)
class Window:
    """The time between two stored snapshots.

    Attributes:
        begin: The earlier one; None where none is stored.
        end: The later one, with the changes that are known to lie between.
    """

    begin: StoredSnapshot | None
    end: StoredSnapshot

    @property
    def known(self) -> frozenset[str]:
        """The ids of the changes that are known of it."""
        later = self.begin.later if self.begin else ()
        return frozenset(each.event_id for each in (*later, *self.end.changes))


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows back to a time.

    Attributes:
        listed: The windows, the latest first.
        known: The ids of the changes that one of them, or the snapshot before them, knows.
        complete_since: Of changes until then, a window that is not stored any more or was not
            loaded may know more; None where there is no such window.
    """

    listed: tuple[Window, ...]
    known: frozenset[str]
    complete_since: datetime | None = None

    def is_new(self, change: Change) -> bool:
        """Whether no window knows a change."""
        if self.complete_since and change.time <= self.complete_since:
            return False
        return change.event_id not in self.known


def load_windows(
    load: Callable[[datetime], StoredSnapshot | None],
    latest: datetime,
    since: datetime,
    blur: timedelta,
) -> Windows:
    """Load the windows that changes since a time may lie in.

    Args:
        load: Loads the snapshot of a time; None where it is not stored.
        latest: The time of the latest snapshot.
        since: The time of the earliest change.
        blur: How much later than a change the window of the change may begin, by the clocks.

    Returns:
        At most MAX_LOADED windows.
    """
    listed: list[Window] = []
    end = load(latest)
    while end and end.observed_at + blur >= since and len(listed) < MAX_LOADED:
        begin = load(end.previous) if end.previous else None
        listed.append(Window(begin, end))
        end = begin
    if not listed:
        return Windows((), frozenset())
    first = listed[-1].begin or listed[-1].end
    known = {each.event_id for each in first.changes}.union(*(each.known for each in listed))
    is_complete = first.previous is None or first.observed_at + blur < since
    complete_since = None if is_complete else first.observed_at + blur
    return Windows(tuple(listed), frozenset(known), complete_since)
