"""The record of a scope: when it was last observed, its revision and the results of evaluating it.

Every write to a scope depends on a condition on its record, so that of two evaluations the one with
the older snapshot is dropped, whichever is written last. The item is stored under `#head`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from posture.errors import CorruptItemError
from posture.lean_dataclass import dataclass
from posture.model.dns import DnsAttributes
from posture.model.instant import format_iso, parse_iso
from posture.model.scope import Region, Scope
from posture.store.attribute_values import (
    StoredItem,
    deserialize,
    read_time,
    require_int,
    require_text,
    serialize,
)
from posture.store.conditional_writes import name_attributes
from posture.store.hash_chain import Chain, parse_chain
from posture.store.items import naming_item
from posture.store.schema import SCHEMA, upgrade

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import UpdateTypeDef

RECORD_KEY = "#head"
FIRST = "first_observed_at"
# Beside the time of the snapshot, which orders evaluations, and those of what it used.
OTHER_TIMES = (FIRST, "snapshot_at", "unsettled_at", "held_at")
LISTED = "scope"  # the value of `listed` in every record, so that one index lists them all
COVERAGE_LIMIT = 300_000  # bytes, compressed; an item holds 400 KB
ANY_TIME = datetime.max.replace(tzinfo=UTC)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UsedNetwork:
    """What an evaluation used of the shared network.

    Attributes:
        changed_at: The time of the network's latest change, which orders its states.
        view: The digest of the facts that the scope depends on.
        links: Where these facts begin, as JSON: they are found again without the snapshot.
        catalogue: The digest of what all VPCs of the Region share: services and AWS's lists.
    """

    changed_at: datetime
    view: str
    links: str
    catalogue: str


@dataclass(frozen=True, slots=True)
class ScopeRecord:
    """The record as stored. `commit` names the last transaction, "" before the first one.

    `snapshot_digest` is that of the snapshot whose evaluation the findings, counts and coverage
    are; "" where they are not the complete result of one snapshot. `snapshot_at` is the time of the
    stored snapshot, None where none is. `unsettled_at` is the time of the latest evaluation whose
    causes an event may still amend. `held_at` is the time of the latest change whose second
    evaluation is to look for what put it back. `known_changes` are the digests of the changes that
    were followed lately.

    `first_observed_at` is no later than `observed_at`; records that were last written by a version
    that did not store it have none, and those first written by one hold a time too late.

    `shared` is what the evaluation used of the shared network; None where that is not read.

    `passed` are the checks that resources of the scope passed in the latest evaluation, as
    `posture.rules.control_counts` names them; None where a former version did not store them.
    """

    scope: Scope
    observed_at: datetime
    revision: int
    commit: str = ""
    coverage: Json | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    ownership_digest: str = ""
    dns: DnsAttributes | None = None
    chain: Chain = field(default_factory=Chain)
    snapshot_digest: str = ""
    snapshot_at: datetime | None = None
    unsettled_at: datetime | None = None
    held_at: datetime | None = None
    known_changes: str = ""
    first_observed_at: datetime | None = None
    first_stored_at: datetime | None = None  # as it is stored, be it later than `observed_at`
    exists: bool = True
    passed: frozenset[str] | None = None
    shared: UsedNetwork | None = None

    def is_newer_than(
        self,
        observed_at: datetime,
        dns: DnsAttributes | None,
        latest: datetime = ANY_TIME,
        shared_at: datetime | None = None,
    ) -> bool:
        """Whether it holds a snapshot as new as this one, or newer DNS attributes.

        The same snapshot is newer with later facts of the shared network. A time after `latest` is
        ignored: no snapshot was taken then.
        """
        if observed_at == self.observed_at <= latest and self._lacks(shared_at, latest):
            return False
        if observed_at <= self.observed_at <= latest:
            return True
        if self.dns is None or dns is None:
            return False
        return dns.observed_at < self.dns.observed_at <= latest

    def has_later_facts(self, shared_at: datetime | None, latest: datetime = ANY_TIME) -> bool:
        """Whether later facts of the shared network were used than those of this time."""
        known = self.shared.changed_at if self.shared else None
        return shared_at is not None and known is not None and shared_at < known <= latest

    def _lacks(self, shared_at: datetime | None, latest: datetime) -> bool:
        """Whether the facts of this time are later than what was used."""
        if shared_at is None:
            return False
        return self.shared is None or not shared_at <= self.shared.changed_at <= latest

    def is_ahead_of(self, latest: datetime) -> bool:
        """Whether it holds a time after `latest`: a clock was wrong, or the item was edited."""
        return max(self.times) > latest

    @property
    def times(self) -> tuple[datetime, ...]:
        """The times that it holds: of the snapshot, DNS attributes, shared facts and changes."""
        dns, shared = self.dns and self.dns.observed_at, self.shared and self.shared.changed_at
        others = (self.first_stored_at, self.snapshot_at, self.unsettled_at, self.held_at)
        return (self.observed_at, *(each for each in (dns, shared, *others) if each))

    def drop_times_after(self, latest: datetime) -> ScopeRecord:
        """Return it without what it says of causes at times after `latest`."""

        def keep(at: datetime | None) -> datetime | None:
            return at if at and at <= latest else None

        return replace(
            self,
            snapshot_at=keep(self.snapshot_at),
            unsettled_at=keep(self.unsettled_at),
            held_at=keep(self.held_at),
        )


@dataclass(frozen=True, slots=True)
class Guard:
    """The condition under which a record may be written."""

    condition: str
    values: Mapping[str, Any] = field(default_factory=dict)


def when_absent() -> Guard:
    """Allow the first write of a scope."""
    return Guard("attribute_not_exists(#scope)")


def when_newer_than(
    record: ScopeRecord, latest: datetime = ANY_TIME, shared_at: datetime | None = None
) -> Guard:
    """Allow a write that is newer than a record, while the stored one is still that record.

    A record with a time after `latest` may be written while it has such a time. With facts of the
    shared network, of `shared_at`, neither they nor the snapshot may be older than the stored ones,
    and one of them is newer.
    """
    values: dict[str, Any] = {":read": record.revision}
    newer, same = "#observed_at < :observed_at", "#observed_at = :observed_at"
    if record.observed_at > latest:
        values[":latest"] = format_iso(latest)
        newer, same = "#observed_at > :latest", ""
    if shared_at is None:
        return Guard(f"{newer} AND #revision = :read", values)
    values |= {":used": format_iso(shared_at), ":latest": format_iso(latest)}
    unknown = "attribute_not_exists(#shared_at) OR #shared_at > :latest"
    if same:
        newer = f"({newer} OR ({same} AND ({unknown} OR #shared_at < :used)))"
    return Guard(f"{newer} AND #revision = :read AND ({unknown} OR #shared_at <= :used)", values)


def when_revision_is(revision: int) -> Guard:
    """Allow a write while no findings were written since the record was read."""
    return Guard("#revision = :read", {":read": revision})


def when_following(commit: str, chain: Chain) -> Guard:
    """Allow the next part of an evaluation whose part before is `commit` and ended at `chain`."""
    return Guard(
        "#observed_at = :observed_at AND #commit = :previous AND #chain_tip = :left",
        {":previous": commit, ":left": chain.tip},
    )


def digest_changes(event_ids: Iterable[str]) -> str:
    """Digest the ids of changes, so that the scope record can hold those that were followed."""
    digests = (hashlib.sha256(each.encode()).hexdigest()[:8] for each in sorted(event_ids))
    return " ".join(digests)


def when_unchanged(  # noqa: PLR0913 - each is a part of the condition
    snapshot_digest: str,
    since: datetime | None = None,
    silent_since: datetime | None = None,
    changes: Iterable[str] = (),
    shared_at: datetime | None = None,
    *,
    latest: datetime = ANY_TIME,
) -> Guard:
    """Allow the last-observed time to advance while the record holds this digest.

    `picture_at` differs from `observed_at` where a version that stores no digest advanced it.

    Args:
        snapshot_digest: The digest.
        since: The time of the oldest change that led to the observation: a change that is to be
            followed a second time must be older. None for no change.
        silent_since: That of the oldest change that does not say what it did. It may amend the
            causes of an evaluation since then that are not settled.
        changes: The ids of the other changes. They must be known: then they amend nothing.
        shared_at: The time of the facts of the shared network, which must not be older than those
            that were used. None where they are not read.
        latest: The latest time that can be stored by now; a record with a later one is repaired.
    """
    condition = (
        "#picture = :picture AND #picture_at = #observed_at AND #observed_at <= :observed_at"
    )
    values = {":picture": snapshot_digest, ":latest": format_iso(latest)}
    for name in OTHER_TIMES:
        condition += f" AND (attribute_not_exists(#{name}) OR #{name} <= :latest)"
    times = {"#held_at": since, "#unsettled_at": silent_since}
    for name, time in times.items():
        if time:
            value = f":before_{name.removeprefix('#')}"
            condition += f" AND (attribute_not_exists({name}) OR {name} < {value})"
            values[value] = format_iso(time)
    for number, digest in enumerate(digest_changes(changes).split()):
        condition += f" AND contains(#known_changes, :change{number})"
        values[f":change{number}"] = digest
    if shared_at:
        condition += " AND (attribute_not_exists(#shared_at) OR #shared_at <= :used)"
        values[":used"] = format_iso(shared_at)
    return Guard(condition, values)


def build_record_update(
    table: str, scope: Scope, fields: Mapping[str, Any], guard: Guard, *, revise: bool
) -> UpdateTypeDef:
    """Build the conditional update of a scope record.

    Args:
        table: The findings table.
        scope: The scope.
        fields: The attributes to set; None removes one. `observed_at` is one of them where the
            guard compares times.
        guard: The condition.
        revise: Whether the revision is increased by one.
    """
    kept = {name: value for name, value in fields.items() if value is not None}
    gone = [name for name, value in fields.items() if value is None]
    assigned = [f"#{name} = :{name}" for name in kept]
    assigned.append("#revision = if_not_exists(#revision, :zero)" + (" + :one" if revise else ""))
    # A question about an earlier time has no answer for this scope.
    if "observed_at" in kept and FIRST not in kept:
        assigned.append(f"#{FIRST} = if_not_exists(#{FIRST}, :observed_at)")
    removed = f" REMOVE {', '.join(f'#{name}' for name in gone)}" if gone else ""
    values = {f":{name}": value for name, value in kept.items()} | {":zero": 0, **guard.values}
    expression = f"SET {', '.join(assigned)}{removed}"
    return {
        "TableName": table,
        "Key": record_key(scope),
        "UpdateExpression": expression,
        "ConditionExpression": guard.condition,
        "ExpressionAttributeNames": name_attributes(f"{expression} {guard.condition}"),
        "ExpressionAttributeValues": serialize(values | ({":one": 1} if revise else {})),
    }


def record_key(scope: Scope) -> dict[str, Any]:
    """Return the key of a scope's record."""
    return serialize({"scope": str(scope), "item": RECORD_KEY})


