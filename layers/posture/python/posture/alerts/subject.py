"""The subject of an alert: severity, problem, number of findings, location."""

from __future__ import annotations

from posture.alerts.alert import Alert
from posture.alerts.formatting import format_ascii_line, format_label, format_named
from posture.alerts.impact import Impact, group_impacts
from posture.alerts.titles import format_title
from posture.model.finding import Step, Transition

LIMIT = 99  # "less than 100 characters": boto3's SNS.Client.publish, Subject
NAME = 40  # characters of a name or id
MIN_TITLE = 20  # characters of the title that remain, however long the location is


def format_subject(alert: Alert) -> str:
    """Format the subject in ASCII, within the length that SNS accepts.

    `[HIGH] S3/DynamoDB traffic bypasses the endpoint, 14 subnets - vpc-0a 111122223333 eu-west-1`

    The problem comes first, as mail clients truncate subjects at the end. If the subject is too
    long, the number of other findings is left out, then the Region, then the names, then the title
    is truncated. The ids of VPC and account always remain, as they tell two alerts apart. So does
    the number of resolved findings that were worse than what is open: the severity that subscribers
    filter by is always in the subject.
    """
    scope, names = alert.scope, alert.names
    before = f"[{format_label(alert.lead)}] "
    subject, named_subject = (
        f"{scope.subject} ",
        f"{format_named(scope.subject, names.subject, NAME)} ",
    )
    if scope.is_region:  # which the location ends with
        subject = named_subject = ""
    account = format_ascii_line(f"{subject}{scope.account}", LIMIT)
    named_account = format_named(scope.account, names.account, NAME)
    named = format_ascii_line(f"{named_subject}{named_account}", LIMIT)
    region = format_ascii_line(scope.region, LIMIT)
    title = format_ascii_line(format_title(alert.rules, alert.lead.finding), LIMIT)
    impact = next(
        (it for it in group_impacts(alert.transitions) if alert.lead in it.transitions), None
    )
    worse = _list_worse(alert)
    affected = f"{_format_affected(alert, impact)}{_format_worse(worse)}"
    others = len(alert.transitions) - len(impact.transitions if impact else [alert.lead])
    more = f", {others - len(worse)} more" if others > len(worse) else ""
    part = f", part {alert.part}/{alert.parts}" if alert.parts > 1 else ""
    for after in (
        f"{affected}{counted}{part} - {place}"
        for place_alone in (named, account)
        for counted, place in (
            (more, f"{place_alone} {region}"),
            ("", f"{place_alone} {region}"),
            ("", place_alone),
        )
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


def _list_worse(alert: Alert) -> list[Transition]:
    """List the resolved findings of the worst severity, if it is worse than that of the lead."""
    resolved = [step for step in alert.transitions if step.step is Step.RESOLVED]
    worst = min((step.finding.severity for step in resolved), key=lambda it: it.rank, default=None)
    if worst is None or worst.rank >= alert.lead.finding.severity.rank:
        return []
    return [step for step in resolved if step.finding.severity is worst]


def _format_worse(worse: list[Transition]) -> str:
    return f", {len(worse)} {worse[0].finding.severity.upper()} resolved" if worse else ""
