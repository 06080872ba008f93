"""Since when, and over which scopes, an answer speaks."""

from datetime import datetime, timedelta

import pytest

from finding_builders import OTHER, SCOPE, at
from posture.model.scope import Region, Scope
from posture_cli.audit.observed import ObservedPeriod, ObservedScope
from posture_cli.failure import CommandError

REGION = Region("111122223333", "eu-west-1").scope
WEEK = 7 * 24 * 60


def period(*scopes: ObservedScope, until: datetime | None = None) -> str:
    """Describe a period."""
    return ObservedPeriod(at(0), until or at(0), scopes).describe()


def test_what_was_observed_all_the_time_is_counted() -> None:
    """With the first observation, whenever it was."""
    scopes = (
        ObservedScope(SCOPE, at(-10), at(WEEK)),
        ObservedScope(OTHER, at(-5), at(1), exists=False),
    )
    assert period(*scopes, until=at(WEEK)) == (
        "2 of 2 scopes were observed from 2026-01-31 12:00 UTC to 2026-02-07 12:00 UTC; "
        "history begins 2026-01-31 11:50 UTC."
    )


def test_a_scope_that_was_first_observed_later_is_named() -> None:
    """It is not counted as clean; one whose beginning is not recorded is named as well."""
    late = Scope("111122223333", "eu-west-1", "vpc-0b")
    text = period(
        ObservedScope(SCOPE, at(-10), at(5)),
        ObservedScope(OTHER, None, None),
        ObservedScope(late, at(3.5), at(5)),
    )
    assert text.startswith("At 2026-01-31 12:00 UTC 1 of 3 scopes had been observed; ")
    assert (
        "2 scopes were first observed later, and nothing is known of them before: "
        f"{late} (2026-01-31 12:03:30 UTC)" in text.replace(f"{OTHER} (time not recorded), ", "")
    )


def test_many_scopes_are_counted() -> None:
    """A sentence names three."""
    late = [
        ObservedScope(Scope("111122223333", "eu-west-1", f"vpc-{number:02}"), at(number), at(90))
        for number in range(1, 12)
    ]
    assert period(*late).endswith("vpc-03 (2026-01-31 12:03 UTC) and 8 more.")


def test_a_scope_that_is_no_longer_observed_is_named() -> None:
    """Unless it is gone, or was observed within a day."""
    stale = ObservedScope(SCOPE, at(-10), at(WEEK) - timedelta(hours=25))
    fresh = ObservedScope(OTHER, at(-10), at(WEEK) - timedelta(hours=23))
    text = period(stale, fresh, until=at(WEEK))
    assert text.startswith("1 of 2 scopes were observed from")
    assert "1 scope was last observed earlier, and nothing is known of it since" in text
    assert f"{SCOPE} (2026-02-06 11:00 UTC)" in text
    gone = ObservedScope(SCOPE, at(-10), at(3), exists=False)
    assert "last observed" not in period(gone, fresh, until=at(WEEK))


@pytest.mark.parametrize(("first", "named"), [(-5, False), (5, True)])
def test_a_region_that_could_be_read_before_is_not_late(first: float, named: bool) -> None:
    """Its scope begins when it cannot be read; its other scopes say since when it is observed."""
    text = period(ObservedScope(SCOPE, at(first), at(9)), ObservedScope(REGION, at(7), at(9)))
    assert (str(REGION) in text) is named


def test_a_time_before_the_first_observation_is_refused() -> None:
    """With the date at which history begins."""
    scopes = (ObservedScope(SCOPE, at(3), at(9)), ObservedScope(OTHER, at(5), at(9)))
    with pytest.raises(CommandError, match="history begins 2026-01-31 12:03 UTC: nothing was obs"):
        ObservedPeriod(at(2), at(4), scopes).require_begun(at(2))
    ObservedPeriod(at(2), at(4), scopes).require_begun(at(3))
    with pytest.raises(CommandError, match="no such scope was ever observed"):
        ObservedPeriod(at(2), at(4), ()).require_begun(at(2))
    with pytest.raises(CommandError, match="not recorded"):
        ObservedPeriod(at(2), at(4), (ObservedScope(SCOPE, None, None),)).require_begun(at(2))
