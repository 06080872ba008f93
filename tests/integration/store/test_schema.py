"""Items of other versions: older ones are upgraded in place, newer ones are refused by name."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from audit_stage import rows
from finding_builders import SCOPE, at, change, find_caused_transitions, opened, verdict
from former_version import rewrite_as_former_version, scan
from posture.errors import CorruptItemError
from posture.model.verdict import Remediation
from posture.store import schema
from posture.store.history import History
from posture.store.schema import upgrade
from posture.store.scope_evaluation import Evaluation, WriteOutcome
from posture.store.scope_store import Store

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FINDING = {"scope": {"S": str(SCOPE)}, "item": {"S": "route-missing#subnet-0a"}}
RESOLVED_FINDING = FINDING | {"item": {"S": "~resolved#route-missing#subnet-0a"}}
HEAD = {"scope": {"S": str(SCOPE)}, "item": {"S": "#head"}}


def evaluate(store: Store, minute: float, *verdicts: Any, worded: bool = False) -> WriteOutcome:
    """Record an evaluation so many minutes after noon.

    With `worded`, findings that a former version worded are compared with its verdicts.
    """
    cause = change("e-1", "rtb-0a")
    return store.record(
        Evaluation(SCOPE, at(minute), verdicts=verdicts if worded else ()),
        lambda state: find_caused_transitions(
            SCOPE, state.findings, verdicts, observed_at=at(minute), changes=[cause]
        ),
    ).outcome


def item(client: "DynamoDBClient", key: Any) -> dict[str, Any]:
    """Return what is stored under a key."""
    return dict(client.get_item(TableName="findings", Key=key)["Item"])


def put(client: "DynamoDBClient", changed: Mapping[str, Any]) -> None:
    """Store an item as another version would have."""
    client.put_item(TableName="findings", Item=dict(changed))


def as_first_version(client: "DynamoDBClient") -> None:
    """Make the scope's items those of schema 1."""
    finding, head = item(client, FINDING), item(client, HEAD)
    del finding["cause"]["M"]["kind"]
    added = {"schema", "actor", "opened_by"}
    put(client, {name: value for name, value in finding.items() if name not in added})
    kept = {name: value for name, value in head.items() if not name.startswith("chain")}
    put(client, {**kept, "schema": {"N": "1"}})


