"""From the transitions of one commit to one message that SNS takes.

A message holds 256 KiB with its attributes:
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from posture.alerts.alert import Alert, sort_worst_first
from posture.alerts.json_body import build_filters, format_json
from posture.alerts.rule_texts import RuleTexts
from posture.alerts.subject import format_subject
from posture.alerts.text_body import format_text
from posture.model.finding import Transition

LIMIT = 262_144

Attribute = Mapping[str, str]  # DataType and StringValue, as SNS has them


@dataclass(frozen=True, slots=True)
class Message:
    """One alert in all its forms. `attributes` are for subscription filter policies."""

    subject: str
    text: str
    json: str
    attributes: Mapping[str, Attribute]

    @property
    def body(self) -> str:
        """The body for `MessageStructure=json`: text by mail, one line by phone, else JSON.

        SQS, HTTPS, Lambda and Firehose subscribers get `default`; a copy for each of them would
        leave room for a fifth of the findings.
        """
        return json.dumps({"default": self.json, "email": self.text, "sms": self.subject})

    @property
    def size(self) -> int:
        """The bytes SNS counts: body, subject and attributes."""
        attributes = sum(
            len((name + value["DataType"] + value["StringValue"]).encode())
            for name, value in self.attributes.items()
        )
        return len(self.body.encode()) + len(self.subject) + attributes


def compose(
    transitions: Sequence[Transition],
    *,
    commit: str,
    parts: int,
    observed_at: datetime,
    rules: RuleTexts,
) -> Message:
    """Make the message of one commit.

    Where everything would be too large, the worst transitions are told in full and the rest are
    counted, with the command that shows them. Nothing is ever cut in the middle.

    Args:
        transitions: What one transaction wrote: at least one, all of one scope.
        commit: The transaction's name, `observed_at#part`.
        parts: How many transactions the evaluation took.
        observed_at: When the picture was taken.
        rules: The catalogue, for titles and rationales.
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
    )
    while (message := _message(alert)).size > LIMIT and alert.shown_count:
        alert = replace(alert, shown_count=alert.shown_count * 3 // 4)
    return message


def _message(alert: Alert) -> Message:
    return Message(
        subject=format_subject(alert),
        text=format_text(alert),
        json=format_json(alert),
        attributes=build_attributes(build_filters(alert)),
    )


def build_attributes(filters: Mapping[str, str | list[str]]) -> dict[str, Attribute]:
    """Give the message attributes of what subscribers filter by."""
    return {name: _attribute(value) for name, value in filters.items() if value}


def _attribute(value: str | list[str]) -> Attribute:
    """Give an attribute as https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html.

    A list is JSON in ASCII, so that no character of a name is one SNS refuses.
    """
    if isinstance(value, str):
        return {"DataType": "String", "StringValue": value}
    return {"DataType": "String.Array", "StringValue": json.dumps(value)}
