"""Conditional writes: what a cancellation means, and what is worth another try."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from posture.errors import ConflictError, PostureError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, UpdateTypeDef

ATTEMPTS = 5
PAUSE = 0.05  # seconds, doubled each time

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
RETRYABLE = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None"}
)


class ConditionFailedError(PostureError):
    """A condition of the write does not hold; nothing was written."""


def transact(client: DynamoDBClient, writes: Sequence[TransactWriteItemTypeDef]) -> None:
    """Write all or nothing, trying again while others hold one of the items.

    botocore repeats a throttled request by itself, but not a cancelled transaction; its repeats
    carry the same client token, so a lost answer does not make DynamoDB write twice.

    Raises:
        ConditionFailedError: a condition does not hold.
        ConflictError: others kept holding the items.
    """
    for attempt in range(ATTEMPTS):
        try:
            client.transact_write_items(TransactItems=writes)
        except client.exceptions.TransactionCanceledException as error:
            reasons = {str(each.get("Code", "None")) for each in _reasons(error)}
            if "ConditionalCheckFailed" in reasons:
                raise ConditionFailedError(str(error)) from error
            if not reasons <= RETRYABLE:
                raise
            time.sleep(PAUSE * 2**attempt)
        else:
            return
    raise ConflictError(f"a transaction was cancelled {ATTEMPTS} times")


def try_transact(
    client: DynamoDBClient, writes: Sequence[TransactWriteItemTypeDef]
) -> frozenset[int]:
    """Try to write all or nothing, once; give which writes stood in the way, by their places.

    With none of them it is written. A cancellation that names none is taken for one of them all.
    """
    try:
        client.transact_write_items(TransactItems=writes)
    except client.exceptions.TransactionCanceledException as error:
        codes = [each.get("Code", "None") for each in _reasons(error)]
        named = frozenset(at for at, code in enumerate(codes) if code != "None")
        return named or frozenset(range(len(writes)))
    return frozenset()


def update(client: DynamoDBClient, write: UpdateTypeDef) -> None:
    """Update one item on its condition, trying again while a transaction holds it.

    Raises:
        ConditionFailedError: the condition does not hold.
        ConflictError: a transaction kept holding the item.
    """
    for attempt in range(ATTEMPTS):
        try:
            client.update_item(**write)
        except client.exceptions.ConditionalCheckFailedException as error:
            raise ConditionFailedError(str(error)) from error
        except client.exceptions.TransactionConflictException:
            time.sleep(PAUSE * 2**attempt)
        else:
            return
    raise ConflictError(f"an update met a transaction {ATTEMPTS} times")


def _reasons(error: ClientError) -> Sequence[dict[str, object]]:
    reasons: Sequence[dict[str, object]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return reasons
