"""The subject of an alert: severity, problem, number of findings, location."""

from __future__ import annotations

from posture.alerts.alert import Alert
from posture.alerts.formatting import format_ascii_line, format_label
from posture.alerts.impact import Impact, group_impacts
from posture.alerts.rule_texts import find_title
from posture.model.finding import Step

LIMIT = 99  # "less than 100 characters": boto3's SNS.Client.publish, Subject
MIN_TITLE = 20  # characters of the title that remain, however long the location is


def format_subject(alert: Alert) -> str:
    """Format the subject in ASCII, within the length that SNS accepts.

    `[HIGH] S3/DynamoDB traffic bypasses the endpoint, 14 subnets - vpc-0a 111122223333 eu-west-1`

    The problem comes first, as mail clients truncate subjects at the end. If the subject is too
    long, the number of other findings is left out, then the Region, then the title is truncated.
    The VPC and account always remain, as they tell two alerts apart.
    """
    scope = alert.scope
    before = f"[{format_label(alert.lead)}] "
    account = format_ascii_line(f"{scope.subject} {scope.account}", LIMIT)
    region = format_ascii_line(scope.region, LIMIT)
    title = format_ascii_line(find_title(alert.rules, alert.lead.finding.rule), LIMIT)
    impact = next(
        (it for it in group_impacts(alert.transitions) if alert.lead in it.transitions), None
    )
    affected = _format_affected(alert, impact)
    part = f", part {alert.part}/{alert.parts}" if alert.parts > 1 else ""
    for after in (
        f"{affected}{_format_others(alert, impact)}{part} - {account} {region}",
        f"{affected}{part} - {account} {region}",
        f"{affected}{part} - {account}",
    ):
        room = LIMIT - len(before) - len(after)
        if len(title) <= room:
            break
    return format_ascii_line(
        f"{before}{format_ascii_line(title, max(MIN_TITLE, room))}{after}", LIMIT
    )


def _format_affected(alert: Alert, impact: Impact | None) -> str:
    changed = f" ({step})" if (step := alert.lead.step) in {Step.CHANGED, Step.TRANSIENT} else ""
    return f"{changed}, {impact.largest_group}" if impact else changed


def _format_others(alert: Alert, impact: Impact | None) -> str:
    others = len(alert.transitions) - (len(impact.transitions) if impact else 1)
    return f", {others} more" if others else ""
