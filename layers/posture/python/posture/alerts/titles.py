"""The title of a finding: the problem, or that it could not be checked."""

from __future__ import annotations

from posture.alerts.rule_texts import RuleTexts, find_title
from posture.model.finding import Finding
from posture.model.verdict import Status

NOT_CHECKED = "Could not be checked"
ABOUT_READING = {"account-region-not-readable"}  # rules whose titles say it themselves


def format_title(rules: RuleTexts, finding: Finding) -> str:
    """Format the title of a finding; it accuses nobody if the rule could not be decided."""
    title = find_title(rules, finding.rule)
    undecided = finding.verdict.status is Status.UNKNOWN and finding.rule not in ABOUT_READING
    return f"{NOT_CHECKED}: {title}" if undecided else title
