"""A member account of the monitor, as the baseline table holds it, and when it is to be swept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from posture.lean_dataclass import dataclass
from posture.model.instant import CLOCK_TOLERANCE

# A sweep that failed is invoked again after one and two minutes; it asks for no account twice.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
ASKED_JUST_NOW = timedelta(minutes=10)
TIMES = ("since", "last_seen", "due_at", "swept_at", "tried_at", "begun_at")


class MemberState(StrEnum):
    """Whether the account is watched."""

    ACTIVE = "active"
    LEFT = "left"


class MemberSource(StrEnum):
    """Who decides whether the account is a member. What a person decided, no list overrides."""

    ORGANIZATION = "organization"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Member:
    """A member account.

    `since` is when it became a member, `last_seen` when it was last named, `due_at` when a sweep
    last asked for it. `swept_at` is when its last complete sweep began. `tried_at` is when the last
    sweep of it that ended for good began, and `tried_as` the state that the account had then.
    `attempts` counts the sweeps of it that were begun since, `begun_at` is when the one began that
    is under way, or that ended with its process. `named_by` is the person who decided last.
    """

    account: str
    state: MemberState
    source: MemberSource
    since: datetime
    last_seen: datetime
    due_at: datetime | None = None
    swept_at: datetime | None = None
    tried_at: datetime | None = None
    tried_as: str = ""
    attempts: int = 0
    begun_at: datetime | None = None
    last_error: str = ""
    named_by: str = ""

    @property
    def is_active(self) -> bool:
        """Whether the account is watched."""
        return self.state is MemberState.ACTIVE

    def is_due(self, now: datetime) -> bool:
        """Whether the account is to be swept, or, if it left, its findings are to be ended.

        An account is due from when a sweep asks for it or its state changes until it was tried. A
        time that has not come yet is ignored.
        """
        latest = now + CLOCK_TOLERANCE
        if self.tried_at is None or self.tried_at > latest or self.tried_as != self.state:
            return True
        return self.due_at is not None and self.tried_at < self.due_at <= latest

    @property
    def has_just_left(self) -> bool:
        """Whether the account left, and no sweep has ended its findings since."""
        return not self.is_active and self.tried_as != MemberState.LEFT

    def list_ahead(self, now: datetime) -> tuple[str, ...]:
        """List the names of the times that have not come yet: a clock was wrong, or an edit."""
        times = {name: getattr(self, name) for name in TIMES}
        return tuple(name for name, at in times.items() if at and at > now + CLOCK_TOLERANCE)

    def measure_age(self, now: datetime) -> float:
        """Measure the seconds since the last complete sweep, or since it became a member."""
        latest = now + CLOCK_TOLERANCE
        since = self.since
        if self.swept_at and self.swept_at <= latest:
            since = self.swept_at if since > latest else max(since, self.swept_at)
        return max(0.0, (now - since).total_seconds())


def select_to_ask(members: Iterable[Member], now: datetime) -> Sequence[Member]:
    """Select the members that a sweep asks for, those first that were swept longest ago.

    Accounts that left are asked for as well: an evaluation that was under way when they left may
    have recorded findings after the others were ended.
    """
    asked = [
        each
        for each in members
        if not each.due_at or each.due_at <= now - ASKED_JUST_NOW or each.list_ahead(now)
    ]
    return sorted(asked, key=lambda it: (not it.is_active, -it.measure_age(now), it.account))


@dataclass(frozen=True, slots=True)
class MemberFigures:
    """What the metrics say of all members; the age is in seconds.

    `due` counts those whose sweep was asked for and has not ended, those that left included.
    """

    active: int = 0
    left: int = 0
    due: int = 0
    never_swept: int = 0
    failing: int = 0
    longest_age: float = 0.0
    ahead: int = 0  # with a time that has not come yet


def measure_members(members: Iterable[Member], now: datetime) -> MemberFigures:
    """Measure the members; those that left have no age."""
    listed = tuple(members)
    active = [each for each in listed if each.is_active]
    return MemberFigures(
        active=len(active),
        left=len(listed) - len(active),
        due=sum(each.is_due(now) for each in listed),
        never_swept=sum(each.swept_at is None for each in active),
        failing=sum(bool(each.last_error) for each in active),
        ahead=sum(bool(each.list_ahead(now)) for each in listed),
        longest_age=max((each.measure_age(now) for each in active), default=0.0),
    )
