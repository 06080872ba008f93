"""Opens the tables of a stack for reading, with the caller's own credentials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from posture.model.scope import Scope
from posture.runtime.settings import Tables
from posture.store.findings import Findings
from posture.store.history import History
from posture_cli.audit.capacity_meter import CapacityMeter
from posture_cli.console import print_note
from posture_cli.deployed import DeploymentError, find_tables, open_dynamodb

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class OpenTables:
    """The tables that a command reads; `meter` counts the read units."""

    client: DynamoDBClient
    tables: Tables
    meter: CapacityMeter

    @property
    def findings(self) -> Findings:
        """The findings table."""
        return Findings(self.client, self.tables.findings)

    @property
    def history(self) -> History:
        """The history table."""
        return History(self.client, self.tables.history)

    def list_scopes(self) -> Iterator[Scope]:
        """List every scope that was ever evaluated.

        Raises:
            DeploymentError: The findings table does not exist.
        """
        try:
            yield from self.findings.list_scopes()
        except self.client.exceptions.ResourceNotFoundException as error:
            table, region = self.tables.findings, self.client.meta.region_name
            raise DeploymentError(f"there is no table {table!r} in {region}") from error

    def print_cost(self, *, verbose: bool) -> None:
        """Print what was read, if `verbose`."""
        if verbose:
            print_note(f"read {self.meter.describe()}")


def open_tables(stack: str, region: str | None, named: Mapping[str, str | None]) -> OpenTables:
    """Open the tables of a stack.

    Args:
        stack: The stack.
        region: Its region.
        named: The tables that are needed, each with the table to use instead of the stack's.

    Raises:
        DeploymentError: There is no such stack, or it is not a posture stack.
    """
    tables = find_tables(stack, region, named)
    client = open_dynamodb(region)
    return OpenTables(client, tables, CapacityMeter(client))
