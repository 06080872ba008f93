"""Since when, and over which scopes, an answer about a period speaks.

Nothing is known of a scope before it was first observed: it is named, not counted as clean. Nor is
anything known after it was last observed, if it still exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from posture.model.scope import Region, Scope
from posture.store.findings import Findings
from posture.store.history import History
from posture_cli.failure import CommandError

NAMED = 3  # scopes that a sentence names; more are counted
# Sweeps observe every scope at least once a day, otherwise an alarm is raised.
EXPECTED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ObservedScope:
    """When a scope was first and last observed; `exists` unless it was seen to be gone.

    `first` is at the latest when its first history row was written; None where neither its record
    nor its history says anything.
    """

    scope: Scope
    first: datetime | None
    last: datetime | None
    exists: bool = True


@dataclass(frozen=True, slots=True)
class ObservedPeriod:
    """What of a period was observed. `since` and `until` are the same for a single instant."""

    since: datetime
    until: datetime
    scopes: tuple[ObservedScope, ...]

    @property
    def begins(self) -> datetime | None:
        """When the first scope was first observed; None if none was."""
        return min((it.first for it in self.scopes if it.first), default=None)

    @property
    def late(self) -> tuple[ObservedScope, ...]:
        """The scopes that were not observed before the period, the latest last.

        A region's own scope begins when it cannot be read; before, its other scopes were observed.
        """
        read = {
            Region(it.scope.account, it.scope.region)
            for it in self.scopes
            if not it.scope.is_region and it.first and it.first <= self.since
        }
        late = (
            it
            for it in self.scopes
            if (it.first is None or it.first > self.since)
            and not (it.scope.is_region and Region(it.scope.account, it.scope.region) in read)
        )
        return tuple(sorted(late, key=lambda it: (it.first or it.last or self.until, it.scope)))

    @property
    def behind(self) -> tuple[ObservedScope, ...]:
        """The scopes that still exist, but were last observed a day or more before the end."""
        return tuple(
            it
            for it in self.scopes
            if it.exists and it.last and not it.scope.is_region and it.last < self.until - EXPECTED
        )

    def require_begun(self) -> None:
        """Refuse a question about a time before the first observation.

        Raises:
            CommandError: Nothing was observed at the start of the period.
        """
        if not self.scopes:
            raise CommandError("no such scope was ever observed; run a sweep")
        if self.begins is None:
            raise CommandError("it is not recorded when these scopes were first observed")
        if self.begins > self.since:
            raise CommandError(
                f"history begins {format_instant(self.begins)}: "
                f"nothing was observed at {format_instant(self.since)}"
            )

    def describe(self) -> str:
        """Return the sentences that belong to every answer about the period."""
        return " ".join(self.list_sentences())

    def list_sentences(self) -> Iterator[str]:
        """List the sentences: what was observed, from when, and what was not."""
        late, behind = self.late, self.behind
        observed = len(self.scopes) - len(late)
        period = format_instant(self.since)
        if self.until != self.since:
            period = f"{period} to {format_instant(self.until)}"
        begins = f", the first since {format_instant(self.begins)}" if self.begins else ""
        yield f"Speaks for {period} and {_count(observed)}{begins}."
        if late:
            yield (
                f"Nothing is known of {_count(len(late))} before the first observation: "
                f"{_list_scopes(late, [it.first for it in late])}."
            )
        if behind:
            yield (
                f"Nothing is known of {_count(len(behind))} after the last observation: "
                f"{_list_scopes(behind, [it.last for it in behind])}."
            )


def read_observed(
    findings: Findings,
    history: History,
    scopes: Iterable[Scope],
    since: datetime,
    until: datetime | None = None,
) -> ObservedPeriod:
    """Read when scopes were first and last observed.

    The history is asked only for scopes whose record names no time before `since`.

    Args:
        findings: The findings table, which holds the scope records.
        history: The history table.
        scopes: The scopes, also those without a record.
        since: The start of the period.
        until: Its end; without it the period is an instant.
    """
    listed = sorted(set(scopes))
    records = {record.scope: record for record in findings.read_records(listed)}
    observed = []
    for scope in listed:
        record = records.get(scope)
        first = record.first_observed_at if record else None
        if first is None or first > since:
            row = history.find_first(scope)
            first = min(filter(None, (first, row and row.observed_at)), default=None)
        last = record.observed_at if record else None
        observed.append(ObservedScope(scope, first, last, bool(record and record.exists)))
    return ObservedPeriod(since, until or since, tuple(observed))


def format_instant(instant: datetime) -> str:
    """Format a time for a sentence; seconds only where they matter."""
    at = instant.astimezone(UTC)
    return f"{at:%Y-%m-%d %H:%M} UTC" if at.second == 0 else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _count(number: int) -> str:
    return "1 scope" if number == 1 else f"{number} scopes"


def _list_scopes(scopes: Sequence[ObservedScope], times: Sequence[datetime | None]) -> str:
    named = [
        f"{it.scope} ({format_instant(at) if at else 'time not recorded'})"
        for it, at in zip(scopes[:NAMED], times, strict=False)
    ]
    rest = len(scopes) - len(named)
    return ", ".join(named) + (f" and {rest} more" if rest else "")
