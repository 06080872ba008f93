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
from posture.runtime.encoded_item import EncodedItem
from posture.store.attribute_values import StoredItem, deserialize, require_text, serialize
from posture.store.conditional_writes import ConditionFailedError, build_put, transact
from posture.store.hash_chain import WAIVERS, Chain, append_to_chain, parse_chain
from posture.store.items import naming_item
from posture.store.queries import StoredTable
from posture.store.schema import SCHEMA, upgrade
from posture.store.transactions import build_history_put

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

KIND = "waiver"
PARTITION = WAIVERS  # of the history
HEAD = serialize({"kind": "waivers", "name": "#head"})
# Attributes whose names would collide with the key of a table.
RENAMED = {"id": "waiver", "scope": "of_scope", "resource": "of_resource"}
TIMES = frozenset({"requested_at", "expires_at", "approved_at", "revoked_at"})
OPTIONAL = frozenset({"approved_at", "revoked_at"})  # absent until then


class WaiverTable(StoredTable):
    """The waivers in the baseline table; each of their steps is a chained row of history.

    Every method raises `CorruptItemError` at an item that cannot be read.
    """

    def __init__(self, client: DynamoDBClient, table: str, history: str = "") -> None:
        super().__init__(client, table)
        self._history = history

    def load(self) -> tuple[Waiver, ...]:
        """Read all waivers by id, including expired and revoked ones."""
        return tuple(map(parse_waiver, self._query("kind", KIND)))

    def get(self, waiver_id: str) -> Waiver:
        """Read a waiver.

        Raises:
            WaiverError: no waiver has that id.
        """
        item = self._get(serialize({"kind": KIND, "name": waiver_id}))
        if item is None:
            raise WaiverError(f"there is no waiver {waiver_id}")
        return parse_waiver(item)

    def load_chain(self) -> Chain:
        """Read where the chain of the waivers' history ends."""
        return parse_chain(deserialize(self._get(HEAD) or {}))

    def add(self, waiver: Waiver) -> None:
        """Write a new waiver.

        Raises:
            ConflictError: a waiver has that id, or another one changed meanwhile.
        """
        self._record("requested", waiver, waiver.requested_by, waiver.requested_at, before=None)

    def approve(self, waiver: Waiver, by: str, at: datetime) -> Waiver:
        """Approve a requested waiver.

        Raises:
            WaiverError: it is no longer requested, or `by` requested it.
            ConflictError: a waiver changed meanwhile.
        """
        if waiver.state(at) != "requested":
            raise WaiverError(f"waiver {waiver.id} is {waiver.state(at)}: nothing to approve")
        if identify_person(by) == identify_person(waiver.requested_by):
            raise WaiverError(
                f"waiver {waiver.id} was requested by {waiver.requested_by}: "
                "another person must approve it"
            )
        approved = replace(waiver, approved_by=by, approved_at=at)
        self._record("approved", approved, by, at, before=waiver)
        return approved

    def revoke(self, waiver: Waiver, by: str, at: datetime) -> Waiver:
        """End a waiver before it expires.

        Raises:
            WaiverError: it has expired or was revoked already.
            ConflictError: a waiver changed meanwhile.
        """
        if waiver.state(at) not in {"requested", "in force"}:
            raise WaiverError(f"waiver {waiver.id} is {waiver.state(at)} already")
        revoked = replace(waiver, revoked_by=by, revoked_at=at)
        self._record("revoked", revoked, by, at, before=waiver)
        return revoked

    def _record(
        self, step: str, waiver: Waiver, by: str, at: datetime, *, before: Waiver | None
    ) -> None:
        """Write the waiver, its row of history and the end of the chain, all or nothing."""
        chain = self.load_chain()
        attributes = {**_attributes(waiver), "kind": KIND, "schema": SCHEMA}
        about = {
            "scope": PARTITION,
            "entry": f"{format_iso(at)}#{waiver.id}#{step}",
            "step": step,
            "by": by,
            "observed_at": format_iso(at),
        }
        row, after = append_to_chain(EncodedItem(serialize({**attributes, **about})), chain)
        condition, values = "attribute_not_exists(#name)", {}
        if before:
            condition = "#approved_by = :approved AND #revoked_by = :revoked"
            values = {":approved": before.approved_by, ":revoked": before.revoked_by}
        item = serialize({**attributes, "name": waiver.id})
        end = {**HEAD, **serialize(after.to_attributes())}
        unchanged = "#chain_tip = :tip" if chain.length else "attribute_not_exists(#chain_tip)"
        tip = {":tip": chain.tip} if chain.length else {}
        writes: list[TransactWriteItemTypeDef] = [
            {"Put": build_put(self._table, item, condition, values)},
            build_history_put(self._history, row),
            {"Put": build_put(self._table, end, unchanged, tip)},
        ]
        try:
            transact(self._client, writes)
        except ConditionFailedError:
            raise ConflictError(
                f"waiver {waiver.id}: a waiver was changed at the same time; try again"
            ) from None


def _attributes(waiver: Waiver) -> dict[str, Any]:
    values = {each.name: getattr(waiver, each.name) for each in fields(Waiver)}
    return {
        RENAMED.get(name, name): format_iso(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def parse_waiver(item: StoredItem) -> Waiver:
    """Parse a waiver's item, or a row of its history.

    Raises:
        CorruptItemError: An attribute is missing or malformed.
    """
    stored: Mapping[str, Any] = deserialize(item)
    with naming_item("waiver", KIND, stored.get("name")):
        stored = upgrade(stored)
        values: dict[str, Any] = {}
        for name in (each.name for each in fields(Waiver)):
            attribute = RENAMED.get(name, name)
            if name in OPTIONAL and attribute not in stored:
                continue
            value = require_text(stored, attribute)
            values[name] = parse_iso(value) if name in TIMES else value
        return Waiver(**{**values, "rule": current_rule_id(values["rule"])})
