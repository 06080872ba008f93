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

import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from posture.errors import ConflictError, CorruptItemError, PostureError
from posture.model.change import Change
from posture.model.fingerprint import fingerprint
from posture.model.instant import format_iso, parse_iso
from posture.model.network import PrefixList, Service, Snapshot
from posture.model.scope import ACCOUNT
from posture.model.shared_kind import FACETS, SharedKind
from posture.model.shared_network import SharedNetwork, UnreadFact
from posture.model.survey import SurveyPart, merge_parts
from posture.store.attribute_values import (
    Item,
    StoredItem,
    deserialize,
    read_time,
    require_int,
    require_text,
    serialize,
)
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
from posture.store.queries import BATCH, KeyRange, StoredTable
from posture.store.schema import SCHEMA, upgrade
from posture.store.scope_record import CLOCK_TOLERANCE
from posture.store.typed_json import from_json, to_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, UpdateTypeDef

HEAD = "#head"
PART, CENTRAL = "part#", "central#"  # begin the sort keys of entries
DATA = "~data#"  # begins those of their content, after all entries
ENTRIES = KeyRange("item", CENTRAL, f"{PART}~")
LIMIT = 350_000  # bytes of one item, which holds 400 KB
# A transaction holds 100 items and 4 MB:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
MAX_WRITES = 90
MAX_BYTES = 3_000_000
LEVEL = 1  # of zlib: three times as fast as the default, and a tenth larger
CATALOGUE = "catalogue#"  # begins the sort keys of catalogues, by their digest
KEPT = timedelta(hours=1)  # calls; CloudTrail delivers an event within some 15 minutes
MAX_CALLS = 20  # of an entry, the latest ones
TICK = timedelta(microseconds=1)
NOT_SURVEYED = "the survey of the shared network has not read it yet"


