"""The stored snapshots of a scope: what it was like before, to tell what a change did.

An item `~snapshot#TIME` of the findings table holds the snapshot that was evaluated at that time.
The latest is kept; DynamoDB deletes a former one after an hour. What all VPCs of a Region share is
not stored (docs/decisions/0076-store-the-earlier-snapshot.md).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from posture.errors import CorruptItemError
from posture.lean_dataclass import dataclass
from posture.model.change import Change
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.instant import format_iso, parse_iso
from posture.model.network import Snapshot
from posture.model.region_access import AnySnapshot, RegionAccess
from posture.model.scope import Scope
from posture.store.attribute_values import (
    StoredItem,
    deserialize,
    read_time,
    require_int,
    require_text,
    serialize,
)
from posture.store.items import UNREADABLE
from posture.store.queries import StoredTable
from posture.store.schema import SCHEMA
from posture.store.typed_json import from_json, to_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, UpdateTypeDef

KIND = "snapshot"
PREFIX = "~snapshot#"  # begins the sort key; what an evaluation reads ends before it
LIMIT = 300_000  # bytes, compressed; an item holds 400 KB
LEVEL = 1  # of zlib: three times as fast as the default, and a tenth larger
KEPT = timedelta(hours=1)  # CloudTrail delivers an event within some 15 minutes
FORMS: Mapping[str, type[AnySnapshot]] = {
    "vpc": Snapshot,
    "service": EndpointServiceSnapshot,
    "region": RegionAccess,
}


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A snapshot, and what the evaluation of it knew.

    Attributes:
        scope: The scope.
        observed_at: When it was taken, before its first read.
        snapshot: The snapshot, None where the scope was gone; without services and AWS's lists.
        version: The number of the baseline version that was in force.
        code: The digest of the code that evaluated it.
        changes: The changes that were known to lie between the snapshot before and this one.
        previous: When the snapshot before was taken; None where none is stored.
        confirmed_at: When the scope was last observed as it was before.
        unsettled: The findings, by rule and resource, whose cause an event may still amend.
        later: The changes since, as long as the scope was observed as it is here.
        shared_at: The time of the facts of the shared network; None where they were not read.
        view: The digest of those that the scope depends on.
        shared_calls: The calls that may have changed them since the snapshot before.
    """

    scope: Scope
    observed_at: datetime
    snapshot: AnySnapshot | None
    version: int
    code: str
    changes: tuple[Change, ...] = ()
    previous: datetime | None = None
    confirmed_at: datetime | None = None
    unsettled: tuple[tuple[str, ...], ...] = ()
    later: tuple[Change, ...] = ()
    shared_at: datetime | None = None
    view: str = ""
    shared_calls: tuple[Change, ...] = ()

    @property
    def at(self) -> datetime:
        """The time of the transitions of its evaluation."""
        return max(self.observed_at, self.shared_at or self.observed_at)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What an evaluation stores to name the causes of later transitions.

    Attributes:
        snapshot: The snapshot that was evaluated; None keeps the stored one as the latest.
        amended: Former snapshots with what is known now of the changes before them.
        unsettled_at: The time of the latest evaluation whose causes an event may still amend.
        held_at: When the latest change was made whose second evaluation is to look for what put it
            back.
        known_changes: The digests of the changes that were followed lately.
    """

    snapshot: StoredSnapshot | None = None
    amended: tuple[StoredSnapshot, ...] = ()
    unsettled_at: datetime | None = None
    held_at: datetime | None = None
    known_changes: str = ""

    def to_attributes(self, former: datetime | None) -> dict[str, Any]:
        """Return the scope record's attributes; `former` is the time of the latest so far."""
        latest = self.snapshot.observed_at if self.snapshot else former
        return {
            "snapshot_at": latest and format_iso(latest),
            "unsettled_at": self.unsettled_at and format_iso(self.unsettled_at),
            "held_at": self.held_at and format_iso(self.held_at),
            "known_changes": self.known_changes or None,
        }


@dataclass(frozen=True, slots=True)
class _Content:
    """What is stored compressed."""

    vpc: Snapshot | None = None
    service: EndpointServiceSnapshot | None = None
    region: RegionAccess | None = None
    changes: tuple[Change, ...] = ()
    unsettled: tuple[tuple[str, ...], ...] = field(default=())
    later: tuple[Change, ...] = ()
    shared_calls: tuple[Change, ...] = ()