def index_fields(scope: Scope, *, exists: bool) -> dict[str, Any]:
    """Return the attributes of the indexes; a scope that is gone leaves that of its region."""
    region = str(Region(scope.account, scope.region)) if exists else None
    return {"kind": "head", "schema": SCHEMA, "listed": LISTED, "head_of": region}


def coverage_fields(coverage: Json | None) -> dict[str, Any]:
    """Return the coverage matrix compressed, or only its size where that is too large."""
    if coverage is None:
        return {"coverage": None, "coverage_left_out": None}
    packed = gzip.compress(json.dumps(coverage, sort_keys=True).encode(), mtime=0)
    if len(packed) > COVERAGE_LIMIT:
        return {"coverage": None, "coverage_left_out": len(packed)}
    return {"coverage": packed, "coverage_left_out": None}


def passed_fields(passed: frozenset[str]) -> dict[str, Any]:
    """Return the checks that passed, compressed: a third of a unit of write capacity at most."""
    return {"passed": gzip.compress("\n".join(sorted(passed)).encode(), mtime=0)}


def dns_fields(dns: DnsAttributes | None, observed_at: datetime) -> dict[str, Any]:
    """Return the DNS attributes to store: none where they were read before the snapshot."""
    if dns is None or dns.observed_at < observed_at:
        return {}
    return {
        "dns": {
            "support": dns.support,
            "hostnames": dns.hostnames,
            "observed_at": format_iso(dns.observed_at),
        }
    }


