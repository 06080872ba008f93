"""Dead letters of the findings table's stream: alerts that could not be sent.

A message holds no stream records, only their positions in the stream, which keeps records for a
day, and their arrival times. The history table keeps every commit, so the commits of that time are
read from there and passed to the notify function. It remembers for 30 days, longer than a message
is kept, which commits it reported, and reports only the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from posture.store.findings import Findings
from posture.store.history import History
from posture_cli.dead_letters.functions import (
    DeployedFunction,
    describe_failure,
    describe_invocation,
)

if TYPE_CHECKING:
    from posture.store.attribute_values import StoredItem
    from posture_cli.dead_letters.queue import DeadLetterMessage

# A commit has its snapshot's time, which precedes the stream record by a sweep's duration at most.
BEFORE = timedelta(minutes=16)
AFTER = timedelta(minutes=1)  # arrivals are in whole seconds, and clocks differ
MAX_RECORDS = 500  # per invocation, far below what the function processes in its minute
MAX_BYTES = 4_000_000  # per invocation, of which Lambda allows 6 MB

StreamRecord = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AlertDeadLetters:
    """Lambda's records of batches of the findings table's stream."""

    findings: Findings
    history: History
    notify: DeployedFunction
    outcome: str = "reported"
    _reprocessed: set[tuple[str, str]] = field(default_factory=set)

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Return where and when the batch failed."""
        return describe_invocation(message, "alert")

    def explain(self, message: DeadLetterMessage) -> str:
        """Return the number of records, and Lambda's reason."""
        records = _batch_info(message).get("batchSize", "some")
        return (
            f"{records} stream records, {describe_failure(message)}; see the notify function's log"
        )

    def reprocess(self, message: DeadLetterMessage) -> str:
        """Pass the history of that time to the notify function."""
        try:
            info = _batch_info(message)
            first = datetime.fromisoformat(info["approximateArrivalOfFirstRecord"])
            last = datetime.fromisoformat(info["approximateArrivalOfLastRecord"])
        except (KeyError, ValueError, TypeError):
            return "the message does not contain the arrival times of its records"
        rows = self._read_history(first - BEFORE, last + AFTER)
        for batch in _build_batches(rows):
            answer, problem = self.notify.call({"Records": batch})
            if problem:
                return problem
            if failed := answer.get("batchItemFailures"):
                return f"{len(failed)} of {len(batch)} fail again; see the notify function's log"
            self._reprocessed.update(_commit_key(each["dynamodb"]["NewImage"]) for each in batch)
        return ""

    def _read_history(self, since: datetime, until: datetime) -> Iterator[StoredItem]:
        """Read the history of a period, except what was reprocessed before."""
        for scope in self.findings.list_scopes():
            for row in self.history.query_rows(str(scope), since=since, until=until):
                if _commit_key(row) not in self._reprocessed:
                    yield row


def _batch_info(message: DeadLetterMessage) -> Mapping[str, Any]:
    info = message.parse_body().get("DDBStreamBatchInfo")
    return info if isinstance(info, dict) else {}


def _commit_key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["scope"]["S"], row["commit"]["S"]


def _build_batches(rows: Iterator[StoredItem]) -> Iterator[Sequence[StreamRecord]]:
    """Convert history rows to stream records, in batches for one invocation each."""
    batch: list[StreamRecord] = []
    size = 0
    for number, row in enumerate(rows, 1):
        record = _build_record(row, number)
        weight = len(json.dumps(record).encode())
        if batch and (len(batch) == MAX_RECORDS or size + weight > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += weight
    if batch:
        yield batch


def _build_record(row: StoredItem, number: int) -> StreamRecord:
    """Convert a history row, which contains the finding, to the finding's stream record."""
    image = {**row, "kind": {"S": "finding"}}
    stream = {"SequenceNumber": str(number), "NewImage": image}
    return {"eventName": "MODIFY", "eventSource": "aws:dynamodb", "dynamodb": stream}
