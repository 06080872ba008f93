"""Dead letters of the changes queue and of EventBridge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from posture.changes.batch import parse_sqs_event
from posture.errors import MalformedChangeError
from posture.store.attribute_values import serialize
from posture.store.rejections import PARTITION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

    from posture_cli.dead_letters.functions import DeployedFunction
    from posture_cli.dead_letters.queue import DeadLetterMessage

UNKNOWN = "no reason is recorded: see the log of the evaluate function"


class ChangeDeadLetters:
    """Changes that the evaluate function rejected; the history table has the reasons."""

    outcome = "returned to the queue"

    def __init__(
        self, sqs: SQSClient, queue_url: str, dynamodb: DynamoDBClient, history: str
    ) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._dynamodb = dynamodb
        self._history = history

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Return the event's fields."""
        return describe_event(message)

    def explain(self, message: DeadLetterMessage) -> str:
        """Return the reason that the evaluate function recorded."""
        key = serialize({"scope": PARTITION, "entry": message.message_id})
        row = self._dynamodb.get_item(TableName=self._history, Key=key).get("Item", {})
        return str(row.get("reason", {}).get("S", UNKNOWN))

    def reprocess(self, message: DeadLetterMessage) -> str:
        """Send the message to the changes queue."""
        return send_to_changes_queue(self._sqs, self._queue_url, message)


class UndeliveredDeadLetters:
    """Events that EventBridge could not deliver; the message attributes have the reasons.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """

    outcome = "returned to the queue"

    def __init__(self, sqs: SQSClient, queue_url: str, sweep: DeployedFunction) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._sweep = sweep

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Return the event's fields; the schedule's invocation of the sweep has none."""
        return {"event": "sweep"} if _is_for_sweep(message) else describe_event(message)

    def explain(self, message: DeadLetterMessage) -> str:
        """Return EventBridge's error code and message."""
        names = [name for name in ("ERROR_CODE", "ERROR_MESSAGE") if name in message.attributes]
        return ": ".join(message.attributes[name] for name in names) or UNKNOWN

    def reprocess(self, message: DeadLetterMessage) -> str:
        """Send the event to the changes queue, or start the sweep that was due."""
        if _is_for_sweep(message):
            return self._sweep.start_once()
        return send_to_changes_queue(self._sqs, self._queue_url, message)


def _is_for_sweep(message: DeadLetterMessage) -> bool:
    """Return whether the target was a function: rules target only one, the sweep."""
    return ":function:" in message.attributes.get("TARGET_ARN", "")


def describe_event(message: DeadLetterMessage) -> Mapping[str, Any]:
    """Return an EventBridge event's fields, with the API call's name as `event`."""
    event = message.parse_body()
    detail = event.get("detail")
    name = detail.get("eventName") if isinstance(detail, dict) else None
    return {**event, "event": name or "unreadable"}


def send_to_changes_queue(sqs: SQSClient, queue_url: str, message: DeadLetterMessage) -> str:
    """Send a message to the changes queue; return "" on success, else the error."""
    try:
        readable = parse_sqs_event(
            {"Records": [{"messageId": "again", "body": message.body}]}
        ).received
    except MalformedChangeError:
        readable = ()
    if not readable:
        return "the message contains no change that this version can read"
    sqs.send_message(QueueUrl=queue_url, MessageBody=message.body)
    return ""
