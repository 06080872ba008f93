"""The table of the shared network: what surveys read of it, and the snapshots of central VPCs.

The partition key is a Region, the sort key names a part: `part#zones#111122223333` is what a survey
read of one kind in one account, `central#vpc-1` the snapshot of a central VPC. The content is
compressed JSON in items `~data#…` of less than 400 KB. A part is written as a whole, on the
condition that it is newer than the stored one.

The item `#head` holds the time of the latest change. It moves in the same transaction as a part
whose digest changed, so a network is read again only then, and the table's stream reports each
change by one record (docs/decisions/0097-shared-facts-and-their-order.md).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from posture.errors import ConflictError, CorruptItemError
from posture.lean_dataclass import dataclass
from posture.model.change import Change
from posture.model.instant import CLOCK_TOLERANCE, format_iso, parse_iso
from posture.model.network import Snapshot
from posture.model.shared_kind import SharedKind
from posture.model.shared_network import SharedNetwork
from posture.model.survey import SurveyPart
from posture.store.attribute_values import (
    deserialize,
    require_text,
    serialize,
)
from posture.store.catalogues import CatalogueTable
from posture.store.conditional_writes import (
    ATTEMPTS,
    ConditionFailedError,
    build_put,
    name_attributes,
    pause_between,
    transact,
    update,
)
from posture.store.items import naming_item
from posture.store.queries import BATCH, KeyRange
from posture.store.schema import SCHEMA, upgrade
from posture.store.shared_entries import (
    CENTRAL,
    PART,
    Entry,
    StoredEntry,
    build_key,
    build_network,
    concerns,
    digest_part,
    name_data,
    name_part,
    pack_calls,
    parse_content,
    parse_entry,
    parse_former,
    split_entries,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, UpdateTypeDef

HEAD = "#head"
ENTRIES = KeyRange("item", CENTRAL, f"{PART}~")
TICK = timedelta(microseconds=1)

logger = Logger()


@dataclass(frozen=True, slots=True)
class FactChange:
    """When an entry last changed, and the calls that its survey or evaluation knew of."""

    name: str
    changed_at: datetime
    calls: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredNetwork:
    """The shared network as stored; `changed_at` orders its states, None if there is none yet."""

    network: SharedNetwork
    changed_at: datetime | None = None
    changes: tuple[FactChange, ...] = ()

    def list_calls(self, since: datetime | None) -> tuple[Change, ...]:
        """List the calls that may have led to the changes since a time, each once."""
        calls = {
            call.event_id: call
            for each in self.changes
            if since is None or each.changed_at > since
            for call in each.calls
        }
        return tuple(calls.values())


@dataclass(frozen=True, slots=True)
class _Head:
    """The head's stored time as text, "" for none, and the time that it is to be moved to."""

    former: str
    next: datetime


