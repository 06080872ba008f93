"""The line a mail client shows: how bad, what, how much more, where."""

from __future__ import annotations

from posture.alerts.briefing import Briefing
from posture.alerts.words import ascii_line, label
from posture.model.finding import Step

LIMIT = 99  # "less than 100 characters": boto3's SNS.Client.publish, Subject
LEAST = 20  # characters of the title that stay, however long the name of the place


def subject(briefing: Briefing) -> str:
    """Give the subject in ASCII, as SNS and every mail client take it.

    `[HIGH] S3 leaves by NAT, 2 more - vpc-0a 111122223333 eu-west-1`, or, where several have one
    root, `[HIGH] S3 leaves by NAT, 14 subnets - vpc-0a 111122223333 eu-west-1`

    What is wrong comes first, as lists of mails are cut at the right. Where all is too long, the
    title gives way: the place is what tells two alerts apart.
    """
    scope = briefing.scope
    before = f"[{label(briefing.lead)}] "
    after = f"{_besides(briefing)} - {scope.subject} {scope.account} {scope.region}"
    title = briefing.title(briefing.lead.finding.rule)
    room = max(LEAST, LIMIT - len(before) - len(ascii_line(after, LIMIT)))
    return ascii_line(f"{before}{ascii_line(title, room)}{after}", LIMIT)


def _besides(briefing: Briefing) -> str:
    changed = " (changed)" if briefing.lead.step is Step.CHANGED else ""
    impact = next((it for it in briefing.impacts if briefing.lead in it.transitions), None)
    together = f", {impact.most}" if impact else ""
    others = len(briefing.transitions) - (len(impact.transitions) if impact else 1)
    more = f", {others} more" if others else ""
    part = f", part {briefing.part}/{briefing.parts}" if briefing.parts > 1 else ""
    return f"{changed}{together}{more}{part}"
