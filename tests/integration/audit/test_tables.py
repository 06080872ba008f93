"""`posture tables`: the drill of a restore, and the files by which a new stack adopts tables.

moto restores the present items, whatever the time is. It leaves out streams, expiry and recovery,
as DynamoDB does, and billing mode and encryption, which DynamoDB keeps.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from audit_stage import record_evaluation
from finding_builders import SCOPE, verdict
from posture.runtime.settings import Tables
from posture.store.scope_store import Store
from posture_cli.app import app
from posture_cli.failure import CommandError
from posture_cli.recovery.restore import start_restore
from posture_cli.recovery.stored import LOGICAL_IDS
from stack_template import RESOURCES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REGION = "eu-west-1"
NAMES = {kind: f"posture-{logical_id}-1A2B" for kind, logical_id in LOGICAL_IDS.items()}
ON_TABLES = [word for kind, name in NAMES.items() for word in (f"--{kind}-table", name)]
FINDINGS, HISTORY, BASELINE = NAMES.values()


@pytest.fixture
def key(dynamodb: "DynamoDBClient") -> str:  # noqa: ARG001 - the account it is in
    """The key of a deleted stack."""
    created = boto3.client("kms", region_name=REGION).create_key(Description="Encrypts posture")
    return str(created["KeyMetadata"]["Arn"])


@pytest.fixture
def retained(dynamodb: "DynamoDBClient", key: str) -> Store:
    """The tables of a deleted stack, as the template declares them, with some history."""
    for kind, name in NAMES.items():
        create_declared(dynamodb, LOGICAL_IDS[kind], name, key)
    store = Store(dynamodb, Tables(**NAMES, ownership="ownership", idempotency="idempotency"))
    record_evaluation(store, 0, verdict())
    record_evaluation(store, 1, verdict(resource="subnet-1"))
    return store


def create_declared(client: Any, logical_id: str, name: str, key: str) -> None:
    """Create a table as the template declares it, protected, and with FindingEvents off."""
    declared = dict(RESOURCES[logical_id]["Properties"])
    recovery = declared.pop("PointInTimeRecoverySpecification")
    expiry = declared.pop("TimeToLiveSpecification", None)
    stream = declared.pop("StreamSpecification", {})
    if "StreamViewType" in stream:
        declared["StreamSpecification"] = {**stream, "StreamEnabled": True}
    declared["SSESpecification"] = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    declared["DeletionProtectionEnabled"] = False
    client.create_table(TableName=name, **declared)
    client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
    if expiry:
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)


def run(*arguments: str) -> Result:
    """Run `posture tables`."""
    return CliRunner().invoke(app, ["tables", *arguments])


def adopt(folder: Path, *arguments: str) -> Result:
    """Run `posture tables adopt`; write to the folder."""
    return run("adopt", "--folder", str(folder), *arguments)


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the imported resources by logical id, and how each is identified."""
    template = json.loads((folder / "template.json").read_text())
    assert template.keys() == {"AWSTemplateFormatVersion", "Resources"}
    listed = json.loads((folder / "resources.json").read_text())
    types = {name: it["Type"] for name, it in template["Resources"].items()}
    assert {it["LogicalResourceId"]: it["ResourceType"] for it in listed} == types
    identifiers = {it["LogicalResourceId"]: it["ResourceIdentifier"] for it in listed}
    return template["Resources"], identifiers


@pytest.mark.usefixtures("retained")
def test_the_tables_of_a_deleted_stack_are_found_by_its_name(tmp_path: Path, key: str) -> None:
    """Each is imported by its name, and the key by its id; nothing but these is in the template."""
    result = adopt(tmp_path)
    assert result.exit_code == 0, result.output
    resources, identifiers = read(tmp_path)
    assert identifiers == {
        "Key": {"KeyId": key.rpartition("/")[2]},
        **{LOGICAL_IDS[kind]: {"TableName": name} for kind, name in NAMES.items()},
    }
    assert {it["DeletionPolicy"] for it in resources.values()} == {"Retain"}
    commands = result.stdout.splitlines()
    assert [line.split()[2] for line in commands] == [
        "create-change-set", "wait", "execute-change-set", "wait",
    ]  # fmt: skip
    assert "--change-set-type IMPORT" in commands[0]


@pytest.mark.usefixtures("retained")
def test_a_table_is_imported_with_the_settings_that_it_has(tmp_path: Path) -> None:
    """As the template declares it, so that the deployment that follows changes nothing."""
    adopt(tmp_path)
    resources, _ = read(tmp_path)
    for logical_id in LOGICAL_IDS.values():
        declared = {**RESOURCES[logical_id]["Properties"], "DeletionProtectionEnabled": False}
        if "Fn::If" in declared.get("StreamSpecification", {}):  # FindingEvents is off
            del declared["StreamSpecification"]
        assert resources[logical_id]["Properties"] == declared
    assert resources["Key"]["Properties"]["Description"] == "Encrypts posture"
    assert resources["Key"]["Properties"]["KeyPolicy"]["Statement"]


def schedule_deletion(_: Any, key: str) -> None:
    """Schedule the deletion of the key."""
    boto3.client("kms", region_name=REGION).schedule_key_deletion(KeyId=key.rpartition("/")[2])


def add_second(client: Any, key: str) -> None:
    """Create what a second deleted stack of this name left."""
    create_declared(client, "BaselineTable", "posture-BaselineTable-9Z8Y", key)


