"""How many findings were open over time, and how long they stayed open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from posture.model.finding import Finding, FindingStatus, Step, Transition
from posture.model.verdict import Severity

WIDTH, HEIGHT = 720.0, 160.0  # of the drawing, in its own units
STACKED = tuple(reversed(Severity))  # the worst on top


@dataclass(frozen=True, slots=True)
class Point:
    """What was open at an instant, by severity."""

    instant: datetime
    counts: Mapping[Severity, int]

    @property
    def total(self) -> int:
        """How many were open."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Band:
    """The area of one severity in the drawing of a trend, as an SVG polygon's points."""

    severity: Severity
    points: str


def instants(since: datetime, until: datetime, count: int = 60) -> tuple[datetime, ...]:
    """Give evenly spaced instants, both ends included."""
    step = (until - since) / (count - 1)
    return (*(since + step * number for number in range(count - 1)), until)


def points(steps: Iterable[Transition], at: Sequence[datetime]) -> tuple[Point, ...]:
    """Count what was open at each instant.

    Args:
        steps: Every transition of everything, in any order of scopes, but of each finding in the
            order of its life.
        at: The instants, oldest first.
    """
    ordered = sorted(steps, key=lambda step: step.finding.updated_at)
    now: dict[str, Finding] = {}
    found, position = [], 0
    for instant in at:
        while position < len(ordered) and ordered[position].finding.updated_at <= instant:
            now[ordered[position].finding.id] = ordered[position].finding
            position += 1
        is_open = (it.severity for it in now.values() if it.status is FindingStatus.OPEN)
        found.append(Point(instant, Counter(is_open)))
    return tuple(found)


def bands(trend: Sequence[Point]) -> tuple[Band, ...]:
    """Draw a trend as areas that stand on each other."""
    most = max((point.total for point in trend), default=0) or 1
    width = WIDTH / max(1, len(trend) - 1)
    floor = [0] * len(trend)
    drawn = []
    for severity in STACKED:
        roof = [
            low + point.counts.get(severity, 0) for low, point in zip(floor, trend, strict=True)
        ]
        if roof != floor:
            upper = [_place(number * width, high, most) for number, high in enumerate(roof)]
            lower = [_place(number * width, low, most) for number, low in enumerate(floor)]
            drawn.append(Band(severity, " ".join([*upper, *reversed(lower)])))
        floor = roof
    return tuple(drawn)


def time_to_repair(steps: Iterable[Transition], since: datetime) -> timedelta | None:
    """Give the median time from a finding's opening to its repair, of those repaired since."""
    seconds = [
        (step.finding.updated_at - step.finding.opened_at).total_seconds()
        for step in steps
        if step.step is Step.RESOLVED and step.finding.updated_at >= since
    ]
    return timedelta(seconds=median(seconds)) if seconds else None


def _place(x: float, count: int, most: int) -> str:
    return f"{x:.1f},{HEIGHT - count / most * (HEIGHT - 8):.1f}"
