"""An emulated stack from the findings' stream to an inbox behind the topic."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from moto import mock_aws

from finding_builders import SCOPE, at, change
from posture.lifecycle.diff import find_transitions
from posture.model.scope import Scope
from posture.model.verdict import Verdict
from posture.notification.metrics import AlertMetrics
from posture.notification.notify import BatchResponse, Notifier
from posture.notification.ports import NotificationPorts
from posture.notification.security_hub import SecurityHub
from posture.notification.topic import Topic
from posture.store.history import History
from posture.store.scope_store import Evaluation, Store
from stack_tables import TABLES, create_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

# moto answers to the streams host of the region only.
STREAMS = Config(account_id_endpoint_mode="disabled")


class Minute(LambdaContext):
    """The context of an invocation that has a minute left."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Give the time left."""
        return 60_000


@dataclass
class Stage:
    """The stack's end that tells, with the means to see what it told."""

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

    def look(self, minute: float, *verdicts: Verdict, scope: Scope = SCOPE) -> None:
        """Record an evaluation that a change two minutes before noon caused."""
        Store(self.dynamodb, TABLES).record(
            Evaluation(scope, at(minute)),
            lambda state: find_transitions(
                scope,
                state.findings,
                verdicts,
                observed_at=at(minute),
                changes=[change("e-1", "rtb-0a")],
            ),
        )

    def records(self) -> list[Any]:
        """Give all stream records so far, heads and all."""
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
        """Let the notifier handle stream records."""
        ports = NotificationPorts(
            history=History(self.dynamodb, TABLES.history),
            topic=topic(self) if topic else Topic(self.sns, self.topic_arn),
            idempotency=DynamoDBPersistenceLayer(TABLES.idempotency, boto3_client=self.dynamodb),
            measure=AlertMetrics(self.metrics).measure,
            now=lambda: at(1),
            security_hub=security_hub,
            pause=self.pauses.append,
        )
        return Notifier(ports, {}).notify(records, Minute())

    def inbox(self) -> list[Any]:
        """Take what the topic delivered since the last look."""
        answer = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        letters = answer.get("Messages", [])
        for letter in letters:
            self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=letter["ReceiptHandle"])
        return [json.loads(letter["Body"]) for letter in letters]


@contextmanager
def emulated() -> Iterator[Stage]:
    """Give an empty stack."""
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
