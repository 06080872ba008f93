"""Conversion of findings to the AWS Security Finding Format (ASFF).

https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from posture.alerts.attributions import describe_attribution
from posture.alerts.rule_texts import RuleTexts
from posture.alerts.titles import format_title
from posture.lifecycle.bounds import truncate
from posture.model.finding import Finding, FindingStatus
from posture.model.scope import Region, Scope
from posture.model.service_names import get_partition
from posture.rules.controls import list_controls

SCHEMA = "2018-10-08"
TITLE, DESCRIPTION, RECOMMENDATION, FIELD = 256, 1_024, 512, 1_024  # bytes; ASFF counts characters
REQUIREMENTS = 32
TYPES = ["Software and Configuration Checks/AWS Security Best Practices/Network Reachability"]
QUIET = frozenset({FindingStatus.RESOLVED, FindingStatus.WAIVED})
COMPLIANCE = {
    FindingStatus.OPEN: "FAILED",
    FindingStatus.WAIVED: "FAILED",
    FindingStatus.UNKNOWN: "WARNING",
    FindingStatus.RESOLVED: "PASSED",
}
# ASFF resource type and resource name in the ARN, by id prefix.
KINDS = {
    "vpc": ("AwsEc2Vpc", "vpc"),
    "subnet": ("AwsEc2Subnet", "subnet"),
    "rtb": ("AwsEc2RouteTable", "route-table"),
    "sg": ("AwsEc2SecurityGroup", "security-group"),
    "acl": ("AwsEc2NetworkAcl", "network-acl"),
    "vpce": ("Other", "vpc-endpoint"),
    "vpce-svc": ("AwsEc2VpcEndpointService", "vpc-endpoint-service"),
}


def build_asff(
    finding: Finding, rules: RuleTexts, importer: Region | None = None
) -> dict[str, Any]:
    """Build the ASFF record of one finding for BatchImportFindings.

    A resolved finding has passed and is archived; a waived finding is archived until its waiver
    ends. Security Hub takes the workflow status only from new findings, so an update keeps the
    status that people have set.

    Args:
        finding: The finding to convert.
        rules: The titles and controls of the rules, by id.
        importer: The account and Region that import it, if not the finding's own.
    """
    scope, verdict = finding.scope, finding.verdict
    home = importer or Region(scope.account, scope.region)
    rule = rules.get(finding.rule)
    controls = list_controls(rule, finding.resource) if rule else ()
    record: dict[str, Any] = {
        "SchemaVersion": SCHEMA,
        "Id": f"{scope}/{finding.id}",
        "ProductArn": build_product_arn(home),
        "GeneratorId": f"vpc-endpoint-posture/{finding.rule}",
        "AwsAccountId": home.account,
        "Region": home.name,
        "CreatedAt": _time(finding.opened_at),
        "UpdatedAt": _time(finding.updated_at),
        "Title": truncate(format_title(rules, finding), TITLE),
        "Description": truncate(verdict.summary, DESCRIPTION),
        "FindingProviderFields": {
            "Severity": {"Label": finding.severity.value.upper()},
            "Types": TYPES,
        },
        "Compliance": {
            "Status": COMPLIANCE[finding.status],
            "RelatedRequirements": list(map(str, controls))[:REQUIREMENTS],
        },
        "Workflow": {"Status": "SUPPRESSED" if finding.status is FindingStatus.WAIVED else "NEW"},
        "RecordState": "ARCHIVED" if finding.status in QUIET else "ACTIVE",
        "Resources": [build_resource(scope, finding.resource)],
        "ProductFields": _fields(finding),
    }
    if verdict.remediation:
        text = truncate(verdict.remediation.text, RECOMMENDATION)
        record["Remediation"] = {"Recommendation": {"Text": text}}
    return record


def build_product_arn(home: Region) -> str:
    """Build the ARN of an account's default product, under which findings are imported."""
    where = f"{get_partition(home.name)}:securityhub:{home.name}:{home.account}"
    return f"arn:{where}:product/{home.account}/default"


def build_resource(scope: Scope, name: str) -> dict[str, str]:
    """Build the ASFF resource of a finding, with its id where the resource has no ARN."""
    kind, noun = KINDS.get(name.rpartition("-")[0], ("Other", ""))
    arn = f"arn:{get_partition(scope.region)}:ec2:{scope.region}:{scope.account}:{noun}/{name}"
    return {
        "Type": kind,
        "Id": arn if noun else truncate(name, 512),
        "Partition": get_partition(scope.region),
        "Region": scope.region,
    }


def _fields(finding: Finding) -> dict[str, str]:
    cause, remediation = finding.cause, finding.verdict.remediation
    resolved_by = finding.resolved_by
    fields = {
        "posture/id": finding.id,
        "posture/rule": finding.rule,
        "posture/scope": str(finding.scope),
        "posture/version": str(finding.version),
        "posture/evidence": " ".join(fact.text for fact in finding.verdict.evidence),
        "posture/command": remediation.command if remediation else "",
        "posture/verified": remediation.verified if remediation else "",
        "posture/opened-by": describe_attribution(finding.opened_by),
        "posture/resolved-by": describe_attribution(resolved_by) if resolved_by else "",
        "posture/actor": finding.caused_by.actor or "",
        "posture/event": f"{cause.event_name} {cause.event_id}" if cause else "",
    }
    return {name: truncate(value, FIELD) for name, value in fields.items() if value}


def _time(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03}Z"
