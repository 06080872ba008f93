"""Instants as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

AGO = re.compile(r"(\d{1,5})(m|h|d|w)")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DAY = re.compile(r"\d{4}-\d\d-\d\d")
EXPECTED = "a day (2026-09-30), a time (2026-09-30T12:00Z) or an age (36h, 7d)"


def first(text: str) -> datetime:
    """Read a time on the command line; a day alone means its beginning.

    Raises:
        typer.BadParameter: the text is no time.
    """
    return _read(text, end=False)


def last(text: str) -> datetime:
    """Read a time on the command line; a day alone means its end.

    Raises:
        typer.BadParameter: the text is no time.
    """
    return _read(text, end=True)


def ahead(text: str) -> datetime:
    """Read a time to come on the command line; a day alone means its end, 30d in thirty days.

    Raises:
        typer.BadParameter: the text is no time, or none to come.
    """
    now = datetime.now(UTC)
    ago = AGO.fullmatch(text)
    instant = now + (now - _read(text, end=True)) if ago else _read(text, end=True)
    if instant <= now:
        raise typer.BadParameter(f"expected a time to come, got {text!r}")
    return instant


def parse(text: str, now: datetime, *, end: bool) -> datetime:
    """Read a time; one without a zone is UTC.

    Raises:
        ValueError, OverflowError: the text is none.
    """
    if ago := AGO.fullmatch(text):
        return now - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    instant = datetime.fromisoformat(text)
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    if DAY.fullmatch(text) and end:
        instant += timedelta(days=1, microseconds=-1)
    return instant


def _read(text: str, *, end: bool) -> datetime:
    try:
        return parse(text, datetime.now(UTC), end=end)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"expected {EXPECTED}, got {text!r}") from None
