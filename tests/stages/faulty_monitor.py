"""The whole monitor on an emulated region, each of its invocations open to faults."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Self, TypeVar

import boto3
import pytest
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends
from moto.moto_api._internal import mock_random
from moto.sns.models import sns_backends

from fault_injection import Injector, Run
from monitor_stage import ALICE, HOME, Stage, event, shared_session
from posture.alerts.rule_texts import load_rule_texts
from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.ec2.members import MemberObservers
from posture.ec2.observer import Observer
from posture.evaluation.batch import EvaluationPorts
from posture.evaluation.changes import Evaluator
from posture.evaluation.region_sweep import RegionSweep
from posture.evaluation.scope_resolver import ScopeResolver
from posture.lifecycle.diff import apply_transitions, find_transitions
from posture.model.finding import Finding, FindingStatus, Step
from posture.model.scope import Region, Scope
from posture.notification.metrics import AlertMetrics
from posture.notification.notify import Notifier
from posture.notification.ports import NotificationPorts, Topic
from posture.rules.engine import evaluate_vpc
from posture.runtime import clients
from posture.store.baselines import BaselineTable
from posture.store.history import History
from posture.store.items import REPORTED, Entry
from posture.store.rejections import Rejections
from posture.store.scope_record import parse_scope_record
from posture.store.scope_store import Store
from posture_cli.embedded.cloudtrail import record_calls
from posture_cli.embedded.moto_patches import patch_moto
from sample_network import ACCOUNT, REGION, build_sample_network
from stack_tables import TABLES, create_tables
from stored_findings import read_stored_findings

TRIES = 10  # as in template.yaml: then the stream gives its records up
# Where threads would make the order of calls a matter of chance, all is done in turn.
THREADED = (
    "posture.ec2.describe",
    "posture.evaluation.batch",
    "posture.evaluation.region_sweep",
    "posture.evaluation.scope_resolver",
    "posture.notification.digest_publisher",
    "posture.store.last_observed",
    "posture.store.resource_index",
)

T = TypeVar("T")
ReportedVersion = tuple[str, int]  # a finding's id and version


class InTurn:
    """Stands for a pool of threads: what would run at once runs in turn, in the caller's thread."""

    def __init__(self, *_: object, **__: object) -> None:
        """Take a pool's arguments."""

    def __enter__(self) -> Self:
        """Open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""

    @staticmethod
    def map(act: Callable[..., T], *items: Iterable[Any], timeout: float = 0) -> Iterator[T]:  # noqa: ARG004 - a pool's
        """Call a function with each item; the first failure is raised, and then nothing is left."""
        return map(act, *items)

    def shutdown(self, **_: object) -> None:
        """Leave out the rest, which was not begun."""


class OutOfTime(LambdaContext):
    """The context of an invocation whose claims expire at once, so that retries need not wait."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return the time left."""
        return -1


@dataclass
class QueueMessage:
    """A message in the changes queue."""

    message_id: str
    body: str
    received: int = 0


MAX_RECEIVE_COUNT = 5  # as in template.yaml


@lru_cache(maxsize=1)
def tampered() -> tuple[boto3.Session, Injector]:
    """Return the one session whose clients meet faults: EC2's model is parsed once a process."""
    session = boto3.Session("testing", "testing", region_name=REGION)
    return session, Injector(session)


