"""What findings were during a period: every time that one was bad, and how two times differ. Pure.

A finding that opened and was resolved within a period is part of every answer about it, whatever
happened later. So is a transient one, which was bad between two observations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from posture.lifecycle.diff import is_bad
from posture.model.finding import Finding, FindingStatus, Step
from posture.store.history import sort_rows
from posture.store.items import Entry

# A transient finding is recorded once the calls that opened and resolved it are known: CloudTrail
# delivers within about 15 minutes, and earlier snapshots are kept for an hour.
RECORDED_WITHIN = timedelta(hours=2)


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
    for life in _group_by_finding(row for row in rows if _find_start(row) <= until):
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
    for life in _group_by_finding(row for row in rows if _find_start(row) <= second):
        lasting = [row for row in life if row.transition.step is not Step.TRANSIENT]
        before = [row for row in lasting if row.observed_at <= first]
        between = lasting[len(before) :]
        was = before[-1].transition.finding if before else None
        if between and (kind := _compare(was, between)):
            if kind is Difference.OPENED and between[0].observed_at == begins:
                kind = Difference.FIRST_OBSERVED
            status = was.status if was else None
            yield FindingDifference(kind, status, between[-1].transition.finding)
        for row in life:
            if row.transition.step is Step.TRANSIENT and row.transition.finding.updated_at >= first:
                yield FindingDifference(Difference.TRANSIENT, None, row.transition.finding)


def _compare(was: Finding | None, between: Sequence[Entry]) -> Difference | None:
    states = [row.transition.finding for row in between]
    was_bad, now_bad = was is not None and is_bad(was), is_bad(states[-1])
    if was_bad and now_bad:
        if not all(map(is_bad, states)):
            return Difference.REOPENED
        amended = all(row.transition.step is Step.AMENDED for row in between)
        return Difference.AMENDED if amended else Difference.CHANGED
    if was_bad or now_bad:
        return Difference.RESOLVED if was_bad else Difference.OPENED
    return Difference.CAME_AND_WENT if any(map(is_bad, states)) else None


def _find_start(row: Entry) -> datetime:
    """Return when a state began: a transient finding is recorded after it is over."""
    transient = row.transition.step is Step.TRANSIENT
    return row.transition.finding.opened_at if transient else row.observed_at


def _group_by_finding(rows: Iterable[Entry]) -> Iterator[Sequence[Entry]]:
    """Group rows by finding, each in the order of the chain."""
    lives: dict[str, list[Entry]] = {}
    for row in sort_rows(rows):
        life = lives.setdefault(row.transition.finding.id, [])
        if not row.transition.is_lasting and row.transition.step is Step.AMENDED:
            life[:] = [each for each in life if not _is_amended(each, row)]
            row = replace(row, transition=replace(row.transition, step=Step.TRANSIENT))  # noqa: PLW2901
        life.append(row)
    yield from lives.values()


def _is_amended(row: Entry, later: Entry) -> bool:
    """Return whether a later row amends this one of a transient finding: they began together."""
    opened = row.transition.finding.opened_by
    return not row.transition.is_lasting and opened == later.transition.finding.opened_by


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
    if rows[0].transition.step is Step.TRANSIENT:
        return rows[0].transition.finding.updated_at
    return next((row.observed_at for row in rows if not is_bad(row.transition.finding)), None)


def _cut_episode(rows: Sequence[Entry], since: datetime) -> Episode:
    """Return an episode with the state at the start of the period and those after it."""
    if rows[0].transition.step is Step.TRANSIENT:
        finding = rows[0].transition.finding
        return Episode((replace(finding, status=FindingStatus.OPEN), finding), transient=True)
    at = max((number for number, row in enumerate(rows) if row.observed_at <= since), default=0)
    return Episode(tuple(row.transition.finding for row in rows[at:]))