def test_an_older_scope_is_read_and_its_next_write_is_of_today(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """The finding goes on where it was, and the chain of its history begins."""
    evaluate(store, 0, verdict())
    as_first_version(dynamodb)
    state = store.load(SCOPE)
    assert state.record is not None
    assert (state.record.chain.length, state.record.chain.tip) == (0, "unchained")
    assert evaluate(store, 1) is WriteOutcome.COMMITTED
    finding, head = item(dynamodb, RESOLVED_FINDING), item(dynamodb, HEAD)
    assert (finding["status"], finding["version"]) == ({"S": "resolved"}, {"N": "2"})
    assert finding["schema"] == head["schema"] == {"N": str(schema.SCHEMA)}
    assert finding["actor"] == {"S": "arn:aws:iam::111122223333:user/alice"}
    assert head["chain_length"] == {"N": "1"}


def test_an_evaluation_that_finds_nothing_new_rewrites_older_items(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """The finding keeps its version and its commit, because no transition happened."""
    evaluate(store, 0, verdict())
    as_first_version(dynamodb)
    before = item(dynamodb, FINDING)
    assert evaluate(store, 1, verdict()) is WriteOutcome.UNCHANGED
    assert item(dynamodb, HEAD)["schema"] == {"N": str(schema.SCHEMA)}
    after = item(dynamodb, FINDING)
    added = {name: value for name, value in after.items() if before.get(name) != value}
    assert added == {
        "schema": {"N": str(schema.SCHEMA)},
        "actor": {"S": "arn:aws:iam::111122223333:user/alice"},
        "cause": after["cause"],
        "opened_by": {"M": {"cause": after["cause"]}},
        "carried_from": {"S": "route-missing#subnet-0a"},
    }
    assert before.keys() <= after.keys()
    assert after["cause"]["M"] == {**before["cause"]["M"], "kind": {"S": "call"}}


@pytest.mark.parametrize(
    ("fields", "opened", "resolved"),
    [
        ({"status": "open"}, "CreateRoute", None),
        ({"status": "open", "updated_at": "later"}, None, None),
        ({"status": "resolved", "updated_at": "later"}, None, "CreateRoute"),
        ({"status": "waived", "cause": {"event_name": "ApproveWaiver"}}, None, None),
        ({"status": "open", "cause": None}, None, None),
    ],
    ids=["opened", "changed since", "resolved", "waived at once", "of unknown cause"],
)
def test_a_former_cause_is_that_of_the_opening_or_of_the_resolution(
    fields: dict[str, Any], opened: str | None, resolved: str | None
) -> None:
    """Schema 3 has one cause, that of the latest transition; more is not derived from it."""
    former = {"opened_at": "now", "updated_at": "now", "cause": {"event_name": "CreateRoute"}}
    item = {name: value for name, value in (former | fields).items() if value}
    read = upgrade({"kind": "transition", "schema": 3, **item})
    assert read["opened_by"].get("cause", {}).get("event_name") == opened
    assert read.get("resolved_by", {}).get("cause", {}).get("event_name") == resolved


def test_what_was_verified_is_stored_and_read_and_missing_in_former_items(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """An item of a former version has a command of which nothing was shown."""
    remedy = Remediation("Do it.", "aws ec2 delete-route", "resolves this; opens nothing")
    evaluate(store, 0, replace(verdict(), remediation=remedy))
    (finding,) = store.load(SCOPE).findings.values()
    assert finding.verdict.remediation == remedy
    former = item(dynamodb, FINDING)
    del former["remediation"]["M"]["verified"]
    put(dynamodb, former)
    (finding,) = store.load(SCOPE).findings.values()
    assert finding.verdict.remediation == replace(remedy, verified="")


def test_a_finding_that_a_former_version_worded_in_another_way_does_not_change(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """An upgrade that words its verdicts in another way raises no alert; later changes do."""
    evaluate(store, 0, verdict())
    former = item(dynamodb, FINDING)
    del former["wording"]
    put(dynamodb, former)
    reworded = verdict(summary="In other words.", evidence=["Another fact."])
    assert evaluate(store, 1, reworded, worded=True) is WriteOutcome.UNCHANGED
    assert item(dynamodb, FINDING)["version"] == former["version"]
    assert evaluate(store, 2, reworded) is WriteOutcome.UNCHANGED
    assert evaluate(store, 3, verdict(summary="Something else.")) is WriteOutcome.COMMITTED


@pytest.mark.parametrize("resolved", [False, True])
def test_many_older_items_are_rewritten_in_several_transactions(
    store: Store, dynamodb: "DynamoDBClient", *, resolved: bool
) -> None:
    """50 findings of a renamed rule: three transactions, and none stays under its former key."""
    rule = "gateway-service-bypasses-endpoint"
    many = [verdict(rule, f"subnet-{number:04}") for number in range(50)]
    evaluate(store, 0, *many)
    if resolved:
        evaluate(store, 1)
    rewrite_as_former_version(dynamodb)
    calls: list[str] = []
    dynamodb.meta.events.register(
        "provide-client-params.dynamodb.*", lambda model, **_: calls.append(model.name)
    )
    bad = () if resolved else many
    assert evaluate(store, 2, *bad) is (
        WriteOutcome.UNCHANGED if resolved else WriteOutcome.COMMITTED  # by other words
    )
    assert calls.count("TransactWriteItems") == (3 if resolved else 5)
    keys = {each["item"]["S"] for each in scan(dynamodb, "findings")} - {"#head"}
    prefix = "~resolved#" if resolved else ""
    assert keys == {f"{prefix}{rule}#subnet-{number:04}" for number in range(50)}


@pytest.mark.parametrize(
    ("number", "complaint"),
    [
        ({"N": "5"}, "schema 5 is newer than 4"),
        ({"N": "0"}, "schema 0 does not exist"),
        ({"S": "two"}, "schema is not an integer"),
    ],
)
@pytest.mark.parametrize("key", [FINDING, HEAD], ids=["finding", "head"])
def test_what_is_of_a_newer_version_or_of_none_is_refused_by_name(
    store: Store, dynamodb: "DynamoDBClient", key: Any, number: Any, complaint: str
) -> None:
    """Nothing is guessed, and the item is not overwritten."""
    evaluate(store, 0, verdict())
    newer = {**item(dynamodb, key), "schema": number}
    put(dynamodb, newer)
    with pytest.raises(CorruptItemError) as refused:
        evaluate(store, 1)
    assert complaint in str(refused.value)
    assert str(SCOPE) in str(refused.value)
    assert item(dynamodb, key) == newer


def test_rows_of_another_version_are_read_or_refused_alike(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """History is never written again, so its rows keep the form they had."""
    evaluate(store, 0, verdict())
    (row,) = rows(dynamodb, "history")
    dynamodb.put_item(TableName="history", Item={**row, "schema": {"N": "1"}})
    history = History(dynamodb, "history")
    (entry,) = history.find_by_scope(SCOPE)
    (step,) = opened(verdict(), changes=[change("e-1", "rtb-0a")])
    assert entry.transition == step
    dynamodb.put_item(TableName="history", Item={**row, "schema": {"N": "9"}})
    with pytest.raises(CorruptItemError, match="schema 9 is newer"):
        list(history.find_by_scope(SCOPE))


def test_an_item_climbs_every_step_up_to_today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each version needs to know the one before it only."""
    monkeypatch.setattr(schema, "SCHEMA", 4)
    monkeypatch.setitem(schema.STEPS, (2, "finding"), lambda it: {**it, "trail": ["to 3"]})
    monkeypatch.setitem(
        schema.STEPS, (3, "finding"), lambda it: {**it, "trail": [*it["trail"], "to 4"]}
    )
    cause = {"actor": "alice"}
    assert upgrade({"kind": "finding", "wording": schema.WORDING, "cause": cause}) == {
        "kind": "finding",
        "wording": schema.WORDING,
        "cause": cause,
        "actor": "alice",
        "trail": ["to 3", "to 4"],
        "schema": 4,
    }
    assert upgrade({"kind": "waiver", "schema": 2}) == {"kind": "waiver", "schema": 4}


def test_every_step_leads_from_a_version_there_was() -> None:
    """None is registered for a version that is not written yet."""
    assert {version for version, _ in schema.STEPS} <= set(range(1, schema.SCHEMA))
