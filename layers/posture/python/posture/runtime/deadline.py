"""Stopping in time: work is done in steps, and a step is begun only if it will be done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

MARGIN = 15.0  # seconds that are kept for telling what became of it
FACTOR = 1.5  # how much longer than the longest so far a step may take


class Deadline:
    """What time is left, and how long a step has taken at the most.

    Args:
        remaining: Gives the seconds that are left, as of now.
    """

    def __init__(self, remaining: Callable[[], float] = lambda: float("inf")) -> None:
        self._remaining = remaining
        self._longest = 0.0

    def allows(self) -> bool:
        """Whether there is time for another step."""
        return self._remaining() > MARGIN + FACTOR * self._longest

    @contextmanager
    def step(self) -> Iterator[None]:
        """Measure a step."""
        before = self._remaining()
        try:
            yield
        finally:
            if before != float("inf"):
                self._longest = max(self._longest, before - self._remaining())
