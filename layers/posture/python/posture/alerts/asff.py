"""A finding in the AWS Security Finding Format, as BatchImportFindings takes it.

https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from posture.alerts.rule_texts import RuleTexts
from posture.lifecycle.bounds import truncate
from posture.model.finding import Finding, FindingStatus
from posture.model.scope import Region, Scope

SCHEMA = "2018-10-08"
TITLE, DESCRIPTION, RECOMMENDATION, FIELD = 256, 1_024, 512, 1_024  # bytes; AWS counts characters
REQUIREMENTS = 32
TYPES = ["Software and Configuration Checks/AWS Security Best Practices/Network Reachability"]
QUIET = frozenset({FindingStatus.RESOLVED, FindingStatus.WAIVED})
COMPLIANCE = {
    FindingStatus.OPEN: "FAILED",
    FindingStatus.WAIVED: "FAILED",
    FindingStatus.UNKNOWN: "WARNING",
    FindingStatus.RESOLVED: "PASSED",
}
# By the beginning of an id: ASFF's type, and how its ARN names it.
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
    """Give one finding.

    A resolved finding has passed and is archived; a waived one is archived until its waiver ends.
    Workflow is taken by Security Hub only when a finding is new, so an update leaves what people
    set there.

    Args:
        finding: The finding.
        rules: The catalogue by id, for titles and controls.
        importer: The account and region that import it; without one, the finding's own.
    """
    scope, verdict = finding.scope, finding.verdict
    home = importer or Region(scope.account, scope.region)
    rule = rules.get(finding.rule)
    controls = rule.controls if rule else ()
    record: dict[str, Any] = {
        "SchemaVersion": SCHEMA,
        "Id": f"{scope}/{finding.id}",
        "ProductArn": build_product_arn(home),
        "GeneratorId": f"vpc-endpoint-posture/{finding.rule}",
        "AwsAccountId": home.account,
        "Region": home.name,
        "CreatedAt": _time(finding.opened_at),
        "UpdatedAt": _time(finding.updated_at),
        "Title": truncate(rule.title if rule else finding.rule, TITLE),
        "Description": truncate(verdict.summary, DESCRIPTION),
        "FindingProviderFields": {
            "Severity": {"Label": finding.severity.value.upper()},
            "Types": TYPES,
        },
        "Compliance": {
            "Status": COMPLIANCE[finding.status],
            "RelatedRequirements": [f"{it.framework} {it.id}" for it in controls][:REQUIREMENTS],
        },
        "Workflow": {"Status": "SUPPRESSED" if _waived(finding) else "NEW"},
        "RecordState": "ARCHIVED" if finding.status in QUIET else "ACTIVE",
        "Resources": [build_resource(scope, finding.resource)],
        "ProductFields": _fields(finding),
    }
    if verdict.remediation:
        text = truncate(verdict.remediation.text, RECOMMENDATION)
        record["Remediation"] = {"Recommendation": {"Text": text}}
    return record


def build_product_arn(home: Region) -> str:
    """Give the account's own product, under which findings are imported into Security Hub."""
    where = f"{get_partition(home.name)}:securityhub:{home.name}:{home.account}"
    return f"arn:{where}:product/{home.account}/default"


def get_partition(region: str) -> str:
    """Give the partition that a region belongs to."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def build_resource(scope: Scope, name: str) -> dict[str, str]:
    """Give what a finding is about; what has no ARN of its own goes by its name."""
    kind, noun = KINDS.get(name.rpartition("-")[0], ("Other", ""))
    arn = f"arn:{get_partition(scope.region)}:ec2:{scope.region}:{scope.account}:{noun}/{name}"
    return {
        "Type": kind,
        "Id": arn if noun else truncate(name, 512),
        "Partition": get_partition(scope.region),
        "Region": scope.region,
    }


def _waived(finding: Finding) -> bool:
    return finding.status is FindingStatus.WAIVED


def _fields(finding: Finding) -> dict[str, str]:
    cause = finding.cause
    told = {
        "posture/id": finding.id,
        "posture/rule": finding.rule,
        "posture/scope": str(finding.scope),
        "posture/version": str(finding.version),
        "posture/evidence": " ".join(fact.text for fact in finding.verdict.evidence),
        "posture/command": finding.verdict.remediation.command
        if finding.verdict.remediation
        else "",
        "posture/actor": cause.actor if cause else "",
        "posture/event": f"{cause.event_name} {cause.event_id}" if cause else "",
    }
    return {name: truncate(value, FIELD) for name, value in told.items() if value}


def _time(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03}Z"
