"""The JSON body of an alert, for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from posture.alerts.alert import Alert, count_steps
from posture.alerts.attributions import build_attribution_records, build_cause_record
from posture.alerts.console import link_resource
from posture.alerts.impact import Impact, group_impacts
from posture.alerts.text_body import list_scope_command
from posture.alerts.titles import format_title
from posture.model.finding import Transition
from posture.model.instant import format_iso
from posture.model.verdict import Verdict

SCHEMA = 1

Json = dict[str, Any]


def format_json(alert: Alert) -> str:
    """Format an alert as JSON in ASCII, with the values of its message attributes."""
    return json.dumps(_alert(alert), separators=(",", ":"))


def _alert(alert: Alert) -> Json:
    return {
        "schema": SCHEMA,
        "kind": "alert",
        **alert.filters,
        "accounts": [alert.scope.account],
        "regions": [alert.scope.region],
        "vpcs": [alert.scope.subject],
        "scope": str(alert.scope),
        "scope_name": alert.names.subject,
        "account_name": alert.names.account,
        "link": link_resource(alert.scope, alert.scope.subject),
        "commit": alert.commit,
        "part": alert.part,
        "parts": alert.parts,
        "observed_at": format_iso(alert.observed_at),
        "history": {"rows": alert.rows, "digest": alert.row_digest} if alert.rows else None,
        "counts": count_steps(alert.transitions),
        "causes": [build_cause_record(it.cause) for it in alert.by_cause() if it.cause],
        "impacts": [_impact(impact) for impact in group_impacts(alert.shown)],
        "findings": [_finding(alert, step) for step in alert.shown],
        "omitted": alert.omitted,
        "more": list_scope_command(alert),
    }


def _finding(alert: Alert, step: Transition) -> Json:
    finding = step.finding
    return {
        **build_reference(step),
        "reason": step.reason,
        "severity": finding.severity.value,
        "title": format_title(alert.rules, finding),
        "link": link_resource(finding.scope, finding.resource),
        **build_verdict_texts(finding.verdict),
        "root": finding.verdict.root,
        "opened_at": format_iso(finding.opened_at),
        **build_attribution_records(finding),
    }


def build_reference(step: Transition) -> Json:
    """Build the reference by which a program can look up a transition within its scope."""
    finding = step.finding
    return {
        "id": finding.id,
        "version": finding.version,
        "step": step.step.value,
        "status": finding.status.value,
        "rule": finding.rule,
        "resource": finding.resource,
        "updated_at": format_iso(finding.updated_at),
        "cause": finding.cause.event_id if finding.cause else None,
    }


def build_verdict_texts(verdict: Verdict) -> Json:
    """Build the summary, evidence and remediation of a verdict."""
    remedy = verdict.remediation
    return {
        "summary": verdict.summary,
        "evidence": [{"text": fact.text, "record": dict(fact.record)} for fact in verdict.evidence],
        "remediation": asdict(remedy) if remedy else None,
    }


def _impact(impact: Impact) -> Json:
    return {
        "root": impact.root,
        "step": impact.step.value,
        "description": impact.description,
        "resources": impact.resources,
        "findings": [each.finding.id for each in impact.transitions],
    }
