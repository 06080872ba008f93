"""The ends of all hash chains as lines of JSON, to be kept where the monitor cannot change them.

The first line says what was exported and when, the last one how much. Between them, each line holds
the end of one chain: how many rows it has and the digest of the last one. A scope without rows has
a line as well, so that a scope that is removed whole is missed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from posture.lean_dataclass import dataclass
from posture.model.instant import format_iso, parse_iso
from posture.model.scope import Scope
from posture.store.attribute_values import require_int, require_text
from posture.store.hash_chain import WAIVERS, Chain

KIND = "chain-ends"
VERSION = 2  # version 1 was one JSON document


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The end of one chain.

    Attributes:
        scope: The scope, or `waivers`, as the partition key of the history.
        chain: Its rows and the digest of the last one.
        first_observed_at: When the scope was first observed; None where it is not known.
        unchained: The rows from before chains existed; None where they were not counted.
    """

    scope: str
    chain: Chain
    first_observed_at: datetime | None = None
    unchained: int | None = None


@dataclass(frozen=True, slots=True)
class ExportHeader:
    """What was exported: the ends of the chains of a history table, and when.

    `complete` unless only some scopes were exported. `exported_at` is a time before the first read.
    """

    table: str
    exported_at: datetime
    stack: str = ""
    account: str = ""
    region: str = ""
    complete: bool = True


def format_lines(header: ExportHeader, ends: Iterable[ChainEnd]) -> Iterator[str]:
    """Format an export, line by line."""
    head = {"kind": KIND, "version": VERSION, "table": header.table, "stack": header.stack}
    head |= {"account": header.account, "region": header.region, "complete": header.complete}
    yield _dump({**head, "exported_at": format_iso(header.exported_at)})
    chains = rows = 0
    for end in ends:
        chains += 1
        rows += end.chain.length
        first = end.first_observed_at
        yield _dump(
            {
                "scope": end.scope,
                "length": end.chain.length,
                "tip": end.chain.tip,
                "first_observed_at": format_iso(first) if first else None,
                "unchained": end.unchained,
            }
        )
    yield _dump({"chains": chains, "rows": rows})


def parse_header(document: Any) -> ExportHeader:
    """Parse the first line of an export.

    Raises:
        ValueError: It is not the first line of an export; the message names the field.
    """
    fields: Mapping[str, Any] = document if isinstance(document, dict) else {}
    if fields.get("kind") != KIND:
        raise ValueError(f"kind: expected {KIND!r}, got {fields.get('kind')!r}")
    if fields.get("version") != VERSION:
        raise ValueError(f"version: expected {VERSION}, got {fields.get('version')!r}")
    return ExportHeader(
        table=require_text(fields, "table"),
        exported_at=parse_iso(require_text(fields, "exported_at")),
        stack=str(fields.get("stack", "")),
        account=str(fields.get("account", "")),
        region=str(fields.get("region", "")),
        complete=fields.get("complete") is True,
    )


def parse_end(document: Any) -> ChainEnd:
    """Parse the line of one chain.

    Raises:
        ValueError: A field is missing or malformed; the message names it.
    """
    fields: Mapping[str, Any] = document if isinstance(document, dict) else {}
    scope = fields.get("scope")
    name = WAIVERS if scope == WAIVERS else str(Scope.parse(str(scope)))
    length = fields.get("length")
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        raise ValueError(f"length: expected a number, got {length!r}")
    tip = fields.get("tip")
    if not isinstance(tip, str):
        raise ValueError(f"tip: expected a digest, got {tip!r}")  # noqa: TRY004 - a wrong value
    first = fields.get("first_observed_at")
    unchained = fields.get("unchained")
    return ChainEnd(
        name,
        Chain(length, tip),
        parse_iso(str(first)) if first is not None else None,
        require_int(fields, "unchained") if unchained is not None else None,
    )


def require_whole(document: Any, chains: int, rows: int) -> None:
    """Compare the last line of an export with what was read before it.

    Raises:
        ValueError: Lines are missing.
    """
    expected = {"chains": chains, "rows": rows}
    if document != expected:
        raise ValueError(f"the last line: expected {_dump(expected)}, got {_dump(document)}")


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
