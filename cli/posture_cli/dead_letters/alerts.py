"""Alerts that could not be sent: what was committed at the time is handed to the notifier again.

A letter holds no stream records, only their positions in a stream that forgets them after a day,
and when they arrived. History never forgets, so the commits of that time are found there; the
notifier remembers for 30 days what it told, longer than a letter lasts, and tells only the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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
    from posture.store.items import StoredItem
    from posture_cli.dead_letters.queue import DeadLetterMessage

# A commit bears the time of its picture, which is up to a sweep's whole time before its record.
BEFORE = timedelta(minutes=16)
AFTER = timedelta(minutes=1)  # arrivals are told in whole seconds, and clocks differ
MOST = 500  # records an invocation, far below the function's minute
BYTES = 4_000_000  # of the 6 MB that an invocation may carry

StreamRecord = dict[str, Any]


class AlertDeadLetters:
    """Dead letters of the findings' stream."""

    outcome = "told"

    def __init__(self, findings: Findings, history: History, notify: DeployedFunction) -> None:
        self._findings = findings
        self._history = history
        self._notify = notify
        self._handed: set[tuple[str, str]] = set()

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Give where and when it failed."""
        return describe_invocation(message, "alert")

    def explain(self, message: DeadLetterMessage) -> str:
        """Say how many records were given up, and why as far as Lambda tells it."""
        records = _info(message).get("batchSize", "some")
        return f"{records} stream records, {describe_failure(message)}; see the notifier's log"

    def reprocess(self, message: DeadLetterMessage) -> str:
        """Hand to the notifier what history has of that time."""
        try:
            info = _info(message)
            first = datetime.fromisoformat(info["approximateArrivalOfFirstRecord"])
            last = datetime.fromisoformat(info["approximateArrivalOfLastRecord"])
        except (KeyError, ValueError, TypeError):
            return "it does not say when its records arrived"
        rows = self._rows(first - BEFORE, last + AFTER)
        for batch in _batches(rows):
            answer, problem = self._notify.call({"Records": batch})
            if problem:
                return problem
            if failed := answer.get("batchItemFailures"):
                return f"{len(failed)} of {len(batch)} still fail: see the notifier's log"
            self._handed.update(_commit_of(each["dynamodb"]["NewImage"]) for each in batch)
        return ""

    def _rows(self, since: datetime, until: datetime) -> Iterator[StoredItem]:
        """Give the rows of that time that this command has not handed over yet."""
        for scope in self._findings.list_scopes():
            for row in self._history.query_rows(str(scope), since=since, until=until):
                if _commit_of(row) not in self._handed:
                    yield row


def _info(message: DeadLetterMessage) -> Mapping[str, Any]:
    info = message.parse_body().get("DDBStreamBatchInfo")
    return info if isinstance(info, dict) else {}


def _commit_of(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["scope"]["S"], row["commit"]["S"]


def _batches(rows: Iterator[StoredItem]) -> Iterator[Sequence[StreamRecord]]:
    """Give the rows as records of the stream, as many as an invocation may carry."""
    batch: list[StreamRecord] = []
    size = 0
    for number, row in enumerate(rows, 1):
        record = _record(row, number)
        weight = len(json.dumps(record).encode())
        if batch and (len(batch) == MOST or size + weight > BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += weight
    if batch:
        yield batch


def _record(row: StoredItem, number: int) -> StreamRecord:
    """Give a row as the stream once brought its finding: it holds all of that and a step."""
    return {
        "eventName": "MODIFY",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "SequenceNumber": str(number),
            "NewImage": {**row, "kind": {"S": "finding"}},
        },
    }
