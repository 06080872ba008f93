"""Opens the tables of a stack for reading, with the caller's own credentials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from posture.model.scope import Scope
from posture.runtime.settings import Tables
from posture.store.findings import Findings
from posture.store.history import History
from posture.store.scope_record import parse_scope_record, record_key
from posture_cli.console import print_note
from posture_cli.deployed import find_tables, open_dynamodb
from posture_cli.failure import CommandError

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_dynamodb import DynamoDBClient


class CapacityMeter:
    """Counts the requests of a client and the read units that they consume.

    A read unit is a strongly consistent read of 4 KB.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
    """

    def __init__(self, client: DynamoDBClient) -> None:
        self.units = 0.0
        self.requests = 0
        events = client.meta.events
        for operation in ("Query", "GetItem", "BatchGetItem"):
            events.register(f"before-parameter-build.dynamodb.{operation}", self._request_units)
            events.register(f"after-call.dynamodb.{operation}", self._add_units)

    def _request_units(self, params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def _add_units(self, parsed: dict[str, Any], **_: Any) -> None:
        self.requests += 1
        consumed = parsed.get("ConsumedCapacity", ())  # of several items one for each table
        for each in consumed if isinstance(consumed, list) else filter(None, [consumed]):
            self.units += each.get("CapacityUnits", 0.0)


@dataclass(frozen=True, slots=True)
class VpcMatrix:
    """A VPC's matrix, as `posture.analysis.matrix` writes it; empty if none is stored."""

    scope: Scope
    observed_at: datetime
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OpenTables:
    """The tables that a command reads."""

    client: DynamoDBClient
    tables: Tables
    meter: CapacityMeter
    stack: str = ""

    @property
    def region(self) -> str:
        """The region of the tables."""
        return self.client.meta.region_name

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
            CommandError: The findings table does not exist.
        """
        with self.naming_missing_table():
            yield from self.findings.list_scopes()

    @contextmanager
    def naming_missing_table(self) -> Iterator[None]:
        """Name the findings table in the error if it does not exist.

        Raises:
            CommandError: It does not exist.
        """
        try:
            yield
        except self.client.exceptions.ResourceNotFoundException as error:
            table, region = self.tables.findings, self.client.meta.region_name
            raise CommandError(f"there is no table {table!r} in {region}") from error

    def read_matrices(self, scopes: Iterable[Scope]) -> Iterator[VpcMatrix]:
        """Read the coverage matrices of those scopes that still exist."""
        for scope in scopes:
            item = self.client.get_item(TableName=self.tables.findings, Key=record_key(scope))
            if "head_of" in item.get("Item", {}):
                found = parse_scope_record(item["Item"])
                yield VpcMatrix(scope, found.observed_at, found.coverage or {})

    def print_cost(self, *, verbose: bool) -> None:
        """Print what was read, if `verbose`."""
        if verbose:
            meter = self.meter
            print_note(f"read {meter.units:g} read units in {meter.requests} requests")


def open_tables(
    stack: str,
    region: str | None,
    named: Mapping[str, str | None],
    session: boto3.Session | None = None,
) -> OpenTables:
    """Open the tables of a stack.

    Args:
        stack: The stack.
        region: Its region.
        named: The tables that are needed, each with the table to use instead of the stack's.
        session: The session of the caller, so that several stacks ask for credentials once.

    Raises:
        CommandError: There is no such stack, or it is not a posture stack.
    """
    tables = find_tables(stack, region, named, session)
    client = open_dynamodb(region, session)
    return OpenTables(client, tables, CapacityMeter(client), stack)
