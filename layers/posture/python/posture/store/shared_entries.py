"""The entries of the shared network's table, and their content in chunks. Pure.

An entry is what a survey read of one kind in one account, or the snapshot of a central VPC.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from posture.errors import CorruptItemError, PostureError
from posture.lean_dataclass import dataclass
from posture.model.change import Change
from posture.model.fingerprint import fingerprint
from posture.model.instant import CLOCK_TOLERANCE, parse_iso
from posture.model.network import Snapshot
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
from posture.store.items import naming_item
from posture.store.schema import upgrade
from posture.store.typed_json import from_json, to_json

PART, CENTRAL = "part#", "central#"  # begin the sort keys of entries
DATA = "~data#"  # begins those of their content, after all entries
LIMIT = 350_000  # bytes of one item, which holds 400 KB
# A transaction holds 100 items and 4 MB:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
MAX_WRITES = 90
MAX_BYTES = 3_000_000
LEVEL = 1  # of zlib: three times as fast as the default, and a tenth larger
KEPT = timedelta(hours=1)  # calls; CloudTrail delivers an event within some 15 minutes
MAX_CALLS = 20  # of an entry, the latest ones
NOT_SURVEYED = "the survey of the shared network has not read it yet"


@dataclass(frozen=True, slots=True)
class _Calls:
    calls: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be stored under one name: a part, or the snapshot of a central VPC."""

    name: str
    observed_at: datetime
    digest: str
    content: SharedNetwork | Snapshot
    calls: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """What is stored of an entry besides its content."""

    name: str
    observed_at: datetime | None
    observed_text: str
    digest: str
    chunks: int
    changed_at: datetime | None = None
    calls: tuple[Change, ...] = ()

    def is_later_than(self, observed_at: datetime, now: datetime) -> bool:
        """Return whether it was read at that time or later; a time that has not come is ignored."""
        mine = self.observed_at
        return mine is not None and observed_at <= mine <= now + CLOCK_TOLERANCE

    def is_of(self, accounts: Collection[str]) -> bool:
        """Return whether it is the part of one of these accounts, or a central VPC."""
        return self.name.startswith(CENTRAL) or self.name.rpartition("#")[2] in accounts


def digest_part(network: SharedNetwork) -> str:
    """Digest what a survey read, whenever it was read."""
    return fingerprint(
        {each.name: getattr(network, each.name) for each in fields(network)} | {"observed_at": None}
    )


def build_key(region: str, name: str) -> Item:
    """Build the key of an item."""
    return serialize({"region": region, "item": name})


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


def build_network(
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


def split_entries(
    entries: Iterable[Entry],
) -> Iterator[Sequence[tuple[Entry, Sequence[bytes]]]]:
    """Split entries into transactions, each with the chunks of its content."""
    batch: list[tuple[Entry, Sequence[bytes]]] = []
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


def _pack(entry: Entry) -> Sequence[bytes]:
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


def parse_entry(item: StoredItem, region: str) -> StoredEntry:
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
        return StoredEntry(name, parse_iso(text), text, digest, chunks, changed_at, calls)


def parse_former(item: StoredItem) -> StoredEntry:
    """Parse an entry that is to be replaced, however it looks."""
    try:
        return parse_entry(item, "")
    except CorruptItemError:
        return StoredEntry(str(item["item"].get("S")), None, "", "", 0)


def parse_content(region: str, entry: StoredEntry, data: Mapping[str, StoredItem]) -> Any:
    """Parse the content of an entry.

    Raises:
        CorruptItemError: It cannot be read, or its items are of different states of it.
    """
    with naming_item("shared network", region, entry.name):
        chunks = []
        for name in name_data(entry.name, range(entry.chunks)):
            fields = deserialize(data[name])
            if require_text(fields, "digest") != entry.digest:
                raise ValueError(f"{name} has another digest")
            chunks.append(fields["data"])
        text = decompress(chunks)
        kind: Any = Snapshot if entry.name.startswith(CENTRAL) else SharedNetwork
        return from_json(kind, json.loads(text))


def decompress(chunks: Iterable[bytes]) -> bytes:
    """Decompress what was compressed as a whole and cut into chunks.

    Raises:
        ValueError: It is damaged.
    """
    try:
        return zlib.decompress(b"".join(chunks))
    except zlib.error as error:
        raise ValueError(str(error)) from error


def concerns(call: Change, part: SurveyPart) -> bool:
    """Return whether a call may have changed what a survey read of a kind in an account."""
    return part.kind in call.kinds and (call.spreads or call.region.account == part.account)


def pack_calls(entry: Entry, former: StoredEntry | None, at: datetime) -> bytes | None:
    """Compress the calls of an entry with the former ones of the last hour, without requests."""
    known = [each for each in (former.calls if former else ()) if each.time > at - KEPT]
    calls = {each.event_id: replace(each, request=None) for each in (*known, *entry.calls)}
    latest = sorted(calls.values(), key=lambda each: (each.time, each.event_id))[-MAX_CALLS:]
    if not latest:
        return None
    text = json.dumps(to_json(_Calls(tuple(latest))), ensure_ascii=False, separators=(",", ":"))
    return zlib.compress(text.encode(), LEVEL)


def _unpack_calls(data: bytes) -> tuple[Change, ...]:
    return from_json(_Calls, json.loads(decompress([data]))).calls


def name_data(name: str, numbers: Iterable[int]) -> Sequence[str]:
    """Return the sort keys of the chunks of an entry's content."""
    return [f"{DATA}{name}#{number:03}" for number in numbers]
