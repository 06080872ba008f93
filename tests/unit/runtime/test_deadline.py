"""A step is begun only if it will be done in time."""

import pytest

from posture.runtime.deadline import FACTOR, MARGIN, Deadline


class Hourglass:
    """Seconds that are left."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        """Tell how many."""
        return self.seconds


def run_out(left: Hourglass) -> None:
    """Wait in vain."""
    left.seconds -= 90
    raise TimeoutError


def test_without_a_limit_there_is_always_time() -> None:
    """Where nobody says how much time there is."""
    deadline = Deadline()
    with deadline.step():
        pass
    assert deadline.allows()


def test_time_for_the_longest_step_and_more_must_be_left() -> None:
    """One and a half times the longest so far, and what it takes to tell of it."""
    left = Hourglass(900)
    deadline = Deadline(left)
    for taken in (40, 100, 20):
        with deadline.step():
            left.seconds -= taken
    left.seconds = MARGIN + FACTOR * 100
    assert not deadline.allows()
    left.seconds += 1
    assert deadline.allows()


def test_before_the_first_step_only_the_margin_is_kept() -> None:
    """How long a step takes is not known yet."""
    assert not Deadline(Hourglass(MARGIN)).allows()
    assert Deadline(Hourglass(MARGIN + 1)).allows()


def test_a_step_that_failed_took_its_time_too() -> None:
    """A time limit that ran out is the longest of all."""
    left = Hourglass(200)
    deadline = Deadline(left)
    with pytest.raises(TimeoutError), deadline.step():
        run_out(left)
    assert not deadline.allows()
