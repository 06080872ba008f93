"""A last-observed time advances without a read where, and only where, the digest is the same."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from finding_builders import OTHER, SCOPE, at, verdict
from posture.lifecycle.diff import find_transitions
from posture.model.dns import DnsAttributes
from posture.model.scope import Scope
from posture.model.verdict import Verdict
from posture.store.last_observed import LastObservedTimes, Observation
from posture.store.scope_evaluation import Evaluation
from posture.store.scope_record import ScopeRecord
from posture.store.scope_store import Store
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MANY = [Scope("111122223333", "eu-west-1", f"vpc-{number:03}") for number in range(120)]


def record(
    store: Store, minute: float, digest: str, *verdicts: Verdict, scope: Scope = SCOPE
) -> None:
    """Record the evaluation of a snapshot."""
    store.record(
        Evaluation(scope, at(minute), snapshot_digest=digest, coverage={"of": digest}),
        lambda state: find_transitions(scope, state.findings, verdicts, observed_at=at(minute)),
    )


def scope_record(store: Store, scope: Scope = SCOPE) -> ScopeRecord:
    """Read the record of a scope that has one."""
    found = store.load_record(scope)
    assert found is not None
    return found


@pytest.fixture
def last_observed(store: Store) -> LastObservedTimes:
    """Return the store's last-observed times."""
    return store.last_observed


def test_the_same_digest_advances_the_time_and_nothing_else(
    store: Store, last_observed: LastObservedTimes
) -> None:
    """Findings, counts, coverage and revision stay; the DNS attributes that were read are kept."""
    record(store, 0, "same", verdict())
    before = store.load(SCOPE)
    dns = DnsAttributes(support=True, hostnames=False, observed_at=at(1))
    assert last_observed.advance(Observation(SCOPE, at(1), "same", dns))
    assert store.load(SCOPE).findings == before.findings
    now = scope_record(store)
    assert (now.observed_at, now.dns, now.snapshot_digest) == (at(1), dns, "same")
    assert (now.revision, now.counts, now.coverage) == (1, {"open": 1}, {"of": "same"})


def test_another_digest_advances_nothing(store: Store, last_observed: LastObservedTimes) -> None:
    """So does one of a scope that was never evaluated."""
    record(store, 0, "same", verdict())
    assert not last_observed.advance(Observation(SCOPE, at(1), "other"))
    assert not last_observed.advance(Observation(OTHER, at(1), "same"))
    assert scope_record(store).observed_at == at(0)
    assert store.load_record(OTHER) is None


def test_an_older_observation_advances_nothing(
    store: Store, last_observed: LastObservedTimes
) -> None:
    """A time never goes back; the same observation may be written twice, as after a lost answer."""
    record(store, 5, "same")
    assert not last_observed.advance(Observation(SCOPE, at(4), "same"))
    assert last_observed.advance(Observation(SCOPE, at(6), "same"))
    assert last_observed.advance(Observation(SCOPE, at(6), "same"))
    assert scope_record(store).observed_at == at(6)


def test_an_advanced_time_rejects_older_snapshots(
    store: Store, last_observed: LastObservedTimes
) -> None:
    """A pass that was just observed again is not overwritten by an earlier failure."""
    record(store, 0, "good")
    last_observed.advance(Observation(SCOPE, at(5), "good"))
    record(store, 4, "bad", verdict())
    assert store.load(SCOPE).findings == {}
    assert scope_record(store).snapshot_digest == "good"


def test_an_evaluation_of_another_snapshot_in_between_counts(
    store: Store, last_observed: LastObservedTimes
) -> None:
    """When a former snapshot comes back, it is evaluated again."""
    record(store, 0, "good")
    record(store, 1, "bad", verdict())
    assert not last_observed.advance(Observation(SCOPE, at(2), "good"))
    assert last_observed.advance(Observation(SCOPE, at(2), "bad"))


