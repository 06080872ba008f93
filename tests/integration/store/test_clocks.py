"""A clock moves without a look at the findings where, and only where, the same picture is seen."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from finding_builders import OTHER, SCOPE, at, verdict
from posture.lifecycle.diff import find_transitions
from posture.model.dns import DnsAttributes
from posture.model.scope import Scope
from posture.model.verdict import Verdict
from posture.store.last_observed import LastObservedTimes, Observation
from posture.store.scope_record import ScopeRecord
from posture.store.scope_store import Evaluation, Store
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MANY = [Scope("111122223333", "eu-west-1", f"vpc-{number:03}") for number in range(120)]


def record(
    store: Store, minute: float, picture: str, *verdicts: Verdict, scope: Scope = SCOPE
) -> None:
    """Record what a picture came to."""
    store.record(
        Evaluation(scope, at(minute), snapshot_digest=picture, coverage={"of": picture}),
        lambda state: find_transitions(scope, state.findings, verdicts, observed_at=at(minute)),
    )


def head(store: Store, scope: Scope = SCOPE) -> ScopeRecord:
    """Read the head of a scope that has one."""
    found = store.load_record(scope)
    assert found is not None
    return found


@pytest.fixture
def clocks(store: Store) -> LastObservedTimes:
    """Give the store's clocks."""
    return store.last_observed


def test_the_same_picture_moves_the_clock_and_nothing_else(
    store: Store, clocks: LastObservedTimes
) -> None:
    """Findings, counts, coverage and revision stay; the DNS attributes that were read are kept."""
    record(store, 0, "same", verdict())
    before = store.load(SCOPE)
    dns = DnsAttributes(support=True, hostnames=False, observed_at=at(1))
    assert clocks.advance(Observation(SCOPE, at(1), "same", dns))
    assert store.load(SCOPE).findings == before.findings
    now = head(store)
    assert (now.observed_at, now.dns, now.snapshot_digest) == (at(1), dns, "same")
    assert (now.revision, now.counts, now.coverage) == (1, {"open": 1}, {"of": "same"})


def test_another_picture_moves_nothing(store: Store, clocks: LastObservedTimes) -> None:
    """Nor does one of a scope that nobody has looked at yet."""
    record(store, 0, "same", verdict())
    assert not clocks.advance(Observation(SCOPE, at(1), "other"))
    assert not clocks.advance(Observation(OTHER, at(1), "same"))
    assert head(store).observed_at == at(0)
    assert store.load_record(OTHER) is None


def test_an_older_look_moves_nothing(store: Store, clocks: LastObservedTimes) -> None:
    """A clock never goes back; the very same look may be told twice, as a lost answer makes it."""
    record(store, 5, "same")
    assert not clocks.advance(Observation(SCOPE, at(4), "same"))
    assert clocks.advance(Observation(SCOPE, at(6), "same"))
    assert clocks.advance(Observation(SCOPE, at(6), "same"))
    assert head(store).observed_at == at(6)


def test_a_moved_clock_holds_older_pictures_off(store: Store, clocks: LastObservedTimes) -> None:
    """Good news that was just seen again is not overwritten by bad news from before."""
    record(store, 0, "good")
    clocks.advance(Observation(SCOPE, at(5), "good"))
    record(store, 4, "bad", verdict())
    assert store.load(SCOPE).findings == {}
    assert head(store).snapshot_digest == "good"


def test_what_was_judged_by_another_picture_in_between_counts(
    store: Store, clocks: LastObservedTimes
) -> None:
    """There and back again: the picture that was left does not come back unjudged."""
    record(store, 0, "good")
    record(store, 1, "bad", verdict())
    assert not clocks.advance(Observation(SCOPE, at(2), "good"))
    assert clocks.advance(Observation(SCOPE, at(2), "bad"))


def test_a_clock_that_somebody_else_moved_vouches_for_nothing(
    store: Store, clocks: LastObservedTimes, dynamodb: "DynamoDBClient"
) -> None:
    """An older version of the monitor, still running beside this one, knows of no pictures."""
    record(store, 0, "same", verdict())
    dynamodb.update_item(
        TableName=TABLES.findings,
        Key={"scope": {"S": str(SCOPE)}, "item": {"S": "#head"}},
        UpdateExpression="SET observed_at = :time",
        ExpressionAttributeValues={":time": {"S": "2026-01-31T12:01:00.000000Z"}},
    )
    assert head(store).snapshot_digest == ""
    assert not clocks.advance(Observation(SCOPE, at(2), "same"))


