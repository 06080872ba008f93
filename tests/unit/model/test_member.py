"""When a member is to be swept, and what the metrics say of all members."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posture.model.member import (
    Member,
    MemberFigures,
    MemberSource,
    MemberState,
    measure_members,
    select_to_ask,
)

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
JOINED = NOW - timedelta(days=30)
MEMBER = Member("111111111111", MemberState.ACTIVE, MemberSource.ORGANIZATION, JOINED, NOW)


def ago(**units: float) -> datetime:
    """Return a time before now."""
    return NOW - timedelta(**units)


SWEPT = replace(MEMBER, swept_at=ago(hours=2), tried_at=ago(hours=2), tried_as="active")


@pytest.mark.parametrize(
    ("member", "due"),
    [
        (MEMBER, True),  # it just joined
        (SWEPT, False),
        (replace(SWEPT, due_at=ago(hours=3)), False),
        (replace(SWEPT, due_at=ago(hours=1)), True),
        (replace(SWEPT, due_at=ago(hours=2)), False),  # asked and tried in the same instant
        (replace(SWEPT, state=MemberState.LEFT), True),  # its findings are to be ended
        (replace(SWEPT, state=MemberState.LEFT, tried_as="left"), False),
        (replace(SWEPT, tried_as="left"), True),  # it came back
        (replace(SWEPT, last_error="AccessDenied"), False),  # until a sweep asks again
        (replace(SWEPT, last_error="AccessDenied", due_at=NOW), True),
        (replace(SWEPT, tried_at=ago(days=-1), due_at=NOW), True),  # no sweep can be of tomorrow
        (replace(SWEPT, due_at=ago(days=-1)), False),  # it would be due without an end
    ],
)
def test_a_member_is_due_until_it_was_tried(member: Member, due: bool) -> None:
    """By its item alone, whatever the record says that led there."""
    assert member.is_due(NOW) is due


@pytest.mark.parametrize("name", ["since", "last_seen", "due_at", "swept_at", "tried_at"])
@pytest.mark.parametrize("days", [1, 3_650])
def test_a_time_that_has_not_come_hides_no_member(name: str, days: int) -> None:
    """It is asked for, counted, and as old as its other times say."""
    times: Any = {"due_at": NOW, name: ago(days=-days)}
    member = replace(SWEPT, **times)
    assert member.list_ahead(NOW) == (name,)
    assert select_to_ask([member], NOW) == [member]
    figures = measure_members([member], NOW)
    days_old = 30 if name == "swept_at" else 2 / 24
    assert (figures.ahead, figures.longest_age) == (1, days_old * 24 * 3600)


def test_those_are_asked_for_first_that_were_swept_longest_ago() -> None:
    """Those never swept count from when they joined; accounts that left come last."""
    never = replace(MEMBER, account="222222222222", since=ago(hours=5))
    long_ago = replace(SWEPT, account="333333333333", swept_at=ago(days=3))
    left = replace(SWEPT, account="444444444444", state=MemberState.LEFT, swept_at=ago(days=20))
    just_asked = replace(SWEPT, account="555555555555", due_at=ago(minutes=9))
    asked_before = replace(SWEPT, account="666666666666", due_at=ago(hours=1))
    members = [left, SWEPT, never, just_asked, long_ago, asked_before]
    selected = [each.account[0] for each in select_to_ask(members, NOW)]
    assert selected == ["3", "2", "1", "6", "4"]


def test_an_account_that_comes_back_has_no_age_from_before() -> None:
    """It was no member in between."""
    back = replace(SWEPT, swept_at=ago(days=60), since=ago(minutes=1))
    assert back.measure_age(NOW) == 60


def test_the_metrics_count_members_that_are_not_swept() -> None:
    """The longest age is that of the worst active member; an account that left has none."""
    members = [
        SWEPT,
        replace(SWEPT, account="222222222222", swept_at=ago(hours=7), last_error="denied"),
        replace(MEMBER, account="333333333333", since=ago(hours=5)),
        replace(MEMBER, account="444444444444", state=MemberState.LEFT, last_error="denied"),
    ]
    figures = measure_members(members, NOW)
    assert figures == MemberFigures(3, 1, due=2, never_swept=1, failing=1, longest_age=7 * 3_600)
    assert measure_members([], NOW) == MemberFigures()