class SharedNetworkTable(CatalogueTable):
    """The table of the shared network of all Regions that a monitor watches.

    `on_ahead` is called for each time that is read and has not come yet; a survey replaces it.
    """

    def __init__(
        self, client: DynamoDBClient, table: str, on_ahead: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__(client, table)
        self._on_ahead = on_ahead
        self._loaded: dict[tuple[str, frozenset[str]], StoredNetwork] = {}
        # The digest and content of each entry, by Region and name.
        self._contents: dict[tuple[str, str], tuple[str, Any]] = {}

    def load(self, region: str, accounts: Iterable[str], now: datetime) -> StoredNetwork:
        """Load the shared network of the watched accounts; it is read again once its head moved.

        The head is read first: facts that are written meanwhile make the network newer than it
        says, never older. What no survey has read yet is named as unread.

        Raises:
            ConflictError: It was written each time while it was read.
            CorruptItemError: An item cannot be read.
        """
        key = (region, frozenset(accounts))
        for _ in pause_between(ATTEMPTS):
            changed_at = self.load_head(region)
            if changed_at:
                self._report_if_ahead(region, HEAD, changed_at, now)
            known = self._loaded.get(key)
            if known and changed_at and known.changed_at == changed_at:
                return known
            try:
                network, changes = self._read(region, key[1], now)
            except CorruptItemError:
                if self.load_head(region) == changed_at:
                    raise
                continue  # it was replaced while it was read
            for each in [it for it in self._loaded if it[0] == region]:
                del self._loaded[each]  # members changed: the former network is not loaded again
            self._loaded[key] = StoredNetwork(network, changed_at, changes)
            return self._loaded[key]
        raise ConflictError(f"the shared network of {region} changed {ATTEMPTS} times meanwhile")

    def load_head(self, region: str) -> datetime | None:
        """Read the time of the latest change; None if no fact is stored.

        Raises:
            CorruptItemError: It cannot be read.
        """
        item = self._get(build_key(region, HEAD))
        if item is None:
            return None
        fields = deserialize(item)
        with naming_item("shared network", region, HEAD):
            return parse_iso(require_text(upgrade(fields), "changed_at"))

    def find_ahead(self, region: str, now: datetime) -> Iterator[str]:
        """Find the items with a time that has not come yet; return their sort keys.

        Raises:
            CorruptItemError: One cannot be read.
        """
        latest, changed_at = now + CLOCK_TOLERANCE, self.load_head(region)
        if changed_at and changed_at > latest:
            yield HEAD
        for item in self._query("region", region, between=ENTRIES):
            entry = parse_entry(item, region)
            if any(at and at > latest for at in (entry.observed_at, entry.changed_at)):
                yield entry.name

    def load_times(self, region: str, now: datetime) -> dict[tuple[SharedKind, str], datetime]:
        """Load when each part was last read, by its kind and account.

        A part that cannot be parsed, or whose time has not come yet, is left out, and so is read
        again.
        """
        items = self._query("region", region, between=KeyRange("item", PART, f"{PART}~"))
        return {
            (SharedKind(kind), account): each.observed_at
            for each in map(parse_former, items)
            if each.observed_at
            and not self._report_if_ahead(region, each.name, each.observed_at, now)
            for _, kind, account in [each.name.split("#")]
        }

    def _report_if_ahead(self, region: str, name: str, at: datetime, now: datetime) -> bool:
        """Report a stored time that has not come yet; return whether it has not."""
        if at <= now + CLOCK_TOLERANCE:
            return False
        logger.error("stored time was in the future", extra={"region": region, "item": name})
        self._on_ahead()
        return True

    def write(
        self,
        region: str,
        parts: Iterable[SurveyPart],
        now: datetime,
        changes: Iterable[Change] = (),
        *,
        rewrite: bool = False,
    ) -> int:
        """Write what a survey read, except what is stored as it is or was read later.

        Facts that others name come first, so that a name never leads to a fact that is not there
        yet.

        Args:
            region: The Region.
            parts: What was read.
            now: The current time.
            changes: The calls that led to the survey, which may be causes of what changed.
            rewrite: Whether what is stored could not be read, so that it is written even if its
                digest is the same.

        Returns:
            The number of parts that changed.

        Raises:
            ConflictError: Others kept writing.
        """
        order, calls = list(SharedKind), tuple(changes)
        entries = [
            Entry(
                name_part(each.kind, each.account),
                each.observed_at,
                digest_part(each.network),
                each.network,
                tuple(it for it in calls if concerns(it, each)),
            )
            for each in sorted(parts, key=lambda it: (order.index(it.kind), it.account))
        ]
        return self._write(region, entries, now, rewrite=rewrite)

    def write_central(
        self, snapshot: Snapshot, digest: str, now: datetime, changes: Iterable[Change] = ()
    ) -> bool:
        """Write the snapshot of a central VPC, unless it is stored as it is or a later one is.

        Args:
            snapshot: The part of it that other VPCs can depend on.
            digest: Its digest, which is the same whenever it was taken.
            now: The current time.
            changes: The calls that led to its evaluation.

        Returns:
            Whether it changed.

        Raises:
            ConflictError: Others kept writing.
        """
        name = f"{CENTRAL}{snapshot.vpc.id}"
        entry = Entry(name, snapshot.observed_at, digest, snapshot, tuple(changes))
        return bool(self._write(snapshot.scope.region, [entry], now))

    def remove_central(
        self, region: str, vpc_id: str, observed_at: datetime, now: datetime
    ) -> bool:
        """Remove the snapshot of a central VPC that is gone; return whether there was one.

        Raises:
            ConflictError: Others kept writing.
        """
        name = f"{CENTRAL}{vpc_id}"
        for _ in pause_between(ATTEMPTS):
            stored = self._load_entries(region, [name]).get(name)
            if stored is None or stored.is_later_than(observed_at, now):
                return False
            names = [name, *name_data(name, range(stored.chunks))]
            deletes = [self._build_delete(region, each) for each in names]
            try:
                self._transact(region, deletes, self._read_head(region, now))
            except ConditionFailedError:
                continue
            return True
        raise ConflictError(f"others kept writing the shared network of {region}")

    def _write(
        self, region: str, entries: Sequence[Entry], now: datetime, *, rewrite: bool = False
    ) -> int:
        """Write entries, as many in one transaction as it holds."""
        written: set[str] = set()
        for _ in pause_between(ATTEMPTS):
            stored = self._load_entries(region, [each.name for each in entries])
            head_at = _read_believable(self._read_head_text(region), now)
            changed = []
            for each in entries:
                former = stored.get(each.name)
                if former and former.is_later_than(each.observed_at, now):
                    continue
                if each.name in written:
                    continue
                if former and former.digest == each.digest and head_at and not rewrite:
                    self._confirm(region, each, former)
                else:
                    changed.append(each)
            try:
                for batch in split_entries(changed):
                    head = self._read_head(region, now)
                    writes = self._build_writes(region, batch, stored, head.next)
                    self._transact(region, writes, head)
                    written |= {each.name for each, _ in batch}
            except ConditionFailedError:
                continue  # others wrote meanwhile: what is stored is compared again
            return len(written)
        raise ConflictError(f"others kept writing the shared network of {region}")

    def _build_writes(
        self,
        region: str,
        batch: Iterable[tuple[Entry, Sequence[bytes]]],
        stored: Mapping[str, StoredEntry],
        at: datetime,
    ) -> list[TransactWriteItemTypeDef]:
        writes: list[TransactWriteItemTypeDef] = []
        for entry, chunks in batch:
            former = stored.get(entry.name)
            fields = {
                "kind": "shared-entry",
                "schema": SCHEMA,
                "observed_at": format_iso(entry.observed_at),
                "digest": entry.digest,
                "chunks": len(chunks),
                "changed_at": format_iso(at),
                "calls": pack_calls(entry, former, at),
            }
            item = {**build_key(region, entry.name), **serialize(fields)}
            condition, values = "attribute_not_exists(#item)", {}
            if former and former.digest:
                condition = "#digest = :former AND #observed_at = :read"
                values = {":former": former.digest, ":read": former.observed_text}
            elif former:
                condition = ""  # it cannot be read; the head's condition keeps writers apart
            writes.append({"Put": build_put(self._table, item, condition, values)})
            for name, data in zip(name_data(entry.name, range(len(chunks))), chunks, strict=True):
                fields = {"kind": "shared-data", "digest": entry.digest, "data": data}
                put = build_put(self._table, {**build_key(region, name), **serialize(fields)})
                writes.append({"Put": put})
            surplus = range(len(chunks), former.chunks if former else 0)
            writes += [self._build_delete(region, name) for name in name_data(entry.name, surplus)]
        return writes

    def _build_delete(self, region: str, name: str) -> TransactWriteItemTypeDef:
        return {"Delete": {"TableName": self._table, "Key": build_key(region, name)}}

    def _read_head(self, region: str, now: datetime) -> _Head:
        """Read the head, and the time that it is to be moved to.

        Of two changes in one microsecond, or by a clock that is behind, the second one is later as
        well. A stored time that has not come yet is ignored.
        """
        text = self._read_head_text(region)
        at = _read_believable(text, now)
        return _Head(text, max(now, at + TICK) if at else now)

    def _read_head_text(self, region: str) -> str:
        """Read the time of the head as it is stored; "" where there is none."""
        former = self._get(build_key(region, HEAD))
        return str(former.get("changed_at", {}).get("S", "")) if former else ""

    def _transact(
        self, region: str, writes: Sequence[TransactWriteItemTypeDef], head: _Head
    ) -> None:
        """Write entries, and move the head to a later time.

        Raises:
            ConditionFailedError: Others wrote meanwhile.
        """
        text = head.former
        condition = "#changed_at = :former" if text else "attribute_not_exists(#changed_at)"
        expression = "SET #kind = :kind, #schema = :schema, #changed_at = :changed_at"
        values: dict[str, Any] = {
            ":kind": "shared-head",
            ":schema": SCHEMA,
            ":changed_at": format_iso(head.next),
            **({":former": text} if text else {}),
        }
        move: UpdateTypeDef = {
            "TableName": self._table,
            "Key": build_key(region, HEAD),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": name_attributes(f"{expression} {condition}"),
            "ExpressionAttributeValues": serialize(values),
        }
        transact(self._client, [*writes, {"Update": move}])

    def _confirm(self, region: str, entry: Entry, former: StoredEntry) -> None:
        """Record that an entry was read again as it is stored, so that no older one replaces it."""
        expression, condition = "SET #observed_at = :observed_at", "#observed_at = :read"
        values = {":observed_at": format_iso(entry.observed_at), ":read": former.observed_text}
        write: UpdateTypeDef = {
            "TableName": self._table,
            "Key": build_key(region, entry.name),
            "UpdateExpression": expression,
            "ConditionExpression": f"{condition} AND #digest = :digest",
            "ExpressionAttributeNames": name_attributes(f"{expression} {condition} #digest"),
            "ExpressionAttributeValues": serialize({**values, ":digest": entry.digest}),
        }
        update(self._client, write)

    def _load_entries(self, region: str, names: Collection[str]) -> dict[str, StoredEntry]:
        """Load what is stored of entries; one that cannot be read is replaced by the next write."""
        items = (
            self._get_all({"region": region, "item": name} for name in names)
            if len(names) <= BATCH
            else self._query("region", region, between=ENTRIES)
        )
        return {each.name: each for each in map(parse_former, items)}

    def _read(
        self, region: str, accounts: Collection[str], now: datetime
    ) -> tuple[SharedNetwork, tuple[FactChange, ...]]:
        """Read the entries, and the content of those that are not known by their digest."""
        entries = [
            parse_entry(item, region) for item in self._query("region", region, between=ENTRIES)
        ]
        entries = [each for each in entries if each.is_of(accounts)]
        contents = self._load_contents(region, entries)
        changes = tuple(
            FactChange(each.name, each.changed_at, each.calls)
            for each in entries
            if each.changed_at
        )
        return build_network(region, accounts, contents, now), changes

    def _load_contents(self, region: str, entries: Sequence[StoredEntry]) -> dict[str, Any]:
        """Load the content of entries, those that are not known by their digest.

        Raises:
            CorruptItemError: One cannot be read.
        """
        known = {name: it for name, it in self._contents.items() if name[0] == region}
        lacking = [
            each for each in entries if known.get((region, each.name), ("",))[0] != each.digest
        ]
        keys = (
            {"region": region, "item": name}
            for each in lacking
            for name in name_data(each.name, range(each.chunks))
        )
        data = {str(item["item"].get("S")): item for item in self._get_all(keys)}
        for each in lacking:
            self._contents[region, each.name] = each.digest, parse_content(region, each, data)
        return {each.name: self._contents[region, each.name][1] for each in entries}


def _read_believable(text: str, now: datetime) -> datetime | None:
    """Read a stored time; None if it is none, or has not come yet."""
    try:
        at = parse_iso(text)
    except ValueError:
        return None
    return at if at <= now + CLOCK_TOLERANCE else None
