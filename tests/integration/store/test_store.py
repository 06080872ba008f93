"""What is stored of a scope is the latest evaluation, whichever is written first."""

import random
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from finding_builders import OTHER, SCOPE, at, change, find_caused_transitions, verdict
from posture.errors import ConflictError, CorruptItemError
from posture.lifecycle.diff import is_bad, resolve_all
from posture.model.dns import DnsAttributes
from posture.model.finding import FindingStatus, Step, Transition
from posture.model.scope import Region, Scope
from posture.model.verdict import Severity, Status, Verdict
from posture.store.actors import PARTITION
from posture.store.scope_evaluation import Evaluation, ScopeState, WriteOutcome, WriteResult
from posture.store.scope_store import Store
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Compare = Callable[[ScopeState], Sequence[Transition]]


def compare_with(minute: float, *verdicts: Verdict) -> Compare:
    """Compare these verdicts with what is stored."""
    return lambda state: find_caused_transitions(
        state.scope, state.findings, verdicts, observed_at=at(minute), changes=[change()]
    )


def evaluate(store: Store, minute: float, *verdicts: Verdict, scope: Scope = SCOPE) -> WriteResult:
    """Record one evaluation of the scope."""
    return store.record(Evaluation(scope, at(minute)), compare_with(minute, *verdicts))


def bad(store: Store) -> list[tuple[str, int]]:
    """Return the resources of the bad findings with their versions."""
    found = store.load(SCOPE).findings.values()
    return sorted((each.resource, each.version) for each in found if is_bad(each))


def rows(client: "DynamoDBClient", table: str) -> list[dict[str, Any]]:
    """Return all items of a table, without the directory of actors."""
    return [
        dict(item)
        for page in client.get_paginator("scan").paginate(TableName=table)
        for item in page["Items"]
        if item["scope"] != {"S": PARTITION}
    ]


def test_a_finding_comes_back_as_it_was_written(store: Store) -> None:
    """No part of a verdict is lost or changed on the way through the table."""
    done = evaluate(store, 0, verdict(), verdict(resource="vpce-0a", status=Status.UNKNOWN))
    assert done.outcome is WriteOutcome.COMMITTED
    assert {step.finding.id: step.finding for step in done.transitions} == dict(
        store.load(SCOPE).findings
    )


def test_what_was_observed_is_read_back_with_the_scope_record(store: Store) -> None:
    """The scope record holds coverage, counts and DNS attributes."""
    seen = Evaluation(
        SCOPE, at(0), coverage={"subnet-0a": {"s3": "nat"}}, dns=DnsAttributes(True, None, at(0))
    )
    store.record(seen, compare_with(0, verdict()))
    scope_record = store.load(SCOPE).record
    assert scope_record is not None
    assert (scope_record.coverage, scope_record.dns) == (seen.coverage, seen.dns)
    assert (scope_record.observed_at, scope_record.revision, scope_record.counts) == (
        at(0),
        1,
        {"open": 1},
    )
    assert scope_record.commit == "2026-01-31T12:00:00.000000Z#1"


def test_a_memory_of_dns_attributes_is_never_written_back(store: Store) -> None:
    """The record keeps what it has; cached attributes written as new would never expire."""
    seen = DnsAttributes(True, True, at(0))
    store.record(Evaluation(SCOPE, at(0), dns=seen), compare_with(0, verdict()))
    remembered = Evaluation(SCOPE, at(9), dns=DnsAttributes(False, False, at(-5)))
    older = Evaluation(SCOPE, at(8), dns=seen)
    assert store.record(older, compare_with(8, verdict())).outcome is WriteOutcome.UNCHANGED
    assert store.record(remembered, compare_with(9)).outcome is WriteOutcome.STALE
    scope_record = store.load(SCOPE).record
    assert scope_record is not None
    assert (scope_record.dns, scope_record.observed_at) == (seen, at(8))


