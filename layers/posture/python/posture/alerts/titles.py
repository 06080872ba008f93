"""The title of a finding: the problem, or that it could not be checked."""

from __future__ import annotations

from posture.alerts.rule_texts import RuleTexts, find_title
from posture.model.finding import Finding
from posture.model.verdict import Status, Verdict

NOT_CHECKED = "Could not be checked"
ABOUT_READING = {"account-region-not-readable"}  # rules whose titles say it themselves


def format_title(rules: RuleTexts, finding: Finding) -> str:
    """Format the title of a finding; it states no problem if the rule could not be decided."""
    return format_verdict_title(rules, finding.verdict)


def format_verdict_title(rules: RuleTexts, verdict: Verdict) -> str:
    """Format the title of a verdict, likewise."""
    title = find_title(rules, verdict.rule)
    return f"{NOT_CHECKED}: {title}" if is_undecided(verdict) else title


def is_undecided(verdict: Verdict) -> bool:
    """Whether a verdict says that its rule could not be decided, without its title saying so."""
    return verdict.status is Status.UNKNOWN and verdict.rule not in ABOUT_READING