class SnapshotTable(StoredTable):
    """The snapshots in the findings table."""

    def load(self, scope: Scope, observed_at: datetime) -> StoredSnapshot | None:
        """Load the snapshot of a time; None where it is not stored.

        Raises:
            CorruptItemError: It cannot be read.
        """
        item = self._get(snapshot_key(scope, observed_at))
        return parse_snapshot(item) if item and "data" in item else None

    def load_many(self, wanted: Iterable[tuple[Scope, datetime]]) -> dict[Scope, StoredSnapshot]:
        """Load snapshots of many scopes, one of each; those that cannot be read are left out."""
        loaded: dict[Scope, StoredSnapshot] = {}
        for item in self._get_all({"scope": str(it), "item": _name(at)} for it, at in wanted):
            with suppress(CorruptItemError):
                stored = parse_snapshot(item)
                loaded[stored.scope] = stored
        return loaded

    def build_writes(
        self, scope: Scope, remembered: Remembered, former: datetime | None, at: datetime
    ) -> tuple[TransactWriteItemTypeDef, ...]:
        """Build the writes of snapshots, without those that are too large.

        Args:
            scope: The scope.
            remembered: What is stored.
            former: The time of the latest snapshot so far; it expires if there is a later one.
            at: The current time.
        """
        latest = remembered.snapshot
        items = [build_item(latest)] if latest else []
        for each in remembered.amended:
            expires = latest is not None or each.observed_at != former
            items.append(build_item(each, at if expires else None))
        writes: list[TransactWriteItemTypeDef] = [
            {"Put": {"TableName": self._table, "Item": item}} for item in items if item
        ]
        kept = {each.observed_at for each in (latest, *remembered.amended) if each}
        if latest and former and former not in kept:
            writes.append({"Update": self._build_expiry(scope, former, at)})
        return tuple(writes)

    def _build_expiry(self, scope: Scope, former: datetime, at: datetime) -> UpdateTypeDef:
        return {
            "TableName": self._table,
            "Key": snapshot_key(scope, former),
            "UpdateExpression": "SET #expires_at = :expires_at",
            "ExpressionAttributeNames": {"#expires_at": "expires_at"},
            "ExpressionAttributeValues": serialize({":expires_at": _expire(at)}),
        }


def snapshot_key(scope: Scope, observed_at: datetime) -> dict[str, Any]:
    """Return the key of the snapshot that was taken at a time."""
    return serialize({"scope": str(scope), "item": _name(observed_at)})


def _name(observed_at: datetime) -> str:
    return f"{PREFIX}{format_iso(observed_at)}"


def build_item(stored: StoredSnapshot, former_at: datetime | None = None) -> dict[str, Any] | None:
    """Build the item of a snapshot; None where it is too large. That of a gone scope expires."""
    snapshot = stored.snapshot
    expires = former_at or (None if snapshot else stored.observed_at)
    form = next((name for name, kind in FORMS.items() if isinstance(snapshot, kind)), "")
    content: dict[str, Any] = {form: drop_shared(snapshot)} if form and snapshot else {}
    packed = _Content(
        changes=stored.changes,
        unsettled=stored.unsettled,
        later=stored.later,
        shared_calls=stored.shared_calls,
        **content,
    )
    text = json.dumps(to_json(packed), ensure_ascii=False, separators=(",", ":"))
    data = zlib.compress(text.encode(), LEVEL)
    if len(data) > LIMIT:
        return None
    fields = {
        "kind": KIND,
        "schema": SCHEMA,
        "data": data,
        "version": stored.version,
        "code": stored.code,
        "previous": stored.previous and format_iso(stored.previous),
        "confirmed_at": stored.confirmed_at and format_iso(stored.confirmed_at),
        "observed_at": format_iso(stored.observed_at),
        "shared_at": stored.shared_at and format_iso(stored.shared_at),
        "view": stored.view or None,
        "expires_at": expires and _expire(expires),
    }
    return {**snapshot_key(stored.scope, stored.observed_at), **serialize(fields)}


def parse_snapshot(item: StoredItem) -> StoredSnapshot:
    """Parse the item of a snapshot.

    Raises:
        CorruptItemError: It cannot be read.
    """
    fields = deserialize(item)
    try:
        content = from_json(_Content, json.loads(zlib.decompress(fields["data"])))
        return StoredSnapshot(
            scope=Scope.parse(require_text(fields, "scope")),
            observed_at=parse_iso(require_text(fields, "observed_at")),
            snapshot=content.vpc or content.service or content.region,
            version=require_int(fields, "version"),
            code=require_text(fields, "code"),
            changes=content.changes,
            previous=read_time(fields.get("previous")),
            confirmed_at=read_time(fields.get("confirmed_at")),
            unsettled=content.unsettled,
            later=content.later,
            shared_at=read_time(fields.get("shared_at")),
            view=str(fields.get("view", "")),
            shared_calls=content.shared_calls,
        )
    except (*UNREADABLE, zlib.error) as error:
        key = f"{fields.get('scope')} / {fields.get('item')}"
        raise CorruptItemError(f"snapshot {key} cannot be read: {error}") from error


def drop_shared(snapshot: AnySnapshot) -> AnySnapshot:
    """Return a snapshot without what all VPCs of its Region share: services and AWS's lists."""
    if not isinstance(snapshot, Snapshot):
        return snapshot
    lists = {name: each for name, each in snapshot.prefix_lists.items() if not each.aws_managed}
    return replace(snapshot, services={}, prefix_lists=lists)


def add_shared(snapshot: AnySnapshot, present: AnySnapshot | None) -> AnySnapshot:
    """Return a stored snapshot with what all VPCs of its Region share now."""
    if not isinstance(snapshot, Snapshot) or not isinstance(present, Snapshot):
        return snapshot
    lists = {name: each for name, each in present.prefix_lists.items() if each.aws_managed}
    return replace(
        snapshot, services=present.services, prefix_lists={**lists, **snapshot.prefix_lists}
    )


def _expire(at: datetime) -> int:
    return int((at + KEPT).timestamp())
