"""Walks the hash chain of a scope and finds the first altered, removed or inserted row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from posture.model.instant import parse_iso
from posture.store.hash_chain import DIGEST, FIRST, Chain, digest_row
from posture.store.scope_record import ANY_TIME
from posture_cli.audit.exported_ends import ExportedChain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

UNCHAINED_SCHEMA = 1  # the only version that wrote rows without a digest

Row = Mapping[str, "AttributeValueTypeDef"]


@dataclass(frozen=True, slots=True)
class ChainFault:
    """The first row that breaks a chain: its key, and the problem in words."""

    entry: str
    problem: str


@dataclass
class ChainWalk:
    """One pass over the rows of a scope, in the order of their keys.

    Attributes:
        exported: What was exported of the chain, which it must still contain.
        chain: The end of the chain so far.
        unchained: The number of rows from before chains existed.
        fault: The first fault; the rows after it are not checked.
        rewritten: The first row with another digest than the exported one; 0 for none.
        times: When the first and the last row were written.
    """

    exported: ExportedChain = field(default_factory=ExportedChain)
    chain: Chain = field(default_factory=Chain)
    unchained: int = 0
    fault: ChainFault | None = None
    rewritten: int = 0
    times: tuple[datetime, datetime] | None = None
    _first_unchained: str = ""
    _last: str = ""

    def walk(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Check each row and yield it, until one breaks the chain."""
        for row in _sort_rows(rows):
            self.fault = self._check(row)
            if self.fault:
                return
            yield row

    def check_end(self, recorded: Chain) -> ChainFault | None:
        """Compare the last row with the end of the chain in the scope record."""
        length = self.chain.length
        if self.fault or recorded == self.chain or recorded.length == length == 0:
            return self.fault
        if recorded.length > length:
            missing = _format_missing(length + 1, recorded.length)
            problem = f"removed: {missing} at the end of the chain"
        elif recorded.length < length:
            problem = (
                f"inserted: the scope record ends the chain at row {recorded.length}, "
                f"the table ends at row {length}"
            )
        else:
            problem = "altered: the digest of the last row is not the one in the scope record"
        return ChainFault(self._last, problem)

    def _check(self, row: Row) -> ChainFault | None:
        entry = row["entry"].get("S", "")
        if DIGEST not in row:
            return self._check_unchained(row, entry)
        digest = row[DIGEST].get("S", "")
        number, previous = _number(row), row.get("previous", {}).get("S", "")
        if problem := self._problem(row, number, digest):
            return ChainFault(entry, problem)
        if number > 1 and previous != self.chain.tip:
            return ChainFault(
                self._last, f"altered: the next row has another digest for row {number - 1}"
            )
        if number == 1 and previous == FIRST and self.unchained:
            return ChainFault(
                self._first_unchained, "inserted: it is before the first row of the chain"
            )
        if self.exported.find_backdated(number, self._note_time(row)):
            return ChainFault(
                entry,
                f"inserted: it is dated before the export of {self.exported.exported_at:%F %H:%M} "
                "UTC, which does not hold it",
            )
        self.chain, self._last = Chain(number, digest), entry
        if self.exported.tips.get(number, digest) != digest:
            self.rewritten = self.rewritten or number
        return None

    def _note_time(self, row: Row) -> datetime:
        """Return when a row was written, by the name of its transaction."""
        text = row.get("commit", row["entry"]).get("S", "").partition("#")[0]
        try:
            written_at = parse_iso(text)
        except ValueError:  # a key of a form that no version writes
            return ANY_TIME
        first, last = self.times or (written_at, written_at)
        self.times = min(first, written_at), max(last, written_at)
        return written_at

    def _check_unchained(self, row: Row, entry: str) -> ChainFault | None:
        """Check a row without a digest, which can only be before the chain."""
        if self.chain.length:
            return ChainFault(entry, "inserted: it has no digest, but the chain begins before it")
        schema = row.get("schema", {}).get("N", str(UNCHAINED_SCHEMA))
        if schema != str(UNCHAINED_SCHEMA) or {"number", "previous"} & row.keys():
            return ChainFault(entry, "altered: its digest was removed")
        self._note_time(row)
        self._first_unchained = self._first_unchained or entry
        self.unchained += 1
        return None

    def _problem(self, row: Row, number: int, digest: str) -> str:
        expected = self.chain.length + 1
        if digest_row(row) != digest:
            return "altered: its digest does not match its content"
        if number > expected:
            return f"removed: {_format_missing(expected, number - 1)} before it"
        if number < expected:
            return f"inserted: there is another row {number} before it"
        return ""


def _sort_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows in the order of the chain: rows of the same instant by their numbers.

    A row that a clock ahead dated too late has a lower number than the rows before it, which
    therefore wait until it comes.
    """
    waiting: dict[int, list[Row]] = defaultdict(list)
    expected = 1
    for _, same in groupby(rows, key=lambda row: row["entry"].get("S", "").partition("#")[0]):
        for row in sorted(same, key=_number):
            if _number(row) > expected and digest_row(row) == row.get(DIGEST, {}).get("S"):
                waiting[_number(row)].append(row)
                continue
            yield row
            expected = max(expected, _number(row) + 1)
            while expected in waiting:
                yield from waiting.pop(expected)
                expected += 1
    for number in sorted(waiting):
        yield from waiting[number]


def _number(row: Row) -> int:
    text = row.get("number", {}).get("N", "0")
    return int(text) if text.isdigit() else 0


def _format_missing(first: int, last: int) -> str:
    return f"row {first} is missing" if first == last else f"rows {first} to {last} are missing"
