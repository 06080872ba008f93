"""Reads an export's rows out of the tables of one stack or several, each scope once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from posture.lifecycle.diff import is_bad
from posture.model.finding import Finding
from posture.model.scope import Scope
from posture.store.history import rebuild_findings
from posture.store.items import Entry
from posture.store.waivers import WaiverTable
from posture_cli.audit.actors import ActorFilter, ActorRole
from posture_cli.audit.observed import ObservedPeriod, ObservedScope
from posture_cli.audit.open_tables import OpenTables
from posture_cli.audit.scope_reader import ReadScope, read_scopes
from posture_cli.audit.verify import VerificationResult
from posture_cli.export.datasets import (
    Row,
    build_control_rows,
    build_finding_row,
    build_history_row,
    build_path_rows,
    build_scope_row,
    build_waiver_row,
)


@dataclass(frozen=True, slots=True)
class ExportPeriod:
    """The time of an export; only if it ends now (`latest`) are paths and passes stored.

    `since` selects the rows of history; None stands for all. `actor` selects the findings that it
    opened, resolved or changed last, or can have, as `role` says, and the rows of what it caused.
    """

    since: datetime | None
    until: datetime
    latest: bool
    actor: ActorFilter | None = None
    role: ActorRole = ActorRole.ANY

    def holds_finding(self, finding: Finding) -> bool:
        """Whether a finding is exported."""
        return self.actor is None or self.actor.matches_finding(finding, self.role)

    def holds_row(self, row: Entry) -> bool:
        """Whether a row of history is exported."""
        in_time = self.since is None or row.observed_at >= self.since
        return in_time and (self.actor is None or self.actor.matches_transition(row.transition))


class RowSink(Protocol):
    """Takes the rows of an export."""

    def add(self, dataset: str, row: Row) -> None:
        """Add a row to a data set."""


class _Rows:
    """Keeps the rows of one scope that are not later than an instant."""

    def __init__(self, until: datetime) -> None:
        self._until = until
        self.kept: list[Entry] = []

    def begin(self) -> None:
        self.kept = []

    def add(self, row: Entry) -> None:
        if row.observed_at <= self._until:
            self.kept.append(row)


@dataclass(frozen=True, slots=True)
class ExportedScope:
    """A scope whose rows were written: when it was observed, and whether its history is intact."""

    observed: ObservedScope
    result: VerificationResult


def export_stack(
    tables: OpenTables, scopes: Sequence[Scope], period: ExportPeriod, sink: RowSink
) -> Iterator[ExportedScope]:
    """Write the rows of every data set of a stack.

    Raises:
        ConflictError: A scope was written during every attempt to verify it.
    """
    rows = _Rows(period.until)
    for read in read_scopes([(tables, scopes)], rows, period.until):
        observed = read.observe(rows.kept[0].observed_at if rows.kept else None)
        for dataset, row in _build_rows(read, rows.kept, period, observed.first):
            sink.add(dataset, row)
        yield ExportedScope(observed, read.result)
    if tables.tables.baseline:
        for waiver in WaiverTable(tables.client, tables.tables.baseline).load():
            named = period.actor is None or period.actor.matches_waiver(waiver)
            if named and waiver.requested_at <= period.until:
                sink.add("waivers", build_waiver_row(waiver, period.until))


def observe_period(period: ExportPeriod, scopes: Sequence[ExportedScope]) -> ObservedPeriod:
    """Return what of the period was observed; without a start it begins with the history."""
    observed = tuple(each.observed for each in scopes)
    start = ObservedPeriod(period.since or period.until, period.until, observed)
    return start if period.since else start.from_beginning()


def _build_rows(
    read: ReadScope, history: list[Entry], period: ExportPeriod, first: datetime | None
) -> Iterator[tuple[str, Row]]:
    """Build the rows of a scope: its findings as of the end, its history in the period."""
    findings = list(rebuild_findings(history).values())
    for finding in filter(period.holds_finding, findings):
        yield "findings", build_finding_row(finding)
    for entry in filter(period.holds_row, history):
        yield "history", build_history_row(entry)
    result, record = read.result, read.record
    row = build_scope_row(read.scope, record, findings, first)
    intact = {"history_rows": result.chain.length, "history_intact": result.fault is None}
    yield "scopes", {**row, **intact}
    if read.is_gone and not any(map(is_bad, findings)):
        return
    passed = record.passed if record and period.latest else None
    for row in build_control_rows(read.scope, findings, passed):
        yield "controls", row
    if period.latest:
        for row in build_path_rows(read.scope, record):
            yield "paths", row
