"""What reading costs, in DynamoDB's read units, told by DynamoDB itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READS = ("Query", "GetItem")


class Meter:
    """Counts the requests and read units of a client.

    A read unit is 4 KB read consistently, or 8 KB read from an index.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
    """

    def __init__(self, client: DynamoDBClient) -> None:
        self.units = 0.0
        self.requests = 0
        for operation in READS:
            events = client.meta.events
            events.register(f"before-parameter-build.dynamodb.{operation}", self._ask)
            events.register(f"after-call.dynamodb.{operation}", self._add)

    def told(self) -> str:
        """Say what was read so far."""
        return f"{self.units:g} read units in {self.requests} requests"

    def _ask(self, params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def _add(self, parsed: dict[str, Any], **_: Any) -> None:
        self.requests += 1
        self.units += parsed.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
