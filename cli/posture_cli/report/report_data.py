"""What a report is made from, read out of a stack's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from posture.lifecycle.diff import apply_transitions
from posture.model.finding import Transition
from posture.model.scope import Scope
from posture.model.waiver import Waiver
from posture.store.history import History
from posture.store.scope_store import Store
from posture.store.waivers import WaiverTable
from posture_cli.audit.verify import Verifier
from posture_cli.report.report_model import HistoryCheck, ReportData, VpcMatrix

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from posture.runtime.settings import Tables


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    """What time a report is about.

    Attributes:
        since: Where the trend begins.
        until: When everything held.
        latest: Whether that is now: matrices are kept of the latest look only.
    """

    since: datetime
    until: datetime
    latest: bool


def read_report_data(
    client: DynamoDBClient,
    tables: Tables,
    scopes: Sequence[Scope],
    title: str,
    period: ReportPeriod,
) -> ReportData:
    """Read the history of scopes and what it led to, and prove it.

    Raises:
        CorruptItemError: a stored item cannot be read.
        ConflictError: a scope was written each time it was walked.
    """
    transitions = list(_transitions(History(client, tables.history), scopes, period.until))
    proofs = list(Verifier(client, tables).verify(iter(scopes), {}))
    faults = [
        f"{proof.scope} {proof.fault.entry}: {proof.fault.problem}"
        for proof in proofs
        if proof.fault
    ]
    waivers = WaiverTable(client, tables.baseline).load() if tables.baseline else ()
    pictures = _pictures(Store(client, tables), scopes) if period.latest else ()
    return ReportData(
        title=title,
        since=period.since,
        until=period.until,
        transitions=transitions,
        findings=list(apply_transitions({}, transitions).values()),
        pictures=list(pictures),
        waivers=[_waiver(it, period.until) for it in waivers if it.requested_at <= period.until],
        proven=HistoryCheck(len(proofs), sum(proof.chain.length for proof in proofs), faults),
    )


def _waiver(waiver: Waiver, at: datetime) -> Mapping[str, str]:
    return {
        "State": waiver.state(at),
        "Rule": waiver.rule,
        "Resource": waiver.resource,
        "Scope": waiver.scope,
        "Why": f"{waiver.reason} ({waiver.ticket})",
        "Requested by": waiver.requested_by,
        "Approved by": waiver.approved_by or "nobody yet",
        "Expires": f"{waiver.expires_at:%Y-%m-%d}",
    }


def _transitions(
    history: History, scopes: Sequence[Scope], until: datetime
) -> Iterator[Transition]:
    for scope in scopes:
        yield from (row.transition for row in history.find_by_scope(scope, until=until))


def _pictures(store: Store, scopes: Sequence[Scope]) -> Iterator[VpcMatrix]:
    for scope in scopes:
        head = store.load_record(scope)
        if head and head.coverage is not None:
            yield VpcMatrix(scope, head.observed_at, head.coverage)
