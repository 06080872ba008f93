"""Evaluations in any order: no newer snapshot is refused, no older facts replace newer ones."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations

import boto3
import pytest
from moto import mock_aws

from posture.errors import OutdatedFactsError
from posture.model.finding import Finding, FindingStatus, Step, Transition
from posture.model.scope import Scope
from posture.model.verdict import Severity, Status, Verdict
from posture.store.history import History
from posture.store.scope_evaluation import Evaluation, ScopeState, WriteOutcome
from posture.store.scope_record import UsedNetwork
from posture.store.scope_store import Store
from stack_tables import TABLES, create_tables

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
Version = tuple[int, int]  # the minutes of the snapshot and of the shared facts


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """Return empty tables."""
    with mock_aws():
        client = boto3.client(
            "dynamodb", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="a"
        )
        create_tables(client)
        yield Store(client, TABLES)


def evaluate(store: Store, scope: Scope, version: Version, *, changes: bool = True) -> str:
    """Record an evaluation, which finds something else each time; return what became of it."""
    snapshot, facts = (START + each * MINUTE for each in version)
    used = UsedNetwork(facts, f"view-{version[1]}", "{}", "catalogue")
    evaluation = Evaluation(scope, snapshot, snapshot_digest=f"digest-{version}", shared=used)

    def compare(state: ScopeState) -> tuple[Transition, ...]:
        if not changes:
            return ()
        verdict = Verdict("rule", scope.subject, Status.FAIL, Severity.HIGH, str(version))
        known = next(iter(state.findings.values()), None)
        number = known.version + 1 if known else 1
        finding = Finding(
            scope, "rule", scope.subject, FindingStatus.OPEN, Severity.HIGH, verdict, number,
            evaluation.at, evaluation.at,
        )  # fmt: skip
        return (Transition(Step.CHANGED if known else Step.OPENED, finding, "reason"),)

    try:
        return store.record(evaluation, compare).outcome.value
    except OutdatedFactsError:
        return "outdated"


VERSIONS = ((1, 1), (1, 2), (2, 1), (2, 2))


@pytest.mark.parametrize("changes", [True, False], ids=["changes", "unchanged"])
def test_in_any_order_both_times_only_grow(store: Store, *, changes: bool) -> None:
    """All orders of three evaluations, the last of which is delivered twice."""
    orders = (*permutations(VERSIONS[:3]), *permutations(VERSIONS[1:4]))
    for number, order in enumerate(orders):
        scope = Scope("111122223333", "eu-west-1", f"vpc-{number:04}{int(changes)}")
        stored: Version | None = None
        for version in (*order, order[-1]):
            outcome = evaluate(store, scope, version, changes=changes)
            if stored is None:
                expected = {"committed", "unchanged"}
            elif version[0] < stored[0] or (version[0] == stored[0] and version[1] <= stored[1]):
                expected = {"stale"}
            elif version[1] < stored[1]:
                # A newer snapshot is not refused: it is to be evaluated with the newer facts.
                expected = {"outdated"}
            else:
                expected = {"committed", "unchanged"}
            assert outcome in expected, (order, version, stored)
            if outcome in {"committed", "unchanged"}:
                stored = version
            record = store.load_record(scope)
            assert record
            assert record.shared
            assert stored
            assert (record.observed_at, record.shared.changed_at) == (
                START + stored[0] * MINUTE,
                START + stored[1] * MINUTE,
            )
            assert record.snapshot_digest == f"digest-{stored}"


def test_each_commit_has_its_own_name(store: Store) -> None:
    """Two evaluations of one time would otherwise share one, and the second alert be dropped."""
    pairs = [((1, 2), (2, 2)), ((1, 1), (1, 2)), ((2, 1), (2, 2)), ((1, 9), (3, 9))]
    for number, (first, second) in enumerate(pairs):
        scope = Scope("111122223333", "eu-west-1", f"vpc-n{number:03}")
        names = []
        for version in (first, second):
            if evaluate(store, scope, version) == WriteOutcome.COMMITTED.value:
                record = store.load_record(scope)
                assert record
                names.append(record.commit)
                history = History(store._client, TABLES.history)
                assert len(history.load_commit(scope, record.commit)) == 1
        assert len(set(names)) == len(names) == 2


def test_a_time_that_has_not_come_yet_blocks_nothing(store: Store) -> None:
    """A clock was wrong, or the item was edited: the stored time of the facts is ignored."""
    scope = Scope("111122223333", "eu-west-1", "vpc-future")
    assert evaluate(store, scope, (1, 9_000)) == "committed"
    used = UsedNetwork(START + 2 * MINUTE, "view", "{}", "")
    latest = START + 10 * MINUTE
    for minute in (1, 3):  # the same snapshot, and a newer one
        evaluation = Evaluation(scope, START + minute * MINUTE, shared=used, latest=latest)
        assert store.record(evaluation, lambda _: ()).outcome is WriteOutcome.UNCHANGED
        record = store.load_record(scope)
        assert record
        assert record.shared == used
        assert evaluate(store, scope, (minute + 1, 9_000)) == "committed"


def test_without_the_shared_network_the_snapshot_alone_decides(store: Store) -> None:
    """Once it is switched off, what was used of it is removed."""
    scope = Scope("111122223333", "eu-west-1", "vpc-off")
    assert evaluate(store, scope, (1, 5)) == "committed"
    former = Evaluation(scope, START + MINUTE)
    assert store.record(former, lambda _: ()).outcome is WriteOutcome.STALE
    later = Evaluation(scope, START + 2 * MINUTE)
    assert store.record(later, lambda _: ()).outcome is WriteOutcome.UNCHANGED
    record = store.load_record(scope)
    assert record
    assert record.shared is None
