"""The trend of the report: the most findings that were open at once, in each part of the period."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from posture.model.verdict import Severity
from posture_cli.report.trend import OpenCounter, TrendPoint, stack_bands

SINCE = datetime(2026, 7, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(minutes=120)
HIGH, LOW = Severity.HIGH, Severity.LOW
STATES = st.one_of(st.none(), st.sampled_from(Severity))


def at(minute: float) -> datetime:
    """Return an instant of the period."""
    return SINCE + timedelta(minutes=minute)


def totals(points: tuple[TrendPoint, ...]) -> list[int]:
    """Return the number of open findings of each point."""
    return [point.total for point in points]


def test_what_opened_and_closed_within_a_part_counts() -> None:
    """Samples at the ends of the parts would show a clean period."""
    counter = OpenCounter()
    counter.add(at(11), opened=HIGH, closed=None)
    counter.add(at(12), opened=LOW, closed=None)
    counter.add(at(13), opened=None, closed=HIGH)
    counter.add(at(14), opened=None, closed=LOW)
    points = counter.find_peaks(SINCE, UNTIL, parts=12)
    assert totals(points) == [0, 0, 2, *[0] * 11]
    assert points[2].instant == at(12)
    assert points[2].counts == {HIGH: 1, LOW: 1}


def test_what_opened_before_the_period_is_open_at_its_start() -> None:
    """And the last point is the state at the end."""
    counter = OpenCounter()
    counter.add(at(-5), opened=HIGH, closed=None)
    counter.add(at(90), opened=LOW, closed=HIGH)
    counter.add(at(121), opened=HIGH, closed=None)
    points = counter.find_peaks(SINCE, UNTIL, parts=2)
    assert [point.counts for point in points] == [
        {HIGH: 1},
        {HIGH: 1},
        {HIGH: 1, LOW: 1},
        {LOW: 1},
    ]


def test_what_changes_at_one_instant_changes_together() -> None:
    """One evaluation that resolves a finding and opens another was never two open findings."""
    counter = OpenCounter()
    counter.add(at(-1), opened=HIGH, closed=None)
    counter.add(at(3), opened=LOW, closed=None)
    counter.add(at(3), opened=None, closed=HIGH)
    assert set(totals(counter.find_peaks(SINCE, UNTIL, parts=4))) == {1}


def test_the_peak_of_a_severity_is_not_lost_to_another_peak() -> None:
    """One that was high for a minute is drawn, though more were open later that day."""
    counter = OpenCounter()
    counter.add(at(11), opened=HIGH, closed=None)
    counter.add(at(12), opened=None, closed=HIGH)
    for minute in (13, 14):
        counter.add(at(minute), opened=LOW, closed=None)
    points = counter.find_peaks(SINCE, UNTIL, parts=1)
    assert (points[1].total, points[1].instant) == (2, at(14))
    assert points[1].counts == {HIGH: 1, LOW: 2}


def test_a_part_is_a_day_at_most() -> None:
    """The peak of each day of a quarter is its own."""
    for days, parts in ((1, 60), (92, 92), (3650, 400)):
        points = OpenCounter().find_peaks(SINCE, SINCE + timedelta(days=days))
        assert len(points) == parts + 2


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-20, 120), STATES), max_size=40),
    st.integers(1, 7),
)
def test_a_peak_is_the_largest_state_of_its_part(
    changes: list[tuple[int, int, Severity | None]], parts: int
) -> None:
    """Held against counting at every minute."""
    counter, states = OpenCounter(), dict.fromkeys(range(4))
    history: list[tuple[int, int, Severity | None]] = []
    now: dict[int, Severity | None] = dict(states)
    for which, minute, state in sorted(changes, key=lambda each: each[1]):
        counter.add(at(minute), opened=state, closed=now[which])
        now[which] = state
        history.append((minute, which, state))

    def count(minute: float) -> int:
        last = {which: state for at_, which, state in history if at_ <= minute}
        return sum(state is not None for state in last.values())

    width = 120 / parts
    expected = [count(0)]
    for part in range(parts):
        inside = [m for m, *_ in history if part * width < m <= (part + 1) * width]
        expected.append(max(map(count, [part * width, *inside])))
    assert totals(counter.find_peaks(SINCE, UNTIL, parts)) == [*expected, count(120)]


def test_bands_stack_to_the_total() -> None:
    """The most severe is on top, and a severity that never occurs has no band."""
    points = (TrendPoint(SINCE, 1, {LOW: 1}), TrendPoint(UNTIL, 2, {LOW: 1, HIGH: 1}))
    bands = stack_bands(points)
    assert list(bands) == [LOW, HIGH]
    assert bands[HIGH] == "0.0,84.0 720.0,8.0 720.0,84.0 0.0,84.0"
