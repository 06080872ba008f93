"""Tests of the value of a condition key, and the choice of a value that passes or fails them.

Texts are found with automata. For numbers, dates and addresses every value at which a test can
change its result is tried, and one between any two of them. Both are exact.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address
from itertools import pairwise

from posture.lean_dataclass import dataclass
from posture.policy.automata import PatternSet, find_option, find_shortest_text
from posture.policy.keys import KeyPresence
from posture.policy.operators import OperatorFamily, Quantifier
from posture.policy.scalars import COMPARISONS, IpNetwork, parse_instant, parse_number
from posture.policy.search_budget import SearchBudget

TEXT_FAMILIES = frozenset(
    {OperatorFamily.STRING, OperatorFamily.ARN, OperatorFamily.BOOL, OperatorFamily.BINARY}
)
GREAT = 2**52  # has no fraction as a float
LAST_INSTANT = 253_402_300_799  # of the year 9999
UNITS_PER_BOUND = 10
KeyValues = tuple[str, ...] | None  # None: the key is absent


class IncompatibleTestsError(Exception):
    """One key has tests of different types, which the search does not combine."""


class BoundSet:
    """The numbers, instants or addresses that compare with any of some bounds.

    `points` and `networks` hold the bounds that matter: of numbers that a value must be less than,
    the greatest.
    """

    def __init__(self, comparison: str, bounds: Iterable[Fraction | IpNetwork]) -> None:
        stated = dict.fromkeys(bounds)
        points = [each for each in stated if isinstance(each, Fraction)]
        if points and comparison != "equals":
            points = [max(points) if comparison.startswith("less") else min(points)]
        networks = [each for each in stated if not isinstance(each, Fraction)]
        self.points = tuple(points)
        self.networks: tuple[IpNetwork, ...] = (
            *collapse_addresses(each for each in networks if isinstance(each, IPv4Network)),
            *collapse_addresses(each for each in networks if isinstance(each, IPv6Network)),
        )
        self._comparison = comparison
        self._equal = frozenset(points)
        self._ranges = [(each.version, int(each[0]), int(each[-1])) for each in self.networks]

    def contains(self, point: Fraction) -> bool:
        """Return whether a number or an instant compares with a bound."""
        if self._comparison == "equals":
            return point in self._equal
        compare = COMPARISONS[self._comparison]
        return any(compare(point, bound) for bound in self.points)

    def contains_address(self, value: str) -> bool:
        """Return whether a text is an address in one of the networks."""
        try:
            address = ip_address(value)
        except ValueError:
            return False
        at = bisect_right(self._ranges, (address.version, int(address), 2**128))
        version, _, last = self._ranges[at - 1] if at else (0, 0, 0)
        return version == address.version and int(address) <= last


@dataclass(frozen=True, slots=True)
class ValueTest:
    """What one clause requires of a key.

    A value passes if it matches `patterns`, or compares with any of `bounds`; if `negated`, the
    other way round.
    """

    family: OperatorFamily
    patterns: PatternSet | None = None
    bounds: BoundSet | None = None
    negated: bool = False
    holds_when_absent: bool = False
    quantifier: Quantifier = Quantifier.NONE

    def passes(self, value: str) -> bool:
        """Return whether one value passes."""
        return self._matches(value) != self.negated

    def _matches(self, value: str) -> bool:
        if self.patterns is not None:
            return self.patterns.accepts(value)
        if self.bounds is None:
            return False
        if self.family is OperatorFamily.ADDRESS:
            return self.bounds.contains_address(value)
        is_date = self.family is OperatorFamily.DATE
        point = parse_instant(value) if is_date else parse_number(value)
        return point is not None and self.bounds.contains(point)

    @property
    def weight(self) -> int:
        """The units of work for each character of a value."""
        return self.patterns.weight if self.patterns else 1

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
        options: All texts, if they are known.
    """

    shape: PatternSet | None = None
    excluded: tuple[PatternSet, ...] = ()
    presence: KeyPresence = KeyPresence.MAYBE
    multivalued: bool = False
    preferred: tuple[str, ...] = ()
    earliest: Fraction | None = None
    options: tuple[str, ...] | None = None


def choose_values(
    key: str, wanted: Iterable[RequiredOutcome], domain: ValueDomain, budget: SearchBudget
) -> list[KeyValues]:
    """Choose values for a key so that every test has the required outcome.

    Returns:
        The values as the only element of a list; an empty list if there are none.

    Raises:
        IncompatibleTestsError: The tests are of different types; names the key.
        BudgetExceededError: The search did too much work.
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
    stated = [each.bounds for each, _ in tests if each.bounds]
    bounds = sum(len(each.points) + len(each.networks) for each in stated)
    budget.spend(1 + UNITS_PER_BOUND * bounds)
    for value in _list_boundaries(tests, domain):
        budget.spend(UNITS_PER_BOUND * len(tests))
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
    if domain.options is not None:
        return find_option(domain.options, required, excluded, budget)
    return find_shortest_text(required, excluded, budget, domain.preferred)


def _list_boundaries(tests: Sequence[RequiredOutcome], domain: ValueDomain) -> Iterable[str]:
    """Return the values to try: the bounds, their neighbours, and one between any two bounds."""
    family = tests[0][0].family
    bounds = [test.bounds for test, _ in tests if test.bounds]
    if family is OperatorFamily.ADDRESS:
        return _list_addresses([network for each in bounds for network in each.networks])
    numbers = sorted({point for each in bounds for point in each.points})
    between = [(low + high) / 2 for low, high in pairwise(numbers)]
    beside = [point + step for point in numbers for step in (-1, 1)]
    points = [*numbers, *beside, *between, Fraction(1)]
    if family is not OperatorFamily.DATE:
        return map(_format_number, points)
    earliest = domain.earliest if domain.earliest is not None else Fraction(0)
    return (_format_date(each) for each in (earliest, *points) if earliest <= each <= LAST_INSTANT)


def _format_number(point: Fraction) -> str:
    if point.denominator == 1:
        return str(point)
    return repr(float(point)) if abs(point) < GREAT else str(round(point))


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
