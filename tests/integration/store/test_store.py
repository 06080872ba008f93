"""What is stored of a scope: the latest truth, whoever comes first."""

import random
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from finding_builders import OTHER, SCOPE, at, change, verdict
from posture.errors import ConflictError, CorruptItemError
from posture.lifecycle.diff import find_transitions, is_bad, resolve_all
from posture.model.dns import DnsAttributes
from posture.model.finding import FindingStatus, Step, Transition
from posture.model.scope import Region, Scope
from posture.model.verdict import Severity, Status, Verdict
from posture.store.scope_store import Evaluation, ScopeState, Store, WriteOutcome, WriteResult
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Compare = Callable[[ScopeState], Sequence[Transition]]


def judged(minute: float, *verdicts: Verdict) -> Compare:
    """Compare these verdicts with what is stored."""
    return lambda state: find_transitions(
        state.scope, state.findings, verdicts, observed_at=at(minute), changes=[change()]
    )


def look(store: Store, minute: float, *verdicts: Verdict, scope: Scope = SCOPE) -> WriteResult:
    """Record one evaluation of the scope."""
    return store.record(Evaluation(scope, at(minute)), judged(minute, *verdicts))


def bad(store: Store) -> list[tuple[str, int]]:
    """Give the resources of the bad findings with their versions."""
    found = store.load(SCOPE).findings.values()
    return sorted((each.resource, each.version) for each in found if is_bad(each))


def rows(client: "DynamoDBClient", table: str) -> list[dict[str, Any]]:
    """Give all items of a table."""
    return [
        dict(item)
        for page in client.get_paginator("scan").paginate(TableName=table)
        for item in page["Items"]
    ]


def test_a_finding_comes_back_as_it_was_written(store: Store) -> None:
    """Nothing that was judged is lost or changed on the way through the table."""
    done = look(store, 0, verdict(), verdict(resource="vpce-0a", status=Status.UNKNOWN))
    assert done.outcome is WriteOutcome.COMMITTED
    assert {step.finding.id: step.finding for step in done.transitions} == dict(
        store.load(SCOPE).findings
    )


def test_what_was_seen_comes_back_with_the_head(store: Store) -> None:
    """The head keeps coverage, counts and DNS attributes."""
    seen = Evaluation(
        SCOPE, at(0), coverage={"subnet-0a": {"s3": "nat"}}, dns=DnsAttributes(True, None, at(0))
    )
    store.record(seen, judged(0, verdict()))
    head = store.load(SCOPE).record
    assert head is not None
    assert (head.coverage, head.dns) == (seen.coverage, seen.dns)
    assert (head.observed_at, head.revision, head.counts) == (at(0), 1, {"open": 1})
    assert head.commit == "2026-01-31T12:00:00.000000Z#1"


def test_a_memory_of_dns_attributes_is_never_written_back(store: Store) -> None:
    """The head keeps what it has; a memory that was written as new would never grow old."""
    seen = DnsAttributes(True, True, at(0))
    store.record(Evaluation(SCOPE, at(0), dns=seen), judged(0, verdict()))
    remembered = Evaluation(SCOPE, at(9), dns=DnsAttributes(False, False, at(-5)))
    older = Evaluation(SCOPE, at(8), dns=seen)
    assert store.record(older, judged(8, verdict())).outcome is WriteOutcome.UNCHANGED
    assert store.record(remembered, judged(9)).outcome is WriteOutcome.STALE
    head = store.load(SCOPE).record
    assert head is not None
    assert (head.dns, head.observed_at) == (seen, at(8))


