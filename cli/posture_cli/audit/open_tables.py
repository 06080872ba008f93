"""The tables of a stack, opened for reading with the caller's own credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from posture.runtime.settings import Tables
from posture.store.findings import Findings
from posture.store.history import History
from posture_cli import deployed
from posture_cli.audit.capacity_meter import Meter
from posture_cli.console import notes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class Opened:
    """What a verb reads; `meter` counts what it costs."""

    client: DynamoDBClient
    tables: Tables
    meter: Meter

    @property
    def findings(self) -> Findings:
        """The findings table."""
        return Findings(self.client, self.tables.findings)

    @property
    def history(self) -> History:
        """The history table."""
        return History(self.client, self.tables.history)

    def tell_cost(self, *, verbose: bool) -> None:
        """Say what was read, if anybody wants to know."""
        if verbose:
            notes().print(f"read {self.meter.told()}")


def opened(stack: str, region: str | None, **named: str | None) -> Opened:
    """Open the tables of a stack.

    `named` are those that are needed, each with a table to take instead of the stack's or None.

    Raises:
        DeploymentError: there is no such stack, or it is not a posture stack.
    """
    tables = deployed.tables(stack, region, named)
    client = deployed.dynamodb(region)
    return Opened(client, tables, Meter(client))
