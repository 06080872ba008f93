"""Resolved findings: kept apart, so that what was ever resolved costs an evaluation nothing."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from finding_builders import SCOPE, at, change, find_caused_transitions, verdict
from posture.model.finding import FindingStatus, Step
from posture.model.verdict import Verdict
from posture.store import scope_reader
from posture.store.findings import Findings
from posture.store.history import History, rebuild_findings
from posture.store.scope_evaluation import Evaluation, WriteResult
from posture.store.scope_store import Store
from posture_cli.audit.verify import Verifier
from stack_tables import TABLES
from stored_findings import read_stored_findings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OPEN, RESOLVED = "route-missing#subnet-0a", "~resolved#route-missing#subnet-0a"


def evaluate(store: Store, minute: float, *verdicts: Verdict) -> WriteResult:
    """Record one evaluation of the scope."""
    return store.record(
        Evaluation(SCOPE, at(minute)),
        lambda state: find_caused_transitions(
            SCOPE, state.findings, verdicts, observed_at=at(minute), changes=[change()]
        ),
    )


def stored(client: "DynamoDBClient") -> dict[str, dict[str, Any]]:
    """Return the items of findings by sort key."""
    pages = client.get_paginator("scan").paginate(TableName=TABLES.findings)
    items = (dict(item) for page in pages for item in page["Items"])
    return {item["item"]["S"]: item for item in items if item["kind"] == {"S": "finding"}}


def keep_as_former_versions_did(client: "DynamoDBClient") -> None:
    """Store the resolved findings under the keys that they had while they were open."""
    for item in stored(client).values():
        former = item["item"]["S"].removeprefix("~resolved#")
        client.delete_item(
            TableName=TABLES.findings, Key={"scope": item["scope"], "item": item["item"]}
        )
        client.put_item(TableName=TABLES.findings, Item={**item, "item": {"S": former}})


def find_faults(client: "DynamoDBClient") -> list[Any]:
    """Return what `posture verify` finds wrong."""
    results = Verifier(client, TABLES, lambda: at(60)).verify_scopes([SCOPE])
    return [result.fault for result in results if result.fault]


def test_an_evaluation_reads_no_resolved_finding(store: Store, dynamodb: "DynamoDBClient") -> None:
    """Twenty that were resolved are neither read nor written by the next change."""
    evaluate(store, 0, *(verdict(resource=f"subnet-{number:03}") for number in range(20)))
    evaluate(store, 1, verdict())
    answers: list[int] = []
    dynamodb.meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: answers.append(len(parsed["Items"]))
    )
    evaluate(store, 2, verdict(), verdict(resource="vpce-0a"))
    assert answers == [2]  # the scope record and the open finding
    assert len(stored(dynamodb)) == 22


def test_a_resolved_finding_that_comes_back_goes_on(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """Its version continues, and it is stored once, whichever state it is in."""
    evaluate(store, 0, verdict())
    evaluate(store, 1)
    assert set(stored(dynamodb)) == {RESOLVED}
    (step,) = evaluate(store, 2, verdict()).transitions
    assert (step.step, step.finding.version, step.finding.opened_at) == (Step.OPENED, 3, at(2))
    assert set(stored(dynamodb)) == {OPEN}
    assert not find_faults(dynamodb)


def test_many_come_back_at_once(
    store: Store, dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one BatchGetItem takes, and more than one transaction holds."""
    monkeypatch.setattr("posture.store.queries.BATCH", 4)
    monkeypatch.setattr("posture.store.transactions.MAX_WRITES", 9)
    many = [verdict(resource=f"subnet-{number:03}") for number in range(14)]
    evaluate(store, 0, *many)
    evaluate(store, 1)
    steps = evaluate(store, 2, *many).transitions
    assert {step.finding.version for step in steps} == {3}
    assert len(stored(dynamodb)) == 14
    assert not find_faults(dynamodb)


def test_resolved_findings_expire_where_that_is_asked_for(dynamodb: "DynamoDBClient") -> None:
    """Only while they are resolved, so many days after they were."""
    store = Store(dynamodb, TABLES, timedelta(days=30))
    evaluate(store, 0, verdict())
    assert "expires_at" not in stored(dynamodb)[OPEN]
    evaluate(store, 1)
    expected = int((at(1) + timedelta(days=30)).timestamp())
    assert stored(dynamodb)[RESOLVED]["expires_at"] == {"N": str(expected)}
    evaluate(store, 2, verdict())
    assert "expires_at" not in stored(dynamodb)[OPEN]


def test_a_finding_that_expired_begins_anew(store: Store, dynamodb: "DynamoDBClient") -> None:
    """Its history stays whole: no fault, and the latest row counts in spite of its version."""
    evaluate(store, 0, verdict())
    evaluate(store, 1, verdict(evidence=["another fact"]))
    evaluate(store, 2)
    dynamodb.delete_item(
        TableName=TABLES.findings, Key={"scope": {"S": str(SCOPE)}, "item": {"S": RESOLVED}}
    )
    assert not find_faults(dynamodb)
    (step,) = evaluate(store, 3, verdict()).transitions
    assert (step.step, step.finding.version) == (Step.OPENED, 1)
    assert not find_faults(dynamodb)
    rows = list(History(dynamodb, TABLES.history).find_by_scope(SCOPE))
    assert rebuild_findings(rows) == read_stored_findings(store, SCOPE)
    # As an export of the table has them, in no order.
    assert rebuild_findings(reversed(rows)) == read_stored_findings(store, SCOPE)


@pytest.mark.parametrize("back", [False, True])
def test_those_of_a_former_version_are_moved(
    store: Store, dynamodb: "DynamoDBClient", *, back: bool
) -> None:
    """With the next evaluation, and nothing is reported; one that comes back still goes on."""
    evaluate(store, 0, verdict(), verdict(resource="vpce-0a"))
    evaluate(store, 1)
    keep_as_former_versions_did(dynamodb)
    steps = evaluate(store, 2, *([verdict()] if back else [])).transitions
    assert [(step.step, step.finding.version) for step in steps] == [(Step.OPENED, 3)] * back
    assert set(stored(dynamodb)) == {
        OPEN if back else RESOLVED,
        "~resolved#route-missing#vpce-0a",
    }
    assert not find_faults(dynamodb)


def test_very_many_of_a_former_version_are_moved_by_and_by(
    store: Store, dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each evaluation moves some; one that comes back before its turn goes on, too."""
    monkeypatch.setattr(scope_reader, "MAX_FORMER", 2)
    many = [verdict(resource=f"subnet-{number}") for number in range(6)]
    evaluate(store, 0, *many)
    evaluate(store, 1)
    keep_as_former_versions_did(dynamodb)
    (step,) = evaluate(store, 2, many[5]).transitions
    assert step.finding.version == 3
    left = sorted(key for key in stored(dynamodb) if not key.startswith("~"))
    assert left == [f"route-missing#subnet-{number}" for number in (2, 3, 4, 5)]
    evaluate(store, 3, many[5])
    evaluate(store, 4, many[5])
    left = [key for key in stored(dynamodb) if not key.startswith("~")]
    assert left == ["route-missing#subnet-5"]
    assert not find_faults(dynamodb)
    found = Findings(dynamodb, TABLES.findings).find_by_status(FindingStatus.RESOLVED)
    assert len(list(found)) == 5
