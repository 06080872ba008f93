"""Measures what reading costs in DynamoDB read units, as DynamoDB reports them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READS = ("Query", "GetItem")


class CapacityMeter:
    """Counts the requests of a client and the read units that they consume.

    A read unit is a strongly consistent read of 4 KB.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
    """

    def __init__(self, client: DynamoDBClient) -> None:
        self.units = 0.0
        self.requests = 0
        for operation in READS:
            events = client.meta.events
            events.register(f"before-parameter-build.dynamodb.{operation}", self._request_units)
            events.register(f"after-call.dynamodb.{operation}", self._add_units)

    def describe(self) -> str:
        """Return what was read so far, in words."""
        return f"{self.units:g} read units in {self.requests} requests"

    def _request_units(self, params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def _add_units(self, parsed: dict[str, Any], **_: Any) -> None:
        self.requests += 1
        self.units += parsed.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
