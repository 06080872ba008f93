"""Tables, queues, topics and their encryption."""

from dataclasses import fields
from typing import Any

import pytest

from posture.store.scope_record import ScopeRecord
from stack_tables import INDEXES, KEYS
from stack_template import RESOURCES, TEMPLATE, properties_by_type

TABLES = properties_by_type("AWS::DynamoDB::Table")
RETAINED = ("FindingsTable", "HistoryTable", "BaselineTable")
TOPICS = properties_by_type("AWS::SNS::Topic")
QUEUES = properties_by_type("AWS::SQS::Queue")
WORK = {"ChangesQueue", "SecondLooksQueue", "SurveyQueue", "SecondSurveyQueue"}
each_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


def key(schema: list[dict[str, str]]) -> tuple[str, ...]:
    """Return the attribute names of a key."""
    return tuple(it["AttributeName"] for it in schema)


@each_table
def test_every_table_has_on_demand_capacity(table: dict[str, Any]) -> None:
    """A month without changes costs nothing."""
    assert table["BillingMode"] == "PAY_PER_REQUEST"


@each_table
def test_every_table_is_encrypted_with_the_stacks_key(table: dict[str, Any]) -> None:
    """Reading a table requires permission to use the key."""
    assert table["SSESpecification"] == {
        "SSEEnabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": {"Ref": "Key"},
    }


@each_table
def test_every_table_has_point_in_time_recovery(table: dict[str, Any]) -> None:
    """A table can be restored to any second."""
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


@pytest.mark.parametrize("name", RETAINED)
def test_retained_tables_are_protected(name: str) -> None:
    """Findings, history and baseline stay when the stack is deleted, but not when it fails first.

    DynamoDB refuses to delete a protected table, so protection is switched on by the first update.
    """
    assert TABLES[name]["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}
    assert TEMPLATE["Parameters"]["DeletionProtection"]["Default"] == "false"
    assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


def test_the_key_is_retained_with_the_tables() -> None:
    """A retained table cannot be read without its key."""
    assert RESOURCES["Key"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES["Key"]["UpdateReplacePolicy"] == "Retain"
    assert RESOURCES["Key"]["Properties"]["EnableKeyRotation"] is True


@pytest.mark.parametrize("name", KEYS)
def test_the_tests_use_the_tables_that_are_deployed(name: str) -> None:
    """The tests' tables have the keys and indexes of the template."""
    table = TABLES[f"{name.capitalize()}Table"]
    indexes = {
        it["IndexName"]: key(it["KeySchema"]) for it in table.get("GlobalSecondaryIndexes", [])
    }
    assert key(table["KeySchema"]) == KEYS[name]
    assert indexes == INDEXES.get(name, {})


def test_the_region_index_projects_what_a_sweep_reads() -> None:
    """The by-region index omits what one evaluation needs: coverage, chain, snapshots, checks.

    A scope in it exists: it is the key of the index that is missing from the others.
    """
    indexes = TABLES["FindingsTable"]["GlobalSecondaryIndexes"]
    [by_region] = [it for it in indexes if it["IndexName"] == "by-region"]
    needed = {it.name for it in fields(ScopeRecord)} - {
        "scope",
        "coverage",
        "chain",
        "snapshot_digest",
        "first_observed_at",
        "first_stored_at",
        "exists",
        "passed",
        "snapshot_at",
        "unsettled_at",
        "held_at",
        "known_changes",
        "shared",
    }
    assert set(by_region["Projection"]["NonKeyAttributes"]) == needed


def test_only_findings_events_facts_and_members_are_streamed() -> None:
    """Alerts need the old and the new image; events need the rows that are added to the history.

    Of the shared network and of members the stream says only that something changed.
    """
    streams = {
        name: it["StreamSpecification"]
        for name, it in TABLES.items()
        if "StreamSpecification" in it
    }
    assert streams == {
        "FindingsTable": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
        "NetworkTable": {"StreamViewType": "KEYS_ONLY"},
        "BaselineTable": {
            "Fn::If": [
                "MembersInTable",
                {"StreamViewType": "KEYS_ONLY"},
                {"Ref": "AWS::NoValue"},
            ]
        },
        "HistoryTable": {
            "Fn::If": [
                "PublishFindings",
                {"StreamViewType": "NEW_IMAGE"},
                {"Ref": "AWS::NoValue"},
            ]
        },
    }


def test_only_rows_with_a_time_to_live_expire() -> None:
    """Of the history that is the reasons of rejected changes; its other rows have no such field."""
    lives = {
        name: it["TimeToLiveSpecification"]["AttributeName"]
        for name, it in TABLES.items()
        if "TimeToLiveSpecification" in it
    }
    assert lives == {
        "FindingsTable": "expires_at",
        "HistoryTable": "expires_at",
        "OwnershipTable": "expires_at",
        "IdempotencyTable": "expiration",
    }


@pytest.mark.parametrize("holder", [*TOPICS.values(), *QUEUES.values()], ids=[*TOPICS, *QUEUES])
def test_queues_and_topics_are_encrypted_with_the_stacks_key(holder: dict[str, Any]) -> None:
    """Changes and alerts contain data about networks and people."""
    assert holder["KmsMasterKeyId"] == {"Ref": "Key"}


@pytest.mark.parametrize("name", [*TOPICS, *QUEUES])
def test_queues_and_topics_require_tls(name: str) -> None:
    """Each has a policy that denies requests without TLS."""
    policies = [
        *((it["Topics"], it) for it in properties_by_type("AWS::SNS::TopicPolicy").values()),
        *((it["Queues"], it) for it in properties_by_type("AWS::SQS::QueuePolicy").values()),
    ]
    [policy] = [it["PolicyDocument"] for holders, it in policies if {"Ref": name} in holders]
    [deny] = [it for it in policy["Statement"] if it["Effect"] == "Deny"]
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": False}}
    assert deny["Principal"] == "*"


@pytest.mark.parametrize("name", sorted(QUEUES.keys() - WORK))
def test_dead_letters_have_the_longest_retention(name: str) -> None:
    """SQS keeps messages for 14 days at most."""
    assert QUEUES[name]["MessageRetentionPeriod"] == 14 * 86400
