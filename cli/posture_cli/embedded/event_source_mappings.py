"""Event source mappings from an SQS queue and a DynamoDB stream to a function, as in Lambda.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from moto.events.models import EventPattern

from posture_cli.embedded.cloudtrail import JsonObject

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

Handler = Callable[[JsonObject], Any]
RECEIVE_LIMIT = 10  # messages that one ReceiveMessage call returns at most


class QueueMapping:
    """Passes a queue's messages to a function, batch by batch.

    Messages that succeed are deleted. Messages that fail become visible again at once, so that
    retries, and the move to the dead-letter queue, need no waiting.

    Args:
        sqs: A client of SQS.
        properties: The properties of the `AWS::Lambda::EventSourceMapping`.
        invoke: The function.
    """

    def __init__(self, sqs: SQSClient, properties: Mapping[str, Any], invoke: Handler) -> None:
        self._sqs = sqs
        self._arn: str = properties["EventSourceArn"]
        *_, self._region, _account, name = self._arn.split(":")
        self._url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        self._batch_size: int = properties["BatchSize"]
        self._invoke = invoke

    def poll(self) -> int:
        """Process one batch; return its number of messages."""
        messages = self._receive()
        records = {message["MessageId"]: self._build_record(message) for message in messages}
        failed = _invoke(self._invoke, records)
        for message in messages:
            receipt = message["ReceiptHandle"]
            if message["MessageId"] in failed:
                self._sqs.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=0
                )
            else:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)
        return len(messages)

    def _receive(self) -> list[MessageTypeDef]:
        batch: list[MessageTypeDef] = []
        while len(batch) < self._batch_size:
            messages = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(RECEIVE_LIMIT, self._batch_size - len(batch)),
                MessageSystemAttributeNames=["All"],
                WaitTimeSeconds=0,
            ).get("Messages", [])
            if not messages:
                break
            batch += messages
        return batch

    def _build_record(self, message: MessageTypeDef) -> JsonObject:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._arn,
            "awsRegion": self._region,
        }


class StreamMapping:
    """Passes a stream's records, from the oldest on, to a function.

    A failed batch is retried from its first failed record. If that is the first of the batch, the
    batch is split in two.

    Args:
        streams: A client of DynamoDB Streams.
        properties: The properties of the `AWS::Lambda::EventSourceMapping`.
        invoke: The function.
        give_up: Receives the records whose retries are exhausted.
    """

    def __init__(
        self,
        streams: DynamoDBStreamsClient,
        properties: Mapping[str, Any],
        invoke: Handler,
        give_up: Callable[[Sequence[JsonObject]], None],
    ) -> None:
        self._streams = streams
        self._arn: str = properties["EventSourceArn"]
        self._invoke = invoke
        self._give_up = give_up
        self._batch_size: int = properties["BatchSize"]
        self._retries: int = properties["MaximumRetryAttempts"]
        filters = properties.get("FilterCriteria", {}).get("Filters", [])
        patterns = [each["Pattern"] for each in filters]
        self._patterns = [EventPattern(pattern, json.loads(pattern)) for pattern in patterns]
        shards = streams.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]
        first = partial(
            streams.get_shard_iterator, StreamArn=self._arn, ShardIteratorType="TRIM_HORIZON"
        )
        self._iterators = [first(ShardId=each["ShardId"])["ShardIterator"] for each in shards]

    def poll(self) -> int:
        """Process the records that arrived since the last poll; return how many matched."""
        records = [record for record in self._read() if self._matches(record)]
        for start in range(0, len(records), self._batch_size):
            self._deliver(records[start : start + self._batch_size], self._retries)
        return len(records)

    def _read(self) -> list[JsonObject]:
        records: list[JsonObject] = []
        for index, iterator in enumerate(self._iterators):
            answer = self._streams.get_records(ShardIterator=iterator)
            self._iterators[index] = answer["NextShardIterator"]
            records += [self._build_record(record) for record in answer["Records"]]
        return records

    def _matches(self, record: Any) -> bool:
        images = record["dynamodb"]
        if "NewImage" in images and images.get("OldImage") == images["NewImage"]:
            return False  # AWS writes no stream record for a write that changes nothing; moto does
        return not self._patterns or any(p.matches_event(record) for p in self._patterns)

    def _deliver(self, batch: list[JsonObject], retries: int) -> None:
        records = {record["dynamodb"]["SequenceNumber"]: record for record in batch}
        failed = _invoke(self._invoke, records)
        first = next((i for i, number in enumerate(records) if number in failed), len(batch))
        rest = batch[first:]
        if rest and not retries:
            self._give_up(rest)
            return
        halfway = len(rest) // 2 if rest == batch else 0  # split if the first record failed
        for part in (rest[:halfway], rest[halfway:]):
            if part:
                self._deliver(part, retries - 1)

    def _build_record(self, record: Mapping[str, Any]) -> JsonObject:
        return {
            **{key: record[key] for key in ("eventID", "eventName", "eventVersion")},
            "eventSource": "aws:dynamodb",
            "eventSourceARN": self._arn,
            "awsRegion": record["awsRegion"],
            "dynamodb": json.loads(json.dumps(record["dynamodb"], default=_encode)),
        }


def _invoke(invoke: Handler, records: Mapping[str, JsonObject]) -> set[str]:
    """Invoke a function with records by their ids; return the ids of those that failed."""
    if not records:
        return set()
    try:
        answer = invoke({"Records": list(records.values())})
    except Exception:  # noqa: BLE001 - Lambda retries after any exception
        return set(records)
    failures = (answer or {}).get("batchItemFailures") or []
    return {failure["itemIdentifier"] for failure in failures} & set(records)


def _encode(value: Any) -> Any:
    """Encode what JSON lacks as Lambda does: bytes as base64, times as seconds since 1970."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value.timestamp()
