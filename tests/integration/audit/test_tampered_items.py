"""Items of the findings and baseline tables that no evaluation or person wrote as they are."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from audit_stage import record_evaluation, rows
from finding_builders import OTHER, SCOPE, at, verdict
from posture.baseline.document import BaselineDocument
from posture.model.waiver import Waiver
from posture.store.baselines import BaselineTable
from posture.store.waivers import PARTITION, WaiverTable
from posture_cli.audit.chain_walk import ChainFault
from posture_cli.audit.verify import Verifier
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from posture.store.scope_store import Store

Item = dict[str, Any]
OPEN, OTHERS = "route-missing#subnet-0a", "route-missing#subnet-0b"
RESOLVED = "route-missing#vpc-0a"
ALICE, BOB = "arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:user/bob"
WAIVER = Waiver("w-1", "route-missing", "*", "*", "why", "", ALICE, at(1), at(9_000))


@pytest.fixture(autouse=True)
def _life(store: "Store") -> None:
    """A scope with two open findings and a resolved one."""
    kept = verdict(), verdict(resource="subnet-0b")
    record_evaluation(store, 0, *kept, verdict(resource="vpc-0a"))
    record_evaluation(store, 1, *kept)


def find_faults(client: "DynamoDBClient") -> dict[str, ChainFault]:
    """Return what `posture verify` finds wrong, by scope."""
    verifier = Verifier(client, TABLES, lambda: at(60))
    results = [*verifier.verify_all(), verifier.verify_waivers()]
    return {each.scope: each.fault for each in results if each.fault}


def find_item(client: "DynamoDBClient", key: str) -> Item:
    """Return an item of the scope."""
    return next(dict(it) for it in rows(client, "findings") if it["item"] == {"S": key})


def put(client: "DynamoDBClient", written: Item, /, **changed: Any) -> None:
    """Write an item, as someone with write access does."""
    client.put_item(TableName="findings", Item={**written, **changed})


def drop(client: "DynamoDBClient", item: Item, *names: str) -> None:
    """Write an item without some attributes."""
    put(client, {name: value for name, value in item.items() if name not in names})


def swap(client: "DynamoDBClient") -> None:
    """Store each of two findings under the key of the other."""
    one, two = find_item(client, OPEN), find_item(client, OTHERS)
    put(client, one, item=two["item"])
    put(client, two, item=one["item"])


def hide(client: "DynamoDBClient") -> None:
    """Move an open finding to where no evaluation reads it."""
    item = find_item(client, OPEN)
    client.delete_item(TableName="findings", Key={n: item[n] for n in ("scope", "item")})
    put(client, item, item={"S": f"~resolved#{OPEN}"})


HEAD = "#head"
TAMPERING: dict[str, tuple[Callable[["DynamoDBClient"], None], str, str]] = {
    "a record that expires": (
        lambda it: put(it, find_item(it, HEAD), expires_at={"N": "1800000000"}),
        HEAD,
        "it expires",
    ),
    "an open finding that expires": (
        lambda it: put(it, find_item(it, OPEN), expires_at={"N": "1800000000"}),
        OPEN,
        "it expires, though",
    ),
    "an unlisted record": (
        lambda it: drop(it, find_item(it, HEAD), "listed"),
        HEAD,
        "index of all scopes",
    ),
    "a record that seems gone": (
        lambda it: drop(it, find_item(it, HEAD), "head_of"),
        HEAD,
        "index of its Region",
    ),
    "other counts": (
        lambda it: put(
            it, find_item(it, HEAD), counts={"M": {}}, picture={"S": "x"}, picture_at=at_head(it)
        ),
        HEAD,
        "counts",
    ),
    "swapped findings": (swap, OPEN, "the item holds the finding route-missing#subnet-0b"),
    "a finding out of sight": (hide, f"~resolved#{OPEN}", "the item holds the finding"),
    "a copied finding": (
        lambda it: put(it, find_item(it, OPEN), item={"S": "zzz"}),
        "zzz",
        "under another key as well",
    ),
    "a copy of a resolved finding": (
        lambda it: put(it, find_item(it, f"~resolved#{RESOLVED}"), item={"S": "+"}),
        "+",
        "the item holds the finding",
    ),
}


def at_head(client: "DynamoDBClient") -> Any:
    """Return the time of the scope record."""
    return find_item(client, HEAD)["observed_at"]


@pytest.mark.parametrize("name", TAMPERING)
def test_what_history_does_not_prove_is_checked(dynamodb: "DynamoDBClient", name: str) -> None:
    """Where an item is stored, until when, and in which index; without an export."""
    assert find_faults(dynamodb) == {}
    tamper, entry, problem = TAMPERING[name]
    tamper(dynamodb)
    fault = find_faults(dynamodb)[str(SCOPE)]
    assert fault.entry == entry
    assert problem in fault.problem


@pytest.mark.parametrize("table", ["findings", "history"])
@pytest.mark.parametrize("scope", [str(OTHER), "no scope"])
def test_items_that_were_copied_to_another_key_are_found(
    dynamodb: "DynamoDBClient", table: str, scope: str
) -> None:
    """Of the findings or the history alone, to a scope that exists or to anything else."""
    for item in rows(dynamodb, table):
        if item["kind"] != {"S": "head"}:
            dynamodb.put_item(TableName=table, Item={**item, "scope": {"S": scope}})
    assert list(find_faults(dynamodb)) == [scope]


def test_a_time_of_the_record_that_has_not_come_is_named(dynamodb: "DynamoDBClient") -> None:
    """Whatever it says, a later evaluation would compare with it."""
    for name in ("first_observed_at", "snapshot_at", "unsettled_at", "held_at", "shared_at"):
        head = find_item(dynamodb, HEAD)
        put(dynamodb, head, **{name: {"S": "2036-01-01T00:00:00.000000Z"}})
        fault = find_faults(dynamodb)[str(SCOPE)]
        assert (fault.entry, "is in the future" in fault.problem) == (HEAD, True), name
        put(dynamodb, head)
    assert find_faults(dynamodb) == {}


def change_waiver(client: "DynamoDBClient", table: WaiverTable) -> None:
    """Make a waiver last longer."""
    longer = {"S": "2036-01-01T00:00:00.000000Z"}
    client.update_item(
        TableName=TABLES.baseline,
        Key={"kind": {"S": "waiver"}, "name": {"S": table.load()[0].id}},
        UpdateExpression="SET expires_at = :at",
        ExpressionAttributeValues={":at": longer},
    )


def remove_waiver(client: "DynamoDBClient", table: WaiverTable) -> None:
    """Remove a waiver without a trace."""
    key = {"kind": {"S": "waiver"}, "name": {"S": table.load()[0].id}}
    client.delete_item(TableName=TABLES.baseline, Key=key)


def copy_waiver(client: "DynamoDBClient", _: WaiverTable) -> None:
    """Add a waiver that was never requested."""
    key = {"kind": {"S": "waiver"}, "name": {"S": "w-1"}}
    item = client.get_item(TableName=TABLES.baseline, Key=key)["Item"]
    other = {**item, "name": {"S": "w-2"}, "waiver": {"S": "w-2"}}
    client.put_item(TableName=TABLES.baseline, Item=other)


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        (change_waiver, ChainFault("w-1", "altered: the waiver differs from its last history row")),
        (remove_waiver, ChainFault("w-1", "removed: the waiver is not in the baseline table")),
        (copy_waiver, ChainFault("w-2", "inserted: no history row has this waiver")),
    ],
)
def test_waivers_must_be_what_their_history_leads_to(
    dynamodb: "DynamoDBClient",
    tamper: Callable[["DynamoDBClient", WaiverTable], None],
    fault: ChainFault,
) -> None:
    """As findings must: a waiver hides findings."""
    table = WaiverTable(dynamodb, TABLES.baseline, TABLES.history)
    table.add(WAIVER)
    table.approve(table.get("w-1"), BOB, at(2))
    assert find_faults(dynamodb) == {}
    tamper(dynamodb, table)
    assert find_faults(dynamodb) == {PARTITION: fault}


def test_the_baseline_must_be_its_version(dynamodb: "DynamoDBClient") -> None:
    """An edited document is named, and so is a member account with a time in the future."""
    table = BaselineTable(dynamodb, TABLES.baseline)
    table.apply(BaselineDocument(), after=0, applied_at=at(0), applied_by=ALICE)
    assert find_faults(dynamodb) == {}
    later = (at(60) + timedelta(days=3_650)).isoformat()
    now = at(60).isoformat()
    member = {"kind": "member", "name": "444455556666", "state": "active", "source": "person"}
    times = {"since": now, "last_seen": now, "tried_at": later, "swept_at": later}
    item: Any = {name: {"S": value} for name, value in {**member, **times}.items()}
    dynamodb.put_item(TableName=TABLES.baseline, Item=item)
    assert "in the future" in find_faults(dynamodb)[PARTITION].problem
    dynamodb.update_item(
        TableName=TABLES.baseline,
        Key={"kind": {"S": "baseline"}, "name": {"S": "current"}},
        UpdateExpression="SET applied_by = :bob",
        ExpressionAttributeValues={":bob": {"S": BOB}},
    )
    assert "differs from version#000001" in find_faults(dynamodb)[PARTITION].problem
