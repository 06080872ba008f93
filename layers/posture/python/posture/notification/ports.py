"""The dependencies of the notifier, and the look-ups that alerts and digests share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import sleep
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.idempotency import BasePersistenceLayer

from posture.alerts.alert import DEFAULT_STACK
from posture.alerts.message import Message
from posture.errors import MissingHistoryError
from posture.lean_dataclass import dataclass
from posture.model.finding import FindingStatus
from posture.model.scope import Scope
from posture.notification.security_hub import SecurityHub
from posture.store.history import History
from posture.store.items import CommitReference, Entry

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class Topic:
    """Publishes messages to the alert topic."""

    def __init__(self, client: SNSClient, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, message: Message) -> str:
        """Publish a message and return its SNS message id."""
        answer = self._client.publish(
            TopicArn=self._arn,
            Subject=message.subject,
            Message=message.body,
            MessageStructure="json",
            MessageAttributes={
                name: {"DataType": value["DataType"], "StringValue": value["StringValue"]}
                for name, value in message.attributes.items()
            },
        )
        return answer["MessageId"]


@dataclass(frozen=True, slots=True)
class NotificationPorts:
    """The dependencies of the notifier.

    Attributes:
        idempotency: Remembers which commits were reported.
        measure: Records the entries of a published alert and the time of its publication.
        security_hub: Imports findings as well, where configured.
        pause: Waits for a number of seconds.
        stack: The name of the monitor's stack, for the commands in messages.
        chat: Whether HTTPS subscribers receive the form that Amazon Q Developer shows in chat.
    """

    history: History
    topic: Topic
    idempotency: BasePersistenceLayer
    measure: Callable[[Sequence[Entry], datetime], None]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    security_hub: SecurityHub | None = None
    pause: Callable[[float], None] = sleep
    stack: str = DEFAULT_STACK
    chat: bool = False


def build_commit_key(commit: CommitReference) -> dict[str, str]:
    """Build the key under which a commit is remembered as reported."""
    return {"scope": str(commit.scope), "commit": commit.commit}


def load_entries(history: History, scope: Scope, commit: str) -> tuple[Entry, ...]:
    """Load a commit's history entries, without those of waived findings.

    Raises:
        MissingHistoryError: The commit has no such entries.
    """
    entries = tuple(
        each
        for each in history.load_commit(scope, commit)
        if each.transition.finding.status is not FindingStatus.WAIVED
    )
    if not entries:
        raise MissingHistoryError(f"{scope}: no history of commit {commit}")
    return entries
