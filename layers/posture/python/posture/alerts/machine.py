"""The alert as a program reads it."""

from __future__ import annotations

import json
from typing import Any

from posture.alerts.briefing import NAME, Briefing
from posture.alerts.formatting import line
from posture.alerts.impact import Impact, impacts
from posture.alerts.text import more
from posture.model.finding import Cause, Transition
from posture.model.instant import format_iso
from posture.model.verdict import Remediation

SCHEMA = 1

Json = dict[str, Any]


def machine(briefing: Briefing) -> str:
    """Give the alert as JSON in ASCII; what message attributes tell stands in it as well."""
    return json.dumps(_alert(briefing), separators=(",", ":"))


def filterable(briefing: Briefing) -> dict[str, str | list[str]]:
    """Give what subscribers may filter by: lists where an alert can have several."""
    scope = briefing.scope
    return {
        "severity": briefing.severities[0].value,
        "severities": [each.value for each in briefing.severities],
        "status": [each.value for each in briefing.statuses],
        "steps": list(briefing.counts),
        "account": line(scope.account, NAME),
        "region": line(scope.region, NAME),
        "vpc": line(scope.subject, NAME),
        "rules": list(briefing.rule_ids),
    }


def _alert(briefing: Briefing) -> Json:
    causes = [cause for cause in briefing.by_cause() if cause]
    return {
        "schema": SCHEMA,
        "kind": "alert",
        **filterable(briefing),
        "scope": str(briefing.scope),
        "commit": briefing.commit,
        "part": briefing.part,
        "parts": briefing.parts,
        "observed_at": format_iso(briefing.observed_at),
        "counts": briefing.counts,
        "causes": [_cause(cause) for cause in causes],
        "impacts": [_impact(impact) for impact in impacts(briefing.told)],
        "findings": [_finding(briefing, step) for step in briefing.told],
        "omitted": briefing.omitted,
        "more": more(briefing),
    }


def _finding(briefing: Briefing, step: Transition) -> Json:
    finding = step.finding
    return {
        "id": finding.id,
        "version": finding.version,
        "step": step.step.value,
        "reason": step.reason,
        "status": finding.status.value,
        "severity": finding.severity.value,
        "rule": finding.rule,
        "title": briefing.title(finding.rule),
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
        "told": impact.told,
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
