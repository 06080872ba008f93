"""The line a mail client shows: how bad, what, how much more, where."""

from __future__ import annotations

from posture.alerts.alert import Alert
from posture.alerts.formatting import format_ascii_line, format_label
from posture.alerts.impact import Impact
from posture.model.finding import Step

LIMIT = 99  # "less than 100 characters": boto3's SNS.Client.publish, Subject
LEAST = 20  # characters of the title that stay, however long the name of the place


def format_subject(alert: Alert) -> str:
    """Give the subject in ASCII, as SNS and every mail client take it.

    `[HIGH] S3 leaves by NAT, 2 more - vpc-0a 111122223333 eu-west-1`, or, where several have one
    root, `[HIGH] S3 leaves by NAT, 14 subnets - vpc-0a 111122223333 eu-west-1`

    What is wrong comes first, as lists of mails are cut at the right. Where all is too long, the
    number of others gives way, then the title: the place is what tells two alerts apart.
    """
    scope = alert.scope
    before = f"[{format_label(alert.lead)}] "
    place = format_ascii_line(f"{scope.subject} {scope.account} {scope.region}", LIMIT)
    title = format_ascii_line(alert.title(alert.lead.finding.rule), LIMIT)
    for besides in (_together(alert) + _others(alert), _together(alert)):
        after = f"{besides}{_part(alert)} - {place}"
        room = LIMIT - len(before) - len(after)
        if len(title) <= room:
            break
    return format_ascii_line(f"{before}{format_ascii_line(title, max(LEAST, room))}{after}", LIMIT)


def _together(alert: Alert) -> str:
    changed = " (changed)" if alert.lead.step is Step.CHANGED else ""
    impact = _impact(alert)
    return f"{changed}, {impact.largest_group}" if impact else changed


def _others(alert: Alert) -> str:
    impact = _impact(alert)
    others = len(alert.transitions) - (len(impact.transitions) if impact else 1)
    return f", {others} more" if others else ""


def _part(alert: Alert) -> str:
    return f", part {alert.part}/{alert.parts}" if alert.parts > 1 else ""


def _impact(alert: Alert) -> Impact | None:
    """Give what the lead shares its root with."""
    return next((it for it in alert.impacts if alert.lead in it.transitions), None)