def test_what_is_gone_or_left_undone_has_no_picture(
    store: Store, clocks: LastObservedTimes
) -> None:
    """A scope that ended, or whose evaluation was not to be remembered, is judged again."""
    record(store, 0, "same")
    store.record(Evaluation(SCOPE, at(1), exists=False), lambda _: ())
    assert not clocks.advance(Observation(SCOPE, at(2), "same"))
    record(store, 3, "")
    assert not clocks.advance(Observation(SCOPE, at(4), ""))


class Killed(BaseException):
    """The function's time is up."""


def test_half_an_evaluation_has_no_picture(
    store: Store, clocks: LastObservedTimes, dynamodb: "DynamoDBClient"
) -> None:
    """The first of several transactions takes the picture away, only the last one puts it there."""
    many = [verdict(resource=f"subnet-{number:04}") for number in range(60)]
    record(store, 0, "before")
    left = iter([None])

    def strike(**_: Any) -> None:
        if next(left, Killed) is Killed:
            raise Killed

    name = "before-call.dynamodb.TransactWriteItems"
    dynamodb.meta.events.register(name, strike)
    with pytest.raises(Killed):
        record(store, 1, "after", *many)
    dynamodb.meta.events.unregister(name, strike)
    for picture in ("before", "after"):
        assert not clocks.advance(Observation(SCOPE, at(2), picture))
    record(store, 2, "after", *many)
    assert head(store).counts == {"open": 60}
    assert clocks.advance(Observation(SCOPE, at(3), "after"))


@pytest.fixture
def calls(dynamodb: "DynamoDBClient") -> Counter[str]:
    """Count the calls by name."""
    told: Counter[str] = Counter()
    dynamodb.meta.events.register(
        "provide-client-params.dynamodb.*", lambda model, **_: told.update([model.name])
    )
    return told


def recorded(store: Store, scopes: list[Scope]) -> list[Observation]:
    """Record a picture of each scope; give what sees them again."""
    for scope in scopes:
        record(store, 0, f"of {scope}", scope=scope)
    return [Observation(scope, at(1), f"of {scope}") for scope in scopes]


def test_many_clocks_move_by_a_call_a_hundred(
    store: Store, clocks: LastObservedTimes, calls: Counter[str]
) -> None:
    """120 scopes are two transactions."""
    seen = recorded(store, MANY)
    calls.clear()
    assert clocks.advance_all(seen) == set(MANY)
    assert calls == {"TransactWriteItems": 2}
    assert {head(store, scope).observed_at for scope in MANY} == {at(1)}


def test_few_clocks_move_one_by_one(
    store: Store, clocks: LastObservedTimes, calls: Counter[str]
) -> None:
    """A transaction would cost twice as much and save nothing."""
    few = MANY[:9]
    seen = recorded(store, few)
    calls.clear()
    assert clocks.advance_all(seen) == set(few)
    assert calls == {"UpdateItem": len(few)}


def test_who_changed_does_not_hold_the_others_up(store: Store, clocks: LastObservedTimes) -> None:
    """What was changed, is newer or was never judged is left out, and not touched."""
    seen = recorded(store, MANY[:40])
    record(store, 0.5, "other", scope=MANY[3])
    record(store, 2, f"of {MANY[7]}", scope=MANY[7])
    never = Observation(OTHER, at(1), "never")
    nameless = Observation(MANY[9], at(1), "")
    moved = clocks.advance_all([*seen[:9], nameless, *seen[10:], never])
    assert moved == {*MANY[:40]} - {MANY[3], MANY[7], MANY[9]}
    times = [head(store, MANY[number]).observed_at for number in (3, 7, 9, 12)]
    assert times == [at(0.5), at(2), at(0), at(1)]
    assert store.load_record(OTHER) is None


def test_when_all_changed_nothing_moves(store: Store, clocks: LastObservedTimes) -> None:
    """As after a new baseline."""
    seen = recorded(store, MANY[:20])
    others = [Observation(each.scope, each.observed_at, "other") for each in seen]
    assert clocks.advance_all(others) == frozenset()
