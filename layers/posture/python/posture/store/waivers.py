"""The waivers of the baseline table, each of whose steps is a row of history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from posture.errors import ConflictError, WaiverError
from posture.model.instant import format_iso, parse_iso
from posture.model.rule_ids import current_rule_id
from posture.model.waiver import Waiver, identify_person
from posture.store.attribute_values import deserialize, require_text, serialize
from posture.store.conditional_writes import ConditionFailedError, transact
from posture.store.hash_chain import Chain, append_to_chain, parse_chain
from posture.store.items import StoredItem, corrupt_item_error
from posture.store.schema import SCHEMA, upgrade
from posture.store.transactions import build_history_put

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PutTypeDef, TransactWriteItemTypeDef

KIND = "waiver"
PARTITION = "waivers"  # of the history
HEAD = serialize({"kind": "waivers", "name": "#head"})


class WaiverTable:
    """The waivers, in the baseline table; what becomes of them goes to the history table, chained.

    Every method raises `CorruptItemError` at an item that cannot be read.
    """

    def __init__(self, client: DynamoDBClient, table: str, history: str = "") -> None:
        self._client = client
        self._table = table
        self._history = history

    def load(self) -> tuple[Waiver, ...]:
        """Give every waiver, those that are over included, by id."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#kind = :kind",
            ExpressionAttributeNames={"#kind": "kind"},
            ExpressionAttributeValues=serialize({":kind": KIND}),
            ConsistentRead=True,
        )
        return tuple(_waiver(item) for page in pages for item in page["Items"])

    def get(self, waiver_id: str) -> Waiver:
        """Give a waiver.

        Raises:
            WaiverError: there is none of that id.
        """
        key = serialize({"kind": KIND, "name": waiver_id})
        answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        if "Item" not in answer:
            raise WaiverError(f"there is no waiver {waiver_id}")
        return _waiver(answer["Item"])

    def chain(self) -> Chain:
        """Give where the chain of the waivers' history stands."""
        answer = self._client.get_item(TableName=self._table, Key=HEAD, ConsistentRead=True)
        return parse_chain(deserialize(answer.get("Item", {})))

    def add(self, waiver: Waiver) -> None:
        """Keep a new waiver.

        Raises:
            WaiverError: there is one of that id.
        """
        self._step("requested", waiver, waiver.requested_by, waiver.requested_at, before=None)

    def approve(self, waiver: Waiver, by: str, at: datetime) -> Waiver:
        """Let a waiver hold.

        Raises:
            WaiverError: it is no longer only requested, or who requested it would approve it.
            ConflictError: somebody else changed it meanwhile.
        """
        if waiver.state(at) != "requested":
            raise WaiverError(f"waiver {waiver.id} is {waiver.state(at)}: nothing to approve")
        if identify_person(by) == identify_person(waiver.requested_by):
            raise WaiverError(
                f"waiver {waiver.id} was requested by {waiver.requested_by}: "
                "somebody else must approve it"
            )
        approved = replace(waiver, approved_by=by, approved_at=at)
        self._step("approved", approved, by, at, before=waiver)
        return approved

    def revoke(self, waiver: Waiver, by: str, at: datetime) -> Waiver:
        """End a waiver before its time.

        Raises:
            WaiverError: it is over already.
            ConflictError: somebody else changed it meanwhile.
        """
        if waiver.state(at) not in {"requested", "in force"}:
            raise WaiverError(f"waiver {waiver.id} is {waiver.state(at)} already")
        revoked = replace(waiver, revoked_by=by, revoked_at=at)
        self._step("revoked", revoked, by, at, before=waiver)
        return revoked

    def _step(
        self, step: str, waiver: Waiver, by: str, at: datetime, *, before: Waiver | None
    ) -> None:
        chain = self.chain()
        told = {
            "scope": PARTITION,
            "entry": f"{format_iso(at)}#{waiver.id}#{step}",
            "schema": SCHEMA,
        }
        row = serialize({**told, **_fields(waiver), "kind": KIND, "step": step, "by": by})
        row, after = append_to_chain({**row, "observed_at": {"S": format_iso(at)}}, chain)
        writes = [
            self._put(waiver, before),
            build_history_put(self._history, row),
            self._head(chain, after),
        ]
        try:
            transact(self._client, writes)
        except ConditionFailedError:
            raise ConflictError(
                f"waiver {waiver.id}: somebody changed a waiver at the same time; look again"
            ) from None

    def _put(self, waiver: Waiver, before: Waiver | None) -> TransactWriteItemTypeDef:
        names = {"#name": "name"}
        condition, values = "attribute_not_exists(#name)", {}
        if before is not None:
            names = {"#approved": "approved_by", "#revoked": "revoked_by"}
            condition = "#approved = :approved AND #revoked = :revoked"
            values = {":approved": before.approved_by, ":revoked": before.revoked_by}
        item = serialize({**_fields(waiver), "kind": KIND, "name": waiver.id, "schema": SCHEMA})
        put: PutTypeDef = {
            "TableName": self._table,
            "Item": item,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
        }
        if values:
            put["ExpressionAttributeValues"] = serialize(values)
        return {"Put": put}

    def _head(self, before: Chain, after: Chain) -> TransactWriteItemTypeDef:
        first = before.length == 0
        put: PutTypeDef = {
            "TableName": self._table,
            "Item": {**HEAD, **serialize(after.to_attributes())},
            "ConditionExpression": "attribute_not_exists(#tip)" if first else "#tip = :tip",
            "ExpressionAttributeNames": {"#tip": "chain_tip"},
        }
        if not first:
            put["ExpressionAttributeValues"] = serialize({":tip": before.tip})
        return {"Put": put}


def _fields(waiver: Waiver) -> dict[str, Any]:
    """Give a waiver's attributes; its id and pattern have names that no key of a table has."""
    values = {each.name: getattr(waiver, each.name) for each in fields(Waiver)}
    told = {
        name: format_iso(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }
    renamed = {"id": "waiver", "scope": "of_scope", "resource": "of_resource"}
    return {renamed.get(name, name): value for name, value in told.items()}


def _waiver(item: StoredItem) -> Waiver:
    stored: Mapping[str, Any] = deserialize(item)
    try:
        stored = upgrade(stored)
        return Waiver(
            id=require_text(stored, "waiver"),
            rule=current_rule_id(require_text(stored, "rule")),
            resource=require_text(stored, "of_resource"),
            scope=require_text(stored, "of_scope"),
            reason=require_text(stored, "reason"),
            ticket=require_text(stored, "ticket"),
            requested_by=require_text(stored, "requested_by"),
            requested_at=parse_iso(require_text(stored, "requested_at")),
            expires_at=parse_iso(require_text(stored, "expires_at")),
            approved_by=require_text(stored, "approved_by"),
            approved_at=_time(stored, "approved_at"),
            revoked_by=require_text(stored, "revoked_by"),
            revoked_at=_time(stored, "revoked_at"),
        )
    except ValueError as error:
        raise corrupt_item_error("waiver", KIND, stored.get("name"), error) from error


def _time(stored: Mapping[str, Any], name: str) -> datetime | None:
    return parse_iso(require_text(stored, name)) if name in stored else None
