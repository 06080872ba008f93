"""What was exported of the hash chains: every end that a chain must still contain. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from posture.model.scope import Scope
from posture.store.chain_ends import ChainEnd, ExportHeader
from posture.store.hash_chain import WAIVERS
from posture.store.scope_record import ANY_TIME

# A function ends 15 minutes after it took a snapshot, and AWS rejects requests of a clock that is
# further behind: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
LATEST_WRITE = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class ExportedDocument:
    """What one export holds or, without a header, what alerts hold: an end for each."""

    ends: tuple[ChainEnd, ...]
    header: ExportHeader | None = None


@dataclass
class ExportedChain:
    """What was exported of one chain.

    Attributes:
        tips: The digest of the last row, by the number of rows.
        exported_at: When the latest export that must hold it was made; None for alerts.
        length: How many rows the chain had then.
        unchained: The rows from before chains existed, as last exported; None if not counted.
        problem: How the exports contradict each other; "" if they do not.
    """

    tips: dict[int, str] = field(default_factory=dict)
    exported_at: datetime | None = None
    length: int = 0
    unchained: int | None = None
    problem: str = ""

    @property
    def longest(self) -> int:
        """The most rows that were exported."""
        return max(self.tips, default=0)

    def add(self, end: ChainEnd, exported_at: datetime | None) -> None:
        """Add an end from one export or alert."""
        length, tip = end.chain.length, end.chain.tip
        if length and self.tips.setdefault(length, tip) != tip:
            self.problem = f"altered: exports of it end with different digests of row {length}"
        if exported_at and (self.exported_at is None or exported_at >= self.exported_at):
            self.exported_at, self.length, self.unchained = exported_at, length, end.unchained

    def find_backdated(self, number: int, written_at: datetime) -> bool:
        """Whether a row is dated before an export that should hold it, and does not."""
        if self.exported_at is None or number <= self.length:
            return False
        return written_at < self.exported_at - LATEST_WRITE


@dataclass
class ExportedEnds:
    """All exports that a verification compares with, or none.

    Attributes:
        chains: What was exported, by scope.
        exports: When each export was made; alerts have no such time.
        alerts: The number of alerts among the sources.
        complete_at: When the latest export of all chains was made.
        warnings: What makes the exports themselves less reliable.
        latest: The latest time that an export can be of. Of one with a later time only the ends
            count: rows that it does not hold may have been written since.
    """

    chains: dict[str, ExportedChain] = field(default_factory=dict)
    exports: list[datetime] = field(default_factory=list)
    alerts: int = 0
    complete_at: datetime | None = None
    warnings: list[str] = field(default_factory=list)
    latest: datetime = ANY_TIME

    def add(self, document: ExportedDocument, table: str = "") -> None:
        """Add what an export or alerts hold; `table` is the history that is verified."""
        header = document.header
        exported_at = header.exported_at if header else None
        if header is None:
            self.alerts += len(document.ends)
        else:
            if table and header.table and header.table != table:
                self.warn(f"an export is of table {header.table}, not of {table}")
            is_ahead = header.exported_at > self.latest
            self.add_export(header.exported_at, complete=header.complete and not is_ahead)
            if is_ahead:
                exported_at = None
                self.warn(f"an export is dated {header.exported_at:%F %H:%M} UTC, in the future")
        for end in document.ends:
            self.add_end(end, exported_at)

    def warn(self, warning: str) -> None:
        """Add a warning once."""
        if warning not in self.warnings:
            self.warnings.append(warning)

    def add_export(self, exported_at: datetime, *, complete: bool) -> None:
        """Add that there is an export of this time."""
        self.exports.append(exported_at)
        if complete:
            self.complete_at = max(self.complete_at or exported_at, exported_at)

    def add_end(self, end: ChainEnd, exported_at: datetime | None) -> None:
        """Add the end of one chain."""
        self.chains.setdefault(end.scope, ExportedChain()).add(end, exported_at)

    def find(self, scope: str) -> ExportedChain:
        """Find what was exported of a chain; one that a complete export lacks had no rows."""
        return self.chains.get(scope) or ExportedChain(exported_at=self.complete_at)

    def select(self, scope: str) -> ExportedEnds:
        """Return the same, of one scope only."""
        chains = {name: chain for name, chain in self.chains.items() if name == scope}
        return replace(self, chains=chains)

    def __bool__(self) -> bool:
        """Whether there is anything to compare with."""
        return bool(self.exports or self.alerts)

    def list_descriptions(self) -> Iterator[str]:
        """List what is compared with: exports and their times, alerts."""
        if self.exports:
            first, last = min(self.exports), max(self.exports)
            number = len(self.exports)
            times = f"of {first:%F %H:%M} UTC"
            if number > 1:
                times = f"from {first:%F %H:%M} to {last:%F %H:%M} UTC"
            yield f"{number} export{'' if number == 1 else 's'} {times}"
        if self.alerts:
            yield f"{self.alerts} alert{'' if self.alerts == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class StackEnds:
    """What was exported of one of several stacks, whose history is a table in a Region."""

    stack: str
    region: str
    table: str
    ends: ExportedEnds = field(default_factory=ExportedEnds)


def add_to_stacks(document: ExportedDocument, stacks: Sequence[StackEnds]) -> str:
    """Add what an export or alerts hold to those of the stacks that it is of.

    Returns:
        What is not compared, and why; "" if everything is.

    Raises:
        ValueError: It may be of several of the stacks.
    """
    header = document.header
    if header and header.region:
        here = [it for it in stacks if it.region == header.region]
        meant = [it for it in here if it.table == header.table] or (here if len(here) == 1 else [])
        for each in meant:
            each.ends.add(document, each.table)
        where = f"an export of table {header.table} in {header.region}"
        return "" if meant else f"{where} is not compared: no such table is verified"
    by_region: dict[str, list[ChainEnd]] = defaultdict(list)
    for end in document.ends:
        if end.scope != WAIVERS:
            by_region[Scope.parse(end.scope).region].append(end)
        elif len(stacks) == 1:
            by_region[stacks[0].region].append(end)
        else:
            raise ValueError("it does not say of which stack its waivers are")
    for region, ends in by_region.items():
        here = [it for it in stacks if it.region == region]
        if len(here) > 1:
            raise ValueError(f"it does not say of which of the stacks in {region} it is")
        for each in here:
            each.ends.add(ExportedDocument(tuple(ends), header), each.table)
    unknown = sorted(by_region.keys() - {it.region for it in stacks})
    where = ", ".join(unknown)
    return f"chains in {where} are not compared: no stack is read there" if where else ""
