"""Reads fields of records and events, with errors that name them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from posture.errors import MalformedChangeError


def require_text(record: Mapping[str, Any], name: str, path: str = "") -> str:
    """Read a field that must be text.

    Raises:
        MalformedChangeError: it is missing or is something else.
    """
    value = record.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedChangeError(f"{path}{name}: expected a string, got {quote(value)}")
    return value


def parse_time(record: Mapping[str, Any], name: str, path: str = "") -> datetime:
    """Parse a field that must be a time.

    Raises:
        MalformedChangeError: it is missing or no time.
    """
    value = record.get(name)
    if isinstance(value, str):
        with suppress(ValueError, OverflowError):  # no time, or out of range in UTC
            time = datetime.fromisoformat(value)
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    raise MalformedChangeError(f"{path}{name}: expected an ISO 8601 time, got {quote(value)}")


def quote(value: Any) -> str:
    """Quote a value for an error message, shortened."""
    return "nothing" if value is None else repr(value)[:80]
