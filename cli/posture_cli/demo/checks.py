"""Whether the monitor did what it should: pure comparisons of calls, findings and alerts.

Each gives its complaints as sentences, none when all is well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from posture.model.finding import Finding, FindingStatus
from posture_cli.embedded.mailbox import ReceivedAlert

ACTIVE = {FindingStatus.OPEN, FindingStatus.UNKNOWN}


def active_finding_ids(findings: Iterable[Finding]) -> frozenset[str]:
    """Give the ids of the findings that stand."""
    return frozenset(finding.id for finding in findings if finding.status in ACTIVE)


def check_reported_once(
    changed: Sequence[Finding], alerts: Sequence[ReceivedAlert]
) -> Iterator[str]:
    """Every finding that changed is told once, and nothing else is."""
    ids = [finding_id for alert in alerts for finding_id in finding_ids_in(alert)]
    for finding in changed:
        if ids.count(finding.id) != 1:
            yield f"{finding.rule} on {finding.resource} was told {ids.count(finding.id)} times"
    for finding_id in set(ids) - {finding.id for finding in changed}:
        yield f"an alert tells of {finding_id}, which did not change"


def check_causes(records: Sequence[Mapping[str, Any]], changed: Sequence[Finding]) -> Iterator[str]:
    """Something was found, and one of the calls that were made is named as its cause."""
    opened = [finding for finding in changed if finding.status in ACTIVE]
    if not opened:
        yield "nothing was found"
    events = {record["eventID"] for record in records}
    for finding in opened:
        if finding.cause is None or finding.cause.event_id not in events:
            yield f"{finding.rule} on {finding.resource} does not name the call that caused it"


def check_restored(before: frozenset[str], after: frozenset[str]) -> Iterator[str]:
    """After the repair the same findings stand as before the breakage."""
    yield from (f"{finding_id} still stands after the repair" for finding_id in after - before)
    yield from (f"{finding_id} is gone, which nobody repaired" for finding_id in before - after)


def check_no_change(changed: Sequence[Finding], alerts: Sequence[ReceivedAlert]) -> Iterator[str]:
    """Nothing changed and nobody was told."""
    yield from (f"{finding.rule} on {finding.resource} changed" for finding in changed)
    yield from (f"an alert was sent: {alert.subject}" for alert in alerts)


def finding_ids_in(alert: ReceivedAlert) -> list[str]:
    """Give the ids of the findings that an alert tells of."""
    return [finding["id"] for finding in alert.body["findings"]]
