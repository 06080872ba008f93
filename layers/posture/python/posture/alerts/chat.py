"""Alerts as custom notifications of Amazon Q Developer in chat applications.

It shows them in Slack and Microsoft Teams, and drops messages of any other form:
https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from posture.alerts.alert import Alert, format_count
from posture.alerts.attributions import describe_attribution
from posture.alerts.console import link_resource
from posture.alerts.formatting import format_command, format_label, format_line, format_named
from posture.alerts.text_body import OVER
from posture.alerts.titles import format_title
from posture.lifecycle.bounds import CUT
from posture.model.finding import Attribution, Step, Transition
from posture.model.instant import format_iso

DESCRIPTION = 2_900  # characters; a text block of Slack holds 3,000
LINE = 300
COMMAND = 600
MAX_FINDINGS = 5
MAX_CAUSES = 3
MAX_STEPS = 3
TITLE = 250
# What mentions, links and formats in Slack's or Teams' Markdown, and characters that look similar.
# Names come from tags and calls: one could otherwise mention a channel or hide a link.
PLAIN = str.maketrans("<>*~`[]", "‹›∗∼'()")  # noqa: RUF001 - that they look similar is the point


def format_alert(alert: Alert, subject: str, more: str) -> str:
    """Format an alert as a custom notification in JSON.

    Args:
        alert: The alert.
        subject: Its subject.
        more: The command that lists the findings of its scope.
    """
    names, scope, lead = alert.names, alert.scope, alert.lead.finding
    account = f"account {format_named(scope.account, names.account, LINE)}, {scope.region}"
    subject_name = format_named(scope.subject, names.subject, LINE)
    place = account if scope.is_region else f"{subject_name} in {account}"
    causes = [_describe_cause(each) for each in alert.by_cause()]
    lines = [plain(place), *causes[:MAX_CAUSES]]
    shown = alert.transitions[:MAX_FINDINGS]
    lines += [_describe(alert, step) for step in shown]
    if len(alert.transitions) > len(shown):
        lines.append(f"and {format_count(len(alert.transitions) - len(shown))} more")
    link = link_resource(scope, scope.subject)
    if link:
        lines.append(f"Console: {link}")
    return build_notification(
        subject,
        lines,
        next_steps=[*_list_fixes(shown), f"List all findings: `{_code(more)}`"],
        # The finding's last opening: what follows replies to it, and a new opening does not.
        thread=f"{lead.id}-{format_iso(lead.opened_at)}",
        resources=[step.finding.resource for step in shown],
    )


def build_notification(
    title: str,
    lines: Sequence[str],
    *,
    next_steps: Sequence[str],
    thread: str,
    resources: Sequence[str] = (),
) -> str:
    """Build a custom notification in JSON, from lines whose values are plain already."""
    description = "\n".join(lines)
    if len(description) > DESCRIPTION:
        description = description[: DESCRIPTION - 1].rpartition("\n")[0] + f"\n{CUT}"
    body: dict[str, Any] = {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": plain(title)[:TITLE],
            "description": description,
            "nextSteps": list(next_steps),
        },
        "metadata": {
            "threadId": thread,
            "summary": plain(title)[:TITLE],
            "eventType": "VPC Endpoint Posture",
            "relatedResources": [format_line(each, LINE) for each in dict.fromkeys(resources)],
            "enableCustomActions": False,
        },
    }
    return json.dumps(body)


def plain(text: str) -> str:
    """Format a value on one line, without characters that chat reads as Markdown or a mention."""
    return format_line(text, LINE).translate(PLAIN)


def _describe(alert: Alert, step: Transition) -> str:
    title = format_title(alert.rules, step.finding)
    label = format_label(step)
    if step.step in {Step.OPENED, Step.CHANGED, Step.TRANSIENT}:
        label = f"{label}, {step.step}"
    was = "previously, " if step.step in OVER else ""
    return f"• *{plain(title)}* ({label}): {was}{plain(step.finding.verdict.summary)}"


def _describe_cause(attribution: Attribution) -> str:
    known = attribution.possible
    return f"Caused by {plain(describe_attribution(attribution))}" if known else "Cause unknown"


def _list_fixes(shown: Sequence[Transition]) -> list[str]:
    """List what to do about findings that are not over, each command once."""
    fixes: dict[str, None] = {}
    for step in shown:
        remedy = step.finding.verdict.remediation
        if remedy is None or step.step in OVER:
            continue
        exact = len(format_command(remedy.command, COMMAND)) == 1
        command = f" `{_code(remedy.command)}`" if exact and "`" not in remedy.command else ""
        fixes.setdefault(f"{plain(remedy.text)}{command}".strip())
    return list(filter(None, fixes))[:MAX_STEPS]


def _code(command: str) -> str:
    """Escape what Slack reads even in code, so that what is copied is what was written.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return command.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
