"""Reading a table: one item, or those of a partition key and a range of its sort key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from posture.model.instant import format_iso
from posture.store.attribute_values import Item, StoredItem, serialize

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AFTER_ALL = "~"  # sorts after every character of a time


class KeyRange(NamedTuple):
    """A sort key's name, and the first and last value wanted, both included."""

    name: str
    first: str
    last: str


def time_range(name: str, since: datetime | None, until: datetime | None) -> KeyRange:
    """Return the range of a sort key that begins with a time; None stands for no bound."""
    first = format_iso(since) if since else "0"
    return KeyRange(name, first, format_iso(until) + AFTER_ALL if until else AFTER_ALL)


class StoredTable:
    """A table that is read by its keys and indexes; the base of all that read or write one."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def _get(self, key: Item) -> StoredItem | None:
        """Read one item consistently."""
        answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return answer.get("Item")

    def _query(
        self,
        key: str,
        value: str,
        *,
        between: KeyRange | None = None,
        index: str = "",
        consistent: bool = True,
    ) -> Iterator[StoredItem]:
        """Query the table or an index, page by page as the items are consumed.

        Args:
            key: The name of the partition key.
            value: Its value.
            between: The range of the sort key; None for all.
            index: The index to query; "" for the table itself.
            consistent: Whether the table is read consistently; an index never is.
        """
        condition, names, values = "#key = :key", {"#key": key}, {":key": value}
        if between:
            condition += " AND #sort BETWEEN :first AND :last"
            names["#sort"], values[":first"], values[":last"] = between
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=serialize(values),
            **({"IndexName": index} if index else {"ConsistentRead": consistent}),
        )
        for page in pages:
            yield from page["Items"]
