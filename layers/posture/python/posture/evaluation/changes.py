"""The use case of the changes queue: evaluate all scopes that a batch of changes concerns.

A message succeeds when every scope that it concerns is recorded, whatever happens to the others of
its batch. The queue hands out a failed message again, and at last to its dead-letter queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from aws_lambda_powertools import Logger

from posture.changes.batch import ChangeBatch, ReceivedChange, RejectedRecord, parse_sqs_event
from posture.errors import describe_error
from posture.evaluation.batch import CAUGHT, BatchEvaluation, EvaluationPorts, Failures
from posture.evaluation.scope import ScopeResult
from posture.lean_dataclass import dataclass
from posture.model.change import Change, ChangeOutcome
from posture.model.scope import Region, Scope
from posture.runtime.deadline import Deadline
from posture.store.rejections import LAST_TRY
from posture.store.scope_evaluation import WriteOutcome

HEARTBEAT = "CreateTags"  # the call of the stack's HeartbeatSchedule

logger = Logger()


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The result of a batch. `failed` are the ids of the messages to retry.

    `unmonitored` counts changes of accounts and Regions for which the monitor is not responsible,
    and events that name another account than they come from. They are dropped, whether or not they
    can be parsed: no other account can fill its dead-letter queue or keep an alarm raised.
    """

    changes: int = 0
    ignored: int = 0
    unmonitored: int = 0
    heartbeat_delays: tuple[float, ...] = ()  # seconds from the call to the end of its evaluation
    rejected: int = 0
    regions_swept: int = 0
    results: tuple[ScopeResult, ...] = ()
    failed: tuple[str, ...] = ()

    def build_response(self) -> dict[str, list[dict[str, str]]]:
        """Build the partial batch response.

        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
        """
        return {"batchItemFailures": [{"itemIdentifier": each} for each in self.failed]}

    def count_metrics(self) -> dict[str, int]:
        """Count the batch's metrics, by name."""
        outcomes = [each.outcome for each in self.results]
        return {
            "Heartbeats": len(self.heartbeat_delays),
            "ChangesReceived": self.changes,
            "ChangesIgnored": self.ignored,
            "ChangesRejected": self.rejected,
            "ChangesUnmonitored": self.unmonitored,
            "ChangesFailed": len(self.failed) - self.rejected,
            "RegionsSwept": self.regions_swept,
            "ScopesEvaluated": len(outcomes),
            "ScopesUnchanged": sum(not each.evaluated for each in self.results),
            "StaleEvaluations": outcomes.count(WriteOutcome.STALE),
            "FutureTimes": sum(each.was_ahead for each in self.results),
        }


