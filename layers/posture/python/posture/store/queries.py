"""Reading a table: one item, or those of a partition key and a range of its sort key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from posture.errors import ConflictError
from posture.model.instant import format_iso
from posture.runtime.pages import read_pages
from posture.store.attribute_values import Item, StoredItem, serialize
from posture.store.conditional_writes import ATTEMPTS, pause_between

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
BATCH = 100
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

    def _get_all(
        self, keys: Iterable[Mapping[str, Any]], *, attributes: Iterable[str] = ()
    ) -> tuple[StoredItem, ...]:
        """Read the items with these keys consistently, those that exist.

        Args:
            keys: The keys.
            attributes: What to read of each item; everything if empty.

        Raises:
            ConflictError: DynamoDB kept leaving some of them unread.
        """
        found: list[StoredItem] = []
        wanted = [serialize(key) for key in keys]
        names = {f"#{each}": each for each in attributes}
        projection = {
            "ProjectionExpression": ", ".join(names),
            "ExpressionAttributeNames": names,
        }
        for start in range(0, len(wanted), BATCH):
            some = wanted[start : start + BATCH]
            request = {"Keys": some, "ConsistentRead": True, **(projection if names else {})}
            left: Any = {self._table: request}
            for _ in pause_between(ATTEMPTS):
                answer = self._client.batch_get_item(RequestItems=left)
                found += answer["Responses"].get(self._table, ())
                left = answer.get("UnprocessedKeys")
                if not left:
                    break
            else:
                raise ConflictError(f"items of {self._table} were not read in {ATTEMPTS} attempts")
        return tuple(found)

    def _query(  # noqa: PLR0913 - as a Query has
        self,
        key: str,
        value: str,
        *,
        between: KeyRange | None = None,
        equal: tuple[str, str] | None = None,
        index: str = "",
        consistent: bool = True,
        attributes: Iterable[str] = (),
    ) -> Iterator[StoredItem]:
        """Query the table or an index, page by page as the items are consumed.

        Args:
            key: The name of the partition key.
            value: Its value.
            between: The range of the sort key; None for all.
            equal: An attribute that is no key, and the value that a wanted item has there. DynamoDB
                reads the others as well, but does not return them.
            index: The index to query; "" for the table itself.
            consistent: Whether the table is read consistently; an index never is.
            attributes: What to read of each item; everything if empty.
        """
        condition, names, values = "#key = :key", {"#key": key}, {":key": value}
        if between:
            condition += " AND #sort BETWEEN :first AND :last"
            names["#sort"], values[":first"], values[":last"] = between
        projected = {f"#{each}": each for each in attributes}
        options: dict[str, Any] = {"IndexName": index} if index else {"ConsistentRead": consistent}
        if equal:
            names["#equal"], values[":equal"] = equal
            options["FilterExpression"] = "#equal = :equal"
        if projected:
            options["ProjectionExpression"] = ", ".join(projected)
        request = {
            "TableName": self._table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {**names, **projected},
            "ExpressionAttributeValues": serialize(values),
            **options,
        }
        pages = read_pages(
            self._client.query, request, sent="ExclusiveStartKey", returned="LastEvaluatedKey"
        )
        for page in pages:
            yield from page["Items"]
