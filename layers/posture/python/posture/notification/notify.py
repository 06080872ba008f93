"""Handling of the findings table's stream: each commit is reported once, as one alert.

A stream record only refers to its commit. The alert is built from the commit's history, which never
changes, so a repeated or differently split batch reports the same or nothing. When a batch has many
commits, each still has its own claim, and digests report them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyAlreadyInProgressError
from aws_lambda_powertools.utilities.typing import LambdaContext

from posture.alerts.message import compose
from posture.alerts.rule_texts import RuleTexts
from posture.model.scope import Scope
from posture.notification.digest_publisher import DigestPublisher
from posture.notification.ports import NotificationPorts, build_commit_key, load_entries
from posture.store.digest_batches import KEY_PREFIX
from posture.store.items import CommitReference, Entry, parse_stream_record

RETENTION = 30 * 24 * 3600  # seconds; longer than a queue or stream can redeliver a record
# Seconds to wait when another invocation, probably one that was killed, holds a claim. The stream
# retries at once, and its few retries would end before the claim expires.
PAUSE = 10
MAX_SINGLE_ALERTS = 5  # commits of a batch; more are reported in digests

logger = Logger()

BatchResponse = dict[str, list[dict[str, str]]]


class Notifier:
    """Reports each commit once, however often its records are delivered."""

    def __init__(self, ports: NotificationPorts, rules: RuleTexts) -> None:
        self._ports = ports
        self._rules = rules
        self._config = IdempotencyConfig(expires_after_seconds=RETENTION, hash_function="sha256")
        # If publishing fails, Powertools deletes its record, and the next attempt publishes.
        self._once: Callable[..., str] = idempotent_function(
            self._publish,
            data_keyword_argument="commit",
            persistence_store=ports.idempotency,
            config=self._config,
            key_prefix=KEY_PREFIX,
        )
        ports.idempotency.configure(self._config, key_prefix=KEY_PREFIX)
        self._digests = DigestPublisher(ports, rules)

    def notify(self, records: Iterable[Mapping[str, Any]], context: LambdaContext) -> BatchResponse:
        """Handle a batch of stream records and return the records to retry.

        Lambda retries from the first failed record, so records after it are delivered again, and
        have no effect the second time.
        https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
        """
        self._config.register_lambda_context(context)
        listed = list(records)
        commits, failed = _group_by_commit(listed)
        if self._ports.security_hub:
            failed += self._ports.security_hub.import_findings(listed)
        if len(commits) > MAX_SINGLE_ALERTS:
            late = self._digests.publish(commits, context.get_remaining_time_in_millis())
        else:
            late = self._publish_each(commits)
        if any(isinstance(why, IdempotencyAlreadyInProgressError) for why in late.values()):
            left = context.get_remaining_time_in_millis() / 1000 - 1
            self._ports.pause(max(0, min(PAUSE, left)))
        failed += [number for commit in late for number in commits[commit]]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}

    def _publish_each(self, commits: Iterable[CommitReference]) -> dict[CommitReference, Exception]:
        """Publish one alert for each commit; return the commits to retry, with the error."""
        late: dict[CommitReference, Exception] = {}
        for commit in commits:
            name = build_commit_key(commit)
            try:
                self._once(commit=name)
            except Exception as error:  # an error of one commit must not stop the others
                logger.exception("alert failed", extra=name)
                late[commit] = error
        return late

    def _publish(self, *, commit: Mapping[str, str]) -> str:
        """Publish the alert of one commit and return its message id."""
        scope, name = Scope.parse(commit["scope"]), commit["commit"]
        entries = load_entries(self._ports.history, scope, name)
        message = compose(
            [entry.transition for entry in entries],
            commit=name,
            parts=entries[0].parts,
            observed_at=entries[0].observed_at,
            rules=self._rules,
            rows=(last := max(entries, key=lambda entry: entry.number)).number,
            row_digest=last.digest,
            stack=self._ports.stack,
            chat=self._ports.chat,
        )
        message_id = self._ports.topic.publish(message)
        self._ports.measure(entries, self._ports.now())
        _log(scope, name, entries, message_id)
        return message_id


def _group_by_commit(
    records: Iterable[Mapping[str, Any]],
) -> tuple[dict[CommitReference, list[str]], list[str]]:
    """Return the sequence numbers by commit, and those of records that cannot be read."""
    commits: dict[CommitReference, list[str]] = {}
    failed: list[str] = []
    for record in records:
        number = str(record["dynamodb"]["SequenceNumber"])
        try:
            commit = parse_stream_record(record)
        except Exception:  # a malformed record must not stop the others
            logger.exception("stream record unreadable", extra={"sequence_number": number})
            failed.append(number)
            continue
        if commit:
            commits.setdefault(commit, []).append(number)
    return commits, failed


def _log(scope: Scope, commit: str, entries: Sequence[Entry], message_id: str) -> None:
    causes = {entry.transition.finding.cause for entry in entries}
    events = sorted({cause.event_id for cause in causes if cause})
    logger.info(
        "alert published",
        extra={
            "correlation_id": events[0] if events else None,
            "event_ids": events,
            "scope": str(scope),
            "commit": commit,
            "findings": len(entries),
            "message_id": message_id,
        },
    )
