"""Queries of a table or an index by its partition key, and by a range of its sort key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from posture.model.instant import format_iso
from posture.store.attribute_values import StoredItem, serialize

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


def query(  # noqa: PLR0913 - the parts of a query
    client: DynamoDBClient,
    table: str,
    key: str,
    value: str,
    *,
    between: KeyRange | None = None,
    index: str = "",
    consistent: bool = True,
) -> Iterator[StoredItem]:
    """Query a table or an index, page by page as the items are consumed.

    Args:
        client: A DynamoDB client.
        table: The table's name.
        key: The name of the partition key.
        value: Its value.
        between: The range of the sort key; None for all.
        index: The index to query; "" for the table itself.
        consistent: Whether a table is read consistently; an index never is.
    """
    condition, names, values = "#key = :key", {"#key": key}, {":key": value}
    if between:
        condition += " AND #sort BETWEEN :first AND :last"
        names["#sort"], values[":first"], values[":last"] = between
    pages = client.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression=condition,
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=serialize(values),
        **({"IndexName": index} if index else {"ConsistentRead": consistent}),
    )
    for page in pages:
        yield from page["Items"]
