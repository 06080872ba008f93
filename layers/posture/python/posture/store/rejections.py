"""Why a change was refused or given up: a dead letter itself holds only the message."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from posture.changes.batch import RejectedRecord
from posture.lifecycle.bounds import truncate
from posture.model.instant import format_iso
from posture.store.attribute_values import serialize

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION = "rejected"
LAST_TRY = 5  # the queues' maxReceiveCount: after it a message is a dead letter
BODY = 200_000  # bytes; an item holds 400 KB, a queue message 1 MB


class Rejections:
    """The partition of the history table that holds one row a refused message."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def keep(self, rejected: RejectedRecord, received_at: datetime) -> None:
        """Write down why a message was refused; the first reason stays.

        The queue hands a refused message over several times before it goes to the dead-letter
        queue: one row tells of them all.
        """
        row = {
            "scope": PARTITION,
            "entry": rejected.message_id or "without id",
            "reason": rejected.reason,
            "body": truncate(rejected.body, BODY),
            "received_at": format_iso(received_at),
        }
        try:
            self._client.put_item(
                TableName=self._table,
                Item=serialize(row),
                ConditionExpression="attribute_not_exists(#entry)",
                ExpressionAttributeNames={"#entry": "entry"},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return
