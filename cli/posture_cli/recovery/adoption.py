"""Builds what CloudFormation needs to import the tables of a deleted stack, and their key. Pure.

CloudFormation does not compare an imported resource with the template: what differs would stay so.
The import therefore declares the settings that a table has, and the deployment that follows changes
those that the template declares otherwise, such as the encryption of a table that has none. Keys
and indexes must be those of the template.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-import.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from posture_cli.failure import CommandError
from posture_cli.plan.template import Template
from posture_cli.recovery.stored import LOGICAL_IDS, StoredKey, StoredTable

KEY = "Key"
# A table that was created without on-demand capacity has no summary.
PROVISIONED = {"BillingMode": "PROVISIONED"}


@dataclass(frozen=True, slots=True)
class Adoption:
    """The two documents of a change set of type IMPORT.

    Attributes:
        template: The template, which has the imported resources only.
        resources: Which existing resource each of them is.
    """

    template: Mapping[str, Any]
    resources: Sequence[Mapping[str, Any]]


def build_adoption(
    template: Template, tables: Mapping[str, StoredTable], key: StoredKey | None
) -> Adoption:
    """Build the import of tables and their key.

    Args:
        template: The template of the stack that takes them over.
        tables: The tables, by the field of `Tables`.
        key: The key that encrypts them all; None if none does.

    Raises:
        CommandError: They are not what the template declares; each difference is named.
    """
    declared = {name: _find_declared(template, name) for name in (KEY, *LOGICAL_IDS.values())}
    problems = [
        problem
        for kind, table in tables.items()
        for problem in _list_differences(table, declared[LOGICAL_IDS[kind]]["Properties"])
    ]
    keys = sorted({each.key_arn for each in tables.values()} - {""})
    if len(keys) > 1:
        problems.append(f"expected one key for all tables, found {', '.join(keys)}")
    if key and key.state != "Enabled":
        problems.append(f"key {key.id}: expected state Enabled, found {key.state}")
    if key and key.manager != "CUSTOMER":
        problems.append(f"key {key.id}: expected a customer managed key, found one of AWS")
    if problems:
        raise CommandError("; ".join(problems))
    described = {KEY: _describe_key(key)} if key else {}
    identifiers = {KEY: {"KeyId": key.id}} if key else {}
    for kind, table in tables.items():
        logical_id = LOGICAL_IDS[kind]
        described[logical_id] = _describe_table(table, declared[logical_id]["Properties"])
        identifiers[logical_id] = {"TableName": table.name}
    resources = {
        logical_id: {
            "Type": declared[logical_id]["Type"],
            # No failure of the import may delete data, whatever the template declares.
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": properties,
        }
        for logical_id, properties in described.items()
    }
    return Adoption(
        {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources},
        [
            {
                "ResourceType": resources[logical_id]["Type"],
                "LogicalResourceId": logical_id,
                "ResourceIdentifier": identifier,
            }
            for logical_id, identifier in identifiers.items()
        ],
    )


def _find_declared(template: Template, logical_id: str) -> Mapping[str, Any]:
    found = template.resources.get(logical_id)
    if found is None:
        raise CommandError(f"{template.source}: Resources.{logical_id}: expected in this template")
    return found


def _list_differences(table: StoredTable, declared: Mapping[str, Any]) -> Iterator[str]:
    """List what only a new table, or several deployments, could make as declared."""
    found = table.description
    billing = found.get("BillingModeSummary", PROVISIONED).get("BillingMode")
    parts = [
        ("key", _describe_keys(found, found), _describe_keys(declared, declared)),
        ("billing mode", billing, declared.get("BillingMode")),
    ]
    ours, wanted = (
        {
            index["IndexName"]: f"{_describe_keys(index, it)}, {_describe_projection(index)}"
            for index in it.get("GlobalSecondaryIndexes", ())
        }
        for it in (found, declared)
    )
    parts += [
        (f"index {name}", ours.get(name, "none"), wanted.get(name, "none"))
        for name in sorted({*ours, *wanted})
    ]
    for what, is_now, expected in parts:
        if is_now != expected:
            yield f"table {table.name}: {what}: expected {expected}, found {is_now}"


def _describe_keys(holder: Mapping[str, Any], table: Mapping[str, Any]) -> str:
    types = {it["AttributeName"]: it["AttributeType"] for it in table["AttributeDefinitions"]}
    return " and ".join(
        f"{it['AttributeName']} ({types.get(it['AttributeName'], '?')}, {it['KeyType']})"
        for it in holder["KeySchema"]
    )


def _describe_projection(index: Mapping[str, Any]) -> str:
    projection = index["Projection"]
    names = sorted(projection.get("NonKeyAttributes", ()))
    return " ".join([f"projection {projection['ProjectionType']}", *names])


def _describe_table(table: StoredTable, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a table as it is, in the properties of CloudFormation."""
    stream = table.description.get("StreamSpecification", {})
    settings = {
        "StreamSpecification": {"StreamViewType": stream.get("StreamViewType")}
        if stream.get("StreamEnabled")
        else None,
        "TimeToLiveSpecification": {"AttributeName": table.expiry, "Enabled": True}
        if table.expiry
        else None,
        "SSESpecification": declared["SSESpecification"] if table.key_arn else None,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": table.recovery},
        "DeletionProtectionEnabled": table.description.get("DeletionProtectionEnabled", False),
    }
    return {name: value for name, value in {**declared, **settings}.items() if value is not None}


def _describe_key(key: StoredKey) -> dict[str, Any]:
    return {
        "Description": key.description,
        "EnableKeyRotation": key.rotates,
        "KeyPolicy": key.policy,
    }
