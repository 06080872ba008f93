"""Stops work in time: a step begins only if enough time is left to finish it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_invocations: list[Deadline] = []  # the one that is under way, if any: a process has one at a time

MARGIN = 15.0  # seconds that are kept for reporting the result
FACTOR = 1.5  # how much longer than the longest step so far the next one may take


class Deadline:
    """Tracks the remaining time and the duration of the longest step.

    Args:
        remaining: Returns the seconds that are left.
    """

    def __init__(self, remaining: Callable[[], float] = lambda: float("inf")) -> None:
        self._remaining = remaining
        self._longest = 0.0

    def allows(self) -> bool:
        """Whether enough time is left for another step."""
        return self._remaining() > MARGIN + FACTOR * self._longest

    @contextmanager
    def step(self, *, counts_failure: bool = True) -> Iterator[None]:
        """Measure the duration of a step.

        Args:
            counts_failure: Whether one that fails says how long the next one may take. Not where
                the next one concerns another account, and its reads end in time by themselves.
        """
        before, succeeded = self._remaining(), False
        try:
            yield
            succeeded = True
        finally:
            if before != float("inf") and (succeeded or counts_failure):
                self._longest = max(self._longest, before - self._remaining())

    def measure_apart(self) -> Deadline:
        """Return a deadline of the same time for steps of another kind, measured for themselves."""
        return Deadline(self._remaining)

    @contextmanager
    def limit_reads(self) -> Iterator[None]:
        """Let reads of EC2 meanwhile end in time, whatever makes them long.

        A step that throttling makes long may begin when as much time is left as others take.
        """
        _invocations.append(self)
        try:
            yield
        finally:
            _invocations.remove(self)

    def measure_left(self) -> float:
        """Measure the seconds that are left, without those for reporting the result."""
        return max(0.0, self._remaining() - MARGIN)


def measure_time_for_reads() -> float:
    """Measure the seconds that are left of this process's invocation for reads of EC2."""
    return min((each.measure_left() for each in _invocations), default=float("inf"))