def test_nothing_new_writes_no_finding_and_no_history(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """The same verdicts again advance the last-observed time, and change nothing else."""
    evaluate(store, 0, verdict())
    before = rows(dynamodb, "history"), store.load(SCOPE).findings
    assert evaluate(store, 1, verdict()).outcome is WriteOutcome.UNCHANGED
    assert before == (rows(dynamodb, "history"), store.load(SCOPE).findings)
    scope_record = store.load(SCOPE).record
    assert scope_record is not None
    assert (scope_record.observed_at, scope_record.revision) == (at(1), 1)


def test_the_first_evaluation_may_find_nothing(store: Store) -> None:
    """A scope without findings has a record all the same, so that an older snapshot is dropped."""
    assert evaluate(store, 1).outcome is WriteOutcome.UNCHANGED
    assert evaluate(store, 0, verdict()).outcome is WriteOutcome.STALE
    assert bad(store) == []


def test_the_same_change_twice_is_one_commit(store: Store, dynamodb: "DynamoDBClient") -> None:
    """An evaluation of the very same snapshot is stale the second time."""
    evaluate(store, 0, verdict())
    assert evaluate(store, 0, verdict()) == WriteResult(WriteOutcome.STALE)
    assert len(rows(dynamodb, "history")) == 1


def test_an_older_snapshot_never_wins(store: Store) -> None:
    """Bad news from before the good news is dropped quietly, and the other way round."""
    evaluate(store, 5)
    assert evaluate(store, 3, verdict()).outcome is WriteOutcome.STALE
    evaluate(store, 7, verdict())
    assert evaluate(store, 6).outcome is WriteOutcome.STALE
    assert bad(store) == [("subnet-0a", 1)]


def test_a_whole_life(store: Store, dynamodb: "DynamoDBClient") -> None:
    """Opened, changed, resolved and opened again: one finding, four rows of history."""
    evaluate(store, 0, verdict())
    evaluate(store, 1, verdict(severity=Severity.LOW))
    evaluate(store, 2, verdict(status=Status.PASS))
    evaluate(store, 3, verdict())
    (finding,) = store.load(SCOPE).findings.values()
    assert (finding.status, finding.version, finding.opened_at) == (FindingStatus.OPEN, 4, at(3))
    assert [row["step"]["S"] for row in rows(dynamodb, "history")] == [
        Step.OPENED,
        Step.CHANGED,
        Step.RESOLVED,
        Step.OPENED,
    ]


def interrupted(first: Compare, between: Callable[[], object]) -> Compare:
    """Call a function once after the state was read and before it is written."""
    waiting = [between]

    def compare(state: ScopeState) -> Sequence[Transition]:
        if waiting:
            waiting.pop()()
        return first(state)

    return compare


def test_a_newer_evaluation_in_between_wins(store: Store) -> None:
    """The evaluation that read first and writes last is dropped when the other is newer."""
    slow = interrupted(compare_with(1, verdict()), lambda: evaluate(store, 2))
    assert store.record(Evaluation(SCOPE, at(1)), slow).outcome is WriteOutcome.STALE
    assert bad(store) == []


def test_a_newer_evaluation_without_transitions_wins_too(store: Store) -> None:
    """It wrote only its time, which is enough."""
    evaluate(store, 0)
    slow = interrupted(compare_with(1, verdict()), lambda: evaluate(store, 2))
    assert store.record(Evaluation(SCOPE, at(1)), slow).outcome is WriteOutcome.STALE
    assert bad(store) == []


def test_an_older_evaluation_in_between_is_compared_again(store: Store) -> None:
    """Who read too early compares once more with what the older one wrote meanwhile."""
    evaluate(store, 0)
    late = interrupted(
        compare_with(9, verdict(severity=Severity.LOW)), lambda: evaluate(store, 5, verdict())
    )
    done = store.record(Evaluation(SCOPE, at(9)), late)
    assert [step.step for step in done.transitions] == [Step.CHANGED]
    assert bad(store) == [("subnet-0a", 2)]


def test_nothing_new_is_compared_again_too(store: Store) -> None:
    """An evaluation without transitions must notice failures written while it ran."""
    evaluate(store, 0)
    quiet = interrupted(compare_with(9), lambda: evaluate(store, 5, verdict()))
    done = store.record(Evaluation(SCOPE, at(9)), quiet)
    assert [step.step for step in done.transitions] == [Step.RESOLVED]


def test_endless_contention_is_an_error(store: Store) -> None:
    """Who never gets a quiet moment says so instead of looping for ever."""
    minutes = iter(range(1, 100))

    def compare(state: ScopeState) -> Sequence[Transition]:
        minute = next(minutes)
        evaluate(store, minute, verdict(summary=f"Minute {minute}."))
        return compare_with(100)(state)

    with pytest.raises(ConflictError, match=SCOPE.subject):
        store.record(Evaluation(SCOPE, at(100)), compare)


MANY = [verdict(resource=f"subnet-{number:04}") for number in range(120)]


def test_many_transitions_take_several_transactions(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """120 findings are three parts, each named on its findings and rows."""
    done = evaluate(store, 0, *MANY)
    assert len(done.transitions) == 120
    assert len(bad(store)) == 120
    parts = [(row["commit"]["S"][-1], row["parts"]["N"]) for row in rows(dynamodb, "history")]
    assert {part: parts.count(part) for part in set(parts)} == {
        ("1", "3"): 47,
        ("2", "3"): 47,
        ("3", "3"): 26,
    }
    scope_record = store.load(SCOPE).record
    assert scope_record is not None
    assert (scope_record.revision, scope_record.commit[-2:], scope_record.counts) == (
        3,
        "#3",
        {"open": 120},
    )


class Killed(BaseException):
    """The function's time is up."""


def kill_after(client: "DynamoDBClient", transactions: int) -> Callable[[], None]:
    """Let a client die after so many transactions; the answer brings it back to life."""
    real, left = client.transact_write_items, iter(range(transactions))

    def transact(**request: Any) -> Any:
        if next(left, None) is None:
            raise Killed
        return real(**request)

    client.transact_write_items = transact  # type: ignore[method-assign]

    def revive() -> None:
        client.transact_write_items = real  # type: ignore[method-assign]

    return revive


def test_the_next_evaluation_completes_it(store: Store, dynamodb: "DynamoDBClient") -> None:
    """A crash between two parts leaves complete findings; the next evaluation writes the rest."""
    revive = kill_after(dynamodb, 1)
    with pytest.raises(Killed):
        evaluate(store, 0, *MANY[:60])
    assert len(bad(store)) == 47
    revive()
    assert len(evaluate(store, 1, *MANY[:60]).transitions) == 13
    assert len(bad(store)) == 60
    assert len(rows(dynamodb, "history")) == 60


def test_a_newer_evaluation_between_two_parts_wins(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """The parts not yet written are dropped; what was written is part of the newer comparison."""
    real = dynamodb.transact_write_items
    sent: list[str] = []

    def transact(**request: Any) -> Any:
        sent.append("")
        if len(sent) == 2:
            evaluate(store, 1)
        return real(**request)

    dynamodb.transact_write_items = transact  # type: ignore[method-assign]
    done = evaluate(store, 0, *MANY[:60])
    assert (done.outcome, len(done.transitions)) == (WriteOutcome.STALE, 47)
    assert bad(store) == []


def test_a_lost_answer_is_not_a_lost_write(store: Store, dynamodb: "DynamoDBClient") -> None:
    """A transaction repeated because its answer was lost counts as written, once."""
    real = dynamodb.transact_write_items

    def transact(**request: Any) -> Any:
        real(**request)
        return real(**request)

    dynamodb.transact_write_items = transact  # type: ignore[method-assign]
    assert evaluate(store, 0, *MANY[:60]).outcome is WriteOutcome.COMMITTED
    assert len(rows(dynamodb, "history")) == 60


@pytest.mark.parametrize(("held", "bad_after"), [(3, 1), (99, 0)])
def test_a_conflict_is_no_write(
    store: Store,
    dynamodb: "DynamoDBClient",
    monkeypatch: pytest.MonkeyPatch,
    held: int,
    bad_after: int,
) -> None:
    """While others hold an item the transaction is retried, and at last the evaluation fails."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    real, conflicts = dynamodb.transact_write_items, ["TransactionConflict"] * held

    def transact(**request: Any) -> Any:
        if not conflicts:
            return real(**request)
        answer: Any = {
            "Error": {"Code": "TransactionCanceledException"},
            "CancellationReasons": [{"Code": "None"}, {"Code": conflicts.pop()}],
        }
        raise dynamodb.exceptions.TransactionCanceledException(answer, "TransactWriteItems")

    dynamodb.transact_write_items = transact  # type: ignore[method-assign]
    refused = pytest.raises(ConflictError) if held > 5 else nullcontext()
    with refused:
        assert evaluate(store, 0, verdict()).outcome is WriteOutcome.COMMITTED
    assert len(bad(store)) == bad_after


def test_scopes_do_not_meet(store: Store) -> None:
    """The findings of one VPC do not affect those of another."""
    evaluate(store, 0, verdict())
    evaluate(store, -5, verdict(), scope=OTHER)
    assert len(store.load(SCOPE).findings) == len(store.load(OTHER).findings) == 1


def test_a_region_knows_its_scopes(store: Store) -> None:
    """A sweep learns which scopes are known, until they are gone."""
    ireland = Region("111122223333", "eu-west-1")
    evaluate(store, 0, verdict())
    evaluate(store, 0, scope=OTHER)
    evaluate(store, 0, scope=Scope("111122223333", "us-east-1", "vpc-0c"))
    assert {scope_record.scope for scope_record in store.load_region_records(ireland, {})} == {
        SCOPE,
        OTHER,
    }
    store.record(
        Evaluation(SCOPE, at(1), exists=False),
        lambda state: resolve_all(SCOPE, state.findings, at(1), "VPC gone"),
    )
    assert {scope_record.scope for scope_record in store.load_region_records(ireland, {})} == {
        OTHER
    }
    assert bad(store) == []


def test_unknown_attributes_are_ignored(store: Store, dynamodb: "DynamoDBClient") -> None:
    """A later version may add to items what this one does not know."""
    evaluate(store, 0, verdict())
    for item in rows(dynamodb, "findings"):
        dynamodb.put_item(TableName="findings", Item={**item, "mood": {"S": "sunny"}})
    assert evaluate(store, 1, verdict()).outcome is WriteOutcome.UNCHANGED


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("status", {"S": "closed"}),
        ("version", {"S": "2"}),
        ("opened_at", {"S": "yesterday"}),
        ("evidence", {"S": "none"}),
        ("summary", {"N": "7"}),
    ],
)
def test_an_item_edited_by_hand_is_named(
    store: Store, dynamodb: "DynamoDBClient", attribute: str, value: Any
) -> None:
    """What cannot be read back raises with the item's key instead of being passed over."""
    evaluate(store, 0, verdict())
    for item in rows(dynamodb, "findings"):
        if item["kind"] == {"S": "finding"}:
            dynamodb.put_item(TableName="findings", Item={**item, attribute: value})
    with pytest.raises(CorruptItemError, match="route-missing#subnet-0a"):
        store.load(SCOPE)


def test_coverage_too_large_is_left_out(store: Store) -> None:
    """A record never exceeds an item: the matrix is dropped, and only its size is stored."""
    noise = random.Random(7)  # noqa: S311 - no secret, just hard to compress
    numbers = {f"subnet-{noise.getrandbits(64):x}": "s3" for _ in range(50_000)}
    store.record(Evaluation(SCOPE, at(0), coverage=numbers), compare_with(0, verdict()))
    scope_record = store.load(SCOPE).record
    assert scope_record is not None
    assert scope_record.coverage is None


def test_ownership_is_written_only_when_it_changes(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """With equal ids, the resource index is neither read nor written."""
    ids = frozenset({"rtb-0a", "subnet-0a"})
    store.record(Evaluation(SCOPE, at(0), resource_ids=ids), compare_with(0))
    dynamodb.delete_table(TableName=TABLES.ownership)
    store.record(Evaluation(SCOPE, at(1), resource_ids=ids), compare_with(1))
    store.record(Evaluation(SCOPE, at(2)), compare_with(2, verdict()))
    store.record(Evaluation(SCOPE, at(3), resource_ids=ids), compare_with(3))
