"""Conditional writes: building puts, and what a cancelled transaction means."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from posture.errors import ConflictError, PostureError
from posture.store.attribute_values import Item, serialize

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        PutTypeDef,
        TransactWriteItemTypeDef,
        UpdateTypeDef,
    )

ATTEMPTS = 5
PAUSE = 0.05  # seconds, doubled each time

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
RETRYABLE = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None"}
)


class ConditionFailedError(PostureError):
    """A condition of the write does not hold; nothing was written."""


def build_put(
    table: str, item: Item, condition: str = "", values: Mapping[str, Any] | None = None
) -> PutTypeDef:
    """Build the put of an item; in its condition `#name` stands for the attribute `name`."""
    put: PutTypeDef = {"TableName": table, "Item": item}
    if condition:
        put["ConditionExpression"] = condition
        put["ExpressionAttributeNames"] = name_attributes(condition)
    if values:
        put["ExpressionAttributeValues"] = serialize(values)
    return put


def name_attributes(expression: str) -> dict[str, str]:
    """Return the attribute of each `#name` in an expression."""
    return {name: name[1:] for name in re.findall(r"#\w+", expression)}


def transact(client: DynamoDBClient, writes: Sequence[TransactWriteItemTypeDef]) -> None:
    """Write all or nothing, with retries while others hold one of the items.

    botocore retries a throttled request, but not a cancelled transaction; its retries carry the
    same client token, so a lost answer does not make DynamoDB write twice.

    Raises:
        ConditionFailedError: a condition does not hold.
        ConflictError: others kept holding the items.
    """
    for _ in pause_between(ATTEMPTS):
        try:
            client.transact_write_items(TransactItems=writes)
        except client.exceptions.TransactionCanceledException as error:
            reasons = {str(each.get("Code", "None")) for each in _reasons(error)}
            if "ConditionalCheckFailed" in reasons:
                raise ConditionFailedError(str(error)) from error
            if not reasons <= RETRYABLE:
                raise
        else:
            return
    raise ConflictError(f"a transaction was cancelled {ATTEMPTS} times")


def try_transact(
    client: DynamoDBClient, writes: Sequence[TransactWriteItemTypeDef]
) -> frozenset[int]:
    """Try to write all or nothing, once; return the positions of the writes that failed.

    When none failed, all is written. A cancellation that names none counts as a failure of all.
    """
    try:
        client.transact_write_items(TransactItems=writes)
    except client.exceptions.TransactionCanceledException as error:
        codes = [each.get("Code", "None") for each in _reasons(error)]
        named = frozenset(at for at, code in enumerate(codes) if code != "None")
        return named or frozenset(range(len(writes)))
    return frozenset()


def update(client: DynamoDBClient, write: UpdateTypeDef) -> None:
    """Update one item on its condition, with retries while a transaction holds it.

    Raises:
        ConditionFailedError: the condition does not hold.
        ConflictError: a transaction kept holding the item.
    """
    for _ in pause_between(ATTEMPTS):
        try:
            client.update_item(**write)
        except client.exceptions.ConditionalCheckFailedException as error:
            raise ConditionFailedError(str(error)) from error
        except client.exceptions.TransactionConflictException:
            continue
        return
    raise ConflictError(f"an update conflicted with a transaction {ATTEMPTS} times")


def pause_between(attempts: int) -> Iterator[int]:
    """Count attempts, with a pause before each but the first."""
    for attempt in range(attempts):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        yield attempt


def _reasons(error: ClientError) -> Sequence[dict[str, object]]:
    reasons: Sequence[dict[str, object]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return reasons
