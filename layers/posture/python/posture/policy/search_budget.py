"""The work that may be done on a policy, counted in units."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")


class BudgetExceededError(Exception):
    """The search did as much work as it may, so nothing is decided."""


class SearchBudget:
    """The work that may still be done on a policy, in units.

    One unit pays for one set advanced by one character, about a microsecond, and for other steps
    of that size. Units are counted and no clock is read, so that an answer is always the same.

    Attributes:
        left: The units that are left.
        spent: The units that were spent, by what they were spent on.
        topic: What is worked on; see `posture.policy.cost`.
    """

    def __init__(self, units: int) -> None:
        self.left = units
        self.spent: dict[str, int] = {}
        self.topic = ""
        self._results: dict[Hashable, Any] = {}

    def spend(self, units: int = 1, on: str | None = None) -> None:
        """Take units from the budget.

        Args:
            units: How many.
            on: What they are spent on; None: the topic.

        Raises:
            BudgetExceededError: The budget does not hold so many.
        """
        self.left -= units
        topic = self.topic if on is None else on
        self.spent[topic] = self.spent.get(topic, 0) + units
        if self.left < 0:
            raise BudgetExceededError

    def has(self, known: Hashable) -> bool:
        """Return whether the result of some work is known."""
        return known in self._results

    def remember(self, known: Hashable, work: Callable[[], Result]) -> Result:
        """Return the result of some work, which is paid for once."""
        if known not in self._results:
            self._results[known] = work()
        result: Result = self._results[known]
        return result

    @contextmanager
    def share(self, parts: int) -> Iterator[None]:
        """Limit the budget to one of `parts` equal parts; what is not spent is kept."""
        aside = self.left - self.left // parts
        self.left -= aside
        try:
            yield
        finally:
            self.left = max(self.left, 0) + aside

    @contextmanager
    def on(self, topic: str) -> Iterator[None]:
        """Count what is spent as spent on a topic."""
        outer, self.topic = self.topic, topic
        try:
            yield
        finally:
            self.topic = outer
