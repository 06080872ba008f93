"""The claims of alerts: Powertools' table, in which no claim lasts longer than a function can run.

A claim ends with its invocation. One that ends later was dated by a clock that was ahead, or
edited; nothing would report its commit until then.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyItemAlreadyExistsError

from posture.model.instant import CLOCK_TOLERANCE
from posture.runtime.clock import utc_now

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
    from mypy_boto3_dynamodb import DynamoDBClient

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
LONGEST_INVOCATION = timedelta(minutes=15)
IN_PROGRESS = "INPROGRESS"

logger = Logger()


class ClaimTable(DynamoDBPersistenceLayer):
    """The idempotency table; `on_repair` is called for each claim that was ended."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        on_repair: Callable[[], object] = lambda: None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(table, boto3_client=client)
        self._on_repair = on_repair
        self._now = now

    def _put_record(self, data_record: DataRecord) -> None:
        """Claim; a claim of others that cannot last so long is ended first."""
        try:
            super()._put_record(data_record)
        except IdempotencyItemAlreadyExistsError as error:
            known = error.old_data_record or self._get_record(data_record.idempotency_key)
            if not self._end_impossible(known):
                raise
            super()._put_record(data_record)

    def _end_impossible(self, known: DataRecord) -> bool:
        """End a claim that lasts longer than a function can run; False for any other."""
        latest = self._now() + LONGEST_INVOCATION + CLOCK_TOLERANCE
        ends = known.in_progress_expiry_timestamp or 0
        if known.status != IN_PROGRESS or ends <= latest.timestamp() * 1000:
            return False
        logger.error("stored time was in the future", extra={"claim": known.idempotency_key})
        try:
            self.client.delete_item(
                TableName=self.table_name,
                Key=self._get_key(known.idempotency_key),
                ConditionExpression="#end = :end",
                ExpressionAttributeNames={"#end": self.in_progress_expiry_attr},
                ExpressionAttributeValues={":end": {"N": str(ends)}},
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return False  # another invocation ended it, and may have claimed the commit since
        self._on_repair()
        return True
