"""How an instant is written down: one form, so that order as text is order in time."""

from __future__ import annotations

from datetime import UTC, datetime

FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def format_iso(instant: datetime) -> str:
    """Write an aware time in UTC with microseconds and `Z`, as in 2026-01-31T12:00:00.000000Z.

    Raises:
        ValueError: the time has no zone.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone")
    return instant.astimezone(UTC).strftime(FORMAT)


def parse_iso(text: str) -> datetime:
    """Read back what `iso` wrote.

    Raises:
        ValueError: the text has another form.
    """
    return datetime.strptime(text, FORMAT).replace(tzinfo=UTC)
