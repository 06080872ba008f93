"""Walking a chain of history: the first row that was altered, removed or inserted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from posture.store.hash_chain import DIGEST, FIRST, Chain, digest_row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Row = Mapping[str, "AttributeValueTypeDef"]


@dataclass(frozen=True, slots=True)
class ChainFault:
    """What is wrong, from the first row on that does not fit: its key, and why in a sentence."""

    entry: str
    problem: str


@dataclass
class ChainWalk:
    """One pass over a partition's rows, in the order of their keys.

    Attributes:
        chain: Where the chain stands after what was walked.
        unchained: How many rows are from before there were chains.
        fault: The first thing wrong; nothing after it is looked at.
        passed: The digest at each number asked for by `marks`.
    """

    marks: frozenset[int] = frozenset()
    chain: Chain = field(default_factory=Chain)
    unchained: int = 0
    fault: ChainFault | None = None
    passed: dict[int, str] = field(default_factory=dict)
    _first_unchained: str = ""
    _last: str = ""

    def over(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Walk over rows; give each one on, until one does not fit."""
        for row in _in_order(rows):
            self.fault = self._step(row)
            if self.fault:
                return
            yield row

    def end(self, head: Chain) -> ChainFault | None:
        """Compare where the rows end with where the scope's head says that they do."""
        if self.fault or head == self.chain or (head.length == 0 and self.chain.length == 0):
            return self.fault
        if head.length > self.chain.length:
            missing = _numbers(self.chain.length + 1, head.length)
            return ChainFault(self._last, f"removed: {missing} at the end of the chain")
        if head.length < self.chain.length:
            return ChainFault(
                self._last,
                f"inserted: the head ends the chain at row {head.length}, "
                f"the table at row {self.chain.length}",
            )
        return ChainFault(self._last, "altered: the last row's digest is not the one in the head")

    def _step(self, row: Row) -> ChainFault | None:
        entry = row["entry"].get("S", "")
        if DIGEST not in row:
            return self._old(entry)
        digest = row[DIGEST].get("S", "")
        number, previous = _number(row), row.get("previous", {}).get("S", "")
        if problem := self._problem(row, number, digest):
            return ChainFault(entry, problem)
        if number > 1 and previous != self.chain.tip:
            return ChainFault(
                self._last, f"altered: the row after it tells of another row {number - 1}"
            )
        if number == 1 and previous == FIRST and self.unchained:
            return ChainFault(
                self._first_unchained, "inserted: it stands before the chain's first row"
            )
        self.chain, self._last = Chain(number, digest), entry
        if number in self.marks:
            self.passed[number] = digest
        return None

    def _old(self, entry: str) -> ChainFault | None:
        """Take a row without a digest, which can only stand before the chain begins."""
        if self.chain.length:
            return ChainFault(
                entry, "inserted: it has no digest, and the chain has begun before it"
            )
        self._first_unchained = self._first_unchained or entry
        self.unchained += 1
        return None

    def _problem(self, row: Row, number: int, digest: str) -> str:
        expected = self.chain.length + 1
        if digest_row(row) != digest:
            return "altered: its contents do not have the digest that it carries"
        if number > expected:
            return f"removed: {_numbers(expected, number - 1)} before it"
        if number < expected:
            return f"inserted: there is a row {number} before it already"
        return ""


def _in_order(rows: Iterable[Row]) -> Iterator[Row]:
    """Give rows in the order of the chain: rows of one instant stand in it by their numbers."""
    for _, same in groupby(rows, key=lambda row: row["entry"].get("S", "").partition("#")[0]):
        yield from sorted(same, key=_number)


def _number(row: Row) -> int:
    text = row.get("number", {}).get("N", "0")
    return int(text) if text.isdigit() else 0


def _numbers(first: int, last: int) -> str:
    return f"row {first} is missing" if first == last else f"rows {first} to {last} are missing"
