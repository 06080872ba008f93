"""Builds the records of history and of differences, and formats one finding for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import indent
from typing import Any

from posture.model.finding import Finding
from posture.model.instant import format_iso
from posture.store.items import Entry
from posture_cli.audit.difference import Difference
from posture_cli.render.findings import build_finding_record
from posture_cli.text import make_lines_printable, make_printable

COLUMNS = ("time", "step", "status", "severity", "rule", "resource", "vpc", "actor", "summary")
CSV_COLUMNS = (
    *COLUMNS, "account", "region", "reason", "id", "version", "commit", "evidence", "remediation",
)  # fmt: skip
DIFF_COLUMNS = ("change", "was", "is", "severity", "rule", "resource", "vpc", "actor", "summary")
DIFF_CSV_COLUMNS = (*DIFF_COLUMNS, "account", "region", "id", "updated_at")


def build_entry_record(entry: Entry) -> dict[str, Any]:
    """Build the record of a history entry: the step, and the finding after it."""
    transition = entry.transition
    return {
        "time": format_iso(entry.observed_at),
        "step": transition.step.value,
        "reason": transition.reason,
        "commit": entry.commit,
        **build_finding_record(transition.finding),
    }


def build_difference_record(difference: Difference) -> dict[str, Any]:
    """Build the record of a difference: both statuses, and the finding at the second time."""
    return {
        "change": difference.kind,
        "was": difference.was.value if difference.was else None,
        "is": difference.now.status.value,
        **build_finding_record(difference.now),
    }


def format_finding(finding: Finding, life: Sequence[Entry]) -> str:
    """Format a finding and its history for a person."""
    return "\n".join(_finding_lines(finding, life)) + "\n"


def _finding_lines(finding: Finding, life: Sequence[Entry]) -> Iterator[str]:
    verdict = finding.verdict
    yield make_printable(f"{finding.severity.upper()}  {finding.status.upper()}  {finding.rule}")
    yield make_printable(verdict.summary)
    yield ""
    for name, value in _facts(finding):
        yield make_printable(f"{name.ljust(10)} {value}")
    yield from ("", "Evidence")
    yield from (make_printable(f"  - {fact.text}") for fact in verdict.evidence)
    if verdict.remediation:
        yield from ("", "Remediation", make_printable(f"  {verdict.remediation.text}"))
        if verdict.remediation.command:
            yield indent(make_lines_printable(verdict.remediation.command), "    ")
    yield from ("", "History")
    yield from (make_printable(_format_step(entry)) for entry in life)


def _facts(finding: Finding) -> Iterator[tuple[str, str]]:
    yield "id", finding.id
    yield "resource", finding.resource
    yield "scope", str(finding.scope)
    yield "opened", format_iso(finding.opened_at)
    yield "updated", f"{format_iso(finding.updated_at)} (version {finding.version})"
    if cause := finding.cause:
        yield "actor", cause.actor
        yield "call", f"{cause.event_name} at {format_iso(cause.time)}, event {cause.event_id}"
        yield "from", f"{cause.source_ip} {cause.user_agent}".strip()


def _format_step(entry: Entry) -> str:
    step, finding = entry.transition, entry.transition.finding
    words = [
        format_iso(entry.observed_at),
        step.step.value.ljust(8),
        finding.severity.value.ljust(8),
    ]
    if step.reason:
        words.append(f"({step.reason})")
    if finding.cause:
        words.append(f"by {finding.cause.actor}, {finding.cause.event_name}")
    return "  " + " ".join(words)
