"""The quickened emulator answers as DynamoDB does: of a cancelled transaction nothing is left."""

import copy
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest
from botocore import compat, hooks
from botocore.handlers import BUILTIN_HANDLERS
from botocore.loaders import create_loader
from moto.core.loaders import create_loader as create_motos_loader
from moto.dynamodb.models import dynamodb_backends

from quick_emulator import LOAD_MODEL
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = {"scope": {"S": "a"}, "item": {"S": "1"}}
OTHER: Any = {"scope": {"S": "a"}, "item": {"S": "2"}}
OLD: Any = {
    **KEY,
    "count": {"N": "1"},
    "names": {"SS": ["x"]},
    "body": {"M": {"inner": {"L": [{"NULL": True}, {"BOOL": False}, {"B": b"\x00\xff"}]}}},
}
UPDATE = {
    "Key": KEY,
    "UpdateExpression": "SET #body.#inner[0] = :raw, #new = :raw ADD #count :one, #names :more",
    "ExpressionAttributeNames": {
        f"#{name}": name for name in ("body", "inner", "new", "count", "names")
    },
    "ExpressionAttributeValues": {
        ":one": {"N": "1"},
        ":more": {"SS": ["y"]},
        ":raw": {"B": b"\xff\x00"},
    },
}
NEW = {
    **KEY,
    "count": {"N": "2"},
    "names": {"SS": ["x", "y"]},
    "new": {"B": b"\xff\x00"},
    "body": {"M": {"inner": {"L": [{"B": b"\xff\x00"}, {"BOOL": False}, {"B": b"\x00\xff"}]}}},
}
NEVER = {"Key": {**OTHER, "item": {"S": "3"}}, "ConditionExpression": "attribute_exists(nothing)"}


class Positional:
    """A handler that takes no keywords."""

    def call(self, *arguments: Any) -> None:
        """Take arguments by position."""


def transact(dynamodb: "DynamoDBClient", *operations: tuple[str, Any]) -> None:
    """Write to the findings table."""
    named: Any = [{kind: {"TableName": TABLES.findings, **each}} for kind, each in operations]
    dynamodb.transact_write_items(TransactItems=named)


def read_all(dynamodb: "DynamoDBClient") -> tuple[list[Any], list[Any]]:
    """Return what the table and its stream hold."""
    shard = dynamodb_backends["123456789012"]["eu-west-1"].tables[TABLES.findings].stream_shard
    assert shard is not None
    records = [each.to_json() for each in shard.items]
    return dynamodb.scan(TableName=TABLES.findings)["Items"], copy.deepcopy(records)


@pytest.fixture(autouse=True)
def two(dynamodb: "DynamoDBClient") -> None:
    """Store two items."""
    for item in (OLD, OTHER):
        dynamodb.put_item(TableName=TABLES.findings, Item=item)


def test_a_cancelled_transaction_leaves_nothing(dynamodb: "DynamoDBClient") -> None:
    """Neither an update, a new item nor a deletion is left, in the table or in its stream."""
    before = read_all(dynamodb)
    put = ("Put", {"Item": {**OTHER, "item": {"S": "4"}}})
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        transact(
            dynamodb, ("Update", UPDATE), put, ("Delete", {"Key": OTHER}), ("ConditionCheck", NEVER)
        )
    assert read_all(dynamodb) == before


def test_a_transaction_writes_all(dynamodb: "DynamoDBClient") -> None:
    """What it wrote is read as it was written, by each way of reading."""
    transact(dynamodb, ("Update", UPDATE), ("Delete", {"Key": OTHER}))
    (found,), records = read_all(dynamodb)
    assert found == NEW
    assert [each["eventName"] for each in records] == ["INSERT", "INSERT", "MODIFY", "REMOVE"]
    assert dynamodb.get_item(TableName=TABLES.findings, Key=KEY)["Item"] == NEW
    queried = dynamodb.query(
        TableName=TABLES.findings,
        KeyConditionExpression="#scope = :a",
        ExpressionAttributeNames={"#scope": "scope"},
        ExpressionAttributeValues={":a": {"S": "a"}},
    )
    assert queried["Items"] == [NEW]


def test_an_answer_changes_no_more(dynamodb: "DynamoDBClient") -> None:
    """What was read before a write is what was there then."""
    (before, _), _ = read_all(dynamodb)
    transact(dynamodb, ("Update", UPDATE))
    assert before == OLD


@pytest.mark.parametrize("service", ["ec2", "route53", "s3", "sqs"])
def test_what_moto_completes_leaves_the_model_of_botocore(service: str) -> None:
    """A process has the models of both, in whichever order they are read."""
    create_motos_loader().load_service_model(service, "service-2")
    read = create_loader().load_service_model(service, "service-2")
    assert read == LOAD_MODEL(create_loader(), service, "service-2")


def test_a_handler_takes_keywords_if_botocore_says_so() -> None:
    """Its own handlers, a method, a class and what else can be called."""
    handlers = [each[1] for each in BUILTIN_HANDLERS]
    handlers += [Positional().call, Positional, partial(copy.copy, None), MagicMock()]
    answers = [bool(hooks.accepts_kwargs(each)) for each in handlers]
    assert answers == [bool(compat.accepts_kwargs(each)) for each in handlers]
    assert set(answers) == {True, False}
