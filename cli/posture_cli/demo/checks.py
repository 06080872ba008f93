"""Check the monitor's response to a demo step; each check yields its complaints as sentences."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from posture.model.finding import Finding, FindingStatus
from posture_cli.embedded.mailbox import ReceivedAlert

ACTIVE = {FindingStatus.OPEN, FindingStatus.UNKNOWN}


def active_finding_ids(findings: Iterable[Finding]) -> frozenset[str]:
    """Return the ids of the findings that are open or unknown."""
    return frozenset(finding.id for finding in findings if finding.status in ACTIVE)


def check_reported_once(
    changed: Sequence[Finding], alerts: Sequence[ReceivedAlert]
) -> Iterator[str]:
    """Check that the alerts report each changed finding once, and no other finding."""
    ids = [finding["id"] for alert in alerts for finding in alert.body["findings"]]
    for finding in changed:
        if ids.count(finding.id) != 1:
            times = ids.count(finding.id)
            yield f"{finding.rule} on {finding.resource} was reported {times} times"
    for finding_id in set(ids) - {finding.id for finding in changed}:
        yield f"an alert reports {finding_id}, which did not change"


def check_causes(records: Sequence[Mapping[str, Any]], changed: Sequence[Finding]) -> Iterator[str]:
    """Check that findings opened, and that each names one of the calls as a possible cause.

    What several VPCs share has no certain cause: a call is a candidate.
    """
    opened = [finding for finding in changed if finding.status in ACTIVE]
    if not opened:
        yield "no finding opened"
    events = {record["eventID"] for record in records}
    for finding in opened:
        if events.isdisjoint(each.event_id for each in finding.caused_by.possible):
            yield f"{finding.rule} on {finding.resource} does not name the call that caused it"


def check_restored(before: frozenset[str], after: frozenset[str]) -> Iterator[str]:
    """Check that the same findings are active after the repair as before the misconfiguration."""
    yield from (f"{finding_id} is still active after the repair" for finding_id in after - before)
    yield from (f"{finding_id} resolved without a repair" for finding_id in before - after)


def check_no_change(changed: Sequence[Finding], alerts: Sequence[ReceivedAlert]) -> Iterator[str]:
    """Check that no finding changed and no alert was sent."""
    yield from (f"{finding.rule} on {finding.resource} changed" for finding in changed)
    yield from (f"an alert was sent: {alert.subject}" for alert in alerts)
