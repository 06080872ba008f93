"""Counts the open findings over time, and how long they stayed open."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from posture.model.finding import Finding, FindingStatus, Step, Transition
from posture.model.verdict import Severity

WIDTH, HEIGHT = 720.0, 160.0  # of the drawing, in its own units
STACKED = tuple(reversed(Severity))  # the most severe on top


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """The number of open findings at an instant, by severity."""

    instant: datetime
    counts: Mapping[Severity, int]

    @property
    def total(self) -> int:
        """The number of all open findings."""
        return sum(self.counts.values())


def divide_period(since: datetime, until: datetime, count: int = 60) -> tuple[datetime, ...]:
    """Return evenly spaced instants, including both ends."""
    step = (until - since) / (count - 1)
    return (*(since + step * number for number in range(count - 1)), until)


def count_open(steps: Iterable[Transition], at: Sequence[datetime]) -> tuple[TrendPoint, ...]:
    """Count the open findings at each instant.

    Args:
        steps: Every transition; those of the same finding in order of time.
        at: The instants, the oldest first.
    """
    ordered = sorted(steps, key=lambda step: step.finding.updated_at)
    now: dict[str, Finding] = {}
    found, position = [], 0
    for instant in at:
        while position < len(ordered) and ordered[position].finding.updated_at <= instant:
            now[ordered[position].finding.id] = ordered[position].finding
            position += 1
        is_open = (it.severity for it in now.values() if it.status is FindingStatus.OPEN)
        found.append(TrendPoint(instant, Counter(is_open)))
    return tuple(found)


def stack_bands(trend: Sequence[TrendPoint]) -> dict[Severity, str]:
    """Draw a trend as stacked areas: the points of an SVG polygon for each severity."""
    most = max((point.total for point in trend), default=0) or 1
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


def find_median_resolution_time(steps: Iterable[Transition], since: datetime) -> timedelta | None:
    """Return the median time from opening to resolution, of the findings resolved since."""
    seconds = [
        (step.finding.updated_at - step.finding.opened_at).total_seconds()
        for step in steps
        if step.step is Step.RESOLVED and step.finding.updated_at >= since
    ]
    return timedelta(seconds=median(seconds)) if seconds else None


def _format_point(x: float, count: int, most: int) -> str:
    return f"{x:.1f},{HEIGHT - count / most * (HEIGHT - 8):.1f}"