@dataclass
class FaultyMonitor:
    """A region, the monitor's queue, functions, tables, stream and topic.

    `stage` has clients without faults, for the expected findings and the reads of the test itself.
    """

    stage: Stage
    injector: Injector
    ec2: Any
    dynamodb: Any
    sns: Any
    topic_arn: str
    queue: list[QueueMessage] = field(default_factory=list)
    dead: list[QueueMessage] = field(default_factory=list)
    records: list[Any] = field(default_factory=list)  # all that ever arrived
    misled: bool = False  # an evaluation read an outdated answer: its second one is due
    region_misled: bool = False  # so did a sweep: the next one is due
    excused: set[ReportedVersion] = field(
        default_factory=set
    )  # struck between publishing and recording
    abandoned: list[Any] = field(default_factory=list)  # stream records, after all retries
    _sent: int = 0
    _seen: int = 0
    _read: list[Any] = field(default_factory=list)
    _position: int = 0
    _tries: int = 0

    def __post_init__(self) -> None:
        self._evaluator = self._new_evaluator()
        self._sweeper = self._new_sweeper()

    def send(self, record: Any) -> QueueMessage:
        """Put a record into the queue."""
        self._sent += 1
        body = record if isinstance(record, str) else event(record)
        self.records.append(body)
        message = QueueMessage(f"m-{self._sent}", body)
        self.queue.append(message)
        return message

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Run other invocations beside one that is under way: in processes of their own."""
        evaluator, sweeper = self._evaluator, self._sweeper
        self._evaluator, self._sweeper = self._new_evaluator(), self._new_sweeper()
        try:
            yield
        finally:
            self._evaluator, self._sweeper = evaluator, sweeper

    def evaluate(self, messages: Sequence[QueueMessage], run: Run | None = None) -> Run:
        """Hand messages to the evaluator, as Lambda does; what fails goes back or is dead."""
        run = run or Run("evaluate")
        taken = [each for each in messages if each in self.queue]
        for each in taken:
            self.queue.remove(each)
            each.received += 1
        failed = {each.message_id for each in taken}
        regions_swept = 0
        records = [
            {
                "messageId": each.message_id,
                "body": each.body,
                "attributes": {"ApproximateReceiveCount": str(each.received)},
            }
            for each in taken
        ]
        with self.injector.running(run):
            try:
                answer = self._evaluator.evaluate({"Records": records})
            except Exception:  # noqa: BLE001 - whatever a handler raises, Lambda retries
                self._evaluator = self._new_evaluator()
            else:
                regions_swept = answer.regions_swept
                failed = {
                    each["itemIdentifier"] for each in answer.build_response()["batchItemFailures"]
                }
        self.misled |= run.misled
        self.region_misled |= run.misled and (regions_swept > 0 or run.dead)
        if run.dead:
            self._evaluator = self._new_evaluator()  # a killed container is not used again
        for each in taken:
            end = "changes done"
            if each.message_id in failed:
                dead = each.received >= MAX_RECEIVE_COUNT
                (self.dead if dead else self.queue).append(each)
                end = "changes to the dead-letter queue" if dead else "changes handed out again"
            self.injector.ends[end] += 1
        return run

    def sweep(self, run: Run | None = None, member: RegionSweep | None = None) -> Run:
        """Sweep the region, or that of a member."""
        run = run or Run("sweep")
        with self.injector.running(run):
            try:
                result = (member or self._sweeper).run()
                # What could not be read is unknown until the next sweep.
                self.region_misled |= bool(result.failed_regions)
            except Exception:  # noqa: BLE001 - whatever a handler raises, Lambda retries
                self._sweeper = self._new_sweeper()
        self.region_misled |= run.misled
        if run.dead:
            self._sweeper = self._new_sweeper()
        return run

    def notify(self, run: Run | None = None, size: int = 100) -> Run:
        """Hand the next stream records to the notifier, as Lambda does."""
        run = run or Run("notify")
        fresh = self._records()[self._position :]
        batch = fresh[:size]
        if not batch:
            return run
        done = 0
        sent = len(self._notifications())
        # Whatever a handler raises, Lambda retries.
        with self.injector.running(run), suppress(Exception):
            answer = self._notifier().notify(batch, OutOfTime())
            failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
            numbers = [each["dynamodb"]["SequenceNumber"] for each in batch]
            done = min((at for at, n in enumerate(numbers) if n in failed), default=len(batch))
        publishes = [at for at, call in enumerate(run.calls) if call.name == "Publish"]
        first = min(run.carried_out.intersection(publishes), default=len(run.calls))
        if any(at >= first for at in run.met):
            self.excused.update(self._reported_versions(self._notifications()[sent:]))
        self._advance(batch, done)
        return run

    def send_again(self, records: Sequence[Any]) -> None:
        """Make the second evaluations of these changes due."""
        for record in records:
            self.queue.append(QueueMessage(f"again-{self._sent}-{len(self.queue)}", record))

    def redrive(self) -> None:
        """Hand out dead-letter messages and given up stream records again, as `posture redrive`."""
        self.queue += [QueueMessage(each.message_id, each.body) for each in self.dead]
        self.dead.clear()
        self._read[self._position : self._position] = self.abandoned
        self.abandoned.clear()

    def drain(self) -> None:
        """Let the evaluator handle all that is in the queue."""
        while self.queue:
            self.evaluate(list(self.queue))

    def report_all(self) -> int:
        """Let the notifier report all records; return the most calls that one invocation needed."""
        most = 0
        while self._position < len(self._records()):
            most = max(most, len(self.notify().calls))
        return most

    def settle(self) -> None:
        """Recover: drain the queue, sweep, notify."""
        self.drain()
        self.sweep()
        self.report_all()

    def scopes(self) -> set[Scope]:
        """Return every stored scope."""
        return set(self.last_observed())

    def last_observed(self) -> dict[Scope, tuple[datetime, int]]:
        """Return the last-observed time and revision of each scope."""
        found = self.stage.dynamodb.scan(
            TableName=TABLES.findings,
            FilterExpression="#kind = :head",
            ExpressionAttributeNames={"#kind": "kind"},
            ExpressionAttributeValues={":head": {"S": "head"}},
        )
        heads = map(parse_scope_record, found["Items"])
        return {head.scope: (head.observed_at, head.revision) for head in heads}

    def stored(self, scope: Scope) -> dict[str, Finding]:
        """Return the findings of a scope that are not resolved."""
        findings = read_stored_findings(self.stage.store, scope)
        return {
            name: each
            for name, each in findings.items()
            if each.status is not FindingStatus.RESOLVED
        }

    def history(self, scope: Scope) -> list[Entry]:
        """Return a scope's history, oldest first."""
        return list(History(self.stage.dynamodb, TABLES.history).find_by_scope(scope))

    def truth(self) -> dict[Scope, dict[str, Finding]]:
        """Evaluate every VPC directly, with nothing stored."""
        vpcs = self.stage.network.ec2.describe_vpcs()["Vpcs"]
        return {
            scope: self.truth_of(scope)
            for scope in (Scope(ACCOUNT, REGION, each["VpcId"]) for each in vpcs)
        }

    def truth_of(self, scope: Scope) -> dict[str, Finding]:
        """Evaluate one VPC directly."""
        return evaluate_directly(Observer(self.stage.network.ec2, HOME), scope)

    def member(self, region: Region) -> RegionSweep:
        """Return the sweep of a member account, as a new process would have it."""

        def client_of(account: str) -> Any:
            role = f"arn:aws:iam::{account}:role/posture-look"
            client = clients.member_ec2(role, "our-external-id", region.name)
            self.injector.follow(client.meta.events)
            return client

        observer = MemberObservers(HOME, (region.account,), client_of)[region.account]
        return RegionSweep(
            observer, Store(self.dynamodb, TABLES), BaselineTable(self.dynamodb, TABLES.baseline)
        )

    def count_reported(self) -> Counter[ReportedVersion]:
        """Count how often each version of each finding was alerted."""
        return Counter(self._reported_versions(self._notifications()))

    def _notifications(self) -> list[Any]:
        return list(sns_backends[ACCOUNT][REGION].topics[self.topic_arn].sent_notifications)

    @staticmethod
    def _reported_versions(notifications: Sequence[Any]) -> list[ReportedVersion]:
        bodies = [json.loads(json.loads(each[1])["default"]) for each in notifications]
        return [(each["id"], each["version"]) for body in bodies for each in body["findings"]]

    def _records(self) -> list[Any]:
        """Return the stream's records that pass the mapping's filter, from its beginning.

        No iterator is kept: moto's look at a copy of the table once a transaction is cancelled.
        """
        shard: Any = dynamodb_backends[ACCOUNT][REGION].tables[TABLES.findings].stream_shard
        fresh = shard.get(shard.starting_sequence_number + self._seen, len(shard.items))
        self._seen += len(fresh)
        self._read += [
            each
            for each in fresh
            if each["dynamodb"].get("NewImage", {}).get("kind", {}).get("S") in REPORTED
            and each["dynamodb"].get("OldImage") != each["dynamodb"]["NewImage"]
        ]
        return self._read

    def _advance(self, batch: Sequence[Any], done: int) -> None:
        ends = self.injector.ends
        ends["stream records done"] += done
        ends["stream records handed out again"] += len(batch) - done
        self._tries = 0 if done else self._tries + 1
        self._position += done
        if self._tries >= TRIES:
            ends["stream records given up"] += len(batch)
            self.abandoned += batch
            self._position += len(batch)
            self._tries = 0

    def _new_evaluator(self) -> Evaluator:
        store = Store(self.dynamodb, TABLES)
        return Evaluator(
            EvaluationPorts(
                observer=Observer(self.ec2, HOME, self.stage.clock),
                resolver=ScopeResolver(lambda _: self.ec2, store.resource_index),
                store=store,
                baselines=BaselineTable(self.dynamodb, TABLES.baseline),
                rejections=Rejections(self.dynamodb, TABLES.history),
            )
        )

    def _new_sweeper(self) -> RegionSweep:
        return RegionSweep(
            Observer(self.ec2, HOME, self.stage.clock),
            Store(self.dynamodb, TABLES),
            BaselineTable(self.dynamodb, TABLES.baseline),
        )

    def _notifier(self) -> Notifier:
        metrics = Metrics(namespace="VpcEndpointPosture", service="notify")
        return Notifier(
            NotificationPorts(
                history=History(self.dynamodb, TABLES.history),
                topic=Topic(self.sns, self.topic_arn),
                idempotency=DynamoDBPersistenceLayer(
                    TABLES.idempotency, boto3_client=self.dynamodb
                ),
                measure=AlertMetrics(metrics).measure,
            ),
            load_rule_texts(),
        )


