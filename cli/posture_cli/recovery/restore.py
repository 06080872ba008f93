"""Restores the tables of a monitor to one time, each to a new table.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/pointintimerecovery_restores.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from posture_cli.failure import CommandError
from posture_cli.recovery.stored import read_recovery

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A restore takes minutes to hours: https://aws.amazon.com/dynamodb/backup-restore/
WAIT = {"Delay": 20, "MaxAttempts": 4320}  # a day


def choose_time(
    client: DynamoDBClient, tables: Mapping[str, str], requested: datetime | None
) -> datetime:
    """Choose the time to which all tables are restored: the requested one, or the latest.

    Raises:
        CommandError: A table has no point-in-time recovery, or none for the requested time.
    """
    ends = []
    for table in tables.values():
        recovery = read_recovery(client, table)
        if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
            raise CommandError(f"table {table}: point-in-time recovery is not enabled")
        first, last = recovery["EarliestRestorableDateTime"], recovery["LatestRestorableDateTime"]
        if requested and not first <= requested <= last:
            raise CommandError(
                f"--at: expected a time from {first:%FT%TZ} to {last:%FT%TZ}, the times to which "
                f"table {table} can be restored; found {requested:%FT%TZ}"
            )
        ends.append(last)
    return (requested or min(ends)).replace(microsecond=0)


def name_restored(table: str, at: datetime) -> str:
    """Return the name of the table that a table is restored to."""
    return f"{table}-at-{at:%Y%m%dT%H%M%SZ}"


def start_restore(client: DynamoDBClient, table: str, at: datetime) -> str:
    """Start to restore a table; return the name of the new one.

    A restore that was started before is continued, so that the command can be repeated.

    Raises:
        CommandError: Another table has this name.
    """
    target = name_restored(table, at)
    try:
        client.restore_table_to_point_in_time(
            SourceTableName=table, TargetTableName=target, RestoreDateTime=at
        )
    except client.exceptions.TableAlreadyExistsException as error:
        summary = client.describe_table(TableName=target)["Table"].get("RestoreSummary")
        if not summary or not summary.get("SourceTableArn", "").endswith(f"/{table}"):
            raise CommandError(
                f"table {target} exists and was not restored from {table}"
            ) from error
    return target


def wait_until_restored(client: DynamoDBClient, table: str) -> None:
    """Wait until a table is restored."""
    client.get_waiter("table_exists").wait(TableName=table, WaiterConfig=WAIT)  # type: ignore[arg-type]