class Evaluator:
    """Evaluates batches of changes for one monitor."""

    def __init__(self, ports: EvaluationPorts) -> None:
        self._ports = ports

    def evaluate(self, event: Mapping[str, Any], deadline: Deadline | None = None) -> BatchResult:
        """Evaluate the changes of an SQS event, or of one EventBridge event.

        Args:
            event: The event that Lambda passes.
            deadline: The deadline of a sweep for changes that cannot be resolved to a VPC.

        Raises:
            MalformedChangeError: the event is neither.
            ClientError, BotoCoreError: DynamoDB does not answer; the whole batch must be retried.
            CorruptItemError: the baseline cannot be read.
        """
        parsed = parse_sqs_event(event)
        batch = self._drop_unmonitored(parsed)
        self._reject(batch.rejected)
        applied = [each for each in batch.received if each.change.outcome is ChangeOutcome.APPLIED]
        tampering = [
            each for each in batch.received if each.change.outcome is ChangeOutcome.TAMPERING
        ]
        lost = self._record_tampering([each.change for each in tampering])
        self._give_up(tampering, lost)
        changes = {each.change.event_id: each.change for each in applied}
        evaluation = BatchEvaluation(self._ports, list(changes.values()), deadline or Deadline())
        try:
            failures = evaluation.run() if changes else {}
        except CAUGHT as error:
            self._give_up(applied, dict.fromkeys(changes, describe_error(error)))
            raise
        self._give_up(applied, failures)
        failed = [
            *(each.message_id for each in tampering if each.change.event_id in lost),
            *(each.message_id for each in applied if each.change.event_id in failures),
        ]
        return BatchResult(
            changes=parsed.size,
            ignored=len(batch.received) - len(applied) - len(tampering),
            unmonitored=parsed.size - batch.size,
            rejected=len(batch.rejected),
            heartbeat_delays=tuple(self._measure_heartbeats(applied, failures)),
            regions_swept=evaluation.regions_swept,
            results=tuple(evaluation.results),
            failed=(*(each.message_id for each in batch.rejected), *failed),
        )

    def _record_tampering(self, calls: Sequence[Change]) -> Failures:
        """Record calls that can stop the monitor; return those to try again, and why.

        They come first, whatever else is in the batch.
        """
        by_scope: dict[Scope, list[Change]] = {}
        home = self._ports.observer.region
        for call in calls:
            scope = Region(call.region.account, home.name).monitor
            by_scope.setdefault(scope, []).append(call)
        failures: dict[str, str] = {}
        for scope, its in by_scope.items():
            # Imported when there is such a call: a cold start of others need not wait for it.
            from posture.evaluation.tampering import TamperingRecorder  # noqa: PLC0415

            events = [each.event_id for each in its]
            try:
                ports = self._ports
                recorder = TamperingRecorder(ports.store, ports.baselines, ports.observer.now)
                recorder.record(scope, its)
            except CAUGHT as error:
                logger.exception("calls that can stop the monitor not recorded")
                failures |= dict.fromkeys(events, describe_error(error))
            else:
                extra = {"scope": str(scope), "event_ids": events}
                logger.warning("calls that can stop the monitor recorded", extra=extra)
        return failures

    def _measure_heartbeats(
        self, applied: Iterable[ReceivedChange], failures: Failures
    ) -> Iterator[float]:
        """Yield the delays of the tags that a schedule sets on the monitor's own VPC.

        Its alarm is raised when none comes out here, whatever lost it: the trail, EventBridge, the
        queue, this function, its access to EC2 or to the findings table.
        """
        own, home = frozenset({self._ports.own_vpc} - {""}), self._ports.observer.region
        for change in (each.change for each in applied if each.change.event_id not in failures):
            if change.event_name == HEARTBEAT and change.vpc_ids == own and change.region == home:
                yield (self._ports.observer.now() - change.time).total_seconds()

    def _drop_unmonitored(self, batch: ChangeBatch) -> ChangeBatch:
        """Drop changes of accounts and Regions that this monitor does not monitor."""
        home, received, rejected = self._ports.observer.region, [], []
        for each in batch.received:
            change = each.change
            region = change.region
            if change.outcome is ChangeOutcome.TAMPERING:
                # The event is of another Region where a global service records its calls there.
                region = Region(region.account, home.name)
            concerned = change.outcome in {ChangeOutcome.APPLIED, ChangeOutcome.TAMPERING}
            if concerned and (each.is_forged or not self._ports.watches(region)):
                extra = {
                    "event_id": change.event_id,
                    "of": str(change.region),
                    "sender": each.sender,
                    "here": str(home),
                }
                logger.warning("change of an unmonitored account or Region dropped", extra=extra)
            else:
                received.append(each)
        for record in batch.rejected:
            if record.sender and not self._ports.watches(Region(record.sender, home.name)):
                extra = {"message_id": record.message_id, "sender": record.sender}
                logger.warning("message of an unmonitored account dropped", extra=extra)
            else:
                rejected.append(record)
        return ChangeBatch(tuple(received), tuple(rejected))

    def _give_up(self, applied: Iterable[ReceivedChange], failures: Failures) -> None:
        """Record why a change failed at its last try: a dead-letter message does not say it."""
        for each in applied:
            if each.receive_count < LAST_TRY or each.change.event_id not in failures:
                continue
            why = failures[each.change.event_id]
            reason = f"failed {each.receive_count} times, the last time with: {why}"
            try:
                self._reject([RejectedRecord(each.message_id, reason, each.body)])
            except CAUGHT:  # the log has the reason; the others of the batch must go on
                logger.exception("reason not recorded", extra={"message_id": each.message_id})

    def _reject(self, rejected: Iterable[RejectedRecord]) -> None:
        now = self._ports.observer.now()
        for each in rejected:
            reason = {"message_id": each.message_id, "reason": each.reason}
            logger.error("change rejected", extra=reason)
            self._ports.rejections.keep(each, now)
