"""Builds an OCSF event of the class Compliance Finding from a finding.

https://schema.ocsf.io/1.5.0/classes/compliance_finding
"""

from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any

from posture.alerts.asff import build_resource
from posture.alerts.attributions import build_attribution_record
from posture.alerts.json_body import build_verdict_texts
from posture.alerts.titles import NOT_CHECKED, is_undecided
from posture.model.finding import Finding, FindingStatus
from posture.model.service_names import get_partition
from posture.model.verdict import Severity
from posture.rules.controls import list_controls
from posture.rules.rule_catalogue import RULES_BY_ID
from posture_cli.interchange import describe_remediation

VERSION = "1.5.0"
CATEGORY, CLASS = 2, 2003  # Findings, Compliance Finding
SEVERITIES = {each: number for number, each in enumerate(reversed(Severity), 1)}
# The status of the finding, and that of its compliance: 0 unknown, 1 pass, 3 fail.
STATUS = {
    FindingStatus.OPEN: (1, "New", 3),
    FindingStatus.UNKNOWN: (1, "New", 0),
    FindingStatus.WAIVED: (3, "Suppressed", 3),
    FindingStatus.RESOLVED: (4, "Resolved", 1),
}
ACTIVITY = {1: "Create", 2: "Update", 3: "Close"}
RULE = 1  # the type of analytic


def build_ocsf_event(finding: Finding) -> dict[str, Any]:
    """Build the event of a finding; times are milliseconds since 1970, as in OCSF."""
    activity = _activity(finding)
    fix = finding.verdict.remediation
    status_id, status, _ = STATUS[finding.status]
    return {
        "activity_id": activity,
        "activity_name": ACTIVITY[activity],
        "category_name": "Findings",
        "category_uid": CATEGORY,
        "class_name": "Compliance Finding",
        "class_uid": CLASS,
        "type_name": f"Compliance Finding: {ACTIVITY[activity]}",
        "type_uid": CLASS * 100 + activity,
        "time": _time(finding.updated_at),
        "severity_id": SEVERITIES[finding.severity],
        "severity": finding.severity.value.capitalize(),
        "status_id": status_id,
        "status": status,
        "status_code": finding.status.value,
        "message": finding.verdict.summary,
        "metadata": _metadata(finding),
        "cloud": {
            "provider": "AWS",
            "region": finding.scope.region,
            "account": {"uid": finding.scope.account, "type": "AWS Account", "type_id": 10},
        },
        "finding_info": _info(finding),
        "compliance": _compliance(finding),
        "resources": [_resource(finding)],
        **({"remediation": {"desc": " ".join(describe_remediation(fix))}} if fix else {}),
        **({"evidences": evidences} if (evidences := list(_list_evidences(finding))) else {}),
        "unmapped": _unmapped(finding),
    }


def _activity(finding: Finding) -> int:
    if finding.status is FindingStatus.RESOLVED:
        return 3
    return 1 if finding.updated_at == finding.opened_at else 2


def _metadata(finding: Finding) -> dict[str, Any]:
    return {
        "version": VERSION,
        "profiles": ["cloud"],
        "uid": f"{finding.id}/{finding.version}",
        "product": {
            "name": "VPC Endpoint Posture",
            "vendor_name": "VPC Endpoint Posture",
            "version": version("vpc-endpoint-posture"),
        },
    }


def _info(finding: Finding) -> dict[str, Any]:
    rule = RULES_BY_ID.get(finding.rule)
    title = rule.title if rule else finding.rule
    return {
        "uid": finding.id,
        "title": f"{NOT_CHECKED}: {title}" if is_undecided(finding.verdict) else title,
        "desc": finding.verdict.summary,
        "created_time": _time(finding.opened_at),
        "first_seen_time": _time(finding.opened_at),
        "modified_time": _time(finding.updated_at),
        "last_seen_time": _time(finding.updated_at),
        "types": [rule.family.value] if rule else [],
        "analytic": {"uid": finding.rule, "name": title, "type_id": RULE, "type": "Rule"},
    }


def _compliance(finding: Finding) -> dict[str, Any]:
    rule = RULES_BY_ID.get(finding.rule)
    controls = list_controls(rule, finding.resource) if rule else ()
    _, _, compliance = STATUS[finding.status]
    return {
        "control": finding.rule,
        "standards": sorted({each.framework for each in controls}),
        "requirements": list(map(str, controls)),
        "status_id": compliance,
    }


def _resource(finding: Finding) -> dict[str, Any]:
    about = build_resource(finding.scope, finding.resource)
    return {
        "uid": about["Id"],
        "name": finding.resource,
        "type": about["Type"],
        "region": finding.scope.region,
        "cloud_partition": get_partition(finding.scope.region),
        "labels": [f"scope={finding.scope}"],
    }


def _list_evidences(finding: Finding) -> Iterator[dict[str, Any]]:
    """List who opened and resolved it: the event, its caller, and where the call came from."""
    for name, attribution in (
        ("opened by", finding.opened_by),
        ("resolved by", finding.resolved_by),
    ):
        for cause in attribution.possible if attribution else ():
            certain = bool(attribution and attribution.cause)
            evidence: dict[str, Any] = {
                "name": name if certain else f"possibly {name}",
                "api": {"operation": cause.event_name or cause.kind.value},
            }
            if cause.event_id:
                evidence["uid"] = cause.event_id
            if cause.actor:
                evidence["actor"] = {"user": {"uid": cause.actor}}
            if cause.source_ip:
                evidence["src_endpoint"] = _endpoint(cause.source_ip)
            yield evidence


def _endpoint(source: str) -> dict[str, str]:
    """Build where a call came from: an address, or the AWS service that made it."""
    try:
        return {"ip": str(ip_address(source))}
    except ValueError:
        return {"svc_name": source}


def _unmapped(finding: Finding) -> dict[str, Any]:
    cause, resolved_by = finding.cause, finding.resolved_by
    unmapped: dict[str, Any] = {
        "scope": str(finding.scope),
        "evidence": build_verdict_texts(finding.verdict)["evidence"],
        "opened_by": build_attribution_record(finding.opened_by),
    }
    if resolved_by:
        unmapped["resolved_by"] = build_attribution_record(resolved_by)
    if cause:
        unmapped["cause"] = {
            "actor": cause.actor,
            "event_name": cause.event_name,
            "event_id": cause.event_id,
            "time": _time(cause.time),
            "source_ip": cause.source_ip,
        }
    return unmapped


def _time(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
