"""Reads what tables and their key are like, whether or not a stack has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

from posture.runtime.settings import Tables
from posture_cli.failure import CommandError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PointInTimeRecoveryDescriptionTypeDef

# The tables that stay when a stack is deleted, by the field of `Tables`.
LOGICAL_IDS = {
    "findings": "FindingsTable",
    "history": "HistoryTable",
    "baseline": "BaselineTable",
}


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table as DynamoDB describes it.

    Attributes:
        name: Its name.
        description: What DescribeTable returns.
        recovery: Whether it has point-in-time recovery.
        expiry: The attribute by which items expire; "" if none do.
    """

    name: str
    description: Mapping[str, Any]
    recovery: bool
    expiry: str

    @property
    def key_arn(self) -> str:
        """The ARN of the customer managed key that encrypts it; "" without one."""
        return str(self.description.get("SSEDescription", {}).get("KMSMasterKeyArn", ""))


@dataclass(frozen=True, slots=True)
class StoredKey:
    """The key that encrypts the tables.

    Attributes:
        id: Its id, by which CloudFormation imports it.
        state: Its state; a key that waits for its deletion decrypts nothing.
        manager: Who manages it: CUSTOMER or AWS.
        description: Its description.
        policy: Its key policy.
        rotates: Whether KMS rotates it.
    """

    id: str
    state: str
    manager: str
    description: str
    policy: Mapping[str, Any]
    rotates: bool


def find_retained(client: DynamoDBClient, stack: str, named: Mapping[str, str | None]) -> Tables:
    """Find the tables that a deleted stack left, by the names that CloudFormation gave them.

    Args:
        client: DynamoDB in the region of the stack.
        stack: The name of the stack.
        named: Each table by the field of `Tables`, with its name or None.

    Raises:
        CommandError: No table has such a name, or several have.
    """
    listed: list[str] = []
    if not all(named.values()):
        pages = client.get_paginator("list_tables").paginate()
        listed = [name for page in pages for name in page["TableNames"]]
    found = {kind: name for kind, name in named.items() if name}
    for kind in (each for each in LOGICAL_IDS if each not in found):
        prefix = f"{stack}-{LOGICAL_IDS[kind]}-"
        names = [name for name in listed if name.startswith(prefix)]
        if len(names) != 1:
            known = f"there is no table {prefix}*"
            if names:
                known = f"there are several tables {prefix}*: {', '.join(sorted(names))}"
            where = client.meta.region_name
            raise CommandError(f"in {where} {known}; name it with --{kind}-table")
        found[kind] = names[0]
    return Tables(**found, ownership="", idempotency="")


def read_table(client: DynamoDBClient, name: str) -> StoredTable:
    """Read what a table is like.

    Raises:
        CommandError: There is no such table.
    """
    try:
        described = client.describe_table(TableName=name)["Table"]
    except client.exceptions.ResourceNotFoundException as error:
        where = client.meta.region_name
        raise CommandError(f"there is no table {name!r} in {where}") from error
    expiry = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    expires = expiry.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
    return StoredTable(
        name,
        described,
        read_recovery(client, name).get("PointInTimeRecoveryStatus") == "ENABLED",
        expiry.get("AttributeName", "") if expires else "",
    )


def read_recovery(client: DynamoDBClient, name: str) -> PointInTimeRecoveryDescriptionTypeDef:
    """Read from when to when a table can be restored.

    Raises:
        CommandError: There is no such table.
    """
    try:
        backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    except client.exceptions.TableNotFoundException as error:
        where = client.meta.region_name
        raise CommandError(f"there is no table {name!r} in {where}") from error
    return backups.get("PointInTimeRecoveryDescription", {})


def read_key(arn: str, region: str | None) -> StoredKey:
    """Read what a key is like."""
    client = boto3.Session(region_name=region).client("kms")
    described = client.describe_key(KeyId=arn)["KeyMetadata"]
    policy = client.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]
    return StoredKey(
        described["KeyId"],
        described.get("KeyState", ""),
        described.get("KeyManager", ""),
        described.get("Description", ""),
        json.loads(policy),
        client.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"],
    )
