"""What a new stack imports of a deleted one, and what it refuses to import."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from posture_cli.failure import CommandError
from posture_cli.plan.template import Template
from posture_cli.recovery.adoption import Adoption, build_adoption
from posture_cli.recovery.stored import LOGICAL_IDS, StoredKey, StoredTable
from stack_template import RESOURCES

ARN = "arn:aws:kms:eu-west-1:111122223333:key/0a1b"
KEY = StoredKey("0a1b", "Enabled", "CUSTOMER", "Encrypts posture", {"Statement": []}, rotates=True)
TEMPLATE = Template("template.yaml", RESOURCES)
STREAMED = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def describe(kind: str) -> StoredTable:
    """Describe a table of a deleted stack as DynamoDB does."""
    declared = RESOURCES[LOGICAL_IDS[kind]]["Properties"]
    description = {
        name: deepcopy(declared.get(name, []))
        for name in ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    }
    description["BillingModeSummary"] = {"BillingMode": "PAY_PER_REQUEST"}
    description["SSEDescription"] = {"Status": "ENABLED", "KMSMasterKeyArn": ARN}
    if kind == "findings":
        description["StreamSpecification"] = STREAMED
    expiry = declared.get("TimeToLiveSpecification", {}).get("AttributeName", "")
    return StoredTable(f"posture-{kind}", description, recovery=True, expiry=expiry)


def adopt(key: StoredKey | None = KEY, **changed: StoredTable) -> Adoption:
    """Build the import of all tables, of which some are changed."""
    return build_adoption(TEMPLATE, {kind: describe(kind) for kind in LOGICAL_IDS} | changed, key)


def properties(adoption: Adoption, logical_id: str) -> Mapping[str, Any]:
    """Return the properties of an imported resource."""
    found: Mapping[str, Any] = adoption.template["Resources"][logical_id]["Properties"]
    return found


def test_a_table_as_declared_is_imported_as_declared() -> None:
    """So that the deployment that follows changes nothing but the protection."""
    findings = properties(adopt(), "FindingsTable")
    declared = RESOURCES["FindingsTable"]["Properties"]
    assert findings == {**declared, "DeletionProtectionEnabled": False}


def test_a_restored_table_is_imported_with_what_it_lacks() -> None:
    """Then the deployment switches on stream, expiry and recovery, which no restore does."""
    table = describe("findings")
    description = {k: v for k, v in table.description.items() if k != "StreamSpecification"}
    restored = replace(table, description=description, recovery=False, expiry="")
    findings = properties(adopt(findings=restored), "FindingsTable")
    assert findings["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": False}
    assert not {"StreamSpecification", "TimeToLiveSpecification"} & findings.keys()
    assert findings["SSESpecification"]["KMSMasterKeyId"] == {"Ref": "Key"}


def test_the_import_has_no_parameters_and_deletes_nothing() -> None:
    """A function other than the reference to the key could not be resolved."""
    adoption = adopt()
    assert adoption.template.keys() == {"AWSTemplateFormatVersion", "Resources"}
    text = json.dumps(adoption.template)
    assert "Fn::" not in text
    assert text.count('{"Ref": "Key"}') == text.count('"Ref"') == len(LOGICAL_IDS)
    kept = {it["DeletionPolicy"] for it in adoption.template["Resources"].values()}
    assert kept == {"Retain"}


def test_the_key_keeps_its_policy_until_the_deployment() -> None:
    """The policy of a stack with another name admits the log groups of that name only."""
    assert properties(adopt(), "Key") == {
        "Description": "Encrypts posture",
        "EnableKeyRotation": True,
        "KeyPolicy": {"Statement": []},
    }


def without_index(table: StoredTable) -> StoredTable:
    """Remove the last index."""
    *indexes, _ = table.description["GlobalSecondaryIndexes"]
    return with_description(table, GlobalSecondaryIndexes=indexes)


def with_description(table: StoredTable, **changed: Any) -> StoredTable:
    """Change what DynamoDB answers."""
    return replace(table, description={**table.description, **changed})


def project(table: StoredTable, **projection: Any) -> StoredTable:
    """Change the projection of the first index."""
    first, *rest = table.description["GlobalSecondaryIndexes"]
    return with_description(
        table, GlobalSecondaryIndexes=[{**first, "Projection": projection}, *rest]
    )


HISTORY = describe("history")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (describe("findings"), "table posture-findings: key: expected scope (S, HASH) and entry"),
        (without_index(HISTORY), "index by-actor: expected actor (S, HASH) and entry (S, RANGE), "),
        (project(HISTORY, ProjectionType="KEYS_ONLY"), "projection ALL, found id (S, HASH)"),
        (
            with_description(
                HISTORY,
                AttributeDefinitions=[
                    {**it, "AttributeType": "N"}
                    for it in HISTORY.description["AttributeDefinitions"]
                ],
            ),
            "key: expected scope (S, HASH) and entry (S, RANGE), found scope (N, HASH)",
        ),
        (
            with_description(HISTORY, BillingModeSummary={"BillingMode": "PROVISIONED"}),
            "billing mode: expected PAY_PER_REQUEST, found PROVISIONED",
        ),
        (
            with_description(HISTORY, SSEDescription={"KMSMasterKeyArn": f"{ARN}9"}),
            f"expected one key for all tables, found {ARN}, {ARN}9",
        ),
    ],
)
def test_what_the_stack_could_not_use_is_refused(changed: StoredTable, problem: str) -> None:
    """CloudFormation would import it, and the monitor would fail later."""
    with pytest.raises(CommandError, match="expected") as raised:
        adopt(history=changed)
    assert problem in str(raised.value)


def test_all_differences_are_named_at_once() -> None:
    """A person corrects them together."""
    billing = {"BillingMode": "PROVISIONED"}
    broken = {
        kind: with_description(describe(kind), BillingModeSummary=billing) for kind in LOGICAL_IDS
    }
    with pytest.raises(CommandError) as raised:
        adopt(replace(KEY, state="Disabled"), **broken)
    assert str(raised.value).count("found PROVISIONED") == len(LOGICAL_IDS)
    assert "found Disabled" in str(raised.value)


def test_tables_without_a_key_are_encrypted_by_the_deployment() -> None:
    """It creates a key, so none is imported."""
    tables = {kind: with_description(describe(kind), SSEDescription={}) for kind in LOGICAL_IDS}
    adoption = adopt(None, **tables)
    assert adoption.template["Resources"].keys() == set(LOGICAL_IDS.values())
    for each in adoption.template["Resources"].values():
        assert "SSESpecification" not in each["Properties"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"state": "PendingDeletion"}, "expected state Enabled, found PendingDeletion"),
        ({"manager": "AWS"}, "expected a customer managed key, found one of AWS"),
    ],
)
def test_a_key_that_the_stack_cannot_have_is_refused(change: Any, problem: str) -> None:
    """The deletion of a key can be cancelled while it waits."""
    with pytest.raises(CommandError, match=f"key 0a1b: {problem}"):
        adopt(replace(KEY, **change))


def test_another_template_is_refused() -> None:
    """The member's, for example."""
    tables = {kind: describe(kind) for kind in LOGICAL_IDS}
    with pytest.raises(CommandError, match=r"m.yaml: Resources.Key: expected in this template"):
        build_adoption(Template("m.yaml", {}), tables, KEY)
