"""The clock of the functions and the command, which tests replace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

TimeSource = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)
