"""The text form of times: one form, which sorts as the times do."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posture.model.instant import FORMAT, format_iso, parse_iso

TIMES = st.datetimes(datetime(1000, 1, 1), datetime(9998, 12, 31))  # noqa: DTZ001 - a zone is added
ZONES = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))


@given(TIMES, ZONES)
def test_what_is_formatted_is_parsed(local: datetime, zone: timezone) -> None:
    """The same instant, in UTC."""
    instant = local.replace(tzinfo=zone)
    assert parse_iso(format_iso(instant)) == instant
    assert format_iso(instant) == instant.astimezone(UTC).strftime(FORMAT)


@given(TIMES, TIMES)
def test_texts_sort_as_times(first: datetime, second: datetime) -> None:
    """So that a sort key can be a time."""
    texts = [format_iso(each.replace(tzinfo=UTC)) for each in (first, second)]
    assert (texts[0] < texts[1]) == (first < second)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.000000",
        "2026-01-31T12:00:00.000000+00:00",
        "2026-W05-6T12:00:00.000000Z",
        "2026-01-31 12:00:00.000000Z",
        "2026-01-31T12:00:00,000000Z",
        "2026-13-31T12:00:00.000000Z",
        "2026-01-31T1200:000.000000Z",
        "20260131T120000.0000000000Z",
    ],
)
def test_another_form_is_refused(text: str) -> None:
    """Although `fromisoformat` would take some of them."""
    with pytest.raises(ValueError, match=r"."):
        parse_iso(text)


def test_a_time_without_a_zone_is_refused() -> None:
    """It could be any of 26 instants."""
    with pytest.raises(ValueError, match="has no time zone"):
        format_iso(datetime(2026, 1, 31))  # noqa: DTZ001 - that is the case