def shared_fields(used: UsedNetwork | None) -> dict[str, Any]:
    """Return what was used of the shared network; None removes what is stored."""
    return {
        "shared_at": used and format_iso(used.changed_at),
        "shared_view": used and used.view,
        "shared_links": used and used.links,
        "catalogue": used and used.catalogue,
    }


def snapshot_fields(digest: str, at: datetime) -> dict[str, Any]:
    """Return the attributes of a snapshot digest; an empty one removes them."""
    return {"picture": digest or None, "picture_at": format_iso(at) if digest else None}


def parse_scope_record(item: StoredItem) -> ScopeRecord:
    """Parse a scope record.

    Raises:
        CorruptItemError: an attribute is missing or malformed.
    """
    fields: Json = deserialize(item)
    with naming_item("scope record", fields.get("scope"), RECORD_KEY):
        fields = upgrade(fields)
        return ScopeRecord(
            scope=Scope.parse(require_text(fields, "scope")),
            observed_at=parse_iso(require_text(fields, "observed_at")),
            revision=require_int(fields, "revision"),
            commit=str(fields.get("commit", "")),
            coverage=_coverage(fields.get("coverage")),
            counts={name: int(count) for name, count in fields.get("counts", {}).items()},
            ownership_digest=str(fields.get("ownership_digest", "")),
            dns=_dns(fields.get("dns")),
            chain=parse_chain(fields),
            snapshot_digest=_snapshot_digest(fields),
            snapshot_at=read_time(fields.get("snapshot_at")),
            unsettled_at=read_time(fields.get("unsettled_at")),
            held_at=read_time(fields.get("held_at")),
            known_changes=str(fields.get("known_changes") or ""),
            first_observed_at=_first_observed_at(fields),
            first_stored_at=read_time(fields.get(FIRST)),
            exists="head_of" in fields,
            passed=_passed(fields.get("passed")),
            shared=_parse_shared(fields),
        )


