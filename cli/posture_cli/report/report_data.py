"""Reads what a report is made from, out of the tables of a stack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from posture.model.scope import Scope
from posture.model.waiver import Waiver
from posture.store.history import rebuild_findings
from posture.store.waivers import WaiverTable
from posture_cli.audit.open_tables import OpenTables
from posture_cli.audit.verify import Verifier
from posture_cli.report.report_model import HistoryCheck, ReportData


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    """The time that a report is about; only if it ends now (`latest`) are matrices stored."""

    since: datetime
    until: datetime
    latest: bool


def read_report_data(
    tables: OpenTables, scopes: Sequence[Scope], title: str, period: ReportPeriod
) -> ReportData:
    """Read the history of scopes, rebuild their findings, and verify the history.

    Raises:
        ConflictError: A scope was written during every attempt to verify it.
    """
    entries = [
        entry
        for scope in scopes
        for entry in tables.history.find_by_scope(scope, until=period.until)
    ]
    results = list(Verifier(tables.client, tables.tables).verify_scopes(scopes, {}))
    faults = [f"{it.scope} {it.fault.entry}: {it.fault.problem}" for it in results if it.fault]
    baseline = tables.tables.baseline
    waivers = WaiverTable(tables.client, baseline).load() if baseline else ()
    matrices = tables.read_matrices(scopes) if period.latest else ()
    return ReportData(
        title=title,
        since=period.since,
        until=period.until,
        transitions=[entry.transition for entry in entries],
        findings=list(rebuild_findings(entries).values()),
        matrices=[matrix for matrix in matrices if matrix.record],
        waivers=[_build_row(it, period.until) for it in waivers if it.requested_at <= period.until],
        history=HistoryCheck(len(results), sum(it.chain.length for it in results), faults),
    )


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
