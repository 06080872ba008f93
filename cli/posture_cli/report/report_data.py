"""Reads what a report is made from, out of the tables of one stack or several."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

from posture.model.finding import Finding
from posture.model.scope import Region, Scope
from posture.model.waiver import Waiver
from posture.store.baselines import BaselineTable
from posture.store.items import Entry
from posture.store.waivers import WaiverTable
from posture_cli.audit.exported_ends import ExportedEnds
from posture_cli.audit.observed import ObservedPeriod
from posture_cli.audit.open_stacks import Listed, OpenStacks
from posture_cli.audit.open_tables import OpenTables, VpcMatrix
from posture_cli.audit.scope_reader import ReadScope, read_scopes
from posture_cli.audit.verify import VerificationResult, describe_verification
from posture_cli.report.collect import FindingCollector, ReportPeriod
from posture_cli.report.networks import VpcPaths, build_vpc_paths
from posture_cli.report.report_model import HistoryCheck, ReportData


def read_report_data(  # noqa: PLR0913 - two have defaults
    stacks: OpenStacks,
    listed: Listed,
    title: str,
    period: ReportPeriod,
    *,
    progress: Callable[[int], None] = lambda _: None,
    is_listed: Callable[[Finding], bool] = lambda _: True,
) -> ReportData:
    """Read the history of scopes once: verify it, and collect their findings meanwhile.

    Args:
        stacks: The stacks; several are read at once.
        listed: The tables of each stack, with the scopes to report.
        title: What the report is about.
        period: Its time.
        progress: Is called with the number of scopes that were read.
        is_listed: Whether the page lists a finding; the counts are those of all.

    Raises:
        ConflictError: A scope was written during every attempt to verify it.
    """
    collector = FindingCollector(period, is_listed)
    results: list[VerificationResult] = []
    networks: list[VpcPaths] = []
    for read in _read_scopes(stacks, dict(listed), collector, period.until):
        collector.finish(read)
        results.append(read.result)
        networks += _build_paths(read) if period.latest else ()
        progress(len(results))
    waivers = stacks.read(lambda it: [*_read_waivers(it, period.until)])
    names = stacks.read(_read_names)
    stacks.require_any()
    for each in sorted({it.region for it in stacks.unread}):
        collector.add_unread(Region(stacks.account, each))
    findings = collector.collect()
    faults = [f"{it.scope} {it.fault.entry}: {it.fault.problem}" for it in results if it.fault]
    return ReportData(
        title=title,
        observed=ObservedPeriod(period.since, period.until, tuple(findings.observed)),
        period=period,
        findings=findings,
        networks=networks,
        waivers=[*chain.from_iterable(waivers)],
        history=HistoryCheck(
            faults=faults,
            sentences=list(describe_verification(results, ExportedEnds())),
        ),
        names={
            **findings.names,
            **{it.scope.subject: it.name for it in networks if it.name},
            **{key: name for found in names for key, name in found.items()},
        },
        unread=stacks.unread,
        absent=stacks.absent,
    )


class _RowBuffer:
    """Keeps the rows of one scope, for a collector in another thread."""

    def __init__(self) -> None:
        self.rows: list[Entry] = []

    def begin(self) -> None:
        """Forget the rows so far."""
        self.rows = []

    def add(self, row: Entry) -> None:
        """Keep the next row."""
        self.rows.append(row)


def _read_scopes(
    stacks: OpenStacks,
    listed: Mapping[OpenTables, Sequence[Scope]],
    collector: FindingCollector,
    until: datetime,
) -> Iterator[ReadScope]:
    """Read each scope; the collector has its rows when it is yielded."""
    if not stacks.several:
        yield from read_scopes([*listed.items()], collector, until)
        return

    def read(tables: OpenTables) -> Iterator[tuple[ReadScope, list[Entry]]]:
        buffer = _RowBuffer()
        for each in read_scopes([(tables, listed.get(tables, ()))], buffer, until):
            yield each, buffer.rows
            buffer.begin()

    for each, rows in stacks.take_turns(read):
        collector.begin()
        for row in rows:
            collector.add(row)
        yield each


def _build_paths(read: ReadScope) -> Iterator[VpcPaths]:
    record = read.record
    if record and record.exists and record.coverage:
        matrix = VpcMatrix(read.scope, record.observed_at, record.coverage)
        yield build_vpc_paths(matrix, str(record.coverage.get("name") or ""))


def _read_names(tables: OpenTables) -> Mapping[str, str]:
    """Read what the baseline calls accounts."""
    if not tables.tables.baseline:
        return {}
    table = BaselineTable(tables.client, tables.tables.baseline)
    return table.load_current().document.account_names


def _read_waivers(tables: OpenTables, until: datetime) -> Iterator[Mapping[str, str]]:
    if tables.tables.baseline:
        for waiver in WaiverTable(tables.client, tables.tables.baseline).load():
            if waiver.requested_at <= until:
                yield _build_row(waiver, until)


def _build_row(waiver: Waiver, at: datetime) -> Mapping[str, str]:
    return {
        "State": waiver.state(at),
        "Rule": waiver.rule,
        "Resource": waiver.resource,
        "Scope": waiver.scope,
        "Reason": f"{waiver.reason} ({waiver.ticket})",
        "Requested by": waiver.requested_by,
        "Approved by": waiver.approved_by or "not approved yet",
        "Expires": f"{waiver.expires_at:%Y-%m-%d}",
    }
