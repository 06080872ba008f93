"""Read a dead-letter queue, and delete each message once it is reprocessed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

VISIBILITY_TIMEOUT = 300  # seconds for which a received message is invisible to others
FIELDS = ("event", "account", "region", "time")


@dataclass(frozen=True, slots=True)
class DeadLetterMessage:
    """One message of a dead-letter queue.

    Attributes:
        message_id: Its id in the dead-letter queue.
        receipt: The receipt handle by which it is deleted.
        body: Its body, unchanged.
        attributes: Its message attributes.
        tries: How often it was received.
    """

    message_id: str
    receipt: str
    body: str
    attributes: Mapping[str, str]
    tries: int

    def parse_body(self) -> Mapping[str, Any]:
        """Return the body's JSON object, or an empty one if the body is anything else."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


class DeadLetterKind(Protocol):
    """A kind of dead letters."""

    @property
    def outcome(self) -> str:
        """What happened to a message that is reprocessed."""

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Return `event`, `account`, `region` and `time`, as far as they are known."""

    def explain(self, message: DeadLetterMessage) -> str:
        """Return why processing failed, as far as is known."""

    def reprocess(self, message: DeadLetterMessage) -> str:
        """Reprocess the message; return "" on success, else the error."""


class DeadLetterQueue:
    """One dead-letter queue, and the kind of its messages."""

    def __init__(self, sqs: SQSClient, source: str, kind: DeadLetterKind) -> None:
        self._sqs = sqs
        self._source = source
        self._received: list[str] = []
        self.kind = kind

    def count_messages(self) -> int:
        """Return SQS's approximate number of messages."""
        answer = self._sqs.get_queue_attributes(
            QueueUrl=self._source, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def receive_messages(self) -> Iterator[DeadLetterMessage]:
        """Receive each message once; those not deleted are visible again after five minutes."""
        received: set[str] = set()
        while messages := self._receive():
            fresh = [it for it in messages if it["MessageId"] not in received]
            for message in fresh:
                received.add(message["MessageId"])
                self._received.append(message["ReceiptHandle"])
                yield _build_message(message)
            if not fresh:
                return

    def build_row(self, message: DeadLetterMessage) -> dict[str, Any]:
        """Return a message's fields for the output."""
        fields = self.kind.describe(message)
        return {
            "message_id": message.message_id,
            **{name: str(fields.get(name) or "") for name in FIELDS},
            "tries": fields.get("tries", message.tries),
            "reason": self.kind.explain(message),
            "body": message.body,
        }

    def redrive(self, message: DeadLetterMessage) -> str:
        """Reprocess and delete a message; return "" on success, else the error."""
        if problem := self.kind.reprocess(message):
            return problem
        self._sqs.delete_message(QueueUrl=self._source, ReceiptHandle=message.receipt)
        return ""

    def release(self) -> None:
        """Make all received messages visible again."""
        for receipt in self._received:
            self._sqs.change_message_visibility(
                QueueUrl=self._source, ReceiptHandle=receipt, VisibilityTimeout=0
            )

    def _receive(self) -> list[MessageTypeDef]:
        answer = self._sqs.receive_message(
            QueueUrl=self._source,
            MaxNumberOfMessages=10,
            VisibilityTimeout=VISIBILITY_TIMEOUT,
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
