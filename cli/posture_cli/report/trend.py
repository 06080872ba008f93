"""Counts the open findings over time: the peak of each part of a period, not samples of it."""

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter

from posture.model.verdict import Severity

WIDTH, HEIGHT = 720.0, 160.0  # of the drawing, in its own units
PARTS = 60  # at least; a part is a day at most, of a period of up to MAX_PARTS days
MAX_PARTS = 400
DAY = timedelta(days=1)
SEVERITIES = tuple(Severity)
STACKED = tuple(reversed(Severity))  # the most severe on top


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """How many findings were open in a part of a period, or at its start or end.

    Attributes:
        instant: When most were open at once.
        total: How many that were.
        counts: The most of each severity, which may have been open at different times.
    """

    instant: datetime
    total: int
    counts: Mapping[Severity, int]


class OpenCounter:
    """Remembers when findings opened and closed, in nine bytes each."""

    def __init__(self) -> None:
        self._times = array("d")
        self._changes = array("b")

    def add(self, instant: datetime, *, opened: Severity | None, closed: Severity | None) -> None:
        """Add that a finding of one severity closed and one of another opened, in any order."""
        if opened is closed:
            return
        for severity, sign in ((closed, -1), (opened, 1)):
            if severity is not None:
                self._times.append(instant.timestamp())
                self._changes.append(sign * (SEVERITIES.index(severity) + 1))

    def find_peaks(
        self, since: datetime, until: datetime, parts: int = 0
    ) -> tuple[TrendPoint, ...]:
        """Find when most findings were open, in each part of a period, in all and by severity.

        What opened and closed within a part counts, too. What changes at the same instant changes
        together.

        Returns:
            The state at the start, the peak of each part, and the state at the end.
        """
        parts = parts or min(MAX_PARTS, max(PARTS, math.ceil((until - since) / DAY)))
        step = (until - since) / parts
        starts = [since, *(since + step * number for number in range(parts))]
        ends = [*starts[1:], until]
        now: Counter[int] = Counter()
        points: list[TrendPoint] = []
        waiting = iter(self._group_by_instant())
        upcoming = next(waiting, None)
        for start, end in zip(starts, ends, strict=True):
            peak = _build_point(start, now)
            most = Counter(now)
            while upcoming is not None and upcoming[0] <= end.timestamp():
                instant, changes = upcoming
                now.update(changes)
                most = Counter(now) if not points else most | now
                if not points or now.total() > peak.total:
                    peak = _build_point(max(since, datetime.fromtimestamp(instant, UTC)), now)
                upcoming = next(waiting, None)
            points.append(replace(peak, counts=_name_severities(most)))
        return (*points, _build_point(until, now))

    def _group_by_instant(self) -> Sequence[tuple[float, Counter[int]]]:
        ordered = sorted(zip(self._times, self._changes, strict=True), key=itemgetter(0))
        grouped = []
        for instant, changes in groupby(ordered, key=itemgetter(0)):
            change: Counter[int] = Counter()
            for _, code in changes:
                change[abs(code) - 1] += 1 if code > 0 else -1
            grouped.append((instant, change))
        return grouped


def stack_bands(trend: Sequence[TrendPoint]) -> dict[Severity, str]:
    """Draw a trend as stacked areas: the points of an SVG polygon for each severity."""
    most = max((sum(point.counts.values()) for point in trend), default=0) or 1
    width = WIDTH / max(1, len(trend) - 1)
    floor = [0] * len(trend)
    drawn = {}
    for severity in STACKED:
        roof = [
            low + point.counts.get(severity, 0) for low, point in zip(floor, trend, strict=True)
        ]
        if roof != floor:
            upper = [_format_point(number * width, high, most) for number, high in enumerate(roof)]
            lower = [_format_point(number * width, low, most) for number, low in enumerate(floor)]
            drawn[severity] = " ".join([*upper, *reversed(lower)])
        floor = roof
    return drawn


def _build_point(instant: datetime, counts: Counter[int]) -> TrendPoint:
    return TrendPoint(instant, counts.total(), _name_severities(counts))


def _name_severities(counts: Mapping[int, int]) -> Mapping[Severity, int]:
    return {SEVERITIES[number]: count for number, count in counts.items() if count > 0}


def _format_point(x: float, count: int, most: int) -> str:
    return f"{x:.1f},{HEIGHT - count / most * (HEIGHT - 8):.1f}"
