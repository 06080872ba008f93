"""What people ask of findings and history."""

from typing import TYPE_CHECKING

import pytest

from finding_builders import OTHER, SCOPE, at, opened, verdict
from posture.lifecycle.diff import find_transitions
from posture.model.finding import FindingStatus
from posture.model.scope import Scope
from posture.model.verdict import Severity, Verdict
from posture.store.findings import Findings
from posture.store.history import History
from posture.store.scope_evaluation import Evaluation
from posture.store.scope_store import Store
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def two_scopes(store: Store) -> None:
    """Two scopes: one with a repaired and a bad finding, one with a mild one."""

    def evaluate(minute: float, scope: Scope, *verdicts: Verdict) -> None:
        store.record(
            Evaluation(scope, at(minute)),
            lambda state: find_transitions(scope, state.findings, verdicts, observed_at=at(minute)),
        )

    evaluate(0, SCOPE, verdict("route-missing"), verdict("no-policy", "vpce-0a"))
    evaluate(1, SCOPE, verdict("no-policy", "vpce-0a"))
    evaluate(2, OTHER, verdict("route-missing", severity=Severity.LOW))


@pytest.mark.usefixtures("two_scopes")
def test_findings_by_every_way(dynamodb: "DynamoDBClient") -> None:
    """By scope all of them, by account and status the worst first, by rule, by resource."""
    findings = Findings(dynamodb, TABLES.findings)
    assert [each.rule for each in findings.find_by_scope(SCOPE)] == ["no-policy", "route-missing"]
    by_account = findings.find_by_status(FindingStatus.OPEN, account="111122223333")
    assert [(each.severity, each.scope) for each in by_account] == [
        (Severity.HIGH, SCOPE),
        (Severity.LOW, OTHER),
    ]
    resolved = findings.find_by_status(FindingStatus.RESOLVED, account="111122223333")
    assert [each.rule for each in resolved] == ["route-missing"]
    assert {each.scope for each in findings.find_by_rule("route-missing")} == {SCOPE, OTHER}
    assert [each.rule for each in findings.find_by_resource("vpce-0a")] == ["no-policy"]


@pytest.mark.usefixtures("two_scopes")
def test_history_by_time(dynamodb: "DynamoDBClient") -> None:
    """History is read in order, between two times where they are given."""
    history = History(dynamodb, TABLES.history)
    steps = [(row.transition.step, row.transition.reason) for row in history.find_by_scope(SCOPE)]
    assert sorted(steps) == [("opened", ""), ("opened", ""), ("resolved", "resource gone")]
    assert [row.observed_at for row in history.find_by_scope(SCOPE, since=at(0.5))] == [at(1)]
    assert [row.observed_at for row in history.find_by_scope(SCOPE, until=at(0))] == [at(0), at(0)]


@pytest.mark.usefixtures("two_scopes")
def test_history_of_one_commit(dynamodb: "DynamoDBClient") -> None:
    """A commit's rows are those it wrote, and no other's."""
    history = History(dynamodb, TABLES.history)
    rows = history.load_commit(SCOPE, "2026-01-31T12:00:00.000000Z#1")
    assert {row.transition.finding.rule for row in rows} == {"route-missing", "no-policy"}
    assert history.load_commit(SCOPE, "2026-01-31T12:00:00.000000Z#2") == ()


def test_a_commit_is_read_without_the_others_of_its_evaluation(
    dynamodb: "DynamoDBClient",
) -> None:
    """An alert for each of its transactions would otherwise parse all rows of an evaluation."""
    verdicts = [verdict(resource=f"subnet-{number}") for number in range(100)]
    Store(dynamodb, TABLES).record(Evaluation(SCOPE, at(0)), lambda _: opened(*verdicts))
    returned: list[int] = []
    dynamodb.meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: returned.append(len(parsed["Items"]))
    )
    history = History(dynamodb, TABLES.history)
    parts = [
        history.load_commit(SCOPE, f"2026-01-31T12:00:00.000000Z#{number}") for number in (1, 2, 3)
    ]
    assert [len(each) for each in parts] == returned == [47, 47, 6]
