"""Builds the records of verdicts, findings and history entries, and names their columns."""

from collections.abc import Iterator, Sequence
from functools import cache
from textwrap import indent
from typing import Any

from posture.alerts.attributions import build_attribution_records, build_cause_record
from posture.alerts.json_body import build_verdict_texts
from posture.alerts.rule_texts import load_rule_texts
from posture.alerts.titles import format_verdict_title
from posture.model.finding import Finding, FindingStatus
from posture.model.instant import format_iso
from posture.model.scope import Scope
from posture.model.verdict import Verdict
from posture.rules.controls import list_controls
from posture.store.items import Entry
from posture_cli.render.records import Record
from posture_cli.text import make_lines_printable, make_printable

VERDICT_COLUMNS = (
    "severity", "status", "rule", "resource", "vpc", "account", "region", "summary",
)  # fmt: skip
FINDING_COLUMNS = (
    "severity", "status", "rule", "resource", "vpc", "opened_at", "opened_by", "resolved_by",
    "summary",
)  # fmt: skip
VERDICT_CSV = (
    "rule", "title", "status", "severity", "resource", "account", "region", "vpc", "summary",
    "evidence", "remediation", "command", "verified", "controls",
)  # fmt: skip
FINDING_CSV = (
    *VERDICT_CSV, "id", "version", "opened_at", "opened_by", "opened_event", "resolved_at",
    "resolved_by", "resolved_event", "updated_at", "actor", "event",
)  # fmt: skip
ENTRY_COLUMNS = (
    "time", "step", "status", "severity", "rule", "resource", "vpc", "caused_by", "opened_by",
    "resolved_by", "summary",
)  # fmt: skip
ENTRY_CSV = (
    *ENTRY_COLUMNS, "event", "actor", "title", "account", "region", "reason", "id", "version",
    "commit", "opened_at", "opened_event", "resolved_at", "resolved_event", "evidence",
    "remediation", "command", "verified", "controls",
)  # fmt: skip

_load_texts = cache(load_rule_texts)


def choose_screen_columns(records: Sequence[Record]) -> tuple[str, ...]:
    """Choose what fits a terminal.

    A summary names the resource; a single VPC, account or region needs no column.
    """
    names = ("vpc", "account", "region")
    same = {name for name in names if len({each[name] for each in records}) == 1}
    return tuple(name for name in VERDICT_COLUMNS if name not in {"resource", *same})


def build_verdict_record(scope: Scope, verdict: Verdict) -> dict[str, Any]:
    """Build the record of a verdict."""
    text = _load_texts().get(verdict.rule)
    return {
        "rule": verdict.rule,
        "title": format_verdict_title(_load_texts(), verdict) if text else None,
        "status": verdict.status.value,
        "severity": verdict.severity.value,
        "resource": verdict.resource,
        "account": scope.account,
        "region": scope.region,
        "vpc": scope.vpc_id,
        "scope": str(scope),
        **build_verdict_texts(verdict),
        "concerns": sorted(verdict.concerns),
        "controls": list(map(str, list_controls(text, verdict.resource))) if text else [],
    }


def build_finding_record(finding: Finding) -> dict[str, Any]:
    """Build the record of a finding: that of its verdict, with its status, times and cause."""
    cause = finding.cause
    is_resolved = finding.status is FindingStatus.RESOLVED
    return {
        **build_verdict_record(finding.scope, finding.verdict),
        "id": finding.id,
        "status": finding.status.value,
        "version": finding.version,
        "opened_at": format_iso(finding.opened_at),
        "resolved_at": format_iso(finding.updated_at) if is_resolved else None,
        "updated_at": format_iso(finding.updated_at),
        "actor": finding.caused_by.actor,
        "cause": build_cause_record(cause) if cause else None,
        **build_attribution_records(finding),
    }


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


def list_verdict_lines(verdict: Verdict) -> Iterator[str]:
    """List the lines that show the evidence and the remediation of a verdict to a person."""
    yield from ("", "Evidence")
    yield from (make_printable(f"  - {fact.text}") for fact in verdict.evidence)
    if verdict.remediation:
        yield from ("", "Remediation", make_printable(f"  {verdict.remediation.text}"))
        if verdict.remediation.command:
            yield indent(make_lines_printable(verdict.remediation.command), "    ")
        if verdict.remediation.verified:
            yield make_printable(f"  Verified: {verdict.remediation.verified}")