@contextmanager
def faulty() -> Iterator[FaultyMonitor]:
    """Build the region and empty tables; every order of calls is repeatable."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        for name in THREADED:
            patch.setattr(f"{name}.ThreadPoolExecutor", InTurn)
        patch.setattr("time.sleep", lambda _: None)
        mock_random.seed(0)  # the ids of what is made are those of the last time
        patch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
        patch_moto()
        clean, (session, injector) = shared_session(), tampered()
        injector.forget()
        dynamodb, alice = clean.client("dynamodb"), clean.client("ec2")
        create_tables(dynamodb)
        stage = Stage(build_sample_network(clean.client("ec2")), alice, dynamodb)
        record_calls(alice, ALICE, stage.deliver)
        topic_arn = clean.client("sns").create_topic(Name="alerts")["TopicArn"]
        yield FaultyMonitor(
            stage=stage,
            injector=injector,
            ec2=session.client("ec2", config=Config(max_pool_connections=1)),  # pools of its own
            dynamodb=session.client("dynamodb"),
            sns=session.client("sns"),
            topic_arn=topic_arn,
        )
        Metrics(namespace="VpcEndpointPosture", service="notify").clear_metrics()


def evaluate_directly(observer: Observer, scope: Scope) -> dict[str, Finding]:
    """Evaluate a VPC directly, with nothing stored."""
    snapshot = observer.collect_vpc(scope)
    assert snapshot is not None
    baseline = resolve_baseline(BaselineDocument(), scope, snapshot.vpc.tags)
    verdicts = evaluate_vpc(snapshot, baseline)
    return apply_transitions(
        {}, find_transitions(scope, {}, verdicts, observed_at=snapshot.observed_at)
    )


def assert_history_replays(monitor: FaultyMonitor) -> None:
    """The rows of each finding count its versions from 1 and end in what is stored."""
    for scope in monitor.scopes():
        replayed: dict[str, Any] = {}
        for entry in monitor.history(scope):
            step, finding = entry.transition.step, entry.transition.finding
            before = replayed.get(finding.id)
            if finding.version == 0:
                continue  # a transient finding, which changes no other
            assert finding.version == (before.version if before else 0) + 1
            if step is not Step.AMENDED:  # which says more of what was recorded before
                bad = before is not None and before.status is not FindingStatus.RESOLVED
                assert bad == (step is not Step.OPENED)
                assert before is None or finding.updated_at > before.updated_at
            replayed[finding.id] = finding
        assert replayed == read_stored_findings(monitor.stage.store, scope)