def remove_one(client: Any, _: str) -> None:
    """Delete the baseline table."""
    client.delete_table(TableName=BASELINE)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (schedule_deletion, "expected state Enabled, found PendingDeletion"),
        (add_second, f"there are several tables posture-BaselineTable-*: {BASELINE}, posture-Bas"),
        (remove_one, "there is no table posture-BaselineTable-*; name it with --baseline-table"),
    ],
)
@pytest.mark.usefixtures("retained")
def test_what_the_stack_could_not_use_is_refused(
    dynamodb: "DynamoDBClient", key: str, tmp_path: Path, change: Any, named: str
) -> None:
    """With the table and what was expected; nothing is written."""
    change(dynamodb, key)
    result = adopt(tmp_path)
    assert named in str(result.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("retained")
def test_altered_history_is_adopted_and_said(dynamodb: "DynamoDBClient", tmp_path: Path) -> None:
    """A monitor that lost a row has to be deployed again all the same."""
    [row, *_] = retained_rows(dynamodb)
    dynamodb.delete_item(TableName=HISTORY, Key={name: row[name] for name in ("scope", "entry")})
    result = adopt(tmp_path)
    assert result.exit_code == 1
    assert f"{SCOPE}: " in result.stderr
    assert read(tmp_path)


def retained_rows(client: "DynamoDBClient", table: str = HISTORY) -> list[dict[str, Any]]:
    """Read the rows of the scope."""
    found = client.query(
        TableName=table,
        KeyConditionExpression="#scope = :scope",
        ExpressionAttributeNames={"#scope": "scope"},
        ExpressionAttributeValues={":scope": {"S": str(SCOPE)}},
    )["Items"]
    return [dict(row) for row in found]


def list_restored(client: "DynamoDBClient") -> list[str]:
    """List the restored tables."""
    return [name for name in client.list_tables()["TableNames"] if "-at-" in name]


@pytest.mark.usefixtures("retained")
def test_a_restore_is_to_one_time_and_verified(dynamodb: "DynamoDBClient") -> None:
    """Each table to a new one; the chains of the new ones are intact."""
    result = run("restore", *ON_TABLES, "-o", "json")
    assert result.exit_code == 0, result.output
    done = json.loads(result.stdout)
    assert [it["table"] for it in done] == list(NAMES.values())
    assert len({it["at"] for it in done}) == 1
    assert [it["restored"] for it in done] == [name_at(it["table"], it["at"]) for it in done]
    restored = {kind: it["restored"] for kind, it in zip(NAMES, done, strict=True)}
    assert retained_rows(dynamodb, restored["history"]) == retained_rows(dynamodb)
    assert "3 rows in 2 chains" in result.stderr


def name_at(table: str, at: str) -> str:
    """Name a restored table."""
    return f"{table}-at-{at.replace('-', '').replace(':', '')}"


@pytest.mark.usefixtures("retained")
def test_a_restore_that_was_interrupted_is_continued(dynamodb: "DynamoDBClient") -> None:
    """The same command again finds the tables that it made."""
    at = run("restore", *ON_TABLES, "-o", "json")
    again = run("restore", *ON_TABLES, "-o", "json")
    assert again.exit_code == 0, again.output
    assert again.stdout == at.stdout
    assert len(list_restored(dynamodb)) == len(NAMES)


@pytest.mark.usefixtures("retained")
def test_another_table_of_that_name_is_not_used(dynamodb: "DynamoDBClient", key: str) -> None:
    """It is no restore of the table."""
    at = "2026-01-31T12:00:00Z"
    create_declared(dynamodb, "HistoryTable", name_at(HISTORY, at), key)
    with pytest.raises(CommandError, match="exists and was not restored from"):
        start_restore(dynamodb, HISTORY, datetime.fromisoformat(at))


@pytest.mark.usefixtures("retained")
def test_a_drill_leaves_nothing(dynamodb: "DynamoDBClient") -> None:
    """Restored, verified, deleted."""
    result = run("restore", *ON_TABLES, "--drill")
    assert result.exit_code == 0, result.output
    assert list_restored(dynamodb) == []
    assert set(NAMES.values()) < set(dynamodb.list_tables()["TableNames"])


@pytest.mark.usefixtures("retained")
def test_an_altered_restore_is_kept_and_named(dynamodb: "DynamoDBClient") -> None:
    """Also in a drill, so that a person can look at it."""
    [row, *_] = retained_rows(dynamodb)
    dynamodb.delete_item(TableName=HISTORY, Key={name: row[name] for name in ("scope", "entry")})
    result = run("restore", *ON_TABLES, "--drill")
    assert result.exit_code == 1
    assert f"{SCOPE}: " in result.stderr
    assert len(list_restored(dynamodb)) == len(NAMES)


@pytest.mark.usefixtures("retained")
def test_a_time_without_recovery_is_refused(dynamodb: "DynamoDBClient") -> None:
    """The table and the times that it can be restored to are named, and nothing is restored."""
    result = run("restore", *ON_TABLES, "--at", "2020-01-01T00:00Z")
    assert f"the times to which table {FINDINGS} can be restored; found 2020-01-01" in str(
        result.exception
    )
    specification: Any = {"PointInTimeRecoveryEnabled": False}
    dynamodb.update_continuous_backups(
        TableName=BASELINE, PointInTimeRecoverySpecification=specification
    )
    result = run("restore", *ON_TABLES)
    assert f"table {BASELINE}: point-in-time recovery is not enabled" in str(result.exception)
    assert list_restored(dynamodb) == []
