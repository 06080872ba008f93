"""Writes and reads snapshot files: regions as JSON, schema-versioned.

A snapshot file is an object: `format` and `version`, and `regions`, a list of `account`, `region`,
`observed_at`, `rows` by the name of the EC2 operation, and `missing`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from posture.model.instant import format_iso
from posture_cli.failure import CommandError
from posture_cli.recorded.operations import OPERATIONS
from posture_cli.recorded.region import MissingRows, RecordedRegion
from posture_cli.recorded.rows import describe, parse_rows

FORMAT = "vpc-endpoint-posture-snapshot"
VERSION = 1
ACCOUNT_DIGITS = 12


def dump_snapshot(regions: Iterable[RecordedRegion]) -> str:
    """Return regions as the text of a snapshot file."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "regions": [_build_region(each) for each in regions],
    }
    return json.dumps(document, indent=1, default=_dump_time) + "\n"


def _build_region(recorded: RecordedRegion) -> dict[str, Any]:
    return {
        "account": recorded.account,
        "region": recorded.region,
        "observed_at": format_iso(recorded.observed_at),
        "rows": {name: list(rows) for name, rows in recorded.rows.items()},
        "missing": [
            {
                "operation": each.operation,
                "of": each.of,
                "code": each.code,
                "reason": each.reason,
            }
            for each in recorded.missing
        ],
    }


def _dump_time(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value))


def parse_snapshot(document: dict[str, Any], path: Path) -> tuple[RecordedRegion, ...]:
    """Parse the regions of a snapshot file.

    Raises:
        CommandError: The file is of another version, or a value is not what is expected.
    """
    version = document.get("version")
    if version != VERSION or isinstance(version, bool):
        raise CommandError(
            f"{path}: version: expected {VERSION}, found {describe(version)}; "
            "save the snapshot again with this version of posture"
        )
    regions = _get(document, "regions", list, str(path))
    if not regions:
        raise CommandError(f"{path}: regions: expected at least one Region, found none")
    parsed = tuple(_parse_region(each, f"{path}: regions[{at}]") for at, each in enumerate(regions))
    places = [(each.account, each.region) for each in parsed]
    for place in places:
        if places.count(place) > 1:
            raise CommandError(f"{path}: regions: expected each Region once, found {place} twice")
    return parsed


def _parse_region(region: Any, place: str) -> RecordedRegion:
    account = _get(region, "account", str, place)
    if not (account.isdecimal() and len(account) == ACCOUNT_DIGITS):
        raise CommandError(
            f"{place}.account: expected {ACCOUNT_DIGITS} digits, found {describe(account)}"
        )
    rows = _get(region, "rows", dict, place)
    if unknown := sorted(rows.keys() - OPERATIONS):
        raise CommandError(
            f"{place}.rows: expected names of operations such as DescribeVpcs, found {unknown[0]!r}"
        )
    missing = _get(region, "missing", list, place)
    return RecordedRegion(
        account=account,
        region=_get(region, "region", str, place),
        observed_at=_parse_time(_get(region, "observed_at", str, place), f"{place}.observed_at"),
        rows={name: parse_rows(name, each, f"{place}.rows.{name}") for name, each in rows.items()},
        missing=tuple(
            _parse_missing(each, f"{place}.missing[{at}]") for at, each in enumerate(missing)
        ),
    )


def _parse_missing(missing: Any, place: str) -> MissingRows:
    operation = _get(missing, "operation", str, place)
    if operation not in OPERATIONS:
        raise CommandError(
            f"{place}.operation: expected the name of an operation such as DescribeVpcs, "
            f"found {operation!r}"
        )
    return MissingRows(
        operation=operation,
        of=_get(missing, "of", str, place),
        code=_get(missing, "code", str, place),
        reason=_get(missing, "reason", str, place),
    )


def _parse_time(text: str, place: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise CommandError(f"{place}: expected a time with its zone, found {describe(text)}")
    return found


def _get(value: Any, name: str, kind: type, place: str) -> Any:
    """Get a member of an object that must have this type."""
    said: dict[type, str] = {list: "a list", dict: "an object", str: "a string"}
    if not isinstance(value, dict):
        raise CommandError(f"{place}: expected an object, found {describe(value)}")
    found = value.get(name)
    if not isinstance(found, kind):
        what = describe(found) if name in value else "nothing"
        raise CommandError(f"{place}: {name}: expected {said[kind]}, found {what}")
    return found
