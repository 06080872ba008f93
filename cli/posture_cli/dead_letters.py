"""The dead-letter queues of a deployed stack: read, explain, put back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

from posture.aws.attributes import typed
from posture.aws.rejections import PARTITION
from posture.changes.batch import from_sqs
from posture.errors import MalformedChangeError
from posture_cli.deployed import output_of

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

HELD = 300  # seconds a message is ours while it is shown and put back
UNKNOWN = "no reason was kept: it was given up without being refused; see the evaluator's log"

ReasonOf = Callable[["MessageTypeDef"], str]


@dataclass(frozen=True, slots=True)
class Letter:
    """One message that was given up, and why as far as is known."""

    message_id: str
    receipt: str
    body: str
    tries: int
    reason: str

    def told(self) -> dict[str, Any]:
        """Give what a person wants to know of it; the event's own fields where it has them."""
        try:
            event = json.loads(self.body)
            detail = event.get("detail", {})
        except (json.JSONDecodeError, AttributeError):
            event = detail = {}
        name = detail.get("eventName") if isinstance(detail, dict) else None
        return {
            "message_id": self.message_id,
            "event": str(name or "unreadable"),
            "account": str(event.get("account", "")) if event else "",
            "region": str(event.get("region", "")) if event else "",
            "time": str(event.get("time", "")) if event else "",
            "tries": self.tries,
            "reason": self.reason,
            "body": self.body,
        }


class DeadLetters:
    """One dead-letter queue, whose messages go back to the changes queue."""

    def __init__(self, sqs: SQSClient, source: str, target: str, reason_of: ReasonOf) -> None:
        self._sqs = sqs
        self._source = source
        self._target = target
        self._reason_of = reason_of
        self._held: list[str] = []

    def waiting(self) -> int:
        """Count the messages, as nearly as SQS knows."""
        answer = self._sqs.get_queue_attributes(
            QueueUrl=self._source, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def read(self) -> Iterator[Letter]:
        """Take each message out once; it is back after five minutes, if nobody removes it."""
        seen: set[str] = set()
        while messages := self._receive():
            fresh = [it for it in messages if it["MessageId"] not in seen]
            for message in fresh:
                seen.add(message["MessageId"])
                self._held.append(message["ReceiptHandle"])
                yield Letter(
                    message["MessageId"],
                    message["ReceiptHandle"],
                    message["Body"],
                    int(message["Attributes"]["ApproximateReceiveCount"]),
                    self._reason_of(message),
                )
            if not fresh:
                return

    def put_back(self, letter: Letter) -> str:
        """Send a message to the changes queue and remove it here; say why where that's no use."""
        try:
            readable = from_sqs({"Records": [{"messageId": "again", "body": letter.body}]}).received
        except MalformedChangeError:
            readable = ()
        if not readable:
            return "no change that this version can read"
        self._sqs.send_message(QueueUrl=self._target, MessageBody=letter.body)
        self._sqs.delete_message(QueueUrl=self._source, ReceiptHandle=letter.receipt)
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


def of_changes(stack: str, region: str | None) -> DeadLetters:
    """Open what the evaluator gave up; the reasons lie in the history table.

    Raises:
        DeploymentError: there is no such stack, or it is not one of ours.
    """
    session = boto3.Session(region_name=region)
    table = output_of(stack, "HistoryTableName", region)
    dynamodb = session.client("dynamodb")

    def reason_of(message: MessageTypeDef) -> str:
        key = typed({"scope": PARTITION, "entry": message["MessageId"]})
        row = dynamodb.get_item(TableName=table, Key=key).get("Item", {})
        return str(row.get("reason", {}).get("S", UNKNOWN))

    return _opened(stack, "ChangesDeadLetterQueueUrl", region, reason_of)


def of_undelivered(stack: str, region: str | None) -> DeadLetters:
    """Open what EventBridge could not deliver; it says why in the message's attributes.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html

    Raises:
        DeploymentError: there is no such stack, or it is not one of ours.
    """

    def reason_of(message: MessageTypeDef) -> str:
        attributes = message.get("MessageAttributes", {})
        names = [name for name in ("ERROR_CODE", "ERROR_MESSAGE") if name in attributes]
        return ": ".join(attributes[name].get("StringValue", "") for name in names) or UNKNOWN

    return _opened(stack, "UndeliveredQueueUrl", region, reason_of)


def _opened(stack: str, output: str, region: str | None, reason_of: ReasonOf) -> DeadLetters:
    sqs = boto3.Session(region_name=region).client("sqs")
    source = output_of(stack, output, region)
    return DeadLetters(sqs, source, output_of(stack, "ChangesQueueUrl", region), reason_of)
