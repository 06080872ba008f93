"""Dead letters of the queues of changes, and of EventBridge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class ChangesQueue:
    """The queue of the evaluate function."""

    sqs: SQSClient
    url: str

    def send(self, message: DeadLetterMessage) -> str:
        """Send a message to the queue; return "" on success, else the error."""
        record = {"messageId": "again", "body": message.body}
        try:
            readable = parse_sqs_event({"Records": [record]}).received
        except MalformedChangeError:
            readable = ()
        if not readable:
            return "the message contains no change that this version can read"
        self.sqs.send_message(QueueUrl=self.url, MessageBody=message.body)
        return ""


@dataclass(frozen=True, slots=True)
class ChangeDeadLetters:
    """Changes that the evaluate function rejected; the history table has the reasons."""

    changes: ChangesQueue
    dynamodb: DynamoDBClient
    history: str
    outcome: str = "returned to the queue"

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Return the event's fields."""
        return describe_event(message)

    def explain(self, message: DeadLetterMessage) -> str:
        """Return the reason that the evaluate function recorded."""
        key = serialize({"scope": PARTITION, "entry": message.message_id})
        row = self.dynamodb.get_item(TableName=self.history, Key=key).get("Item", {})
        return str(row.get("reason", {}).get("S", UNKNOWN))

    def reprocess(self, message: DeadLetterMessage) -> str:
        """Send the message to the changes queue."""
        return self.changes.send(message)


@dataclass(frozen=True, slots=True)
class UndeliveredDeadLetters:
    """Events that EventBridge could not deliver; the message attributes have the reasons.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """

    changes: ChangesQueue
    sweep: DeployedFunction
    outcome: str = "returned to the queue"

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Return the event's fields; the schedule's invocation of the sweep has none."""
        return {"event": "sweep"} if _is_for_function(message) else describe_event(message)

    def explain(self, message: DeadLetterMessage) -> str:
        """Return EventBridge's error code and message."""
        return _explain_undelivered(message) or UNKNOWN

    def reprocess(self, message: DeadLetterMessage) -> str:
        """Send the event to the changes queue, or start the sweep that was due."""
        if _is_for_function(message):
            return self.sweep.start_once()
        return self.changes.send(message)


@dataclass(frozen=True, slots=True)
class SurveyDeadLetters:
    """Changes of the shared network that were not surveyed; a new survey reads all of it."""

    survey: DeployedFunction
    outcome: str = "covered by a new survey"

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Return the event's fields; the schedule's invocation of the survey has none."""
        return {"event": "survey"} if _is_for_function(message) else describe_event(message)

    def explain(self, message: DeadLetterMessage) -> str:
        """Return EventBridge's error, or where the reason is."""
        return _explain_undelivered(message) or "see the log of the survey function"

    def reprocess(self, message: DeadLetterMessage) -> str:  # noqa: ARG002 - one survey serves all
        """Start a survey, unless one was started before."""
        return self.survey.start_once()


def _explain_undelivered(message: DeadLetterMessage) -> str:
    """Return EventBridge's error code and message; "" if the event was delivered."""
    names = [name for name in ("ERROR_CODE", "ERROR_MESSAGE") if name in message.attributes]
    return ": ".join(message.attributes[name] for name in names)


def _is_for_function(message: DeadLetterMessage) -> bool:
    """Return whether the target was a function: only schedules have one as their target."""
    return ":function:" in message.attributes.get("TARGET_ARN", "")


def describe_event(message: DeadLetterMessage) -> Mapping[str, Any]:
    """Return an EventBridge event's fields, with the API call's name as `event`."""
    event = message.parse_body()
    detail = event.get("detail")
    # The second name is that of Network Manager's own events.
    names = [detail.get("eventName"), detail.get("changeType")] if isinstance(detail, dict) else []
    return {**event, "event": next(filter(None, names), "unreadable")}
