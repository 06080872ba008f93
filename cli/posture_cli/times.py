"""Parses times on the command line."""

import re
from datetime import UTC, datetime, timedelta

import typer

AGE = re.compile(r"(\d{1,5})(m|h|d|w)")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DAY = re.compile(r"\d{4}-\d\d-\d\d")
CLOCK_TOLERANCE = timedelta(minutes=1)  # between this computer and the one a time was read on
EXPECTED = "a day (2026-09-30), a time (2026-09-30T12:00Z) or an age (36h, 7d)"


def parse_start(text: str) -> datetime:
    """Parse the start of a period; a day means its first instant."""
    return _parse(text, end=False)


def parse_end(text: str) -> datetime:
    """Parse the end of a period; a day means its last instant."""
    return _parse(text, end=True)


def parse_future(text: str) -> datetime:
    """Parse a time in the future; a day means its last instant, 30d means in 30 days.

    Raises:
        typer.BadParameter: The text is not a time, or the time is past.
    """
    now = datetime.now(UTC)
    instant = _parse(text, end=True)
    if AGE.fullmatch(text):
        instant = now + (now - instant)
    if instant <= now:
        raise typer.BadParameter(f"expected a time in the future, got {text!r}")
    return instant


def parse_past_start(text: str) -> datetime:
    """Parse the start of a period that has begun; a day means its first instant.

    Raises:
        typer.BadParameter: The text is not a time, or the time is in the future.
    """
    instant, now = parse_start(text), datetime.now(UTC)
    if instant > now + CLOCK_TOLERANCE:
        raise typer.BadParameter(f"expected a time in the past, got {text!r}; it is {now:%FT%TZ}")
    return instant


def parse_past(text: str) -> datetime:
    """Parse a time that has been; a day means its last instant, today the present one.

    Raises:
        typer.BadParameter: The text is not a time, or the time is in the future.
    """
    now = datetime.now(UTC)
    instant = _parse(text, end=True)
    begins = _parse(text, end=False)  # differs from the end only if the text is a day
    if begins > now + CLOCK_TOLERANCE:
        raise typer.BadParameter(f"expected a time in the past, got {text!r}; it is {now:%FT%TZ}")
    return min(instant, now)


def parse_period(texts: tuple[str, str], option: str) -> tuple[datetime, datetime]:
    """Parse the two times of a period that has begun; a last day means its end, or now.

    Raises:
        typer.BadParameter: A text is not a time, the start is in the future or after the end.
    """
    try:
        since, until = parse_start(texts[0]), parse_past(texts[1])
    except typer.BadParameter as error:
        raise typer.BadParameter(f"{option}: {error}") from None
    if until < since:
        raise typer.BadParameter(f"{option}: T2 ({until:%F %T}) is before T1 ({since:%F %T})")
    return since, until


def parse_time(text: str, now: datetime, *, end: bool) -> datetime:
    """Parse a time; without a time zone it is UTC.

    Raises:
        ValueError, OverflowError: The text is not a time.
    """
    if age := AGE.fullmatch(text):
        return now - timedelta(**{UNITS[age[2]]: int(age[1])})
    instant = datetime.fromisoformat(text)
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    if DAY.fullmatch(text) and end:
        instant += timedelta(days=1, microseconds=-1)
    return instant


def _parse(text: str, *, end: bool) -> datetime:
    try:
        return parse_time(text, datetime.now(UTC), end=end)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"expected {EXPECTED}, got {text!r}") from None
