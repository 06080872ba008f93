"""Checks rows that were written as JSON against EC2's API, and makes them what boto3 returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, Shape, StructureShape

from posture_cli.failure import CommandError
from posture_cli.recorded.offline import load_ec2_model
from posture_cli.recorded.operations import OPERATIONS
from posture_cli.recorded.region import Row

KINDS: Mapping[str, type] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "timestamp": str,
}
SAID = {"string": "a string", "boolean": "true or false", "timestamp": "a time as in ISO 8601"}


def parse_rows(operation: str, rows: Any, place: str) -> list[Row]:
    """Parse the rows of an operation: types as in EC2's API, times as datetimes.

    A member that EC2's API does not know (yet) is kept as it is, and one that is null is left out.

    Args:
        operation: The name of the operation.
        rows: The list of rows, as `json.loads` returns it.
        place: Where they stand, for errors.

    Raises:
        CommandError: A value has another type, or a row has no id; the error names the place.
    """
    if not isinstance(rows, list):
        raise _mismatch(place, "a list", rows)
    return [parse_row(operation, row, f"{place}[{at}]") for at, row in enumerate(rows)]


def parse_row(operation: str, row: Any, place: str) -> Row:
    """Parse one row of an operation, as `parse_rows` does."""
    known = OPERATIONS[operation]
    shape = load_ec2_model().operation_model(operation).output_shape
    if not known.key:
        shape = shape.members[known.member].member
    parsed: Row = _parse(shape, row, place)
    if not isinstance(parsed.get(known.id), str) or not parsed[known.id]:
        raise CommandError(f"{place}.{known.id}: expected an id, found none")
    return parsed


def _parse(shape: Shape, value: Any, place: str) -> Any:
    if isinstance(shape, StructureShape):
        if not isinstance(value, dict):
            raise _mismatch(place, "an object", value)
        return {
            name: _parse(shape.members[name], each, f"{place}.{name}")
            if name in shape.members
            else each
            for name, each in value.items()
            if each is not None
        }
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            raise _mismatch(place, "a list", value)
        return [_parse(shape.member, each, f"{place}[{at}]") for at, each in enumerate(value)]
    kind = KINDS.get(shape.type_name)
    if kind and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise _mismatch(place, SAID.get(shape.type_name, "a whole number"), value)
    return _parse_time(value, place) if shape.type_name == "timestamp" else value


def _parse_time(text: str, place: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _mismatch(place, SAID["timestamp"], text) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _mismatch(place: str, expected: str, found: Any) -> CommandError:
    return CommandError(f"{place}: expected {expected}, found {describe(found)}")


def describe(value: Any) -> str:
    """Describe a JSON value in a few words."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    longest = 40
    return text if len(text) <= longest else f"{text[:longest]}…"


def merge_rows(operation: str, rows: Iterable[Row]) -> list[Row]:
    """Merge rows that were read several times; of two with the same id, the last one counts.

    The VPC attributes of several answers about one VPC become one row. EC2 lists one service under
    the same name once for each type of endpoint.
    """
    merged: dict[Any, Row] = {}
    known = OPERATIONS[operation]
    for row in rows:
        key: Any = row[known.id]
        if operation == "DescribeVpcEndpointServices":
            types = [each.get("ServiceType", "") for each in row.get("ServiceType", ())]
            key = key, row.get("ServiceRegion", ""), *sorted(types)
        elif operation == "DescribeVpcEndpointConnections":
            key = key, row.get("ServiceId", "")
        merged[key] = {**merged.get(key, {}), **row} if known.key else row
    return [merged[key] for key in sorted(merged)]
