"""A DynamoDB stream that feeds a function, as Lambda's event source mapping does.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from moto.events.models import EventPattern

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What the template says of the mapping."""

    arn: str
    batch_size: int
    retries: int
    patterns: tuple[Json, ...]  # a record that matches one of them is delivered; none: all are


class StreamMapping:
    """Reads the stream from its beginning and takes what the filter lets through to the function.

    A batch that fails is tried again from its first failed record, or in two halves where that is
    its first; when the retries are used up `give_up` gets the records.
    """

    def __init__(
        self,
        streams: DynamoDBStreamsClient,
        settings: StreamSettings,
        invoke: Callable[[Json], Any],
        give_up: Callable[[Sequence[Json]], None],
    ) -> None:
        self._streams = streams
        self._settings = settings
        self._invoke = invoke
        self._give_up = give_up
        self._patterns = [EventPattern(json.dumps(p), p) for p in settings.patterns]
        shards = streams.describe_stream(StreamArn=settings.arn)["StreamDescription"]["Shards"]
        self._iterators = [
            streams.get_shard_iterator(
                StreamArn=settings.arn,
                ShardId=shard["ShardId"],
                ShardIteratorType="TRIM_HORIZON",
            )["ShardIterator"]
            for shard in shards
        ]

    def poll(self) -> int:
        """Handle what has come since the last turn; give the number of records delivered."""
        records = [record for record in self._read() if self._wanted(record)]
        size = self._settings.batch_size
        for start in range(0, len(records), size):
            self._deliver(records[start : start + size], self._settings.retries)
        return len(records)

    def _read(self) -> list[Json]:
        records: list[Json] = []
        for index, iterator in enumerate(self._iterators):
            answer = self._streams.get_records(ShardIterator=iterator)
            self._iterators[index] = answer["NextShardIterator"]
            records += [self._record(record) for record in answer["Records"]]
        return records

    def _wanted(self, record: Any) -> bool:
        images = record["dynamodb"]
        if images.get("OldImage") == images.get("NewImage"):
            return False  # AWS writes no record for a write that changes nothing; moto does
        return not self._patterns or any(p.matches_event(record) for p in self._patterns)

    def _deliver(self, batch: list[Json], retries: int) -> None:
        rest = batch[self._first_failure(batch) :]
        if not rest:
            return
        if not retries:
            self._give_up(rest)
            return
        halfway = len(rest) // 2 if rest == batch else 0  # bisect where nothing went well
        for part in (rest[:halfway], rest[halfway:]):
            if part:
                self._deliver(part, retries - 1)

    def _first_failure(self, batch: list[Json]) -> int:
        """Invoke the function; give the position of the first failed record, or the end."""
        try:
            answer = self._invoke({"Records": batch})
        except Exception:  # noqa: BLE001 - whatever a handler raises, Lambda retries
            return 0
        failures = (answer or {}).get("batchItemFailures") or []
        failed = {failure["itemIdentifier"] for failure in failures}
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        return min((i for i, n in enumerate(numbers) if n in failed), default=len(batch))

    def _record(self, record: Mapping[str, Any]) -> Json:
        return {
            **{key: record[key] for key in ("eventID", "eventName", "eventVersion")},
            "eventSource": "aws:dynamodb",
            "eventSourceARN": self._settings.arn,
            "awsRegion": record["awsRegion"],
            "dynamodb": _plain(record["dynamodb"]),
        }


def _plain(value: Any) -> Any:
    """Give the JSON that Lambda hands over: bytes in base64, instants in seconds."""
    if isinstance(value, Mapping):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return value.timestamp()
    return value