@dataclass(frozen=True, slots=True)
class FactChange:
    """When an entry last changed, and the calls that its survey or evaluation was told of."""

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
class Catalogue:
    """What all VPCs of a Region share: the endpoint services, and AWS's prefix lists."""

    services: Mapping[str, Service] = field(default_factory=dict)
    prefix_lists: Mapping[str, PrefixList] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Calls:
    calls: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is to be stored under one name: a part, or the snapshot of a central VPC."""

    name: str
    observed_at: datetime
    digest: str
    content: SharedNetwork | Snapshot
    calls: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class _Head:
    """The head's stored time as text, "" for none, and the time that it is to be moved to."""

    former: str
    next: datetime


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is stored of an entry besides its content."""

    name: str
    observed_at: datetime | None
    observed_text: str
    digest: str
    chunks: int
    changed_at: datetime | None = None
    calls: tuple[Change, ...] = ()

    def is_later_than(self, observed_at: datetime, now: datetime) -> bool:
        """Whether it was read at that time or later; a time that has not come is ignored."""
        mine = self.observed_at
        return mine is not None and observed_at <= mine <= now + CLOCK_TOLERANCE

    def is_of(self, accounts: Collection[str]) -> bool:
        """Whether it is the part of one of these accounts, or a central VPC."""
        return self.name.startswith(CENTRAL) or self.name.rpartition("#")[2] in accounts


class SharedNetworkTable(StoredTable):
    """The table of the shared network of all Regions that a monitor watches."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        super().__init__(client, table)
        self._loaded: dict[tuple[str, frozenset[str]], StoredNetwork] = {}
        self._catalogues: dict[tuple[str, str], Catalogue] = {}
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
            known = self._loaded.get(key)
            if known and changed_at and known.changed_at == changed_at:
                return known
            try:
                network, changes = self._read(region, key[1], now)
            except CorruptItemError:
                if self.load_head(region) == changed_at:
                    raise
                continue  # it was replaced while it was read
            self._loaded[key] = StoredNetwork(network, changed_at, changes)
            return self._loaded[key]
        raise ConflictError(f"the shared network of {region} changed {ATTEMPTS} times meanwhile")

    def load_head(self, region: str) -> datetime | None:
        """Read the time of the latest change; None if no fact is stored.

        Raises:
            CorruptItemError: It cannot be read.
        """
        item = self._get(_key(region, HEAD))
        if item is None:
            return None
        fields = deserialize(item)
        with naming_item("shared network", region, HEAD):
            return parse_iso(require_text(upgrade(fields), "changed_at"))

    def load_times(self, region: str) -> dict[tuple[SharedKind, str], datetime]:
        """Load when each part was last read, by its kind and account.

        A part that cannot be parsed is left out, and so is read again.
        """
        items = self._query("region", region, between=KeyRange("item", PART, f"{PART}~"))
        return {
            (SharedKind(kind), account): each.observed_at
            for each in map(_parse_former, items)
            if each.observed_at
            for _, kind, account in [each.name.split("#")]
        }

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
            _Entry(
                name_part(each.kind, each.account),
                each.observed_at,
                digest_part(each.network),
                each.network,
                tuple(it for it in calls if _concerns(it, each)),
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
        entry = _Entry(name, snapshot.observed_at, digest, snapshot, tuple(changes))
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
            names = [name, *_name_data(name, range(stored.chunks))]
            deletes = [self._build_delete(region, each) for each in names]
            try:
                self._transact(region, deletes, self._read_head(region, now))
            except ConditionFailedError:
                continue
            return True
        raise ConflictError(f"others kept writing the shared network of {region}")

    def keep_catalogue(self, region: str, digest: str, catalogue: Catalogue, now: datetime) -> None:
        """Store a catalogue under its digest, once in the life of this object."""
        key = (region, digest)
        if key in self._catalogues:
            return
        text = json.dumps(to_json(catalogue), ensure_ascii=False, separators=(",", ":"))
        fields = {"kind": "shared-catalogue", "schema": SCHEMA, "kept_at": format_iso(now)}
        data = zlib.compress(text.encode(), LEVEL)
        if len(data) <= LIMIT:
            item = _key(region, f"{CATALOGUE}{digest}")
            put = build_put(self._table, {**item, **serialize({**fields, "data": data})})
            self._client.put_item(**put)
        self._catalogues[key] = catalogue

    def load_catalogue(self, region: str, digest: str) -> Catalogue | None:
        """Load a catalogue by its digest; None where it is not stored.

        Raises:
            CorruptItemError: It cannot be read.
        """
        key, name = (region, digest), f"{CATALOGUE}{digest}"
        if key not in self._catalogues:
            item = self._get(_key(region, name)) if digest else None
            if item is None:
                return None
            with naming_item("shared network", region, name):
                text = _decompress([deserialize(item)["data"]])
                self._catalogues[key] = from_json(Catalogue, json.loads(text))
        return self._catalogues[key]

    def _write(
        self, region: str, entries: Sequence[_Entry], now: datetime, *, rewrite: bool = False
    ) -> int:
        """Write entries, as many in one transaction as it holds."""
        written: set[str] = set()
        for _ in pause_between(ATTEMPTS):
            stored = self._load_entries(region, [each.name for each in entries])
            has_head = self._get(_key(region, HEAD)) is not None
            changed = []
            for each in entries:
                former = stored.get(each.name)
                if former and former.is_later_than(each.observed_at, now):
                    continue
                if each.name in written:
                    continue
                if former and former.digest == each.digest and has_head and not rewrite:
                    self._confirm(region, each, former)
                else:
                    changed.append(each)
            try:
                for batch in _split(changed):
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
        batch: Iterable[tuple[_Entry, Sequence[bytes]]],
        stored: Mapping[str, _Stored],
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
                "calls": _pack_calls(entry, former, at),
            }
            item = {**_key(region, entry.name), **serialize(fields)}
            condition, values = "attribute_not_exists(#item)", {}
            if former and former.digest:
                condition = "#digest = :former AND #observed_at = :read"
                values = {":former": former.digest, ":read": former.observed_text}
            elif former:
                condition = ""  # it cannot be read; the head's condition keeps writers apart
            writes.append({"Put": build_put(self._table, item, condition, values)})
            for name, data in zip(_name_data(entry.name, range(len(chunks))), chunks, strict=True):
                fields = {"kind": "shared-data", "digest": entry.digest, "data": data}
                put = build_put(self._table, {**_key(region, name), **serialize(fields)})
                writes.append({"Put": put})
            surplus = range(len(chunks), former.chunks if former else 0)
            writes += [self._build_delete(region, name) for name in _name_data(entry.name, surplus)]
        return writes

    def _build_delete(self, region: str, name: str) -> TransactWriteItemTypeDef:
        return {"Delete": {"TableName": self._table, "Key": _key(region, name)}}

    def _read_head(self, region: str, now: datetime) -> _Head:
        """Read the head, and the time that it is to be moved to.

        Of two changes in one microsecond, or by a clock that is behind, the second one is later as
        well. A stored time that has not come yet is ignored.
        """
        former = self._get(_key(region, HEAD))
        text = str(former.get("changed_at", {}).get("S", "")) if former else ""
        at = _read_believable(text, now)
        return _Head(text, max(now, at + TICK) if at else now)

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
            "Key": _key(region, HEAD),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": name_attributes(f"{expression} {condition}"),
            "ExpressionAttributeValues": serialize(values),
        }
        transact(self._client, [*writes, {"Update": move}])

    def _confirm(self, region: str, entry: _Entry, former: _Stored) -> None:
        """Record that an entry was read again as it is stored, so that no older one replaces it."""
        expression, condition = "SET #observed_at = :observed_at", "#observed_at = :read"
        values = {":observed_at": format_iso(entry.observed_at), ":read": former.observed_text}
        write: UpdateTypeDef = {
            "TableName": self._table,
            "Key": _key(region, entry.name),
            "UpdateExpression": expression,
            "ConditionExpression": f"{condition} AND #digest = :digest",
            "ExpressionAttributeNames": name_attributes(f"{expression} {condition} #digest"),
            "ExpressionAttributeValues": serialize({**values, ":digest": entry.digest}),
        }
        update(self._client, write)

    def _load_entries(self, region: str, names: Collection[str]) -> dict[str, _Stored]:
        """Load what is stored of entries; one that cannot be read is replaced by the next write."""
        items = (
            self._get_all({"region": region, "item": name} for name in names)
            if len(names) <= BATCH
            else self._query("region", region, between=ENTRIES)
        )
        return {each.name: each for each in map(_parse_former, items)}

    def _read(
        self, region: str, accounts: Collection[str], now: datetime
    ) -> tuple[SharedNetwork, tuple[FactChange, ...]]:
        """Read the entries, and the content of those that are not known by their digest."""
        entries = [
            _parse_entry(item, region) for item in self._query("region", region, between=ENTRIES)
        ]
        entries = [each for each in entries if each.is_of(accounts)]
        contents = self._load_contents(region, entries)
        changes = tuple(
            FactChange(each.name, each.changed_at, each.calls)
            for each in entries
            if each.changed_at
        )
        return _build_network(region, accounts, contents, now), changes

    def _load_contents(self, region: str, entries: Sequence[_Stored]) -> dict[str, Any]:
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
            for name in _name_data(each.name, range(each.chunks))
        )
        data = {str(item["item"].get("S")): item for item in self._get_all(keys)}
        for each in lacking:
            self._contents[region, each.name] = each.digest, _parse_content(region, each, data)
        return {each.name: self._contents[region, each.name][1] for each in entries}


