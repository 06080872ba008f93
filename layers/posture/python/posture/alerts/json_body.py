"""The JSON body of an alert, for programs."""

from __future__ import annotations

import json
from typing import Any

from posture.alerts.alert import MAX_NAME, Alert
from posture.alerts.formatting import format_line
from posture.alerts.impact import Impact, group_impacts
from posture.alerts.text_body import build_list_command
from posture.model.finding import Cause, Transition
from posture.model.instant import format_iso
from posture.model.verdict import Remediation

SCHEMA = 1

Json = dict[str, Any]


def format_json(alert: Alert) -> str:
    """Format an alert as JSON in ASCII, with the values of its message attributes."""
    return json.dumps(_alert(alert), separators=(",", ":"))


def build_filters(alert: Alert) -> dict[str, str | list[str]]:
    """Build the values that subscribers filter by, lists where an alert can have several."""
    scope = alert.scope
    return {
        "severity": alert.severities[0].value,
        "severities": [each.value for each in alert.severities],
        "status": [each.value for each in alert.statuses],
        "steps": list(alert.counts),
        "account": format_line(scope.account, MAX_NAME),
        "region": format_line(scope.region, MAX_NAME),
        "vpc": format_line(scope.subject, MAX_NAME),
        "rules": list(alert.rule_ids),
    }


def _alert(alert: Alert) -> Json:
    causes = [cause for cause in alert.by_cause() if cause]
    return {
        "schema": SCHEMA,
        "kind": "alert",
        **build_filters(alert),
        "scope": str(alert.scope),
        "commit": alert.commit,
        "part": alert.part,
        "parts": alert.parts,
        "observed_at": format_iso(alert.observed_at),
        "counts": alert.counts,
        "causes": [_cause(cause) for cause in causes],
        "impacts": [_impact(impact) for impact in group_impacts(alert.shown)],
        "findings": [_finding(alert, step) for step in alert.shown],
        "omitted": alert.omitted,
        "more": build_list_command(alert),
    }


def _finding(alert: Alert, step: Transition) -> Json:
    finding = step.finding
    return {
        "id": finding.id,
        "version": finding.version,
        "step": step.step.value,
        "reason": step.reason,
        "status": finding.status.value,
        "severity": finding.severity.value,
        "rule": finding.rule,
        "title": alert.title(finding.rule),
        "resource": finding.resource,
        "summary": finding.verdict.summary,
        "root": finding.verdict.root,
        "evidence": [
            {"text": fact.text, "record": dict(fact.record)} for fact in finding.verdict.evidence
        ],
        "remediation": _remediation(finding.verdict.remediation),
        "opened_at": format_iso(finding.opened_at),
        "updated_at": format_iso(finding.updated_at),
        "cause": finding.cause.event_id if finding.cause else None,
    }


def _impact(impact: Impact) -> Json:
    return {
        "root": impact.root,
        "step": impact.step.value,
        "told": impact.description,
        "resources": impact.resources,
        "findings": [each.finding.id for each in impact.transitions],
    }


def _remediation(remediation: Remediation | None) -> Json | None:
    return {"text": remediation.text, "command": remediation.command} if remediation else None


def _cause(cause: Cause) -> Json:
    return {
        "event_id": cause.event_id,
        "event_name": cause.event_name,
        "actor": cause.actor,
        "time": format_iso(cause.time),
        "source_ip": cause.source_ip,
        "user_agent": cause.user_agent,
    }
