"""The embedded event source mappings hand over, retry and give up as Lambda's do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import boto3
import pytest
from moto import mock_aws

from posture_cli.embedded.environment import isolate_environment
from posture_cli.embedded.event_source_mappings import QueueMapping, StreamMapping

Json = dict[str, Any]
REGION = "eu-west-1"
ONLY_FINDINGS = {"dynamodb": {"NewImage": {"kind": {"S": ["finding"]}}}}


@pytest.fixture
def session() -> Iterator[boto3.Session]:
    """An emulated AWS of its own for each test."""
    with isolate_environment(REGION), mock_aws():
        yield boto3.Session(region_name=REGION)


class Queues:
    """A queue that gives a message up after three receives, and its dead-letter queue."""

    def __init__(self, session: boto3.Session) -> None:
        self._sqs = session.client("sqs")
        self._dead = self._sqs.create_queue(QueueName="dead")["QueueUrl"]
        redrive = {"deadLetterTargetArn": self._arn(self._dead), "maxReceiveCount": 3}
        self._url = self._sqs.create_queue(
            QueueName="live", Attributes={"RedrivePolicy": json.dumps(redrive)}
        )["QueueUrl"]

    def send(self, *bodies: str) -> None:
        """Put messages into the queue."""
        for body in bodies:
            self._sqs.send_message(QueueUrl=self._url, MessageBody=body)

    def mapping(self, batch_size: int, invoke: Callable[[Json], Any]) -> QueueMapping:
        """Return the mapping from the queue to a function."""
        properties = {"EventSourceArn": self._arn(self._url), "BatchSize": batch_size}
        return QueueMapping(self._sqs, properties, invoke)

    def dead(self) -> list[str]:
        """Return the bodies of the messages that were given up."""
        answer = self._sqs.receive_message(QueueUrl=self._dead, MaxNumberOfMessages=10)
        return sorted(message["Body"] for message in answer.get("Messages", []))

    def _arn(self, url: str) -> str:
        attributes = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return attributes["Attributes"]["QueueArn"]


def drain(mapping: QueueMapping | StreamMapping) -> None:
    """Take turns until nothing is left; a mapping that never ends fails the test."""
    for _ in range(50):
        if not mapping.poll():
            return
    pytest.fail("the mapping never ends")


def bodies(event: Json) -> list[str]:
    """Return the bodies of an SQS event's records."""
    return [record["body"] for record in event["Records"]]


def test_batches_are_no_larger_than_asked(session: boto3.Session) -> None:
    """Twelve messages with a batch size of five come in three batches, each message once."""
    queues, batches = Queues(session), list[list[str]]()
    queues.send(*(str(number) for number in range(12)))
    drain(queues.mapping(5, lambda event: batches.append(bodies(event))))
    assert [len(batch) for batch in batches] == [5, 5, 2]
    assert sorted(chain.from_iterable(batches)) == sorted(str(number) for number in range(12))


def test_failed_messages_alone_come_again(session: boto3.Session) -> None:
    """Of a batch with one failure the others are done with, and the failed one is given up."""
    queues, seen = Queues(session), list[str]()

    def invoke(event: Json) -> Json:
        seen.extend(bodies(event))
        bad = [r["messageId"] for r in event["Records"] if r["body"] == "bad"]
        return {"batchItemFailures": [{"itemIdentifier": each} for each in bad]}

    queues.send("good", "bad")
    drain(queues.mapping(10, invoke))
    assert seen.count("good") == 1
    assert seen.count("bad") == 3
    assert queues.dead() == ["bad"]


def test_function_that_raises_fails_its_batch(session: boto3.Session) -> None:
    """When the function raises, the whole batch is tried again and given up in the end."""
    queues = Queues(session)

    def invoke(_: Json) -> None:
        raise RuntimeError

    queues.send("one", "two")
    drain(queues.mapping(10, invoke))
    assert queues.dead() == ["one", "two"]


class Table:
    """A table with a stream, and a mapping from it that keeps what it gave up."""

    def __init__(self, session: boto3.Session) -> None:
        self._dynamodb = session.client("dynamodb")
        self._streams = session.client("dynamodbstreams")
        self._dynamodb.create_table(
            TableName="findings",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.given_up: list[str] = []

    def put(self, *ids: str, kind: str = "finding") -> None:
        """Write items."""
        for each in ids:
            item: Json = {"id": {"S": each}, "kind": {"S": kind}, "picture": {"B": b"\x00\xff"}}
            self._dynamodb.put_item(TableName="findings", Item=item)

    def mapping(self, invoke: Callable[[Json], Any]) -> StreamMapping:
        """Return the mapping from the stream to a function."""
        arn = self._dynamodb.describe_table(TableName="findings")["Table"]["LatestStreamArn"]
        return StreamMapping(
            self._streams,
            {
                "EventSourceArn": arn,
                "BatchSize": 10,
                "MaximumRetryAttempts": 3,
                "FilterCriteria": {"Filters": [{"Pattern": json.dumps(ONLY_FINDINGS)}]},
            },
            invoke,
            lambda records: self.given_up.extend(ids_of({"Records": records})),
        )


def ids_of(event: Json) -> list[str]:
    """Return the item ids of a stream event's records."""
    return [record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]]


def test_filter_lets_only_findings_through(session: boto3.Session) -> None:
    """What the mapping's filter does not match never reaches the function."""
    table, seen = Table(session), list[str]()
    table.put("f-1")
    table.put("#head", kind="head")
    drain(table.mapping(lambda event: seen.extend(ids_of(event))))
    assert seen == ["f-1"]


def test_write_that_changes_nothing_is_no_record(session: boto3.Session) -> None:
    """An item that is written twice without a change yields one record, as in DynamoDB."""
    table, seen = Table(session), list[str]()
    table.put("f-1", "f-1")
    drain(table.mapping(lambda event: seen.extend(ids_of(event))))
    assert seen == ["f-1"]


def test_records_are_json(session: boto3.Session) -> None:
    """A record is what Lambda would hand over: JSON, with bytes in base64."""
    table, seen = Table(session), list[Json]()
    table.put("f-1")
    drain(table.mapping(seen.append))
    (record,) = json.loads(json.dumps(seen))[0]["Records"]
    assert record["eventSource"] == "aws:dynamodb"
    assert record["dynamodb"]["NewImage"]["picture"] == {"B": "AP8="}


def test_retry_starts_at_the_first_failure(session: boto3.Session) -> None:
    """What lies before the first failed record of a batch is not delivered again."""
    table, batches = Table(session), list[list[str]]()

    def invoke(event: Json) -> Json:
        batches.append(ids_of(event))
        if len(batches) > 1:
            return {"batchItemFailures": []}
        failed = event["Records"][1]["dynamodb"]["SequenceNumber"]
        return {"batchItemFailures": [{"itemIdentifier": failed}]}

    table.put("f-1", "f-2", "f-3")
    drain(table.mapping(invoke))
    assert batches == [["f-1", "f-2", "f-3"], ["f-2", "f-3"]]


def test_poison_record_is_given_up_alone(session: boto3.Session) -> None:
    """A batch that raises is halved until the record at fault is alone, which is given up."""
    table, done = Table(session), list[str]()

    def invoke(event: Json) -> None:
        if "f-3" in ids_of(event):
            raise RuntimeError
        done.extend(ids_of(event))

    table.put("f-1", "f-2", "f-3", "f-4")
    drain(table.mapping(invoke))
    assert sorted(done) == ["f-1", "f-2", "f-4"]
    assert table.given_up == ["f-3"]