def test_a_time_advanced_by_another_version_matches_no_digest(
    store: Store, last_observed: LastObservedTimes, dynamodb: "DynamoDBClient"
) -> None:
    """An older version of the monitor, still running beside this one, stores no digests."""
    record(store, 0, "same", verdict())
    dynamodb.update_item(
        TableName=TABLES.findings,
        Key={"scope": {"S": str(SCOPE)}, "item": {"S": "#head"}},
        UpdateExpression="SET observed_at = :time",
        ExpressionAttributeValues={":time": {"S": "2026-01-31T12:01:00.000000Z"}},
    )
    assert scope_record(store).snapshot_digest == ""
    assert not last_observed.advance(Observation(SCOPE, at(2), "same"))


def test_a_deleted_or_unrepeatable_scope_has_no_digest(
    store: Store, last_observed: LastObservedTimes
) -> None:
    """A scope that ended, or whose evaluation had a rule error, is evaluated again."""
    record(store, 0, "same")
    store.record(Evaluation(SCOPE, at(1), exists=False), lambda _: ())
    assert not last_observed.advance(Observation(SCOPE, at(2), "same"))
    record(store, 3, "")
    assert not last_observed.advance(Observation(SCOPE, at(4), ""))


class Killed(BaseException):
    """The function's time is up."""


def test_half_an_evaluation_has_no_digest(
    store: Store, last_observed: LastObservedTimes, dynamodb: "DynamoDBClient"
) -> None:
    """The first of several transactions removes the digest; only the last one writes it."""
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
    for digest in ("before", "after"):
        assert not last_observed.advance(Observation(SCOPE, at(2), digest))
    record(store, 2, "after", *many)
    assert scope_record(store).counts == {"open": 60}
    assert last_observed.advance(Observation(SCOPE, at(3), "after"))


@pytest.fixture
def calls(dynamodb: "DynamoDBClient") -> Counter[str]:
    """Count the calls by name."""
    calls: Counter[str] = Counter()
    dynamodb.meta.events.register(
        "provide-client-params.dynamodb.*", lambda model, **_: calls.update([model.name])
    )
    return calls


def recorded(store: Store, scopes: list[Scope]) -> list[Observation]:
    """Record a snapshot of each scope; return later observations of them."""
    for scope in scopes:
        record(store, 0, f"of {scope}", scope=scope)
    return [Observation(scope, at(1), f"of {scope}") for scope in scopes]


def test_many_times_advance_a_hundred_with_a_call(
    store: Store, last_observed: LastObservedTimes, calls: Counter[str]
) -> None:
    """120 scopes are two transactions."""
    seen = recorded(store, MANY)
    calls.clear()
    assert last_observed.advance_all(seen) == set(MANY)
    assert calls == {"TransactWriteItems": 2}
    assert {scope_record(store, scope).observed_at for scope in MANY} == {at(1)}


def test_few_times_advance_one_by_one(
    store: Store, last_observed: LastObservedTimes, calls: Counter[str]
) -> None:
    """A transaction would cost twice as much and save no time."""
    few = MANY[:9]
    seen = recorded(store, few)
    calls.clear()
    assert last_observed.advance_all(seen) == set(few)
    assert calls == {"UpdateItem": len(few)}


def test_changed_scopes_do_not_stop_the_others(
    store: Store, last_observed: LastObservedTimes
) -> None:
    """Scopes that changed, are newer or were never evaluated are left out and not written."""
    seen = recorded(store, MANY[:40])
    record(store, 0.5, "other", scope=MANY[3])
    record(store, 2, f"of {MANY[7]}", scope=MANY[7])
    never = Observation(OTHER, at(1), "never")
    nameless = Observation(MANY[9], at(1), "")
    moved = last_observed.advance_all([*seen[:9], nameless, *seen[10:], never])
    assert moved == {*MANY[:40]} - {MANY[3], MANY[7], MANY[9]}
    times = [scope_record(store, MANY[number]).observed_at for number in (3, 7, 9, 12)]
    assert times == [at(0.5), at(2), at(0), at(1)]
    assert store.load_record(OTHER) is None


def test_when_all_changed_no_time_advances(store: Store, last_observed: LastObservedTimes) -> None:
    """As after a new baseline."""
    seen = recorded(store, MANY[:20])
    others = [Observation(each.scope, each.observed_at, "other") for each in seen]
    assert last_observed.advance_all(others) == frozenset()
