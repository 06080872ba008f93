"""A value for an open key: one that meets every test the search asks of it, or none.

Texts are found by automata, numbers, dates and addresses by trying every value at which a test
can change its mind, and one between any two of them; both are exact.
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
from posture.policy.scalars import IpNetwork, parse_instant, parse_number

TEXTS = frozenset(
    {OperatorFamily.STRING, OperatorFamily.ARN, OperatorFamily.BOOL, OperatorFamily.BINARY}
)
KeyValues = tuple[str, ...] | None


class IncompatibleTestsError(Exception):
    """Tests of different kinds on one key, which are not taken together."""


@dataclass(frozen=True, slots=True)
class ValueTest:
    """What one clause asks of a key.

    A value passes when any pattern of `texts` or any of `bounds` fits, or none where `negated`.
    `absent` is the outcome without the key. A bound is an operator's test and the number, instant
    or network it compares with.
    """

    family: OperatorFamily
    patterns: PatternSet | None = None
    bounds: tuple[tuple[str, Fraction | IpNetwork], ...] = ()
    negated: bool = False
    when_absent: bool = False
    quantifier: Quantifier = Quantifier.NONE

    def passes(self, value: str) -> bool:
        """Tell whether one value passes."""
        return self._fits(value) != self.negated

    def _fits(self, value: str) -> bool:
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
        point = parse_instant(value) if self.family is OperatorFamily.DATE else parse_number(value)
        return point is not None and any(
            _compared(point, test, bound)
            for test, bound in self.bounds
            if isinstance(bound, Fraction)
        )

    def holds(self, values: KeyValues) -> bool:
        """Tell the outcome for what a request holds."""
        if self.family is OperatorFamily.PRESENCE:
            return self.when_absent if values is None else not self.when_absent
        if values is None or (not values and self.quantifier is not Quantifier.NONE):
            return self.when_absent
        if self.quantifier is Quantifier.ALL:
            return all(map(self.passes, values))
        if self.negated and self.quantifier is Quantifier.NONE:
            return all(map(self.passes, values))
        return any(map(self.passes, values))


RequiredOutcome = tuple[ValueTest, bool]  # and the outcome it must have


@dataclass(frozen=True, slots=True)
class ValueDomain:
    """What an open key may hold: its shape, texts to avoid, and whether it must be there."""

    shape: PatternSet | None = None
    excluded: tuple[PatternSet, ...] = ()
    presence: KeyPresence = KeyPresence.MAYBE
    multivalued: bool = False
    preferred: tuple[str, ...] = ()
    earliest: Fraction | None = None  # for dates: nothing before it


def choose_value(
    key: str, wanted: Iterable[RequiredOutcome], domain: ValueDomain, budget: SearchBudget
) -> list[KeyValues]:
    """Give what a key may hold so that every test has its outcome, as a list of at most one.

    Raises:
        UndecidedError: the tests are of kinds that are not taken together; names the key.
        ExhaustedError: the search cost too much.
    """
    tests = tuple(wanted)
    if domain.presence is not KeyPresence.ALWAYS and all(
        test.when_absent == outcome for test, outcome in tests
    ):
        return [None]
    there = [each for each in tests if each[0].family is not OperatorFamily.PRESENCE]
    if any(
        test.when_absent == outcome
        for test, outcome in tests
        if test.family is OperatorFamily.PRESENCE
    ):
        return []
    if domain.multivalued and any(test.quantifier is not Quantifier.NONE for test, _ in there):
        return _choose_several(key, there, domain, budget)
    # Of a single value, every quantifier says the same.
    found = _choose_single(key, there, domain, budget)
    return [] if found is None else [(found,)]


def _choose_several(
    key: str, wanted: Sequence[RequiredOutcome], domain: ValueDomain, budget: SearchBudget
) -> list[KeyValues]:
    """Choose several values: some tests are about every one of them, some about any."""
    every: list[RequiredOutcome] = []
    some: list[RequiredOutcome] = []
    for test, outcome in wanted:
        about_all = (test.quantifier is Quantifier.ALL) == outcome
        (every if about_all else some).append((test, outcome))
    chosen = [_choose_single(key, [*every, each], domain, budget) for each in some or [None]]  # type: ignore[list-item]
    if any(value is None for value in chosen):
        return []
    return [tuple(dict.fromkeys(value for value in chosen if value is not None))]


def _choose_single(
    key: str, wanted: Sequence[RequiredOutcome | None], domain: ValueDomain, budget: SearchBudget
) -> str | None:
    tests = [each for each in wanted if each is not None]
    families = {test.family for test, _ in tests}
    if families <= TEXTS:
        return _text(tests, domain, budget)
    if len(families) > 1:
        raise IncompatibleTestsError(key)
    budget.spend(len(tests))
    candidates = _points(tests, domain)
    return next((value for value in candidates if _all_pass(value, tests)), None)


def _all_pass(value: str, tests: Sequence[RequiredOutcome]) -> bool:
    return all(test.passes(value) == outcome for test, outcome in tests)


def _text(
    tests: Sequence[RequiredOutcome], domain: ValueDomain, budget: SearchBudget
) -> str | None:
    required = [domain.shape] if domain.shape else []
    excluded = list(domain.excluded)
    for test, outcome in tests:
        if test.patterns is not None:
            (required if outcome != test.negated else excluded).append(test.patterns)
    return find_shortest_text(required, excluded, budget, domain.preferred)


def _compared(point: Fraction, test: str, bound: Fraction) -> bool:
    return {
        "equals": point == bound,
        "less": point < bound,
        "less-equal": point <= bound,
        "greater": point > bound,
        "greater-equal": point >= bound,
    }[test]


def _points(tests: Sequence[RequiredOutcome], domain: ValueDomain) -> Iterable[str]:
    """Give the values to try: the bounds, what lies beside them, and what lies between."""
    bounds = [bound for test, _ in tests for _, bound in test.bounds]
    if tests[0][0].family is OperatorFamily.ADDRESS:
        return _addresses([bound for bound in bounds if not isinstance(bound, Fraction)])
    numbers = sorted({bound for bound in bounds if isinstance(bound, Fraction)})
    between = [(low + high) / 2 for low, high in pairwise(numbers)]
    beside = [point + step for point in numbers for step in (-1, 1)]
    points = [*numbers, *beside, *between, Fraction(1)]
    if tests[0][0].family is not OperatorFamily.DATE:
        return [_written(point) for point in points]
    earliest = domain.earliest if domain.earliest is not None else Fraction(0)
    return [_date(point) for point in (earliest, *points) if point >= earliest]


def _written(point: Fraction) -> str:
    return str(point.numerator) if point.denominator == 1 else repr(float(point))


def _date(point: Fraction) -> str:
    written = datetime.fromtimestamp(float(point), UTC).isoformat(timespec="microseconds")
    return written.replace("+00:00", "Z").replace(".000000", "")


def _addresses(networks: Sequence[IpNetwork]) -> list[str]:
    found = ["10.0.0.1", "2001:db8::1"]
    for network in networks:
        kind = type(network.network_address)
        first, last = int(network[0]), int(network[-1])
        highest = 2**network.max_prefixlen - 1
        points = (first, last, first - 1, last + 1)
        found += [str(kind(point)) for point in points if 0 <= point <= highest]
    return found
