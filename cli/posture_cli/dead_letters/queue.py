"""A dead-letter queue: its messages are taken out, shown, and removed once they are done again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

HELD = 300  # seconds a message is ours while it is shown and done again
TOLD = ("event", "account", "region", "time")


@dataclass(frozen=True, slots=True)
class DeadLetterMessage:
    """One message that was given up.

    Args:
        message_id: Its id in the dead-letter queue.
        receipt: What it is removed by.
        body: Its text as it came.
        attributes: What was attached to it.
        tries: How often it was handed out.
    """

    message_id: str
    receipt: str
    body: str
    attributes: Mapping[str, str]
    tries: int

    def parse_body(self) -> Mapping[str, Any]:
        """Give the JSON object that it holds; an empty one where it holds none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


class DeadLetterKind(Protocol):
    """A kind of dead letters. `outcome` says what becomes of one that is done again."""

    outcome: str

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Give the `event`, `account`, `region` and `time` of a message, as far as it tells them."""

    def explain(self, message: DeadLetterMessage) -> str:
        """Say why it was given up, as far as is known."""

    def reprocess(self, message: DeadLetterMessage) -> str:
        """Do it again; give "" once it is taken care of, else why it is not."""


class DeadLetterQueue:
    """One dead-letter queue and what its kind of letters means."""

    def __init__(self, sqs: SQSClient, source: str, kind: DeadLetterKind) -> None:
        self._sqs = sqs
        self._source = source
        self._held: list[str] = []
        self.kind = kind

    def count_messages(self) -> int:
        """Count the messages, as nearly as SQS knows."""
        answer = self._sqs.get_queue_attributes(
            QueueUrl=self._source, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def receive_messages(self) -> Iterator[DeadLetterMessage]:
        """Take each message out once; it is back after five minutes, if nobody removes it."""
        seen: set[str] = set()
        while messages := self._receive():
            fresh = [it for it in messages if it["MessageId"] not in seen]
            for message in fresh:
                seen.add(message["MessageId"])
                self._held.append(message["ReceiptHandle"])
                yield _build_message(message)
            if not fresh:
                return

    def build_row(self, message: DeadLetterMessage) -> dict[str, Any]:
        """Give what a person wants to know of a message."""
        told = self.kind.describe(message)
        return {
            "message_id": message.message_id,
            **{name: str(told.get(name) or "") for name in TOLD},
            "tries": told.get("tries", message.tries),
            "reason": self.kind.explain(message),
            "body": message.body,
        }

    def redrive(self, message: DeadLetterMessage) -> str:
        """Do it again and remove it here; say why where that's no use, and leave it."""
        if problem := self.kind.reprocess(message):
            return problem
        self._sqs.delete_message(QueueUrl=self._source, ReceiptHandle=message.receipt)
        return ""

    def release(self) -> None:
        """Give back at once what was only looked at."""
        for receipt in self._held:
            self._sqs.change_message_visibility(
                QueueUrl=self._source, ReceiptHandle=receipt, VisibilityTimeout=0
            )

    def _receive(self) -> list[MessageTypeDef]:
        answer = self._sqs.receive_message(
            QueueUrl=self._source,
            MaxNumberOfMessages=10,
            VisibilityTimeout=HELD,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
            MessageAttributeNames=["All"],
        )
        return answer.get("Messages", [])


def _build_message(message: MessageTypeDef) -> DeadLetterMessage:
    attached = message.get("MessageAttributes", {})
    return DeadLetterMessage(
        message_id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message["Body"],
        attributes={name: str(each.get("StringValue", "")) for name, each in attached.items()},
        tries=int(message["Attributes"]["ApproximateReceiveCount"]),
    )
