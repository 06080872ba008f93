"""Composition of the SNS message for one commit.

A message holds up to 256 KiB, attributes included:
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from posture.alerts.alert import DEFAULT_STACK, Alert, sort_worst_first
from posture.alerts.chat import format_alert
from posture.alerts.json_body import format_json
from posture.alerts.rule_texts import RuleTexts
from posture.alerts.subject import format_subject
from posture.alerts.text_body import format_text, list_scope_command
from posture.lean_dataclass import dataclass
from posture.model.finding import Transition

LIMIT = 262_144

Attribute = Mapping[str, str]  # DataType and StringValue, as in the SNS API


@dataclass(frozen=True, slots=True)
class Message:
    """An SNS message in all formats.

    `attributes` are for subscription filter policies; `chat`, if any, is for HTTPS subscribers.
    """

    subject: str
    text: str
    json: str
    attributes: Mapping[str, Attribute]
    chat: str = ""

    @property
    def body(self) -> str:
        """The body for `MessageStructure=json`: text for e-mail, the subject for SMS, else JSON.

        SQS, HTTPS, Lambda and Firehose subscribers receive `default`: a copy for each protocol
        would leave space for a fifth of the findings.
        """
        chat = {"https": self.chat} if self.chat else {}
        return json.dumps({"default": self.json, "email": self.text, "sms": self.subject, **chat})

    @property
    def size(self) -> int:
        """The size in bytes that SNS counts: body, subject and attributes."""
        attributes = sum(
            len((name + value["DataType"] + value["StringValue"]).encode())
            for name, value in self.attributes.items()
        )
        return len(self.body.encode()) + len(self.subject) + attributes


def compose(  # noqa: PLR0913 - what one message says
    transitions: Sequence[Transition],
    *,
    commit: str,
    parts: int,
    observed_at: datetime,
    rules: RuleTexts,
    rows: int = 0,
    row_digest: str = "",
    stack: str = DEFAULT_STACK,
    chat: bool = False,
) -> Message:
    """Compose the message of one commit.

    If the message would be too large, only the worst transitions are shown in full. The others are
    counted, with the command that lists them. No transition is truncated.

    Args:
        transitions: The transitions of one transaction: at least one, all of one scope.
        commit: The name of the transaction, `observed_at#part`.
        parts: The number of transactions of the evaluation.
        observed_at: The time at which the snapshot was taken.
        rules: The titles and rationales of the rules, by id.
        rows: The number of rows in the scope's history after the commit; 0 if it is not known.
        row_digest: The digest of the last of them. Whoever keeps the message can later prove that
            these rows were neither altered nor removed.
        stack: The name of the monitor's stack, for the commands.
        chat: Whether HTTPS subscribers receive the form that Amazon Q Developer shows in chat.
    """
    ordered = sort_worst_first(transitions)
    alert = Alert(
        scope=ordered[0].finding.scope,
        commit=commit,
        parts=parts,
        observed_at=observed_at,
        transitions=ordered,
        rules=rules,
        shown_count=len(ordered),
        rows=rows,
        row_digest=row_digest,
        stack=stack,
    )
    while (message := _message(alert, chat=chat)).size > LIMIT and alert.shown_count:
        alert = replace(alert, shown_count=alert.shown_count * 3 // 4)
    return message


def _message(alert: Alert, *, chat: bool) -> Message:
    subject = format_subject(alert)
    return Message(
        subject=subject,
        text=format_text(alert),
        json=format_json(alert),
        attributes=build_attributes(alert.filters),
        chat=format_alert(alert, subject, list_scope_command(alert)) if chat else "",
    )


def build_attributes(filters: Mapping[str, str | list[str]]) -> dict[str, Attribute]:
    """Build the SNS message attributes from the values that subscribers filter by."""
    return {name: _attribute(value) for name, value in filters.items() if value}


def _attribute(value: str | list[str]) -> Attribute:
    """Build one attribute: https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html.

    A list is JSON in ASCII, as SNS rejects some characters that a name can have.
    """
    if isinstance(value, str):
        return {"DataType": "String", "StringValue": value}
    return {"DataType": "String.Array", "StringValue": json.dumps(value)}
