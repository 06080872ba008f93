"""Reading history: what happened in a scope, to a finding, to a resource, by an actor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import merge
from typing import Literal

from posture.model.change import THROUGH
from posture.model.finding import Finding
from posture.model.scope import Scope
from posture.store.attribute_values import StoredItem
from posture.store.items import SEVERAL, Entry, parse_history_entry
from posture.store.queries import AFTER_ALL, KeyRange, StoredTable, time_range

INDEXES = {"id": "by-finding", "resource": "by-resource"}
# Rows of schema 3 and older name the service through which a caller acted beside the caller.
FORMER_SERVICES = ("cloudformation.amazonaws.com", "servicecatalog.amazonaws.com", "AWS Internal")


def keep_latest(latest: dict[str, Entry], row: Entry) -> None:
    """Keep a row if it is the latest of its finding, by its number in the chain of its scope.

    A transient finding is over when it is recorded, and changes nothing.

    Times do not tell: a clock that was ahead dates a row too late. Rows from before chains existed
    are told apart by the finding's version.
    """
    if not row.transition.is_lasting:
        return
    finding = row.transition.finding
    before = latest.get(finding.id)
    if before is None or _order(before) <= _order(row):
        latest[finding.id] = row


def rebuild_findings(rows: Iterable[Entry]) -> dict[str, Finding]:
    """Rebuild the findings that rows of history lead to, by id."""
    latest: dict[str, Entry] = {}
    for row in rows:
        keep_latest(latest, row)
    return {name: row.transition.finding for name, row in latest.items()}


def sort_rows(rows: Iterable[Entry]) -> list[Entry]:
    """Sort the rows of a scope so that those of each finding are in the order of their writing."""
    return sorted(rows, key=_order)


def _order(row: Entry) -> tuple[int, int]:
    return row.number, 0 if row.number else row.transition.finding.version


class History(StoredTable):
    """The history table as its readers see it, read page by page, oldest rows first.

    `since` and `until` are both included. What comes from an index (by finding, resource or actor)
    may be a moment old. Every method that returns entries raises `CorruptItemError` at a row that
    cannot be read.
    """

    def find_by_scope(
        self, scope: Scope, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Entry]:
        """Find what happened in a scope."""
        return map(parse_history_entry, self.query_rows(str(scope), since=since, until=until))

    def find_first(self, scope: Scope) -> Entry | None:
        """Find the first row of a scope; None if it has none."""
        page = self._client.query(
            TableName=self._table,
            KeyConditionExpression="#scope = :scope",
            ExpressionAttributeNames={"#scope": "scope"},
            ExpressionAttributeValues={":scope": {"S": str(scope)}},
            ConsistentRead=True,
            Limit=1,
        )
        return next(map(parse_history_entry, page["Items"]), None)

    def find_by(
        self,
        key: Literal["id", "resource"],
        value: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Entry]:
        """Find what happened to a finding or to the findings on a resource."""
        rows = self._query(
            key, value, between=time_range("entry", since, until), index=INDEXES[key]
        )
        return map(parse_history_entry, rows)

    def find_by_actor(
        self, caller: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Entry]:
        """Find what a caller caused, alone or as one of several, and what it can have caused.

        Args:
            caller: The whole ARN, or the name of a service that made calls of its own.
            since: The first time.
            until: The last time.
        """
        between = time_range("entry", since, until)
        former = (f"{caller}{THROUGH}{each})" for each in FORMER_SERVICES)
        own = (
            map(parse_history_entry, self._query("actor", key, between=between, index="by-actor"))
            for key in (caller, *former)
        )
        several = self._query("actor", SEVERAL, between=between, index="by-actor")
        shared = map(
            parse_history_entry,
            (row for row in several if {"S": caller} in row.get("actors", {}).get("L", ())),
        )
        return merge(*own, shared, key=lambda it: (it.observed_at, it.number))

    def load_commit(self, scope: Scope, commit: str) -> tuple[Entry, ...]:
        """Read the rows that one transaction wrote; they never change.

        An evaluation of many transitions has many transactions, whose rows lie among each other.
        """
        prefix = f"{commit.partition('#')[0]}#"
        between = KeyRange("entry", prefix, prefix + AFTER_ALL)
        rows = self._query("scope", str(scope), between=between, equal=("commit", commit))
        return tuple(map(parse_history_entry, rows))

    def list_partitions(self) -> frozenset[str]:
        """List the partitions that have rows: scopes, the waivers, what was rejected.

        It reads the keys of the whole table, because no index can be trusted to name them all.
        """
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table,
            ProjectionExpression="#scope",
            ExpressionAttributeNames={"#scope": "scope"},
        )
        return frozenset(item["scope"]["S"] for page in pages for item in page["Items"])

    def query_rows(
        self, partition: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[StoredItem]:
        """Read a partition's rows as they are stored."""
        between = time_range("entry", since, until)
        return self._query("scope", partition, between=between)
