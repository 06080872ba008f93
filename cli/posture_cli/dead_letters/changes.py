"""Changes that the evaluator gave up, and events that EventBridge could not hand over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from posture.changes.batch import parse_sqs_event
from posture.errors import MalformedChangeError
from posture.store.attribute_values import serialize
from posture.store.rejections import PARTITION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

    from posture_cli.dead_letters.queue import DeadLetterMessage

UNKNOWN = "no reason was kept: it was given up without being refused; see the evaluator's log"


class ChangeDeadLetters:
    """Dead letters of the changes queue; why they were given up lies in the history table."""

    outcome = "put back"

    def __init__(
        self, sqs: SQSClient, queue_url: str, dynamodb: DynamoDBClient, history: str
    ) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._dynamodb = dynamodb
        self._history = history

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Give the event's own fields where it has them."""
        return describe_event(message)

    def explain(self, message: DeadLetterMessage) -> str:
        """Give what the evaluator wrote down as it refused the message, or gave it up."""
        key = serialize({"scope": PARTITION, "entry": message.message_id})
        row = self._dynamodb.get_item(TableName=self._history, Key=key).get("Item", {})
        return str(row.get("reason", {}).get("S", UNKNOWN))

    def reprocess(self, message: DeadLetterMessage) -> str:
        """Send it to the changes queue."""
        return send_to_changes_queue(self._sqs, self._queue_url, message)


class UndeliveredDeadLetters:
    """What EventBridge could not deliver; it says why in the message's attributes.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """

    outcome = "put back"

    def __init__(self, sqs: SQSClient, queue_url: str, sweep: Callable[[], str]) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._sweep = sweep

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Give the event's own fields; the schedule's call of the sweep has none."""
        return {"event": "sweep"} if _for_sweep(message) else describe_event(message)

    def explain(self, message: DeadLetterMessage) -> str:
        """Give EventBridge's own words."""
        names = [name for name in ("ERROR_CODE", "ERROR_MESSAGE") if name in message.attributes]
        return ": ".join(message.attributes[name] for name in names) or UNKNOWN

    def reprocess(self, message: DeadLetterMessage) -> str:
        """Send it to the changes queue, or start the sweep that was due."""
        return (
            self._sweep()
            if _for_sweep(message)
            else send_to_changes_queue(self._sqs, self._queue_url, message)
        )


def _for_sweep(message: DeadLetterMessage) -> bool:
    """Tell whether it was for a function: our rules call only the sweep's, all others a queue."""
    return ":function:" in message.attributes.get("TARGET_ARN", "")


def describe_event(message: DeadLetterMessage) -> Mapping[str, Any]:
    """Give what an EventBridge event tells of itself."""
    event = message.parse_body()
    detail = event.get("detail")
    name = detail.get("eventName") if isinstance(detail, dict) else None
    return {**event, "event": name or "unreadable"}


def send_to_changes_queue(sqs: SQSClient, queue_url: str, message: DeadLetterMessage) -> str:
    """Send a letter to the changes queue; say why where that's no use."""
    try:
        readable = parse_sqs_event(
            {"Records": [{"messageId": "again", "body": message.body}]}
        ).received
    except MalformedChangeError:
        readable = ()
    if not readable:
        return "no change that this version can read"
    sqs.send_message(QueueUrl=queue_url, MessageBody=message.body)
    return ""
