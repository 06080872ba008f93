"""What telling works with, whether a commit is told alone or together with others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import sleep

from aws_lambda_powertools.utilities.idempotency import BasePersistenceLayer

from posture.errors import MissingHistoryError
from posture.model.finding import FindingStatus
from posture.model.scope import Scope
from posture.notification.security_hub import SecurityHub
from posture.notification.topic import Topic
from posture.store.history import History
from posture.store.items import Entry
from posture.store.stream_records import CommitReference

KEY_PREFIX = "alert"  # the prefix of the names under which it is remembered what was told

RecordMetrics = Callable[[Sequence[Entry], datetime], None]


@dataclass(frozen=True, slots=True)
class NotificationPorts:
    """What the notifier works with.

    `measure` is told the entries of each published alert, and when it was published. `hub` is
    where findings go besides, if anywhere. `pause` waits some seconds.
    """

    history: History
    topic: Topic
    idempotency: BasePersistenceLayer
    measure: RecordMetrics
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    security_hub: SecurityHub | None = None
    pause: Callable[[float], None] = sleep


def build_commit_key(commit: CommitReference) -> dict[str, str]:
    """Give the name under which it is remembered that a commit was told."""
    return {"scope": str(commit.scope), "commit": commit.commit}


def load_entries(history: History, scope: Scope, commit: str) -> tuple[Entry, ...]:
    """Give a commit's rows, but for those of findings that somebody has accepted.

    Raises:
        MissingHistoryError: there are none.
    """
    rows = history.load_commit(scope, commit)
    told = tuple(row for row in rows if row.transition.finding.status is not FindingStatus.WAIVED)
    if told:
        return told
    raise MissingHistoryError(f"{scope}: no history of commit {commit}")
