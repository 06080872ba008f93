"""A step begins only if enough time is left for it."""

import pytest

from posture.runtime.deadline import FACTOR, MARGIN, Deadline, measure_time_for_reads


class RemainingTime:
    """The seconds that are left."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        """Return the seconds."""
        return self.seconds


def time_out(left: RemainingTime) -> None:
    """Use up 90 seconds and time out."""
    left.seconds -= 90
    raise TimeoutError


def test_without_a_limit_every_step_is_allowed() -> None:
    """The default has no limit."""
    deadline = Deadline()
    with deadline.step():
        pass
    assert deadline.allows()


def test_the_longest_step_and_a_margin_must_fit() -> None:
    """Required are 1.5 times the longest step so far and the margin for the report."""
    left = RemainingTime(900)
    deadline = Deadline(left)
    for taken in (40, 100, 20):
        with deadline.step():
            left.seconds -= taken
    left.seconds = MARGIN + FACTOR * 100
    assert not deadline.allows()
    left.seconds += 1
    assert deadline.allows()


def test_before_the_first_step_only_the_margin_must_be_left() -> None:
    """The duration of a step is not known yet."""
    assert not Deadline(RemainingTime(MARGIN)).allows()
    assert Deadline(RemainingTime(MARGIN + 1)).allows()


def test_a_failed_step_counts() -> None:
    """A step that timed out is the longest of all."""
    left = RemainingTime(200)
    deadline = Deadline(left)
    with pytest.raises(TimeoutError), deadline.step():
        time_out(left)
    assert not deadline.allows()


def test_a_failed_step_of_another_account_does_not_count() -> None:
    """What made it fail, such as throttling, is not what the next account meets."""
    left = RemainingTime(200)
    deadline = Deadline(left)
    with pytest.raises(TimeoutError), deadline.step(counts_failure=False):
        time_out(left)
    assert deadline.allows()


def test_steps_of_another_kind_are_measured_for_themselves() -> None:
    """Of the same time."""
    left = RemainingTime(180)
    deadline = Deadline(left)
    other = deadline.measure_apart()
    with other.step():
        left.seconds -= 90
    assert not other.allows()
    assert deadline.allows()
    left.seconds = MARGIN
    assert not deadline.allows()


def test_reads_of_an_invocation_end_in_time() -> None:
    """Before the margin; outside of an invocation nothing limits them."""
    left = RemainingTime(100)
    deadline = Deadline(left)
    assert measure_time_for_reads() == float("inf")
    with deadline.limit_reads():
        assert measure_time_for_reads() == 100 - MARGIN
        left.seconds = 3
        assert measure_time_for_reads() == 0
    assert measure_time_for_reads() == float("inf")


def test_of_several_invocations_the_first_to_end_limits_reads() -> None:
    """The demo runs several functions in one process; each counts until it has ended."""
    first, second = Deadline(RemainingTime(100)), Deadline(RemainingTime(200))
    with second.limit_reads():
        with first.limit_reads():
            assert measure_time_for_reads() == 100 - MARGIN
        assert measure_time_for_reads() == 200 - MARGIN
