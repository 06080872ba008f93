"""Reading history: what happened in a scope, to a finding, to a resource, by an actor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from posture.model.instant import format_iso
from posture.model.scope import Scope
from posture.store.attribute_values import serialize
from posture.store.items import Entry, StoredItem, parse_history_entry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AFTER_ALL = "~"  # sorts after every character of an instant


class History:
    """The history table as its readers see it, page by page, oldest first.

    `since` and `until` are both included. What comes from an index (by finding, resource or actor)
    may be a moment old. Every method that gives entries raises `CorruptItemError` at a row that
    cannot be read.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def find_by_scope(
        self, scope: Scope, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Entry]:
        """Give what happened in a scope."""
        return self._entries("scope", str(scope), since, until)

    def find_by_finding(
        self, finding_id: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Entry]:
        """Give a finding's life."""
        return self._entries("id", finding_id, since, until, "by-finding")

    def find_by_resource(
        self, resource: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Entry]:
        """Give what happened to the findings about a resource."""
        return self._entries("resource", resource, since, until, "by-resource")

    def find_by_actor(
        self, actor: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Entry]:
        """Give what somebody's changes brought about."""
        return self._entries("actor", actor, since, until, "by-actor")

    def load_commit(self, scope: Scope, commit: str) -> tuple[Entry, ...]:
        """Give the rows that one transaction wrote; they never change."""
        observed_at = commit.partition("#")[0]
        rows = self._rows("scope", str(scope), f"{observed_at}#", f"{observed_at}#{AFTER_ALL}")
        return tuple(row for row in map(parse_history_entry, rows) if row.commit == commit)

    def query_rows(
        self, partition: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[StoredItem]:
        """Give a partition's rows as they are stored, for whoever proves or hands them on."""
        return self._rows("scope", partition, *_between(since, until))

    def _entries(
        self,
        name: str,
        value: str,
        since: datetime | None,
        until: datetime | None,
        index: str | None = None,
    ) -> Iterator[Entry]:
        return map(parse_history_entry, self._rows(name, value, *_between(since, until), index))

    def _rows(
        self, name: str, value: str, start: str, end: str, index: str | None = None
    ) -> Iterator[StoredItem]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#key = :key AND #entry BETWEEN :start AND :end",
            ExpressionAttributeNames={"#key": name, "#entry": "entry"},
            ExpressionAttributeValues=serialize({":key": value, ":start": start, ":end": end}),
            **({"IndexName": index} if index else {"ConsistentRead": True}),
        )
        for page in pages:
            yield from page["Items"]


def _between(since: datetime | None, until: datetime | None) -> tuple[str, str]:
    """Give the first and the last key of a time."""
    return format_iso(since) if since else "0", format_iso(
        until
    ) + AFTER_ALL if until else AFTER_ALL
