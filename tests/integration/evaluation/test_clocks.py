"""Times that have not come yet: a function's clock was ahead, or an item was edited."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from monitor_stage import Stage, batch
from posture.evaluation.changes import BatchResult
from posture.lifecycle.diff import NOT_YET
from posture.model.finding import Finding
from posture.model.instant import format_iso
from posture.store.findings import Findings
from posture.store.history import History
from posture_cli.audit.chain_walk import ChainFault
from posture_cli.audit.finding_filter import FindingFilter, find_past_findings
from posture_cli.audit.verify import Verifier
from stack_tables import TABLES

SKEWS = {
    "1 s": timedelta(seconds=1),
    "1 min": timedelta(minutes=1),
    "3 min": timedelta(minutes=3),
    "1 h": timedelta(hours=1),
    "1 day": timedelta(days=1),
    "1 year": timedelta(days=365),
}
TOLERATED = {"1 s", "1 min"}


def fault(stage: Stage) -> ChainFault | None:
    """Verify the full VPC by the stage's clock."""
    verifier = Verifier(stage.dynamodb, TABLES, stage.clock)
    (result,) = verifier.verify_scopes(iter([stage.network.scope]))
    return result.fault


def by_id(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Return findings by their ids."""
    return {each.id: each for each in findings}


def edit_record(stage: Stage, path: str, at: datetime) -> None:
    """Set a time of the full VPC's scope record."""
    stage.dynamodb.update_item(
        TableName="findings",
        Key={"scope": {"S": str(stage.network.scope)}, "item": {"S": "#head"}},
        UpdateExpression=f"SET {path} = :at",
        ExpressionAttributeValues={":at": {"S": format_iso(at)}},
    )


def evaluate_ahead(stage: Stage, skew: timedelta) -> BatchResult:
    """Open the group, and evaluate the change with a clock that is ahead."""
    stage.open_group()
    evaluator = stage.evaluator(stage.observer(lambda: stage.clock() + skew))
    return evaluator.evaluate(batch(*stage.taken()))


@pytest.mark.parametrize("skew", SKEWS)
def test_a_clock_that_was_ahead_hides_no_change(stage: Stage, skew: str) -> None:
    """The next evaluation counts, or, after a difference as small as any, the second one."""
    stage.sweep()
    evaluate_ahead(stage, SKEWS[skew])
    assert stage.about(stage.network.group)
    assert (fault(stage) is None) == (skew in TOLERATED)
    stage.close_group()
    records = stage.taken()
    first = stage.evaluate(*records).count_metrics()
    assert first["FutureTimes"] == (skew not in TOLERATED)
    assert first["StaleEvaluations"] == (skew == "1 min")
    stage.clock.time += timedelta(minutes=5)
    second = stage.evaluate(*records).count_metrics()
    assert (second["FutureTimes"], second["StaleEvaluations"]) == (0, 0)
    assert not stage.about(stage.network.group)
    assert fault(stage) is None


def test_history_keeps_its_order_after_a_clock_was_ahead(stage: Stage) -> None:
    """A finding's last version counts at every later time, though the one before is dated later."""
    stage.sweep()
    evaluate_ahead(stage, SKEWS["1 day"])
    stage.close_group()
    stage.evaluate()
    findings = Findings(stage.dynamodb, TABLES.findings)
    history = History(stage.dynamodb, TABLES.history)
    stored = by_id(findings.find_by_scope(stage.network.scope))
    later = stage.clock() + SKEWS["1 year"]
    chosen = FindingFilter(scope=stage.network.scope)
    assert by_id(find_past_findings(history, findings.list_scopes(), chosen, later)) == stored
    evaluate_ahead(stage, timedelta())
    assert stage.about(stage.network.group)
    assert fault(stage) is None


@pytest.mark.parametrize("skew", [skew for skew in SKEWS if skew not in TOLERATED])
@pytest.mark.parametrize("path", ["observed_at", "dns.observed_at"])
def test_an_edited_time_is_found_and_repaired_by_a_change(
    stage: Stage, skew: str, path: str
) -> None:
    """`verify` names the scope record; the next change is evaluated, and all is intact."""
    stage.sweep()
    edit_record(stage, path, stage.clock() + SKEWS[skew])
    found = fault(stage)
    assert found is not None
    assert found.entry == "#head"
    assert "is in the future" in found.problem
    stage.open_group()
    assert stage.evaluate().count_metrics()["FutureTimes"] == 1
    assert stage.about(stage.network.group)
    assert fault(stage) is None


OTHERS = ["snapshot_at", "unsettled_at", "held_at", "first_observed_at"]


@pytest.mark.parametrize("path", ["observed_at", "dns.observed_at", "all", *OTHERS])
def test_an_edited_time_is_repaired_by_a_sweep(stage: Stage, path: str) -> None:
    """Even where nothing else changed; the next sweep finds all scopes unchanged."""
    stage.sweep()
    for each in ["observed_at", "dns.observed_at", *OTHERS] if path == "all" else [path]:
        edit_record(stage, each, stage.clock() + SKEWS["1 year"])
    metrics = stage.sweep().count_metrics()
    assert (metrics["FutureTimes"], metrics["StaleEvaluations"]) == (1, 0)
    assert fault(stage) is None
    metrics = stage.sweep().count_metrics()
    assert (metrics["FutureTimes"], metrics["ScopesUnchanged"]) == (0, metrics["ScopesSwept"])


def test_a_deleted_vpc_with_a_future_time_is_resolved(stage: Stage) -> None:
    """The end of a VPC is an evaluation, too."""
    stage.sweep()
    evaluate_ahead(stage, SKEWS["1 year"])
    stage.blind()
    result: Any = stage.sweep().count_metrics()
    assert result["FutureTimes"] == 1
    assert stage.findings() == []


@pytest.mark.parametrize("name", ["opened_at", "updated_at"])
@pytest.mark.parametrize("skew", ["1 h", "1 year"])
def test_an_edited_time_of_a_finding_is_repaired(stage: Stage, skew: str, name: str) -> None:
    """It is counted, and recorded as a change with its reason, so that history agrees again."""
    stage.sweep()
    (item, *_) = [
        dict(each)
        for each in stage.dynamodb.scan(TableName="findings")["Items"]
        if each["kind"] == {"S": "finding"} and each["scope"] == {"S": str(stage.network.scope)}
    ]
    later = format_iso(stage.clock() + SKEWS[skew])
    stage.dynamodb.put_item(TableName="findings", Item={**item, name: {"S": later}})
    assert fault(stage) is not None
    stage.open_group()
    result = stage.evaluate()
    assert result.count_metrics()["FutureTimes"] == 1
    (repaired,) = [it for each in result.results for it in each.transitions if it.reason]
    assert (repaired.finding.id, repaired.reason) == (item["id"]["S"], NOT_YET)
    assert fault(stage) is None
    stage.close_group()
    assert stage.evaluate().count_metrics()["FutureTimes"] == 0
