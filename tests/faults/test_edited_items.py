"""However a stored item is edited, no batch crashes, and the reason is recorded."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from finding_builders import OTHER, SCOPE, verdict
from monitor_stage import Stage, batch, event
from notify_stage import Stage as NotifyStage
from notify_stage import emulated

GONE: Any = None  # the attribute is taken away
HARMS = {  # by table, the item's kind: an attribute and what it becomes
    "finding": [
        ("status", {"S": "eaten"}),
        ("status", GONE),
        ("version", {"S": "one"}),
        ("evidence", {"S": "gone"}),
        ("evidence", {"L": [{"S": "gone"}]}),
        ("opened_at", {"S": "yesterday"}),
        ("severity", {"N": "3"}),
        ("schema", {"N": "99"}),
        ("cause", {"S": "alice"}),
        ("verdict_digest", {"N": "7"}),
    ],
    "head": [
        ("revision", {"S": "three"}),
        ("observed_at", GONE),
        ("coverage", {"B": b"no gzip"}),
        ("counts", {"S": "many"}),
        ("dns", {"M": {}}),
        ("chain_tip", {"N": "1"}),
        ("schema", {"S": "new"}),
    ],
}
CASES = [(kind, attribute, value) for kind, harms in HARMS.items() for attribute, value in harms]


def at_last_try(*records: Any) -> dict[str, Any]:
    """Return a batch whose messages are at their last try."""
    handed = batch(*records)
    for each in handed["Records"]:
        each["attributes"] = {"ApproximateReceiveCount": "5"}
    return handed


def edited(stage: Stage, kind: str, attribute: str, value: Any) -> Callable[[], object]:
    """Edit the full VPC's item of a kind; return a function that restores it."""
    (item, *_) = [
        each
        for each in stage.dynamodb.scan(TableName="findings")["Items"]
        if each["kind"] == {"S": kind} and each["scope"] == {"S": str(stage.network.scope)}
    ]
    harmed = {**item, attribute: value}
    if value is GONE:
        del harmed[attribute]
    stage.dynamodb.put_item(TableName="findings", Item=harmed)
    return lambda: stage.dynamodb.put_item(TableName="findings", Item=item)


def of_both(stage: Stage) -> list[Any]:
    """Change both VPCs; return the records."""
    stage.open_group()
    stage.alice.modify_vpc_attribute(VpcId=stage.network.bare, EnableDnsSupport={"Value": True})
    return stage.taken()


@pytest.mark.parametrize(("kind", "attribute", "value"), CASES)
def test_a_finding_or_scope_record_stops_only_its_own_scope(
    stage: Stage, kind: str, attribute: str, value: Any
) -> None:
    """The change's reason names item and attribute; put right, the same message works."""
    stage.sweep()
    mend = edited(stage, kind, attribute, value)
    records = of_both(stage)
    evaluated = stage.evaluator().evaluate(at_last_try(*records))
    assert evaluated.failed == ("m-1",)
    assert [each.scope.subject for each in evaluated.results] == [stage.network.bare]
    reason = stage.refused()["m-1"]
    name = {"head": "scope record"}.get(kind, kind)
    assert f"CorruptItemError: {name} {stage.network.scope}" in reason
    mend()
    assert stage.evaluate(records[0]).failed == ()
    assert stage.about(stage.network.group)


@pytest.mark.parametrize("kind", ["finding", "head"])
def test_an_unknown_attribute_is_ignored(stage: Stage, kind: str) -> None:
    """An attribute added by hand has no effect."""
    stage.sweep()
    edited(stage, kind, "note", {"S": "ask Bob"})
    assert stage.evaluate(*of_both(stage)).failed == ()


def test_a_sweep_gets_past_a_finding_that_cannot_be_read(stage: Stage) -> None:
    """It names the scope and records all others; an unchanged scope is evaluated within a day."""
    stage.sweep()
    edited(stage, "finding", "status", {"S": "eaten"})
    assert stage.sweep().failed == {}
    stage.open_group()
    result = stage.sweep()
    assert list(result.failed) == [stage.network.scope]
    assert stage.network.bare in {each.scope.subject for each in result.results}


@pytest.mark.parametrize(("attribute", "value"), HARMS["head"])
def test_a_sweep_gets_past_a_scope_record_that_cannot_be_read(
    stage: Stage, attribute: str, value: Any
) -> None:
    """It names the scope and records all others; put right, nothing is left."""
    stage.sweep()
    mend = edited(stage, "head", attribute, value)
    stage.open_group()
    result = stage.sweep()
    assert list(result.failed) == [stage.network.scope]
    assert f"scope record {stage.network.scope}" in result.failed[stage.network.scope]
    assert stage.network.bare in {each.scope.subject for each in result.results}
    mend()
    assert stage.sweep().failed == {}
    assert stage.about(stage.network.group)


def test_a_sweep_names_a_scope_record_whose_key_is_no_scope(stage: Stage) -> None:
    """The region stands for it."""
    stage.sweep()
    (item, *_) = stage.dynamodb.scan(
        TableName="findings",
        FilterExpression="kind = :head",
        ExpressionAttributeValues={":head": {"S": "head"}},
    )["Items"]
    stage.dynamodb.put_item(TableName="findings", Item={**item, "scope": {"S": "nowhere"}})
    (reason,) = stage.sweep().failed.values()
    assert "nowhere" in reason


