"""The data sets of an export: their columns, and the rows of a scope. Pure.

The columns are flat, so that SQL needs no paths into documents. Times are ISO 8601 in UTC as text,
which sorts; a view turns them into timestamps where it reckons with them.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from posture.alerts.attributions import name_attribution
from posture.alerts.rule_texts import load_rule_texts
from posture.alerts.titles import format_title
from posture.analysis.matrix import list_row_answers
from posture.lifecycle.diff import is_bad
from posture.model.finding import Attribution, Finding, FindingStatus
from posture.model.instant import format_iso
from posture.model.scope import Scope
from posture.model.waiver import Waiver
from posture.rules.control_counts import Shortcoming, list_outcomes, parse_checks
from posture.rules.controls import list_controls
from posture.rules.rule_catalogue import RULES_BY_ID
from posture.store.items import Entry
from posture.store.scope_record import ScopeRecord

Columns = Mapping[str, str]  # the type of each in Athena
Row = dict[str, Any]

RULE_TEXTS = load_rule_texts()
TEXT, NUMBER, TEXTS, FLAG = "string", "bigint", "array<string>", "boolean"
PLACE: Columns = dict.fromkeys(("scope", "account", "region", "subject"), TEXT)
FINDING: Columns = {
    **dict.fromkeys(("id", "status", "severity", "rule", "title", "resource"), TEXT),
    **PLACE,
    **dict.fromkeys(("account_name", "subject_name", "summary"), TEXT),
    "evidence": TEXTS,
    **dict.fromkeys(("remediation", "command", "verified"), TEXT),
    "controls": TEXTS,
    "version": NUMBER,
    **dict.fromkeys(
        (
            "opened_at", "updated_at", "opened_by", "opened_by_event", "opened_by_event_id",
            "resolved_by", "resolved_by_event", "resolved_by_event_id",
        ),
        TEXT,
    ),
}  # fmt: skip
DATASETS: Mapping[str, Columns] = {
    "findings": FINDING,
    "history": {
        **dict.fromkeys(("observed_at", "step", "reason", "caused_by"), TEXT),
        "number": NUMBER,
        "digest": TEXT,
        **FINDING,
    },
    "scopes": {
        **PLACE,
        "subject_name": TEXT,
        "present": FLAG,
        **dict.fromkeys(("first_observed_at", "last_observed_at"), TEXT),
        **dict.fromkeys(("open", "unknown", "waived"), NUMBER),
        "history_rows": NUMBER,
        "history_intact": FLAG,
    },
    "paths": {
        **PLACE,
        **dict.fromkeys(
            ("subject_name", "subnet", "subnet_name", "zone", "service", "outcome", "summary"), TEXT
        ),
    },
    "controls": {**PLACE, **dict.fromkeys(("framework", "control", "outcome"), TEXT)},
    "waivers": dict.fromkeys(
        (
            "id", "state", "rule", "resource", "scope", "reason", "ticket", "requested_by",
            "requested_at", "approved_by", "approved_at", "revoked_by", "revoked_at", "expires_at",
        ),
        TEXT,
    ),
}  # fmt: skip


def build_finding_row(finding: Finding) -> Row:
    """Build the row of a finding."""
    rule, verdict, remedy = (
        RULES_BY_ID.get(finding.rule),
        finding.verdict,
        finding.verdict.remediation,
    )
    return {
        "id": finding.id,
        "status": finding.status.value,
        "severity": finding.severity.value,
        "rule": finding.rule,
        "title": format_title(RULE_TEXTS, finding),
        "resource": finding.resource,
        **_place(finding.scope),
        "account_name": finding.names.account or None,
        "subject_name": finding.names.subject or None,
        "summary": verdict.summary,
        "evidence": [fact.text for fact in verdict.evidence],
        "remediation": remedy.text if remedy else None,
        "command": (remedy.command or None) if remedy else None,
        "verified": (remedy.verified or None) if remedy else None,
        "controls": [str(each) for each in list_controls(rule, finding.resource)] if rule else [],
        "version": finding.version,
        "opened_at": format_iso(finding.opened_at),
        "updated_at": format_iso(finding.updated_at),
        **_attribute("opened_by", finding.opened_by),
        **_attribute("resolved_by", finding.resolved_by),
    }


def build_history_row(entry: Entry) -> Row:
    """Build the row of a transition, with the finding after it."""
    step = entry.transition
    return {
        "observed_at": format_iso(entry.observed_at),
        "step": step.step.value,
        "reason": step.reason or None,
        "caused_by": " and ".join(map(name_attribution, step.attributions)),
        "number": entry.number,
        "digest": entry.digest or None,
        **build_finding_row(step.finding),
    }


def build_scope_row(
    scope: Scope, record: ScopeRecord | None, findings: Iterable[Finding], first: datetime | None
) -> Row:
    """Build the row of a scope; whether its history is intact is added where it is known."""
    statuses = [finding.status for finding in findings]
    return {
        **_place(scope),
        "subject_name": _name(record),
        "present": bool(record and record.exists),
        "first_observed_at": format_iso(first) if first else None,
        "last_observed_at": format_iso(record.observed_at) if record else None,
        "open": statuses.count(FindingStatus.OPEN),
        "unknown": statuses.count(FindingStatus.UNKNOWN),
        "waived": statuses.count(FindingStatus.WAIVED),
    }


def build_path_rows(scope: Scope, record: ScopeRecord | None) -> Iterator[Row]:
    """Build a row for each subnet and service of a recorded coverage matrix."""
    matrix = record.coverage if record and record.exists else None
    for subnet in matrix["subnets"] if matrix else ():
        answers = list_row_answers(matrix or {}, subnet["id"])
        for service, answer in zip((matrix or {})["services"], answers, strict=True):
            yield {
                **_place(scope),
                "subject_name": _name(record),
                "subnet": subnet["id"],
                "subnet_name": subnet["name"] or None,
                "zone": subnet["zone"],
                "service": service["short"],
                "outcome": answer["outcome"],
                "summary": answer["summary"],
            }


def build_control_rows(
    scope: Scope, findings: Iterable[Finding], passed: frozenset[str] | None
) -> Iterator[Row]:
    """Build a row for each control that a scope concerns: what its rules say of the scope."""
    bad = map(Shortcoming.of, filter(is_bad, findings))
    for control, outcome in list_outcomes(scope, bad, parse_checks(passed)):
        yield {
            **_place(scope),
            "framework": control.framework,
            "control": control.id,
            "outcome": outcome.value,
        }


def build_waiver_row(waiver: Waiver, at: datetime) -> Row:
    """Build the row of a waiver, with its state at an instant."""
    times = {
        name: format_iso(instant) if (instant := getattr(waiver, name)) else None
        for name in ("requested_at", "approved_at", "revoked_at", "expires_at")
    }
    texts = ("id", "rule", "resource", "scope", "reason", "ticket", "requested_by")
    return {
        **{name: getattr(waiver, name) for name in texts},
        **{name: getattr(waiver, name) or None for name in ("approved_by", "revoked_by")},
        **times,
        "state": waiver.state(at),
    }


def _place(scope: Scope) -> Row:
    return {
        "scope": str(scope),
        "account": scope.account,
        "region": scope.region,
        "subject": scope.subject,
    }


def _name(record: ScopeRecord | None) -> str | None:
    coverage = record.coverage if record else None
    return str(coverage.get("name") or "") or None if coverage else None


def _attribute(prefix: str, attribution: Attribution | None) -> Row:
    cause = attribution.cause if attribution else None
    return {
        prefix: name_attribution(attribution) if attribution else None,
        f"{prefix}_event": cause.event_name if cause else None,
        f"{prefix}_event_id": (cause.event_id or None) if cause else None,
    }
