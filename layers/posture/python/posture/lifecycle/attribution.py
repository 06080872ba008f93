"""Which change brought a transition about, as far as it can be told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from posture.lifecycle.bounds import truncate
from posture.model.change import Change, ChangeOutcome
from posture.model.finding import Cause

WORDS = 500  # bytes; a user agent is whatever its sender likes


def find_cause(
    changes: Iterable[Change], about: frozenset[str], *, subject: str, sure: bool = False
) -> Cause | None:
    """Choose the cause among the changes that made somebody look at the scope.

    The latest change that names something the verdict is about wins; within one second, which is as
    fine as CloudTrail tells the time, the one that names most of it. What names just the scope
    itself (`subject`) comes second. Failing both it is the latest change that led here, unless
    `sure` forbids guessing: a fact that can no longer be read is not the doing of whoever made the
    last call. Nor is what a sweep finds the doing of whoever made somebody sweep, unless their
    change names it.
    """
    applied = [change for change in changes if change.outcome is ChangeOutcome.APPLIED]
    near = [change for change in applied if change.resource_ids & (about - {subject})]
    far = [change for change in applied if change.resource_ids & about]
    chosen = _latest(near, about) or _latest(far, about)
    if chosen is None and not sure:
        chosen = _latest([change for change in applied if not change.sweeps], about)
    return _cause(chosen) if chosen else None


def _latest(changes: Sequence[Change], about: frozenset[str]) -> Change | None:
    def order(change: Change) -> tuple[datetime, int, str]:
        return change.time, len(change.resource_ids & about), change.event_id

    return max(changes, key=order, default=None)


def _cause(change: Change) -> Cause:
    return Cause(
        event_id=truncate(change.event_id, WORDS),
        event_name=truncate(change.event_name, WORDS),
        actor=truncate(str(change.actor), WORDS),
        time=change.time,
        source_ip=truncate(change.source_ip, WORDS),
        user_agent=truncate(change.user_agent, WORDS),
    )
