"""Reading history: what happened in a scope, and what one commit brought."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from posture.aws.attributes import typed
from posture.aws.items import Entry, entry_of
from posture.model.instant import iso
from posture.model.scope import Scope

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AFTER_ALL = "~"  # sorts after every character of an instant


class History:
    """The history table as its readers see it, page by page.

    Every method raises `CorruptItemError` at a row that cannot be read.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def of_scope(
        self, scope: Scope, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Entry]:
        """Give what happened in a scope from `since` to `until`, both included, oldest first."""
        start = iso(since) if since else "0"
        end = iso(until) + AFTER_ALL if until else AFTER_ALL
        return self._between(scope, start, end)

    def of_commit(self, scope: Scope, commit: str) -> tuple[Entry, ...]:
        """Give the rows that one transaction wrote; they never change."""
        observed_at = commit.partition("#")[0]
        rows = self._between(scope, f"{observed_at}#", f"{observed_at}#{AFTER_ALL}")
        return tuple(row for row in rows if row.commit == commit)

    def _between(self, scope: Scope, start: str, end: str) -> Iterator[Entry]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#scope = :scope AND #entry BETWEEN :start AND :end",
            ExpressionAttributeNames={"#scope": "scope", "#entry": "entry"},
            ExpressionAttributeValues=typed({":scope": str(scope), ":start": start, ":end": end}),
            ConsistentRead=True,
        )
        for page in pages:
            yield from map(entry_of, page["Items"])
