"""Reads what a report is made from, out of the tables of one stack or several."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from posture.model.finding import Finding
from posture.model.waiver import Waiver
from posture.store.baselines import BaselineTable
from posture.store.waivers import WaiverTable
from posture_cli.audit.exported_ends import ExportedEnds
from posture_cli.audit.observed import ObservedPeriod
from posture_cli.audit.open_tables import OpenTables, VpcMatrix
from posture_cli.audit.scope_reader import ReadScope, Stacks, read_scopes
from posture_cli.audit.verify import VerificationResult, describe_verification
from posture_cli.report.collect import FindingCollector, ReportPeriod
from posture_cli.report.networks import VpcPaths, build_vpc_paths
from posture_cli.report.report_model import HistoryCheck, ReportData


def read_report_data(
    stacks: Stacks,
    title: str,
    period: ReportPeriod,
    progress: Callable[[int], None] = lambda _: None,
    is_listed: Callable[[Finding], bool] = lambda _: True,
) -> ReportData:
    """Read the history of scopes once: verify it, and collect their findings meanwhile.

    Args:
        stacks: The tables of each stack, with the scopes to report.
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
    for read in read_scopes(stacks, collector, period.until):
        collector.finish(read)
        results.append(read.result)
        networks += _build_paths(read) if period.latest else ()
        progress(len(results))
    findings = collector.collect()
    faults = [f"{it.scope} {it.fault.entry}: {it.fault.problem}" for it in results if it.fault]
    return ReportData(
        title=title,
        observed=ObservedPeriod(period.since, period.until, tuple(findings.observed)),
        period=period,
        findings=findings,
        networks=networks,
        waivers=[row for tables, _ in stacks for row in _read_waivers(tables, period.until)],
        history=HistoryCheck(
            faults=faults,
            sentences=list(describe_verification(results, ExportedEnds())),
        ),
        names={
            **findings.names,
            **{it.scope.subject: it.name for it in networks if it.name},
            **{key: name for tables, _ in stacks for key, name in _read_names(tables).items()},
        },
    )


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
