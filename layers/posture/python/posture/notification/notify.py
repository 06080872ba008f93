"""The use case of the findings' stream: each commit becomes one alert, told once.

A stream record only points to its commit; what is told comes from the commit's history, which
never changes. So a replayed or differently cut batch says the same, or nothing. In a storm, the
commits of a batch are claimed one by one all the same, and told together in digests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from posture.alerts.message import compose
from posture.alerts.rule_texts import RuleTexts
from posture.model.scope import Scope
from posture.notification.digest import DigestPublisher
from posture.notification.ports import KEY_PREFIX, NotificationPorts, build_commit_key, load_entries
from posture.store.items import Entry
from posture.store.stream_records import CommitReference, parse_stream_record

__all__ = ["BatchResponse", "Notifier"]

REMEMBERED = 30 * 24 * 3600  # seconds; longer than any queue or stream may hand a record over again
# Seconds before a commit is tried again whose claim is held, most likely by an invocation that was
# killed: the stream repeats at once, and its few retries would be over before the claim is.
PAUSE = 10
MANY = 5  # commits of a batch; more are a storm, which is told in digests

logger = Logger()

BatchResponse = dict[str, list[dict[str, str]]]


class Notifier:
    """Tells each commit once, however often its records come."""

    def __init__(self, ports: NotificationPorts, rules: RuleTexts) -> None:
        self._ports = ports
        self._rules = rules
        self._config = IdempotencyConfig(expires_after_seconds=REMEMBERED, hash_function="sha256")
        # When telling fails, Powertools forgets the commit, so that the next attempt tells it.
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
        """Handle a batch of stream records; report those that must come again.

        Lambda repeats from the first one reported, so records after it come again as well, and
        say nothing the second time.
        https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
        """
        self._config.register_lambda_context(context)
        listed = list(records)
        commits, failed = _grouped(listed)
        if self._ports.security_hub:
            failed += self._ports.security_hub.import_findings(listed)
        if len(commits) > MANY:
            late = self._digests.publish(commits, context.get_remaining_time_in_millis())
        else:
            late = self._one_by_one(commits)
        if any(isinstance(why, IdempotencyAlreadyInProgressError) for why in late.values()):
            left = context.get_remaining_time_in_millis() / 1000 - 1
            self._ports.pause(max(0, min(PAUSE, left)))
        return _response([*failed, *(number for commit in late for number in commits[commit])])

    def _one_by_one(self, commits: Iterable[CommitReference]) -> dict[CommitReference, Exception]:
        """Tell each commit by itself; give those that must come again, and why."""
        late: dict[CommitReference, Exception] = {}
        for commit in commits:
            name = build_commit_key(commit)
            try:
                self._once(commit=name)
            except Exception as error:  # whatever fails, the batch's other commits are told
                logger.exception("alert failed", extra=name)
                late[commit] = error
        return late

    def _publish(self, *, commit: Mapping[str, str]) -> str:
        """Publish one commit's alert; give its message id."""
        scope, name = Scope.parse(commit["scope"]), commit["commit"]
        entries = load_entries(self._ports.history, scope, name)
        message = compose(
            [entry.transition for entry in entries],
            commit=name,
            parts=entries[0].parts,
            observed_at=entries[0].observed_at,
            rules=self._rules,
        )
        message_id = self._ports.topic.publish(message)
        self._ports.measure(entries, self._ports.now())
        _log(scope, name, entries, message_id)
        return message_id


def _response(failed: Iterable[str]) -> BatchResponse:
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def _grouped(
    records: Iterable[Mapping[str, Any]],
) -> tuple[dict[CommitReference, list[str]], list[str]]:
    """Give the commits with the numbers of their records, and the numbers that name no commit."""
    commits: dict[CommitReference, list[str]] = {}
    failed: list[str] = []
    for record in records:
        number = str(record["dynamodb"]["SequenceNumber"])
        try:
            commit = parse_stream_record(record)
        except Exception:  # a bad record must not keep the others from being told
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
