"""The use case of the changes queue: look where a batch of changes points, and record what is true.

A message succeeds once every scope it concerns is recorded; the others of its batch do not wait for
it. What fails is handed out again by the queue, and in the end to its dead-letter queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools import Logger

from posture.changes.batch import ChangeBatch, ReceivedChange, RejectedRecord, parse_sqs_event
from posture.errors import describe_error
from posture.evaluation.batch import CAUGHT, BatchEvaluation, EvaluationPorts, Failures
from posture.evaluation.scope import ScopeResult
from posture.model.change import ChangeOutcome
from posture.runtime.deadline import Deadline
from posture.store.rejections import LAST_TRY
from posture.store.scope_store import WriteOutcome as Recording

logger = Logger()


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch came to. `failed` are the ids of messages that must come again."""

    changes: int = 0
    ignored: int = 0
    rejected: int = 0
    regions_swept: int = 0
    results: tuple[ScopeResult, ...] = ()
    failed: tuple[str, ...] = field(default=())

    def build_response(self) -> dict[str, list[dict[str, str]]]:
        """Give the partial batch response.

        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
        """
        return {"batchItemFailures": [{"itemIdentifier": each} for each in self.failed]}

    def count_metrics(self) -> dict[str, int]:
        """Give the batch's metrics by name."""
        outcomes = [each.outcome for each in self.results]
        return {
            "ChangesReceived": self.changes,
            "ChangesIgnored": self.ignored,
            "ChangesRejected": self.rejected,
            "ChangesFailed": len(self.failed) - self.rejected,
            "RegionsSwept": self.regions_swept,
            "ScopesEvaluated": len(outcomes),
            "ScopesUnchanged": sum(not each.evaluated for each in self.results),
            "StaleEvaluations": outcomes.count(Recording.STALE),
        }


class Evaluator:
    """Evaluates batches for one account and region."""

    def __init__(self, ports: EvaluationPorts) -> None:
        self._ports = ports

    def evaluate(self, event: Mapping[str, Any], deadline: Deadline | None = None) -> BatchResult:
        """Evaluate what the changes queue hands over, or one EventBridge event by itself.

        The deadline is for the sweep that a change may need which leads to no VPC in particular.

        Raises:
            MalformedChangeError: the event is neither.
            ClientError, BotoCoreError: the tables do not answer, so all of it must come again.
            CorruptItemError: the baseline cannot be read.
        """
        batch = self._ours(parse_sqs_event(event))
        self._reject(batch.rejected)
        applied = [each for each in batch.received if each.change.outcome is ChangeOutcome.APPLIED]
        changes = {each.change.event_id: each.change for each in applied}
        looked = BatchEvaluation(self._ports, list(changes.values()), deadline or Deadline())
        try:
            failures = looked.run() if changes else {}
        except CAUGHT as error:
            self._give_up(applied, dict.fromkeys(changes, describe_error(error)))
            raise
        self._give_up(applied, failures)
        late = [each.message_id for each in applied if each.change.event_id in failures]
        return BatchResult(
            changes=len(batch.received) + len(batch.rejected),
            ignored=len(batch.received) - len(applied),
            rejected=len(batch.rejected),
            regions_swept=looked.regions_swept,
            results=tuple(looked.results),
            failed=(*(each.message_id for each in batch.rejected), *late),
        )

    def _ours(self, batch: ChangeBatch) -> ChangeBatch:
        """Reject changes of accounts and regions that cannot be read from here."""
        home = self._ports.observer.region
        foreign = [each for each in batch.received if not self._ports.watches(each.change.region)]
        rejected = [
            RejectedRecord(
                each.message_id,
                f"event {each.change.event_id} is of {each.change.region}, this monitor of {home}",
                repr(each.change),
            )
            for each in foreign
        ]
        received = tuple(each for each in batch.received if each not in foreign)
        return ChangeBatch(received, (*batch.rejected, *rejected))

    def _give_up(self, applied: Iterable[ReceivedChange], failures: Failures) -> None:
        """Keep why a change failed at its last try: a dead letter itself does not tell."""
        for each in applied:
            if each.receive_count < LAST_TRY or each.change.event_id not in failures:
                continue
            reason = (
                f"failed {each.receive_count} times, at last by {failures[each.change.event_id]}"
            )
            try:
                self._reject([RejectedRecord(each.message_id, reason, each.body)])
            except CAUGHT:  # the log has it, and the others of the batch must not fail for it
                logger.exception("reason not kept", extra={"message_id": each.message_id})

    def _reject(self, rejected: Iterable[RejectedRecord]) -> None:
        now = self._ports.observer.now()
        for each in rejected:
            reason = {"message_id": each.message_id, "reason": each.reason}
            logger.error("change rejected", extra=reason)
            self._ports.rejections.keep(each, now)
