"""What findings were during a period: every time that one was bad, and how two times differ. Pure.

A finding that opened and was resolved within a period is part of every answer about it, whatever
happened later. So is a transient one, which was bad between two observations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from posture.lifecycle.diff import is_bad
from posture.model.finding import Finding, FindingStatus, Step
from posture.store.history import sort_rows
from posture.store.items import Entry


@dataclass(frozen=True, slots=True)
class Episode:
    """A time during which a finding was bad, from its opening until it was resolved.

    Attributes:
        states: The states within the period, in order; the first one may be older.
        transient: Whether it was bad only between two observations.
    """

    states: tuple[Finding, ...]
    transient: bool = False

    @property
    def finding(self) -> Finding:
        """The last state, with the worst severity of all."""
        worst = min((it.severity for it in self.states), key=lambda it: it.rank)
        return replace(self.states[-1], severity=worst)

    @property
    def statuses(self) -> tuple[str, ...]:
        """The statuses in order, each once in a row."""
        if self.transient:
            return (Step.TRANSIENT.value,)
        named = [it.status.value for it in self.states]
        return tuple(it for at, it in enumerate(named) if at == 0 or it != named[at - 1])


class Difference(StrEnum):
    """How a finding of a later time differs from that of an earlier one."""

    FIRST_OBSERVED = "first observed"  # bad when its scope was first observed
    OPENED = "opened"
    CHANGED = "changed"
    REOPENED = "resolved and opened again"
    AMENDED = "cause amended"
    RESOLVED = "resolved"
    CAME_AND_WENT = "opened and resolved"
    TRANSIENT = "transient"


@dataclass(frozen=True, slots=True)
class FindingDifference:
    """A finding that differs at two times, or was bad in between; `was` is None if it was new."""

    kind: Difference
    was: FindingStatus | None
    finding: Finding


def find_episodes(rows: Iterable[Entry], since: datetime, until: datetime) -> Iterator[Episode]:
    """Find every episode that overlaps a period.

    Args:
        rows: The rows of one scope, from its first one to the end of the period or later.
        since: The start of the period.
        until: Its end.
    """
    for life in _group_by_finding(row for row in rows if row.observed_at <= until):
        for episode in _split_into_episodes(life):
            ended = _find_end(episode)
            if ended is None or ended >= since:
                yield _cut_episode(episode, since)


def find_differences(
    rows: Iterable[Entry], first: datetime, second: datetime, begins: datetime | None = None
) -> Iterator[FindingDifference]:
    """Find the findings of a scope that differ at two times, or were bad in between.

    Args:
        rows: The rows of the scope, from its first one to the second time or later.
        first: The first time.
        second: The second time.
        begins: When the scope was first observed.
    """
    for life in _group_by_finding(row for row in rows if row.observed_at <= second):
        before = [row for row in life if row.observed_at <= first]
        between = life[len(before) :]
        steps = {row.transition.step for row in between}
        lasting = [row for row in life if row.transition.step is not Step.TRANSIENT]
        now = (lasting or life)[-1].transition.finding
        was = next(
            (it.transition.finding for it in reversed(before) if it in lasting),
            None,
        )
        kind = _compare(was, now, between, steps)
        if kind is Difference.OPENED and between[0].observed_at == begins:
            kind = Difference.FIRST_OBSERVED
        if kind:
            yield FindingDifference(kind, was.status if was else None, now)


def _compare(
    was: Finding | None, now: Finding, between: Sequence[Entry], steps: set[Step]
) -> Difference | None:
    if not between:
        return None
    was_bad = was is not None and is_bad(was)
    was_resolved = any(not is_bad(row.transition.finding) for row in between)
    if was_bad and is_bad(now):
        if was_resolved:
            return Difference.REOPENED
        return Difference.AMENDED if steps == {Step.AMENDED} else Difference.CHANGED
    if was_bad or is_bad(now):
        return Difference.RESOLVED if was_bad else Difference.OPENED
    if any(is_bad(row.transition.finding) for row in between):
        return Difference.CAME_AND_WENT
    return Difference.TRANSIENT if Step.TRANSIENT in steps else None


def _group_by_finding(rows: Iterable[Entry]) -> Iterator[Sequence[Entry]]:
    """Group rows by finding, each in the order of the chain."""
    lives: dict[str, list[Entry]] = {}
    for row in sort_rows(rows):
        lives.setdefault(row.transition.finding.id, []).append(row)
    yield from lives.values()


def _split_into_episodes(life: Iterable[Entry]) -> Sequence[Sequence[Entry]]:
    """Split a finding's rows: each part ends with its resolution, or with the last row.

    An amended cause belongs to the state before it. A transient finding is a part of its own, also
    where the finding was open and only more severe for a while.
    """
    episodes: list[list[Entry]] = []
    current: list[Entry] = []
    for row in life:
        step = row.transition.step
        if step is Step.TRANSIENT:
            episodes.append([row])
        elif current and (step is Step.AMENDED or is_bad(current[-1].transition.finding)):
            current.append(row)
        else:
            current = [row]
            episodes.append(current)
    return episodes


def _find_end(rows: Sequence[Entry]) -> datetime | None:
    """Return when an episode was resolved; None if it was not."""
    return next((row.observed_at for row in rows if not is_bad(row.transition.finding)), None)


def _cut_episode(rows: Sequence[Entry], since: datetime) -> Episode:
    """Return an episode with the state at the start of the period and those after it."""
    if rows[0].transition.step is Step.TRANSIENT:
        finding = rows[0].transition.finding
        return Episode((replace(finding, status=FindingStatus.OPEN), finding), transient=True)
    at = max((number for number, row in enumerate(rows) if row.observed_at <= since), default=0)
    return Episode(tuple(row.transition.finding for row in rows[at:]))
