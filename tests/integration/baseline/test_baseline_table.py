"""The baseline table keeps what holds and what ever held."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from posture.baseline.document import BaselineDocument
from posture.baseline.parse import parse_document
from posture.errors import ConflictError, CorruptItemError
from posture.store.baselines import BaselineTable
from stack_tables import TABLES, create_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CAROL = "arn:aws:sts::111122223333:assumed-role/SecurityTeam/carol"
STRICT = parse_document(
    {
        "default": {"required_services": ["s3"], "pending_grace_minutes": 5},
        "overrides": [
            {"name": "play", "match": {"tags": {"stage": "play"}}, "set": {"required_services": []}}
        ],
    }
)


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> "Iterator[DynamoDBClient]":
    """Return a client of empty tables."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.Session(region_name="eu-west-1").client("dynamodb")
        create_tables(client)
        yield client


def apply(table: BaselineTable, document: BaselineDocument, after: int) -> int:
    """Apply as Carol."""
    return table.apply(document, after=after, applied_at=NOW, applied_by=CAROL)


def test_with_nothing_applied_the_defaults_hold(dynamodb: "DynamoDBClient") -> None:
    """It is version 0."""
    current = BaselineTable(dynamodb, TABLES.baseline).load_current()
    assert (current.document, current.version) == (BaselineDocument(), 0)


def test_what_is_applied_is_read_back(dynamodb: "DynamoDBClient") -> None:
    """Whole, with its version and who applied it."""
    table = BaselineTable(dynamodb, TABLES.baseline)
    assert apply(table, STRICT, 0) == 1
    current = table.load_current()
    assert (current.document, current.version, current.applied_by) == (STRICT, 1, CAROL)
    assert table.load() == STRICT


def test_every_version_stays(dynamodb: "DynamoDBClient") -> None:
    """Auditors see what was required when."""
    table = BaselineTable(dynamodb, TABLES.baseline)
    apply(table, STRICT, 0)
    apply(table, BaselineDocument(), 1)
    items = dynamodb.scan(TableName=TABLES.baseline)["Items"]
    assert {each["name"]["S"] for each in items} == {"current", "version#000001", "version#000002"}
    assert table.load() == BaselineDocument()


@pytest.mark.parametrize("after", [0, 2])
def test_of_two_at_once_the_second_is_refused(dynamodb: "DynamoDBClient", after: int) -> None:
    """What was compared with another version is not applied."""
    table = BaselineTable(dynamodb, TABLES.baseline)
    apply(table, STRICT, 0)
    with pytest.raises(ConflictError, match=f"after version {after}"):
        apply(table, BaselineDocument(), after)
    assert table.load() == STRICT


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("document", {"M": {"default": {"M": {"required_services": {"S": "s3"}}}}}),
        ("document", {"S": "text"}),
        ("version", {"S": "one"}),
    ],
)
def test_a_document_edited_by_hand_is_an_error(
    dynamodb: "DynamoDBClient", attribute: str, value: Any
) -> None:
    """Requirements are not guessed."""
    table = BaselineTable(dynamodb, TABLES.baseline)
    apply(table, STRICT, 0)
    dynamodb.update_item(
        TableName=TABLES.baseline,
        Key={"kind": {"S": "baseline"}, "name": {"S": "current"}},
        UpdateExpression="SET #a = :v",
        ExpressionAttributeNames={"#a": attribute},
        ExpressionAttributeValues={":v": value},
    )
    with pytest.raises(CorruptItemError, match="baseline"):
        table.load()
