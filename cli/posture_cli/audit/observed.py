"""Since when, and over which scopes, an answer about a period speaks.

Nothing is known of a scope before it was first observed: it is named, not counted as clean. Nor is
anything known after it was last observed, if it still exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from posture.model.scope import Region, Scope
from posture.store.scope_record import ScopeRecord
from posture_cli.audit.open_tables import OpenTables
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

    def from_beginning(self) -> ObservedPeriod:
        """Return the same with the first observation as the start of the period."""
        return replace(self, since=self.begins or self.until)

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

    def require_begun(self, instant: datetime) -> None:
        """Refuse a question about a time before the first observation.

        Raises:
            CommandError: Nothing was observed at this instant.
        """
        if not self.scopes:
            raise CommandError("no such scope was ever observed; run a sweep")
        if self.begins is None:
            raise CommandError("it is not recorded when these scopes were first observed")
        if self.begins > instant:
            raise CommandError(
                f"history begins {format_instant(self.begins)}: "
                f"nothing was observed at {format_instant(instant)}"
            )

    def describe(self) -> str:
        """Return the sentences that belong to every answer about the period."""
        return " ".join(self.list_sentences())

    def list_sentences(self) -> Iterator[str]:
        """List the sentences: what was observed, from when, and what was not."""
        late, behind = self.late, self.behind
        throughout = len(self.scopes) - len({*late, *behind})
        of_all = f"{throughout} of {_count(len(self.scopes))}"
        verb = "was" if len(self.scopes) == 1 else "were"
        if self.until == self.since:
            text = f"At {format_instant(self.since)} {of_all} had been observed"
        else:
            period = f"from {format_instant(self.since)} to {format_instant(self.until)}"
            text = f"{of_all} {verb} observed {period}"
        yield (
            f"{text}; history begins {format_instant(self.begins)}." if self.begins else f"{text}."
        )
        for which, scopes, times, known in (
            ("first observed later", late, [it.first for it in late], "before"),
            ("last observed earlier", behind, [it.last for it in behind], "since"),
        ):
            if scopes:
                them, verb = ("it", "was") if len(scopes) == 1 else ("them", "were")
                yield (
                    f"{_count(len(scopes))} {verb} {which}, and nothing is known of {them} "
                    f"{known}: {_list_scopes(scopes, times)}."
                )


def read_observed(
    tables: OpenTables, scopes: Iterable[Scope], since: datetime
) -> Iterator[ObservedScope]:
    """Read when scopes, also those without a record, were first and last observed.

    The history is asked only for scopes whose record names no time before `since`.
    """
    listed = sorted(set(scopes))
    records = {record.scope: record for record in tables.findings.read_records(listed)}
    for scope in listed:
        record, row = records.get(scope), None
        first = record.first_observed_at if record else None
        if first is None or first > since:
            row = tables.history.find_first(scope)
        yield build_observed(scope, record, row.observed_at if row else None)


def build_observed(
    scope: Scope, record: ScopeRecord | None, first_row: datetime | None
) -> ObservedScope:
    """Build when a scope was observed: first at the latest when its first row was written."""
    known = filter(None, (record.first_observed_at if record else None, first_row))
    last = record.observed_at if record else None
    return ObservedScope(scope, min(known, default=None), last, bool(record and record.exists))


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
