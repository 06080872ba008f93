"""An emulated stack from the findings' stream to an inbox behind the topic."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from moto import mock_aws

from finding_builders import SCOPE, at, change, find_caused_transitions
from posture.model.scope import Scope
from posture.model.verdict import Verdict
from posture.notification.claims import ClaimTable
from posture.notification.metrics import AlertMetrics
from posture.notification.notify import BatchResponse, Notifier
from posture.notification.ports import NotificationPorts, Topic
from posture.notification.security_hub import SecurityHub
from posture.store.history import History
from posture.store.scope_evaluation import Evaluation
from posture.store.scope_store import Store
from stack_tables import TABLES, create_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

# moto serves only the Regional host name of DynamoDB Streams.
STREAMS = Config(account_id_endpoint_mode="disabled")


class OneMinuteContext(LambdaContext):
    """The context of an invocation that has one minute left."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return the remaining time."""
        return 60_000


@dataclass
class Stage:
    """The notifying part of the stack, with the means to inspect what it published."""

    dynamodb: "DynamoDBClient"
    streams: "DynamoDBStreamsClient"
    sns: "SNSClient"
    sqs: "SQSClient"
    topic_arn: str
    queue_url: str
    metrics: Metrics = field(
        default_factory=lambda: Metrics(namespace="VpcEndpointPosture", service="notify")
    )

    pauses: list[float] = field(default_factory=list)

    def evaluate(self, minute: float, *verdicts: Verdict, scope: Scope = SCOPE) -> None:
        """Record an evaluation that a change two minutes before noon caused."""
        Store(self.dynamodb, TABLES).record(
            Evaluation(scope, at(minute)),
            lambda state: find_caused_transitions(
                scope,
                state.findings,
                verdicts,
                observed_at=at(minute),
                changes=[change("e-1", "rtb-0a")],
            ),
        )

    def records(self) -> list[Any]:
        """Return all stream records so far, those of scope records included."""
        arn = self.dynamodb.describe_table(TableName=TABLES.findings)["Table"]["LatestStreamArn"]
        shards = self.streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        iterator = self.streams.get_shard_iterator(
            StreamArn=arn, ShardId=shards[0]["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        return list(self.streams.get_records(ShardIterator=iterator)["Records"])

    def notify(
        self,
        records: list[Any],
        topic: Callable[["Stage"], Topic] | None = None,
        security_hub: SecurityHub | None = None,
    ) -> BatchResponse:
        """Pass stream records to the notifier."""
        ports = NotificationPorts(
            history=History(self.dynamodb, TABLES.history),
            topic=topic(self) if topic else Topic(self.sns, self.topic_arn),
            idempotency=ClaimTable(self.dynamodb, TABLES.idempotency),
            measure=AlertMetrics(self.metrics).measure,
            now=lambda: at(1),
            security_hub=security_hub,
            pause=self.pauses.append,
        )
        return Notifier(ports, {}).notify(records, OneMinuteContext())

    def inbox(self) -> list[Any]:
        """Receive and delete the messages that the topic delivered."""
        answer = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        messages = answer.get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]


@contextmanager
def emulated() -> Iterator[Stage]:
    """Build an empty stack."""
    with mock_aws():
        dynamodb, sns, sqs = boto3.client("dynamodb"), boto3.client("sns"), boto3.client("sqs")
        streams = boto3.client("dynamodbstreams", config=STREAMS)
        create_tables(dynamodb)
        topic_arn = sns.create_topic(Name="alerts")["TopicArn"]
        queue_url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        queue_arn = attributes["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)
        stage = Stage(dynamodb, streams, sns, sqs, topic_arn, queue_url)
        yield stage
        stage.metrics.clear_metrics()  # Powertools shares them between instances