def test_nothing_new_writes_no_finding_and_no_history(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """The same truth seen again moves the head's clock, and nothing else of the tables."""
    look(store, 0, verdict())
    before = rows(dynamodb, "history"), store.load(SCOPE).findings
    assert look(store, 1, verdict()).outcome is WriteOutcome.UNCHANGED
    assert before == (rows(dynamodb, "history"), store.load(SCOPE).findings)
    head = store.load(SCOPE).record
    assert head is not None
    assert (head.observed_at, head.revision) == (at(1), 1)


def test_the_first_look_may_find_nothing(store: Store) -> None:
    """A scope without findings has a head all the same, so that an older picture loses."""
    assert look(store, 1).outcome is WriteOutcome.UNCHANGED
    assert look(store, 0, verdict()).outcome is WriteOutcome.STALE
    assert bad(store) == []


def test_the_same_change_twice_is_one_commit(store: Store, dynamodb: "DynamoDBClient") -> None:
    """An evaluation of the very same picture is stale the second time."""
    look(store, 0, verdict())
    assert look(store, 0, verdict()) == WriteResult(WriteOutcome.STALE)
    assert len(rows(dynamodb, "history")) == 1


def test_an_older_picture_never_wins(store: Store) -> None:
    """Bad news from before the good news is dropped quietly, and the other way round."""
    look(store, 5)
    assert look(store, 3, verdict()).outcome is WriteOutcome.STALE
    look(store, 7, verdict())
    assert look(store, 6).outcome is WriteOutcome.STALE
    assert bad(store) == [("subnet-0a", 1)]


def test_a_whole_life(store: Store, dynamodb: "DynamoDBClient") -> None:
    """Opened, changed, resolved and opened again: one finding, four rows of history."""
    look(store, 0, verdict())
    look(store, 1, verdict(severity=Severity.LOW))
    look(store, 2, verdict(status=Status.PASS))
    look(store, 3, verdict())
    (finding,) = store.load(SCOPE).findings.values()
    assert (finding.status, finding.version, finding.opened_at) == (FindingStatus.OPEN, 4, at(3))
    assert [row["step"]["S"] for row in rows(dynamodb, "history")] == [
        Step.OPENED,
        Step.CHANGED,
        Step.RESOLVED,
        Step.OPENED,
    ]


def interrupted(first: Compare, between: Callable[[], object]) -> Compare:
    """Let something happen once after the state was read and before it is written."""
    waiting = [between]

    def compare(state: ScopeState) -> Sequence[Transition]:
        if waiting:
            waiting.pop()()
        return first(state)

    return compare


def test_a_newer_evaluation_in_between_wins(store: Store) -> None:
    """Who read first and writes last loses when the other's picture is newer."""
    slow = interrupted(judged(1, verdict()), lambda: look(store, 2))
    assert store.record(Evaluation(SCOPE, at(1)), slow).outcome is WriteOutcome.STALE
    assert bad(store) == []


def test_a_newer_look_that_saw_nothing_new_wins_as_well(store: Store) -> None:
    """It wrote nothing but its time, and that is enough."""
    look(store, 0)
    slow = interrupted(judged(1, verdict()), lambda: look(store, 2))
    assert store.record(Evaluation(SCOPE, at(1)), slow).outcome is WriteOutcome.STALE
    assert bad(store) == []


def test_an_older_evaluation_in_between_is_compared_again(store: Store) -> None:
    """Who read too early compares once more with what the older one wrote meanwhile."""
    look(store, 0)
    late = interrupted(judged(9, verdict(severity=Severity.LOW)), lambda: look(store, 5, verdict()))
    done = store.record(Evaluation(SCOPE, at(9)), late)
    assert [step.step for step in done.transitions] == [Step.CHANGED]
    assert bad(store) == [("subnet-0a", 2)]


def test_nothing_new_is_compared_again_too(store: Store) -> None:
    """A look that saw no news must notice the bad news written while it looked."""
    look(store, 0)
    quiet = interrupted(judged(9), lambda: look(store, 5, verdict()))
    done = store.record(Evaluation(SCOPE, at(9)), quiet)
    assert [step.step for step in done.transitions] == [Step.RESOLVED]


def test_endless_contention_is_an_error(store: Store) -> None:
    """Who never gets a quiet moment says so instead of looping for ever."""
    minutes = iter(range(1, 100))

    def compare(state: ScopeState) -> Sequence[Transition]:
        minute = next(minutes)
        look(store, minute, verdict(summary=f"Minute {minute}."))
        return judged(100)(state)

    with pytest.raises(ConflictError, match=SCOPE.subject):
        store.record(Evaluation(SCOPE, at(100)), compare)


MANY = [verdict(resource=f"subnet-{number:04}") for number in range(120)]


def test_many_transitions_take_several_transactions(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """120 findings are three parts, each named on its findings and rows."""
    done = look(store, 0, *MANY)
    assert len(done.transitions) == 120
    assert len(bad(store)) == 120
    parts = [(row["commit"]["S"][-1], row["parts"]["N"]) for row in rows(dynamodb, "history")]
    assert {part: parts.count(part) for part in set(parts)} == {
        ("1", "3"): 49,
        ("2", "3"): 49,
        ("3", "3"): 22,
    }
    head = store.load(SCOPE).record
    assert head is not None
    assert (head.revision, head.commit[-2:], head.counts) == (3, "#3", {"open": 120})


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


def test_the_next_look_completes_what_was_killed(store: Store, dynamodb: "DynamoDBClient") -> None:
    """A crash between two parts leaves whole findings, and the rest comes with the next look."""
    revive = kill_after(dynamodb, 1)
    with pytest.raises(Killed):
        look(store, 0, *MANY[:60])
    assert len(bad(store)) == 49
    revive()
    assert len(look(store, 1, *MANY[:60]).transitions) == 11
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
            look(store, 1)
        return real(**request)

    dynamodb.transact_write_items = transact  # type: ignore[method-assign]
    done = look(store, 0, *MANY[:60])
    assert (done.outcome, len(done.transitions)) == (WriteOutcome.STALE, 49)
    assert bad(store) == []


def test_a_lost_answer_is_not_a_lost_write(store: Store, dynamodb: "DynamoDBClient") -> None:
    """A transaction repeated because its answer was lost counts as written, once."""
    real = dynamodb.transact_write_items

    def transact(**request: Any) -> Any:
        real(**request)
        return real(**request)

    dynamodb.transact_write_items = transact  # type: ignore[method-assign]
    assert look(store, 0, *MANY[:60]).outcome is WriteOutcome.COMMITTED
    assert len(rows(dynamodb, "history")) == 60


@pytest.mark.parametrize(("held", "bad_after"), [(3, 1), (99, 0)])
def test_a_conflict_is_no_write(
    store: Store,
    dynamodb: "DynamoDBClient",
    monkeypatch: pytest.MonkeyPatch,
    held: int,
    bad_after: int,
) -> None:
    """While others hold an item the transaction is tried again, and at last the look fails."""
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
        assert look(store, 0, verdict()).outcome is WriteOutcome.COMMITTED
    assert len(bad(store)) == bad_after


def test_scopes_do_not_meet(store: Store) -> None:
    """The findings of one VPC say nothing of another."""
    look(store, 0, verdict())
    look(store, -5, verdict(), scope=OTHER)
    assert len(store.load(SCOPE).findings) == len(store.load(OTHER).findings) == 1


def test_a_region_knows_its_scopes(store: Store) -> None:
    """A sweep learns which scopes are known, until they are gone."""
    ireland = Region("111122223333", "eu-west-1")
    look(store, 0, verdict())
    look(store, 0, scope=OTHER)
    look(store, 0, scope=Scope("111122223333", "us-east-1", "vpc-0c"))
    assert {head.scope for head in store.load_region_records(ireland)} == {SCOPE, OTHER}
    store.record(
        Evaluation(SCOPE, at(1), exists=False),
        lambda state: resolve_all(SCOPE, state.findings, at(1), "VPC gone"),
    )
    assert {head.scope for head in store.load_region_records(ireland)} == {OTHER}
    assert bad(store) == []


def test_unknown_attributes_are_ignored(store: Store, dynamodb: "DynamoDBClient") -> None:
    """A later version may add to items what this one does not know."""
    look(store, 0, verdict())
    for item in rows(dynamodb, "findings"):
        dynamodb.put_item(TableName="findings", Item={**item, "mood": {"S": "sunny"}})
    assert look(store, 1, verdict()).outcome is WriteOutcome.UNCHANGED


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
    look(store, 0, verdict())
    for item in rows(dynamodb, "findings"):
        if item["kind"] == {"S": "finding"}:
            dynamodb.put_item(TableName="findings", Item={**item, attribute: value})
    with pytest.raises(CorruptItemError, match="route-missing#subnet-0a"):
        store.load(SCOPE)


def test_coverage_too_large_is_left_out(store: Store) -> None:
    """A head never outgrows an item: the matrix is dropped, and its size says so."""
    noise = random.Random(7)  # noqa: S311 - no secret, just hard to compress
    numbers = {f"subnet-{noise.getrandbits(64):x}": "s3" for _ in range(50_000)}
    store.record(Evaluation(SCOPE, at(0), coverage=numbers), judged(0, verdict()))
    head = store.load(SCOPE).record
    assert head is not None
    assert head.coverage is None


def test_ownership_is_written_only_when_it_changes(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """Equal ids cost neither a read nor a write of the reverse index."""
    ids = frozenset({"rtb-0a", "subnet-0a"})
    store.record(Evaluation(SCOPE, at(0), resource_ids=ids), judged(0))
    dynamodb.delete_table(TableName=TABLES.ownership)
    store.record(Evaluation(SCOPE, at(1), resource_ids=ids), judged(1))
    store.record(Evaluation(SCOPE, at(2)), judged(2, verdict()))
    store.record(Evaluation(SCOPE, at(3), resource_ids=ids), judged(3))
