"""Stops work in time: a step begins only if enough time is left to finish it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
    def step(self) -> Iterator[None]:
        """Measure the duration of a step."""
        before = self._remaining()
        try:
            yield
        finally:
            if before != float("inf"):
                self._longest = max(self._longest, before - self._remaining())
