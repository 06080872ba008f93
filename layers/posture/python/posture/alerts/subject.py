"""The line a mail client shows: how bad, where, how many, what."""

from __future__ import annotations

from posture.alerts.briefing import Briefing, told_counts
from posture.alerts.words import ascii_line, label

LIMIT = 99  # "less than 100 characters": boto3's SNS.Client.publish, Subject


def subject(briefing: Briefing) -> str:
    """Give the subject in ASCII, as SNS and every mail client take it.

    `[HIGH] vpc-0a (111122223333 eu-west-1): 3 findings opened - S3 leaves by NAT`
    """
    scope = briefing.scope
    place = f"{scope.subject} ({scope.account} {scope.region})"
    part = f" {briefing.part}/{briefing.parts}" if briefing.parts > 1 else ""
    what = f"{told_counts(briefing.counts)}{part} - {briefing.title(briefing.lead.finding.rule)}"
    return ascii_line(f"[{label(briefing.lead)}] {place}: {what}", LIMIT)
