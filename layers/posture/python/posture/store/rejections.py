"""Why changes were rejected or given up: a dead-letter message itself holds only the message."""

from __future__ import annotations

from datetime import datetime, timedelta

from posture.changes.batch import RejectedRecord
from posture.lifecycle.bounds import truncate
from posture.model.instant import format_iso
from posture.store.attribute_values import serialize
from posture.store.conditional_writes import build_put
from posture.store.queries import StoredTable

PARTITION = "rejected"
LAST_TRY = 5  # the queues' maxReceiveCount: after it, a message goes to the dead-letter queue
KEPT = timedelta(days=30)  # longer than the dead-letter queue keeps a message
BODY = 200_000  # bytes; an item holds 400 KB, a queue message 1 MB


class Rejections(StoredTable):
    """The partition of the history table that holds one row for each rejected message."""

    def keep(self, rejected: RejectedRecord, received_at: datetime) -> None:
        """Record why a message was rejected, unless a reason is recorded already.

        The queue hands out a rejected message several times before it goes to the dead-letter
        queue; one row stands for all of them.
        """
        row = {
            "scope": PARTITION,
            "entry": rejected.message_id or "without id",
            "reason": rejected.reason,
            "body": truncate(rejected.body, BODY),
            "received_at": format_iso(received_at),
            "expires_at": int((received_at + KEPT).timestamp()),
        }
        put = build_put(self._table, serialize(row), "attribute_not_exists(#entry)")
        try:
            self._client.put_item(**put)
        except self._client.exceptions.ConditionalCheckFailedException:
            return