def digest_part(network: SharedNetwork) -> str:
    """Digest what a survey read, whenever it was read."""
    return fingerprint(
        {each.name: getattr(network, each.name) for each in fields(network)} | {"observed_at": None}
    )


def name_part(kind: SharedKind, account: str) -> str:
    """Return the name of what a survey read of a kind in an account."""
    return f"{PART}{kind}#{account}"


def list_missing(
    kinds: Iterable[tuple[SharedKind, str]], accounts: Iterable[str]
) -> tuple[UnreadFact, ...]:
    """List what no survey has read yet in the watched accounts."""
    known = set(kinds)
    return tuple(
        UnreadFact(facet, account, NOT_SURVEYED)
        for account in sorted(accounts)
        for kind in SharedKind
        if (kind, account) not in known
        for facet in FACETS[kind]
    )


def _build_network(
    region: str, accounts: Collection[str], contents: Mapping[str, Any], now: datetime
) -> SharedNetwork:
    """Build the network of the watched accounts from its entries."""
    parts = []
    for name, content in contents.items():
        if name.startswith(PART):
            _, kind, account = name.split("#")
            parts.append(SurveyPart(SharedKind(kind), account, content))
    central = {
        name.removeprefix(CENTRAL): content
        for name, content in contents.items()
        if name.startswith(CENTRAL)
    }
    missing = list_missing(((each.kind, each.account) for each in parts), accounts)
    network = merge_parts(region, parts, now)
    return replace(
        network,
        accounts=frozenset(accounts),
        central_vpcs=central,
        unread=(*network.unread, *missing),
    )


def _split(
    entries: Iterable[_Entry],
) -> Iterator[Sequence[tuple[_Entry, Sequence[bytes]]]]:
    """Split entries into transactions, each with the chunks of its content."""
    batch: list[tuple[_Entry, Sequence[bytes]]] = []
    writes = size = 0
    for entry in entries:
        chunks = _pack(entry)
        more, weight = 1 + 2 * len(chunks), sum(map(len, chunks))  # former chunks may be deleted
        if batch and (writes + more > MAX_WRITES or size + weight > MAX_BYTES):
            yield batch
            batch, writes, size = [], 0, 0
        batch.append((entry, chunks))
        writes += more
        size += weight
    if batch:
        yield batch


