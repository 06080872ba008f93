"""An emulated DynamoDB with the stack's tables."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from posture.store.scope_store import Store
from stack_tables import TABLES, create_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> "Iterator[DynamoDBClient]":
    """Return a client of an emulator with empty tables."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        create_tables(client)
        yield client


@pytest.fixture
def store(dynamodb: "DynamoDBClient") -> Store:
    """Return an empty store."""
    return Store(dynamodb, TABLES)
