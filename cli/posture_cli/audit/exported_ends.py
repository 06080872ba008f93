"""What was exported of the hash chains: every end that a chain must still contain. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from posture.store.chain_ends import ChainEnd

# A function ends 15 minutes after it took a snapshot, and AWS rejects requests of a clock that is
# further behind: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
LATEST_WRITE = timedelta(minutes=20)


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
    """

    chains: dict[str, ExportedChain] = field(default_factory=dict)
    exports: list[datetime] = field(default_factory=list)
    alerts: int = 0
    complete_at: datetime | None = None
    warnings: list[str] = field(default_factory=list)

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
        return ExportedEnds(chains, self.exports, self.alerts, self.complete_at, self.warnings)

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
