"""The stack's tables as an emulator needs them: keys, indexes and streams."""

from typing import TYPE_CHECKING

from posture.runtime.settings import Tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeDefinitionTypeDef,
        GlobalSecondaryIndexTypeDef,
        KeySchemaElementTypeDef,
    )

TABLES = Tables("findings", "history", "baseline", "ownership", "idempotency")
NETWORK = "network"  # the table of the shared network, which exists if it is switched on

KEYS = {
    "findings": ("scope", "item"),
    "history": ("scope", "entry"),
    "baseline": ("kind", "name"),
    "ownership": ("resource", "scope"),
    "idempotency": ("id",),
    NETWORK: ("region", "item"),
}
INDEXES = {
    "findings": {
        "by-status": ("status", "severity_updated"),
        "by-account-status": ("account_status", "severity_updated"),
        "by-rule": ("rule", "updated_at"),
        "by-resource": ("resource", "updated_at"),
        "by-region": ("head_of", "scope"),
        "all-scopes": ("listed", "scope"),
    },
    "history": {
        "by-finding": ("id", "entry"),
        "by-resource": ("resource", "entry"),
        "by-actor": ("actor", "entry"),
    },
    "ownership": {"by-scope": ("scope", "resource")},
}


def create_tables(client: "DynamoDBClient") -> Tables:
    """Create them all, empty."""
    for name, keys in KEYS.items():
        indexes = INDEXES.get(name, {})
        attributes = sorted({*keys, *(key for index in indexes.values() for key in index)})
        definitions: list[AttributeDefinitionTypeDef] = [
            {"AttributeName": each, "AttributeType": "S"} for each in attributes
        ]
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=definitions,
            KeySchema=_schema(keys),
            **({"GlobalSecondaryIndexes": _indexes(indexes)} if indexes else {}),  # type: ignore[arg-type]
            **({"StreamSpecification": stream} if name == "findings" else {}),  # type: ignore[arg-type]
        )
    return TABLES


def _schema(keys: tuple[str, ...]) -> "list[KeySchemaElementTypeDef]":
    hash_key: KeySchemaElementTypeDef = {"AttributeName": keys[0], "KeyType": "HASH"}
    ranges: list[KeySchemaElementTypeDef] = [
        {"AttributeName": key, "KeyType": "RANGE"} for key in keys[1:]
    ]
    return [hash_key, *ranges]


def _indexes(indexes: dict[str, tuple[str, str]]) -> "list[GlobalSecondaryIndexTypeDef]":
    return [
        {"IndexName": name, "KeySchema": _schema(keys), "Projection": {"ProjectionType": "ALL"}}
        for name, keys in indexes.items()
    ]