def parse_readable(
    items: Iterable[StoredItem], unreadable: dict[str, str]
) -> Iterator[ScopeRecord]:
    """Parse scope records; add why others cannot be to `unreadable`, by their partition key."""
    for item in items:
        try:
            yield parse_scope_record(item)
        except CorruptItemError as error:
            unreadable[str(item["scope"].get("S"))] = str(error)


def _snapshot_digest(fields: Mapping[str, Any]) -> str:
    current = fields.get("picture_at") == fields["observed_at"]
    return str(fields.get("picture", "")) if current else ""


def _first_observed_at(fields: Mapping[str, Any]) -> datetime | None:
    if FIRST not in fields:
        return None
    first, last = (parse_iso(require_text(fields, name)) for name in (FIRST, "observed_at"))
    return min(first, last)  # a clock that was ahead may have dated the first one


def _coverage(packed: bytes | None) -> Json | None:
    if packed is None:
        return None
    matrix: Json = json.loads(gzip.decompress(packed))
    return matrix


def _passed(packed: bytes | None) -> frozenset[str] | None:
    if packed is None:
        return None
    return frozenset(filter(None, gzip.decompress(packed).decode().split("\n")))


def _parse_shared(fields: Mapping[str, Any]) -> UsedNetwork | None:
    """Return what was used of the shared network; the last part of an evaluation writes it."""
    if "shared_at" not in fields:
        return None
    texts = (str(fields.get(name, "")) for name in ("shared_view", "shared_links", "catalogue"))
    return UsedNetwork(parse_iso(require_text(fields, "shared_at")), *texts)


def _dns(fields: Mapping[str, Any] | None) -> DnsAttributes | None:
    if fields is None:
        return None
    return DnsAttributes(
        fields["support"], fields["hostnames"], parse_iso(require_text(fields, "observed_at"))
    )
