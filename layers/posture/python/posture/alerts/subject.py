"""The line a mail client shows: how bad, what, how much more, where."""

from __future__ import annotations

from posture.alerts.briefing import Briefing
from posture.alerts.formatting import ascii_line, label
from posture.alerts.impact import Impact
from posture.model.finding import Step

LIMIT = 99  # "less than 100 characters": boto3's SNS.Client.publish, Subject
LEAST = 20  # characters of the title that stay, however long the name of the place


def subject(briefing: Briefing) -> str:
    """Give the subject in ASCII, as SNS and every mail client take it.

    `[HIGH] S3 leaves by NAT, 2 more - vpc-0a 111122223333 eu-west-1`, or, where several have one
    root, `[HIGH] S3 leaves by NAT, 14 subnets - vpc-0a 111122223333 eu-west-1`

    What is wrong comes first, as lists of mails are cut at the right. Where all is too long, the
    number of others gives way, then the title: the place is what tells two alerts apart.
    """
    scope = briefing.scope
    before = f"[{label(briefing.lead)}] "
    place = ascii_line(f"{scope.subject} {scope.account} {scope.region}", LIMIT)
    title = ascii_line(briefing.title(briefing.lead.finding.rule), LIMIT)
    for besides in (_together(briefing) + _others(briefing), _together(briefing)):
        after = f"{besides}{_part(briefing)} - {place}"
        room = LIMIT - len(before) - len(after)
        if len(title) <= room:
            break
    return ascii_line(f"{before}{ascii_line(title, max(LEAST, room))}{after}", LIMIT)


def _together(briefing: Briefing) -> str:
    changed = " (changed)" if briefing.lead.step is Step.CHANGED else ""
    impact = _impact(briefing)
    return f"{changed}, {impact.most}" if impact else changed


def _others(briefing: Briefing) -> str:
    impact = _impact(briefing)
    others = len(briefing.transitions) - (len(impact.transitions) if impact else 1)
    return f", {others} more" if others else ""


def _part(briefing: Briefing) -> str:
    return f", part {briefing.part}/{briefing.parts}" if briefing.parts > 1 else ""


def _impact(briefing: Briefing) -> Impact | None:
    """Give what the lead shares its root with."""
    return next((it for it in briefing.impacts if briefing.lead in it.transitions), None)