def _pack(entry: _Entry) -> Sequence[bytes]:
    """Compress the content of an entry into chunks.

    Raises:
        PostureError: It is too large for one transaction.
    """
    text = json.dumps(to_json(entry.content), ensure_ascii=False, separators=(",", ":"))
    data = zlib.compress(text.encode(), LEVEL)
    if len(data) > MAX_BYTES:
        raise PostureError(
            f"{entry.name} takes {len(data)} bytes, compressed: {MAX_BYTES} can be stored"
        )
    return [data[start : start + LIMIT] for start in range(0, len(data), LIMIT)]


def _parse_entry(item: StoredItem, region: str) -> _Stored:
    """Parse what is stored of an entry besides its content.

    Raises:
        CorruptItemError: It cannot be read.
    """
    stored = deserialize(item)
    with naming_item("shared network", region, stored.get("item")):
        fields = upgrade(stored)
        name, text = require_text(fields, "item"), require_text(fields, "observed_at")
        if name.startswith(PART):
            _, kind, account = name.split("#")
            if not SharedKind(kind) or not ACCOUNT.fullmatch(account):
                raise ValueError(f"{name!r} names no account")
        digest, chunks = require_text(fields, "digest"), require_int(fields, "chunks")
        changed_at = read_time(fields.get("changed_at"))
        calls = _unpack_calls(fields["calls"]) if "calls" in fields else ()
        return _Stored(name, parse_iso(text), text, digest, chunks, changed_at, calls)


def _parse_former(item: StoredItem) -> _Stored:
    """Parse an entry that is to be replaced, however it looks."""
    try:
        return _parse_entry(item, "")
    except CorruptItemError:
        return _Stored(str(item["item"].get("S")), None, "", "", 0)


def _parse_content(region: str, entry: _Stored, data: Mapping[str, StoredItem]) -> Any:
    """Parse the content of an entry.

    Raises:
        CorruptItemError: It cannot be read, or its items are of different states of it.
    """
    with naming_item("shared network", region, entry.name):
        chunks = []
        for name in _name_data(entry.name, range(entry.chunks)):
            fields = deserialize(data[name])
            if require_text(fields, "digest") != entry.digest:
                raise ValueError(f"{name} has another digest")
            chunks.append(fields["data"])
        text = _decompress(chunks)
        kind: Any = Snapshot if entry.name.startswith(CENTRAL) else SharedNetwork
        return from_json(kind, json.loads(text))


def _decompress(chunks: Iterable[bytes]) -> bytes:
    try:
        return zlib.decompress(b"".join(chunks))
    except zlib.error as error:
        raise ValueError(str(error)) from error


def _concerns(call: Change, part: SurveyPart) -> bool:
    """Whether a call may have changed what a survey read of a kind in an account."""
    return part.kind in call.kinds and (call.spreads or call.region.account == part.account)


def _pack_calls(entry: _Entry, former: _Stored | None, at: datetime) -> bytes | None:
    """Compress the calls of an entry with the former ones of the last hour, without requests."""
    known = [each for each in (former.calls if former else ()) if each.time > at - KEPT]
    calls = {each.event_id: replace(each, request=None) for each in (*known, *entry.calls)}
    latest = sorted(calls.values(), key=lambda each: (each.time, each.event_id))[-MAX_CALLS:]
    if not latest:
        return None
    text = json.dumps(to_json(_Calls(tuple(latest))), ensure_ascii=False, separators=(",", ":"))
    return zlib.compress(text.encode(), LEVEL)


def _unpack_calls(data: bytes) -> tuple[Change, ...]:
    return from_json(_Calls, json.loads(_decompress([data]))).calls


def _read_believable(text: str, now: datetime) -> datetime | None:
    """Read a stored time; None if it is none, or has not come yet."""
    try:
        at = parse_iso(text)
    except ValueError:
        return None
    return at if at <= now + CLOCK_TOLERANCE else None


def _key(region: str, name: str) -> Item:
    return serialize({"region": region, "item": name})


def _name_data(name: str, numbers: Iterable[int]) -> Sequence[str]:
    return [f"{DATA}{name}#{number:03}" for number in numbers]
