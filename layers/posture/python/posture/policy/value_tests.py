"""Tests of the value of a condition key, and the choice of a value that passes or fails them.

Texts are found with automata. For numbers, dates and addresses every value at which a test can
change its result is tried, and one between any two of them. Both are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from ipaddress import ip_address
from itertools import pairwise

from posture.policy.automata import PatternSet, SearchBudget, find_shortest_text
from posture.policy.keys import KeyPresence
from posture.policy.operators import OperatorFamily, Quantifier
from posture.policy.scalars import COMPARISONS, IpNetwork, parse_instant, parse_number

TEXT_FAMILIES = frozenset(
    {OperatorFamily.STRING, OperatorFamily.ARN, OperatorFamily.BOOL, OperatorFamily.BINARY}
)
KeyValues = tuple[str, ...] | None  # None: the key is absent


class IncompatibleTestsError(Exception):
    """One key has tests of different types, which the search does not combine."""


@dataclass(frozen=True, slots=True)
class ValueTest:
    """What one clause requires of a key.

    A value passes if it matches `patterns`, or compares with any of `bounds` as stated there; if
    `negated`, the other way round.
    """

    family: OperatorFamily
    patterns: PatternSet | None = None
    bounds: tuple[tuple[str, Fraction | IpNetwork], ...] = ()
    negated: bool = False
    holds_when_absent: bool = False
    quantifier: Quantifier = Quantifier.NONE

    def passes(self, value: str) -> bool:
        """Return whether one value passes."""
        return self._matches(value) != self.negated

    def _matches(self, value: str) -> bool:
        if self.patterns is not None:
            return self.patterns.accepts(value)
        if self.family is OperatorFamily.ADDRESS:
            try:
                address = ip_address(value)
            except ValueError:
                return False
            return any(
                address.version == bound.version and address in bound
                for _, bound in self.bounds
                if not isinstance(bound, Fraction)
            )
        is_date = self.family is OperatorFamily.DATE
        point = parse_instant(value) if is_date else parse_number(value)
        return point is not None and any(
            COMPARISONS[comparison](point, bound)
            for comparison, bound in self.bounds
            if isinstance(bound, Fraction)
        )

    def holds(self, values: KeyValues) -> bool:
        """Return whether the clause holds for the values of a key."""
        if self.family is OperatorFamily.PRESENCE:
            return self.holds_when_absent == (values is None)
        if values is None or (not values and self.quantifier is not Quantifier.NONE):
            return self.holds_when_absent
        is_single = self.quantifier is Quantifier.NONE
        needs_all = self.negated if is_single else self.quantifier is Quantifier.ALL
        return (all if needs_all else any)(map(self.passes, values))


RequiredOutcome = tuple[ValueTest, bool]  # a test, and whether it must hold


@dataclass(frozen=True, slots=True)
class ValueDomain:
    """The values that an open key may have.

    Attributes:
        shape: The form that a text must have.
        excluded: The texts that do not count.
        presence: Whether every request holds the key.
        multivalued: Whether the key may have several values.
        preferred: The texts to try first.
        earliest: The earliest date, in seconds.
    """

    shape: PatternSet | None = None
    excluded: tuple[PatternSet, ...] = ()
    presence: KeyPresence = KeyPresence.MAYBE
    multivalued: bool = False
    preferred: tuple[str, ...] = ()
    earliest: Fraction | None = None


def choose_values(
    key: str, wanted: Iterable[RequiredOutcome], domain: ValueDomain, budget: SearchBudget
) -> list[KeyValues]:
    """Choose values for a key so that every test has the required outcome.

    Returns:
        The values as the only element of a list; an empty list if there are none.

    Raises:
        IncompatibleTestsError: The tests are of different types; names the key.
        BudgetExceededError: The search visited too many states.
    """
    outcomes = tuple(wanted)
    if domain.presence is not KeyPresence.ALWAYS and all(
        test.holds_when_absent == holds for test, holds in outcomes
    ):
        return [None]
    presence = OperatorFamily.PRESENCE
    if any(test.holds_when_absent == holds for test, holds in outcomes if test.family is presence):
        return []
    tests = [each for each in outcomes if each[0].family is not presence]
    if domain.multivalued and any(test.quantifier is not Quantifier.NONE for test, _ in tests):
        return _choose_several(key, tests, domain, budget)
    # Of a single value, every quantifier says the same.
    found = _choose_one(key, tests, domain, budget)
    return [] if found is None else [(found,)]


def _choose_several(
    key: str, wanted: Sequence[RequiredOutcome], domain: ValueDomain, budget: SearchBudget
) -> list[KeyValues]:
    """Choose several values: some tests apply to each value, the others to any of them."""
    every: list[RequiredOutcome] = []
    some: list[RequiredOutcome] = []
    for test, holds in wanted:
        applies_to_each = (test.quantifier is Quantifier.ALL) == holds
        (every if applies_to_each else some).append((test, holds))
    groups = [[*every, each] for each in some] or [every]
    chosen = [_choose_one(key, group, domain, budget) for group in groups]
    values = tuple(dict.fromkeys(value for value in chosen if value is not None))
    return [] if None in chosen else [values]


def _choose_one(
    key: str, tests: Sequence[RequiredOutcome], domain: ValueDomain, budget: SearchBudget
) -> str | None:
    families = {test.family for test, _ in tests}
    if families <= TEXT_FAMILIES:
        return _choose_text(tests, domain, budget)
    if len(families) > 1:
        raise IncompatibleTestsError(key)
    budget.spend(len(tests))
    for value in _list_boundaries(tests, domain):
        if all(test.passes(value) == holds for test, holds in tests):
            return value
    return None


def _choose_text(
    tests: Sequence[RequiredOutcome], domain: ValueDomain, budget: SearchBudget
) -> str | None:
    required = [domain.shape] if domain.shape else []
    excluded = list(domain.excluded)
    for test, holds in tests:
        if test.patterns is not None:
            (required if holds != test.negated else excluded).append(test.patterns)
    return find_shortest_text(required, excluded, budget, domain.preferred)


def _list_boundaries(tests: Sequence[RequiredOutcome], domain: ValueDomain) -> Iterable[str]:
    """Return the values to try: the bounds, their neighbours, and one between any two bounds."""
    family = tests[0][0].family
    bounds = [bound for test, _ in tests for _, bound in test.bounds]
    if family is OperatorFamily.ADDRESS:
        return _list_addresses([bound for bound in bounds if not isinstance(bound, Fraction)])
    numbers = sorted({bound for bound in bounds if isinstance(bound, Fraction)})
    between = [(low + high) / 2 for low, high in pairwise(numbers)]
    beside = [point + step for point in numbers for step in (-1, 1)]
    points = [*numbers, *beside, *between, Fraction(1)]
    if family is not OperatorFamily.DATE:
        return [str(point) if point.denominator == 1 else repr(float(point)) for point in points]
    earliest = domain.earliest if domain.earliest is not None else Fraction(0)
    return [_format_date(point) for point in (earliest, *points) if point >= earliest]


def _format_date(point: Fraction) -> str:
    written = datetime.fromtimestamp(float(point), UTC).isoformat(timespec="microseconds")
    return written.replace("+00:00", "Z").replace(".000000", "")


def _list_addresses(networks: Sequence[IpNetwork]) -> list[str]:
    found = ["10.0.0.1", "2001:db8::1"]
    for network in networks:
        address = type(network.network_address)
        first, last = int(network[0]), int(network[-1])
        highest = 2**network.max_prefixlen - 1
        points = (first, last, first - 1, last + 1)
        found += [str(address(point)) for point in points if 0 <= point <= highest]
    return found