@pytest.mark.parametrize(
    "item",
    [
        {"kind": {"S": "baseline"}, "name": {"S": "current"}, "document": {"S": "later"}},
        {"kind": {"S": "baseline"}, "name": {"S": "current"}},
        {"kind": {"S": "waiver"}, "name": {"S": "w-1"}, "reason": {"S": "because"}},
        {"kind": {"S": "waiver"}, "name": {"S": "w-1"}, "schema": {"N": "99"}},
    ],
    ids=["document", "no document", "waiver", "newer waiver"],
)
def test_a_baseline_that_cannot_be_read_passes_nothing(stage: Stage, item: Any) -> None:
    """All changes wait, because all need it; each records the reason, and so does the sweep."""
    stage.dynamodb.put_item(TableName="baseline", Item=item)
    records = of_both(stage)
    with pytest.raises(Exception, match="cannot be read"):
        stage.evaluator().evaluate(at_last_try(*records))
    assert {"m-1", "m-2"} == stage.refused().keys()
    assert all("CorruptItemError" in why for why in stage.refused().values())
    with pytest.raises(Exception, match="cannot be read"):
        stage.sweep()
    stage.dynamodb.delete_item(
        TableName="baseline", Key={name: item[name] for name in ("kind", "name")}
    )
    assert stage.evaluate(*records).failed == ()


@pytest.mark.parametrize("scope", ["", "vpc-1", "1/2/3/4", "\u0000", "11/eu-west-1/vpc-1"])
def test_an_ownership_entry_holds_up_its_own_id_only(stage: Stage, scope: str) -> None:
    """The reason names the id; without the entry the change is placed by EC2."""
    key = {"resource": {"S": stage.network.group}, "scope": {"S": scope or " "}}
    stage.dynamodb.put_item(TableName="ownership", Item=key)
    records = of_both(stage)
    evaluated = stage.evaluator().evaluate(at_last_try(*records))
    assert evaluated.failed == ("m-1",)
    assert stage.network.group in stage.refused()["m-1"]
    stage.dynamodb.delete_item(TableName="ownership", Key=key)
    assert stage.evaluate(*records).failed == ()


def test_an_edited_reason_is_not_overwritten(stage: Stage) -> None:
    """The first one stays, whatever it is, and the message is refused all the same."""
    item = {"scope": {"S": "rejected"}, "entry": {"S": "m-1"}, "reason": {"N": "3"}}
    stage.dynamodb.put_item(TableName="history", Item=item)
    assert stage.evaluator().evaluate(batch("no JSON", event({}))).failed == ("m-1", "m-2")
    kept = stage.dynamodb.get_item(
        TableName="history", Key={"scope": item["scope"], "entry": item["entry"]}
    )
    assert kept["Item"] == item


@pytest.fixture
def notify_stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[NotifyStage]:
    """Return two scopes' findings that are not reported yet."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with emulated() as notify_stage:
        notify_stage.evaluate(0, verdict())
        notify_stage.evaluate(0, verdict(), scope=OTHER)
        yield notify_stage


@pytest.mark.parametrize("many", [5, 0], ids=["alone", "in digests"])
@pytest.mark.parametrize(
    ("attribute", "value"),
    [("step", {"S": "eaten"}), ("commit", {"N": "1"}), ("schema", {"N": "9"})],
)
def test_a_row_of_history_holds_up_its_own_alert_only(
    notify_stage: NotifyStage,
    many: int,
    attribute: str,
    value: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stream repeats that record; once corrected, it is reported."""
    monkeypatch.setattr("posture.notification.notify.MAX_SINGLE_ALERTS", many)
    (row,) = rows(notify_stage)
    notify_stage.dynamodb.put_item(TableName="history", Item={**row, attribute: value})
    records = notify_stage.records()
    answer = notify_stage.notify(records)
    assert len(answer["batchItemFailures"]) == 1
    assert reported_scopes(notify_stage) == {str(OTHER)}
    notify_stage.dynamodb.put_item(TableName="history", Item=row)
    assert notify_stage.notify(records)["batchItemFailures"] == []
    assert reported_scopes(notify_stage) == {str(SCOPE)}


def rows(notify_stage: NotifyStage) -> list[Any]:
    """Return the history of the first scope."""
    items = notify_stage.dynamodb.scan(TableName="history")["Items"]
    return [each for each in items if each["scope"] == {"S": str(SCOPE)}]


def reported_scopes(notify_stage: NotifyStage) -> set[str]:
    """Return the scopes that the inbox names."""
    bodies = [json.loads(message["Message"]) for message in notify_stage.inbox()]
    return {
        finding.get("scope", body.get("scope")) for body in bodies for finding in body["findings"]
    }


@pytest.mark.parametrize("many", [5, 0], ids=["alone", "in digests"])
def test_what_is_remembered_of_an_alert_holds_up_that_one_only(
    notify_stage: NotifyStage, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim with an unknown status permits no second alert; without it, the alert is sent."""
    monkeypatch.setattr("posture.notification.notify.MAX_SINGLE_ALERTS", many)
    records = notify_stage.records()
    notify_stage.notify(records)
    assert reported_scopes(notify_stage) == {str(SCOPE), str(OTHER)}
    (first, *_) = notify_stage.dynamodb.scan(TableName="idempotency")["Items"]
    notify_stage.dynamodb.put_item(
        TableName="idempotency", Item={**first, "status": {"S": "eaten"}}
    )
    assert len(notify_stage.notify(records)["batchItemFailures"]) == 1
    assert reported_scopes(notify_stage) == set()
    notify_stage.dynamodb.put_item(TableName="idempotency", Item=first)
    assert notify_stage.notify(records)["batchItemFailures"] == []
    assert reported_scopes(notify_stage) == set()
