"""Instants as people write them."""

from datetime import UTC, datetime, timedelta

import pytest
import typer

from posture_cli.times import parse_end, parse_future, parse_past, parse_start, parse_time

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-09-30", datetime(2026, 9, 30, tzinfo=UTC)),
        ("2026-09-30T12:00", datetime(2026, 9, 30, 12, tzinfo=UTC)),
        ("2026-09-30T12:00Z", datetime(2026, 9, 30, 12, tzinfo=UTC)),
        ("2026-09-30T12:00+02:00", datetime(2026, 9, 30, 10, tzinfo=UTC)),
        ("36h", NOW - timedelta(hours=36)),
        ("7d", NOW - timedelta(days=7)),
    ],
)
def test_times_are_read(text: str, instant: datetime) -> None:
    """A day, a time or an age, in UTC where no zone is said."""
    assert instant == parse_time(text, NOW, end=False)


def test_a_day_is_meant_whole() -> None:
    """A date starts at midnight and ends just before the next; a time is taken as it is."""
    assert parse_start("2026-09-30") == datetime(2026, 9, 30, tzinfo=UTC)
    assert parse_end("2026-09-30") == datetime(2026, 9, 30, 23, 59, 59, 999_999, UTC)
    assert parse_end("2026-09-30T12:00") == datetime(2026, 9, 30, 12, tzinfo=UTC)


def test_what_is_to_come() -> None:
    """An age is counted from now on; a time in the past is refused."""
    assert parse_future("2999-01-01").year == 2999
    assert timedelta(days=29) < parse_future("30d") - datetime.now(UTC) < timedelta(days=31)
    with pytest.raises(typer.BadParameter, match="a time in the future"):
        parse_future("2020-01-01")


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "7y", "999999w", "2026-09-30T25:00"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """With what was expected."""
    with pytest.raises(typer.BadParameter, match="expected a day"):
        parse_start(text)


def test_what_has_been() -> None:
    """The future is refused, with a minute for clocks that differ; today ends now."""
    now = datetime.now(UTC)
    assert parse_past("2026-01-31") == datetime(2026, 1, 31, 23, 59, 59, 999_999, UTC)
    assert parse_past(f"{now:%F}") - now < timedelta(seconds=5)
    assert parse_past(f"{now + timedelta(seconds=40):%FT%TZ}") - now < timedelta(seconds=5)
    assert timedelta(days=7) - (now - parse_past("7d")) < timedelta(seconds=5)
    for text in ("2999-01-01", "2999-01-01T00:00Z", f"{now + timedelta(minutes=2):%FT%TZ}"):
        with pytest.raises(typer.BadParameter, match=r"a time in the past, got '.*'; it is 2"):
            parse_past(text)
