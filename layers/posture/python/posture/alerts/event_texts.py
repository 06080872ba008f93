"""The texts of an event about a finding that its history row would otherwise lack.

EventBridge Pipes builds the event from the row by an input template, in which a path that does not
exist leaves no JSON. So each text here is in every row, "" where there is nothing to say.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html
"""

from __future__ import annotations

from functools import cache

from posture.alerts.attributions import name_attribution
from posture.alerts.console import link_region, link_resource
from posture.alerts.rule_texts import RuleTexts, load_rule_texts
from posture.alerts.titles import format_title
from posture.lifecycle.bounds import truncate
from posture.model.finding import Finding

TEXT = 1_000  # bytes


def build_event_texts(finding: Finding, rules: RuleTexts | None = None) -> dict[str, str]:
    """Build the texts of the event about a finding's latest transition.

    Args:
        finding: The finding after the transition.
        rules: The texts of the rules; None for those that alerts use.
    """
    scope, remedy, resolved_by = finding.scope, finding.verdict.remediation, finding.resolved_by
    texts = {
        "title": format_title(rules or _load_rules(), finding),
        "vpc": scope.subject,
        "vpc_name": finding.names.subject,
        "account_name": finding.names.account,
        "caused_by": name_attribution(finding.caused_by),
        "opened_by": name_attribution(finding.opened_by),
        "resolved_by": name_attribution(resolved_by) if resolved_by else "",
        "fix": remedy.text if remedy else "",
        "link": link_resource(scope, finding.resource)
        or link_resource(scope, scope.subject)
        or link_region(scope.region),
    }
    command = remedy.command if remedy else ""
    return {**{name: truncate(text, TEXT) for name, text in texts.items()}, "command": command}


@cache
def _load_rules() -> RuleTexts:
    """Load the rules' texts when the first transition is written: most evaluations need none."""
    return load_rule_texts()
