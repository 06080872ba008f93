"""Reads what a report is made from, out of the tables of one stack or several."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from posture.model.scope import Scope
from posture.model.waiver import Waiver
from posture.store.baselines import BaselineTable
from posture.store.waivers import WaiverTable
from posture_cli.audit.open_tables import OpenTables
from posture_cli.audit.verify import VerificationResult, Verifier
from posture_cli.report.collect import FindingCollector, ReportPeriod
from posture_cli.report.networks import VpcPaths, build_vpc_paths
from posture_cli.report.report_model import HistoryCheck, ReportData

Stacks = Sequence[tuple[OpenTables, Sequence[Scope]]]  # each with the scopes that are reported


def read_report_data(
    stacks: Stacks,
    title: str,
    period: ReportPeriod,
    progress: Callable[[int], None] = lambda _: None,
) -> ReportData:
    """Read the history of scopes once: verify it, and collect their findings meanwhile.

    Args:
        stacks: The tables of each stack, with the scopes to report.
        title: What the report is about.
        period: Its time.
        progress: Is called with the number of scopes that were read.

    Raises:
        ConflictError: A scope was written during every attempt to verify it.
    """
    collector = FindingCollector(period)
    results = []
    for result in _read_findings(stacks, collector, period.until):
        results.append(result)
        progress(len(results))
    networks = list(_read_networks(stacks)) if period.latest else []
    faults = [f"{it.scope} {it.fault.entry}: {it.fault.problem}" for it in results if it.fault]
    findings = collector.collect()
    return ReportData(
        title=title,
        period=period,
        findings=findings,
        networks=networks,
        waivers=[row for tables, _ in stacks for row in _read_waivers(tables, period.until)],
        history=HistoryCheck(len(results), sum(it.chain.length for it in results), faults),
        names={
            **findings.names,
            **{it.scope.subject: it.name for it in networks if it.name},
            **{key: name for tables, _ in stacks for key, name in _read_names(tables).items()},
        },
    )


def _read_findings(
    stacks: Stacks, collector: FindingCollector, until: datetime
) -> Iterator[VerificationResult]:
    for tables, scopes in stacks:
        verifier = Verifier(tables.client, tables.tables, visitor=collector)
        for scope, result in zip(scopes, verifier.verify_scopes(scopes, {}), strict=True):
            if result.fault:  # the rows after the fault were not seen
                collector.begin()
                for entry in tables.history.find_by_scope(scope, until=until):
                    collector.add(entry)
            collector.finish(scope)
            yield result


def _read_networks(stacks: Stacks) -> Iterator[VpcPaths]:
    for tables, scopes in stacks:
        for matrix in tables.read_matrices(scopes):
            if matrix.record:
                yield build_vpc_paths(matrix, str(matrix.record.get("name") or ""))


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
