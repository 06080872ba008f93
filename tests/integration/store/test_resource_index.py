"""The reverse index: from any id to its scopes, also when the resource is gone."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from finding_builders import NOON, OTHER, SCOPE, at
from posture.store.resource_index import ResourceIndex, digest_ids
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def ownership(dynamodb: "DynamoDBClient") -> ResourceIndex:
    """Return an empty index."""
    return ResourceIndex(dynamodb, TABLES.ownership)


def expiry(client: "DynamoDBClient", resource: str) -> str | None:
    """Return when an id of the scope expires, in seconds since 1970."""
    key = {"resource": {"S": resource}, "scope": {"S": str(SCOPE)}}
    item: dict[str, Any] = client.get_item(TableName="ownership", Key=key)["Item"]
    return str(item["expires_at"]["N"]) if "expires_at" in item else None


def test_every_id_leads_to_its_scopes(ownership: ResourceIndex) -> None:
    """An id may belong to several scopes, as a transit gateway does, or to none."""
    ownership.remember(SCOPE, frozenset({"rtb-0a", "tgw-0a"}), NOON)
    ownership.remember(OTHER, frozenset({"tgw-0a"}), NOON)
    assert ownership.find_scopes(["rtb-0a", "tgw-0a", "rtb-0a", "sg-9"]) == {
        "rtb-0a": {SCOPE},
        "tgw-0a": {SCOPE, OTHER},
        "sg-9": frozenset(),
    }
    assert ownership.find_scopes([]) == {}


def test_an_id_that_is_gone_is_kept_for_ninety_days(
    ownership: ResourceIndex, dynamodb: "DynamoDBClient"
) -> None:
    """A deleted route table still leads to its VPC, and expires after ninety days."""
    ownership.remember(SCOPE, frozenset({"rtb-0a", "rtb-0b"}), NOON)
    ownership.remember(SCOPE, frozenset({"rtb-0b"}), at(1))
    assert ownership.find_scopes(["rtb-0a"]) == {"rtb-0a": {SCOPE}}
    assert expiry(dynamodb, "rtb-0a") == str(int((at(1) + timedelta(days=90)).timestamp()))
    assert expiry(dynamodb, "rtb-0b") is None


def test_what_comes_back_no_longer_expires(
    ownership: ResourceIndex, dynamodb: "DynamoDBClient"
) -> None:
    """An id that one evaluation missed is kept again; one that stays gone keeps its expiry."""
    ownership.remember(SCOPE, frozenset({"rtb-0a", "rtb-0b"}), NOON)
    ownership.remember(SCOPE, frozenset(), at(1))
    ownership.remember(SCOPE, frozenset({"rtb-0a"}), at(2))
    assert expiry(dynamodb, "rtb-0a") is None
    assert expiry(dynamodb, "rtb-0b") == str(int((at(1) + timedelta(days=90)).timestamp()))


def test_many_ids_are_written_in_batches(ownership: ResourceIndex) -> None:
    """More ids than one call may write are all remembered."""
    ids = frozenset(f"eni-{number:03}" for number in range(130))
    ownership.remember(SCOPE, ids, NOON)
    assert set(ownership.find_scopes(ids).values()) == {frozenset({SCOPE})}


def test_the_digest_changes_with_ids_and_month() -> None:
    """With equal ids within a month, the index need not be read."""
    ids = frozenset({"rtb-0a", "rtb-0b"})
    assert digest_ids(ids, NOON) == digest_ids(frozenset(sorted(ids)), at(60))
    assert digest_ids(ids, NOON) != digest_ids(ids, at(24 * 60))
    assert digest_ids(ids, NOON) != digest_ids(ids | {"rtb-0c"}, NOON)
