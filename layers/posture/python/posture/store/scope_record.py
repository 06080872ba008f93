"""The head of a scope: its clock, its revision and what was seen of it last.

Every write to a scope goes through the head's condition, so that of two evaluations the one with
the older picture loses, whichever comes first.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from posture.model.dns import DnsAttributes
from posture.model.instant import format_iso, parse_iso
from posture.model.scope import Region, Scope
from posture.store.attribute_values import (
    StoredItem,
    deserialize,
    require_int,
    require_text,
    serialize,
)
from posture.store.hash_chain import Chain, parse_chain
from posture.store.items import corrupt_item_error
from posture.store.schema import SCHEMA, upgrade

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import UpdateTypeDef

RECORD_KEY = "#head"
LISTED = "scope"  # what every head carries under `listed`, so that one index lists them all
COVERAGE_LIMIT = 300_000  # bytes, compressed; an item holds 400 KB

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ScopeRecord:
    """The head as stored. `commit` names the last transaction, "" before the first one.

    `picture` is the digest of what the findings, counts and coverage beside it were judged by; ""
    where they are not all there is to say of one picture.
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

    def is_newer_than(self, observed_at: datetime, dns: DnsAttributes | None) -> bool:
        """Tell whether it knows something newer than what was seen, or was remembered, then."""
        if self.observed_at >= observed_at:
            return True
        return self.dns is not None and dns is not None and self.dns.observed_at > dns.observed_at


@dataclass(frozen=True, slots=True)
class Guard:
    """Under which condition the head may be written."""

    condition: str
    values: Mapping[str, Any] = field(default_factory=dict)


def when_absent() -> Guard:
    """Allow the first write of a scope."""
    return Guard("attribute_not_exists(#scope)")


def when_newer_than(head: ScopeRecord) -> Guard:
    """Allow a write that is newer than the head, while that is still the one compared with."""
    return Guard("#observed_at < :observed_at AND #revision = :read", {":read": head.revision})


def when_revision_is(revision: int) -> Guard:
    """Allow a write while no findings were written since the record was read."""
    return Guard("#revision = :read", {":read": revision})


def when_following(commit: str, chain: Chain) -> Guard:
    """Allow the next part of the evaluation that wrote `commit` and left the chain like this."""
    return Guard(
        "#observed_at = :observed_at AND #commit = :previous AND #chain_tip = :left",
        {":previous": commit, ":left": chain.tip},
    )


def when_unchanged(picture: str) -> Guard:
    """Allow a clock to move that still stands where this picture was judged, or seen again, last.

    A clock that somebody moved who does not know of pictures vouches for none.
    """
    return Guard(
        "#picture = :picture AND #picture_at = #observed_at AND #observed_at <= :observed_at",
        {":picture": picture},
    )


def build_record_update(
    table: str, scope: Scope, fields: Mapping[str, Any], guard: Guard, *, revise: bool
) -> UpdateTypeDef:
    """Give the conditional update of a head.

    `fields` replace the head's own, and None removes one; `observed_at` must be among them. Only
    `revise` moves the revision, by one.
    """
    kept = {name: value for name, value in fields.items() if value is not None}
    gone = [name for name, value in fields.items() if value is None]
    assigned = [f"#{name} = :{name}" for name in kept]
    assigned.append("#revision = if_not_exists(#revision, :zero)" + (" + :one" if revise else ""))
    removed = f" REMOVE {', '.join(f'#{name}' for name in gone)}" if gone else ""
    values = {f":{name}": value for name, value in kept.items()} | {":zero": 0, **guard.values}
    expression = f"SET {', '.join(assigned)}{removed}"
    return {
        "TableName": table,
        "Key": record_key(scope),
        "UpdateExpression": expression,
        "ConditionExpression": guard.condition,
        "ExpressionAttributeNames": {
            name: name[1:] for name in re.findall(r"#\w+", f"{expression} {guard.condition}")
        },
        "ExpressionAttributeValues": serialize(values | ({":one": 1} if revise else {})),
    }


def record_key(scope: Scope) -> dict[str, Any]:
    """Give the key of a scope's head."""
    return serialize({"scope": str(scope), "item": RECORD_KEY})


def index_fields(scope: Scope, *, exists: bool) -> dict[str, Any]:
    """Give what marks a head; one whose subject is gone leaves the index of its region."""
    region = str(Region(scope.account, scope.region)) if exists else None
    return {"kind": "head", "schema": SCHEMA, "listed": LISTED, "head_of": region}


def coverage_fields(coverage: Json | None) -> dict[str, Any]:
    """Give the coverage matrix compressed, or its size where even so it is too large."""
    if coverage is None:
        return {"coverage": None, "coverage_left_out": None}
    packed = gzip.compress(json.dumps(coverage, sort_keys=True).encode(), mtime=0)
    if len(packed) > COVERAGE_LIMIT:
        return {"coverage": None, "coverage_left_out": len(packed)}
    return {"coverage": packed, "coverage_left_out": None}


def dns_fields(dns: DnsAttributes | None, observed_at: datetime) -> dict[str, Any]:
    """Give what was read of DNS; what was not read with the picture leaves the memory as it is."""
    if dns is None or dns.observed_at < observed_at:
        return {}
    return {
        "dns": {
            "support": dns.support,
            "hostnames": dns.hostnames,
            "observed_at": format_iso(dns.observed_at),
        }
    }


def snapshot_fields(picture: str, at: datetime) -> dict[str, Any]:
    """Give which picture the head vouches for since when; an empty one stands for none."""
    return {"picture": picture or None, "picture_at": format_iso(at) if picture else None}


def parse_scope_record(item: StoredItem) -> ScopeRecord:
    """Read a head back.

    Raises:
        CorruptItemError: an attribute is missing or malformed.
    """
    fields: Json = deserialize(item)
    try:
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
            snapshot_digest=_picture(fields),
        )
    except (ValueError, TypeError, AttributeError, KeyError, OSError, EOFError) as error:
        raise corrupt_item_error("head", fields.get("scope"), RECORD_KEY, error) from error


def _picture(fields: Mapping[str, Any]) -> str:
    current = fields.get("picture_at") == fields["observed_at"]
    return str(fields.get("picture", "")) if current else ""


def _coverage(packed: bytes | None) -> Json | None:
    if packed is None:
        return None
    unpacked: Json = json.loads(gzip.decompress(packed))
    return unpacked


def _dns(fields: Mapping[str, Any] | None) -> DnsAttributes | None:
    if fields is None:
        return None
    return DnsAttributes(
        fields["support"], fields["hostnames"], parse_iso(require_text(fields, "observed_at"))
    )
