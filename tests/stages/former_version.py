"""Tables as the former version left them: rules under their first ids, other words, schema 2."""

from typing import TYPE_CHECKING, Any

from posture.model.rule_ids import first_rule_id
from posture.runtime.encoded_item import EncodedItem
from posture.store.attribute_values import serialize
from posture.store.hash_chain import Chain, append_to_chain
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHAINED = ("number", "previous", "digest")
ADDED = ("snapshot_at", "unsettled_at")  # attributes of scope records


def rewrite_as_former_version(client: "DynamoDBClient") -> None:
    """Rewrite all findings, scope records and history in the form of the former version."""
    ends = _rewrite_history(client)
    for item in scan(client, TABLES.findings):
        if item["kind"] == {"S": "snapshot"}:  # the former version stored none
            key = {"scope": item["scope"], "item": item["item"]}
            client.delete_item(TableName=TABLES.findings, Key=key)
            continue
        if item["kind"] == {"S": "finding"}:
            key = {"scope": item["scope"], "item": item["item"]}
            client.delete_item(TableName=TABLES.findings, Key=key)
            written = _former(item)
            written["item"] = serialize({"item": _former_key(item)})["item"]
        else:
            kept = {name: value for name, value in item.items() if name not in ADDED}
            written = {**kept, **serialize({"picture": "f" * 40, "schema": 2})}
            if chain := ends.get(item["scope"]["S"]):
                written |= serialize(chain.to_attributes())
        client.put_item(TableName=TABLES.findings, Item=written)


def scan(client: "DynamoDBClient", table: str) -> list[dict[str, Any]]:
    """Return all items of a table."""
    pages = client.get_paginator("scan").paginate(TableName=table)
    return [dict(item) for page in pages for item in page["Items"]]


def _rewrite_history(client: "DynamoDBClient") -> dict[str, Chain]:
    """Chain the rows of the former version; return where each scope's chain ends."""
    ends: dict[str, Chain] = {}
    rows = [row for row in scan(client, TABLES.history) if row.get("kind") == {"S": "transition"}]
    for row in sorted(rows, key=lambda row: int(row["number"]["N"])):
        scope = row["scope"]["S"]
        bare = {name: value for name, value in _former(row).items() if name not in CHAINED}
        linked, ends[scope] = append_to_chain(EncodedItem(bare), ends.get(scope, Chain()))
        client.put_item(TableName=TABLES.history, Item=linked)
    return ends


def _former(item: dict[str, Any]) -> dict[str, Any]:
    words = f"in other words: {item['summary']['S']}"
    changed = {"rule": first_rule_id(item["rule"]["S"]), "summary": words, "schema": 2}
    return {**item, **serialize(changed)}


def _former_key(item: dict[str, Any]) -> str:
    return f"{first_rule_id(item['rule']['S'])}#{item['resource']['S']}"
