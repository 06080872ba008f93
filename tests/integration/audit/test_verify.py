"""Each way to alter what was recorded, and the row that reveals it."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from audit_stage import posture, record_evaluation, rows, set_chain_end
from finding_builders import OTHER, SCOPE, at, verdict
from posture.lifecycle.diff import find_transitions
from posture.model.finding import Transition
from posture.model.verdict import Severity, Status
from posture.runtime.encoded_item import EncodedItem
from posture.store.chain_ends import ChainEnd
from posture.store.hash_chain import Chain, append_to_chain, digest_row
from posture.store.scope_evaluation import Evaluation, ScopeState, WriteOutcome
from posture.store.scope_store import Store
from posture_cli.audit.chain_ends_file import parse_chain_ends
from posture_cli.audit.exported_ends import ExportedEnds
from posture_cli.audit.verify import VerificationResult, Verifier
from posture_cli.failure import CommandError
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Row = dict[str, Any]
MANY = [verdict(resource=f"subnet-{number:04}") for number in range(9)]


def prove(client: "DynamoDBClient", *exported: Chain) -> VerificationResult:
    """Prove the scope of the tests, against exported ends of its chain."""
    ends = ExportedEnds()
    for number, chain in enumerate(exported):
        ends.add_export(at(90 + number), complete=True)
        ends.add_end(ChainEnd(str(SCOPE), chain), at(90 + number))
    [proof] = Verifier(client, TABLES).verify_scopes(iter([SCOPE]), ends)
    return proof


def problem(client: "DynamoDBClient", *exported: Chain) -> tuple[str, str]:
    """Return the kind of the fault, and the entry it names."""
    fault = prove(client, *exported).fault
    assert fault is not None
    return fault.problem.partition(":")[0], fault.entry


def in_chain(client: "DynamoDBClient") -> list[Row]:
    """Return the rows in the order of their chain."""
    return sorted(rows(client, "history"), key=lambda row: int(row["number"]["N"]))


def put(client: "DynamoDBClient", row: Row) -> None:
    """Write a row, as an attacker with write access does."""
    client.put_item(TableName="history", Item=row)


def drop(client: "DynamoDBClient", row: Row) -> None:
    """Delete a row."""
    client.delete_item(TableName="history", Key={key: row[key] for key in ("scope", "entry")})


@pytest.fixture(autouse=True)
def _small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few findings take several transactions; how many fit is not the question here."""
    monkeypatch.setattr("posture.store.transactions.MAX_WRITES", 8)


@pytest.fixture
def life(store: Store) -> None:
    """A scope with several evaluations behind it, one of them of three transactions."""
    record_evaluation(store, 0, verdict())
    record_evaluation(store, 1, verdict(severity=Severity.LOW))
    record_evaluation(store, 2, *MANY)
    record_evaluation(store, 3, *MANY[:7])


@pytest.mark.usefixtures("life")
def test_what_was_only_added_to_is_intact(dynamodb: "DynamoDBClient") -> None:
    """Each row follows the one before it, over evaluations and transactions."""
    proof = prove(dynamodb)
    assert (proof.fault, proof.unchained) == (None, 0)
    chained = in_chain(dynamodb)
    assert proof.chain == Chain(len(chained), chained[-1]["digest"]["S"])
    assert [row["number"]["N"] for row in chained] == [str(n + 1) for n in range(len(chained))]
    assert chained[0]["previous"] == {"S": "first"}


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize("number", [0, 5, -1])
def test_an_altered_row_is_named(dynamodb: "DynamoDBClient", number: int) -> None:
    """Whatever is changed in it, a row no longer has the digest that it carries."""
    row = in_chain(dynamodb)[number]
    put(dynamodb, {**row, "severity": {"S": "informational"}})
    assert problem(dynamodb) == ("altered", row["entry"]["S"])


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize("number", [0, 5, -1])
def test_an_altered_row_with_a_new_digest_is_named(dynamodb: "DynamoDBClient", number: int) -> None:
    """A row whose digest was recomputed does not match the next row, or the scope record."""
    row = {**in_chain(dynamodb)[number], "severity": {"S": "informational"}}
    put(dynamodb, {**row, "digest": {"S": digest_row(row)}})
    assert problem(dynamodb) == ("altered", row["entry"]["S"])


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize(("number", "named"), [(0, 1), (5, 6), (-1, -2)])
def test_a_removed_row_is_noticed(dynamodb: "DynamoDBClient", number: int, named: int) -> None:
    """The row after it is named; of the last one, the row before it, by the head."""
    chained = in_chain(dynamodb)
    drop(dynamodb, chained[number])
    assert problem(dynamodb) == ("removed", chained[named]["entry"]["S"])


@pytest.mark.usefixtures("life")
def test_an_inserted_row_is_named(dynamodb: "DynamoDBClient") -> None:
    """A row can neither share another's number nor do without one."""
    row = in_chain(dynamodb)[1]
    later = row["entry"]["S"].replace("12:01", "12:09")
    forged = {**row, "entry": {"S": later}}
    put(dynamodb, {**forged, "digest": {"S": digest_row(forged)}})
    assert problem(dynamodb) == ("inserted", later)
    put(dynamodb, {name: value for name, value in forged.items() if name != "digest"})
    assert problem(dynamodb) == ("inserted", later)


@pytest.mark.usefixtures("life")
def test_a_row_added_at_the_end_is_noticed(dynamodb: "DynamoDBClient") -> None:
    """It fits the chain, but the head knows nothing of it."""
    last = in_chain(dynamodb)[-1]
    later = last["entry"]["S"].replace("12:03", "12:09")
    bare = {
        name: value for name, value in last.items() if name not in {"digest", "number", "previous"}
    }
    forged, _ = append_to_chain(EncodedItem({**bare, "entry": {"S": later}}), prove(dynamodb).chain)
    put(dynamodb, forged)
    assert problem(dynamodb) == ("inserted", later)


@pytest.mark.usefixtures("life")
def test_a_chain_written_anew_is_given_away_by_an_exported_head(
    dynamodb: "DynamoDBClient",
) -> None:
    """Who may write both tables can forge everything but what was exported before."""
    exported = prove(dynamodb).chain
    chain = Chain()
    for row in in_chain(dynamodb):
        bare = {name: row[name] for name in row if name not in {"digest", "number", "previous"}}
        forged, chain = append_to_chain(EncodedItem({**bare, "actor": {"S": "mallory"}}), chain)
        put(dynamodb, forged)
    set_chain_end(dynamodb, chain)
    assert prove(dynamodb).fault is None
    assert problem(dynamodb, exported) == ("altered", "")


@pytest.mark.usefixtures("life")
def test_a_shorter_chain_is_given_away_by_an_exported_head(dynamodb: "DynamoDBClient") -> None:
    """Rows taken from the end together with the head's word for them."""
    exported = prove(dynamodb).chain
    *kept, last = in_chain(dynamodb)
    drop(dynamodb, last)
    set_chain_end(dynamodb, Chain(len(kept), kept[-1]["digest"]["S"]))
    assert problem(dynamodb, exported) == ("removed", "")


@pytest.mark.usefixtures("life")
def test_a_longer_chain_still_holds_its_exported_head(
    dynamodb: "DynamoDBClient", store: Store
) -> None:
    """What was added since is no fault."""
    exported = prove(dynamodb).chain
    record_evaluation(store, 99)
    assert prove(dynamodb, exported).fault is None


@pytest.mark.usefixtures("life")
def test_findings_must_be_what_history_leads_to(dynamodb: "DynamoDBClient") -> None:
    """Altering, hiding or inventing a finding is noticed, though no row was touched."""
    [finding, *_] = [it for it in rows(dynamodb, "findings") if it["kind"] == {"S": "finding"}]
    table, key = "findings", {name: finding[name] for name in ("scope", "item")}
    named = finding["item"]["S"]
    dynamodb.put_item(TableName=table, Item={**finding, "status": {"S": "resolved"}})
    assert problem(dynamodb) == ("altered", named)
    dynamodb.delete_item(TableName=table, Key=key)
    assert problem(dynamodb) == ("removed", named)
    invented = {**finding, "item": {"S": "x#y"}, "rule": {"S": "x"}, "resource": {"S": "y"}}
    dynamodb.put_item(TableName=table, Item=finding)
    dynamodb.put_item(TableName=table, Item=invented)
    assert problem(dynamodb) == ("inserted", "x#y")


def unchain(client: "DynamoDBClient") -> None:
    """Make the tables as they were before there were chains."""
    for row in rows(client, "history"):
        bare = {n: v for n, v in row.items() if n not in {"digest", "number", "previous"}}
        put(client, {**bare, "schema": {"N": "1"}})
    client.update_item(
        TableName="findings",
        Key={"scope": {"S": str(SCOPE)}, "item": {"S": "#head"}},
        UpdateExpression="SET #schema = :first REMOVE chain_length, chain_tip",
        ExpressionAttributeNames={"#schema": "schema"},
        ExpressionAttributeValues={":first": {"N": "1"}},
    )


def test_rows_from_before_there_were_chains_are_run_verify(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """They are counted, not proven; the chain begins after them, and nothing may join them."""
    record_evaluation(store, 0, verdict(), verdict(resource="vpce-0a"))
    unchain(dynamodb)
    proof = prove(dynamodb)
    assert (proof.fault, proof.chain, proof.unchained) == (None, Chain(), 2)
    record_evaluation(store, 1, verdict())
    proof = prove(dynamodb)
    assert (proof.fault, proof.unchained, proof.chain.length) == (None, 2, 1)
    assert in_chain_of(dynamodb)[0]["previous"] == {"S": "unchained"}


def in_chain_of(client: "DynamoDBClient") -> list[Row]:
    """Return the rows that are chained."""
    return [row for row in rows(client, "history") if "digest" in row]


def test_a_scope_that_was_always_chained_has_no_other_rows(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """A row dated before the chain's first one was put there later."""
    record_evaluation(store, 5, verdict())
    [row] = rows(dynamodb, "history")
    earlier = row["entry"]["S"].replace("12:05", "12:01")
    old = {n: v for n, v in row.items() if n not in {"digest", "number", "previous"}}
    put(dynamodb, {**old, "entry": {"S": earlier}, "schema": {"N": "1"}})
    assert problem(dynamodb) == ("inserted", earlier)


def interleaved(store: Store, script: Sequence[tuple[float, int]]) -> None:
    """Let evaluations overlap: each is recorded while the one before it is comparing."""
    if not script:
        return
    (minute, count), *rest = script
    started = iter([None])

    def compare(state: ScopeState) -> tuple[Transition, ...]:
        if next(started, 1) is None:
            interleaved(store, rest)
        return find_transitions(SCOPE, state.findings, MANY[:count], observed_at=at(minute))

    store.record(Evaluation(SCOPE, at(minute)), compare)


@pytest.mark.parametrize("seed", range(8))
def test_overlapping_evaluations_make_one_chain(
    store: Store, dynamodb: "DynamoDBClient", seed: int
) -> None:
    """Whichever write wins, every row is stored exactly once and in its place."""
    dice = random.Random(seed)  # noqa: S311 - a test repeats what it did
    for start in range(0, 12, 4):
        times = [start + dice.random() * 4 for _ in range(3)]
        interleaved(store, [(minute, dice.choice([0, 3, 9])) for minute in times])
    assert prove(dynamodb).fault is None


def test_a_transaction_of_somebody_with_the_same_instant_is_not_ours(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """Of two evaluations of one microsecond one is stale, though their commits share a name."""
    real = dynamodb.transact_write_items
    other = verdict(resource="subnet-0b")

    def transact(**request: Any) -> Any:
        dynamodb.transact_write_items = real  # type: ignore[method-assign]
        record_evaluation(store, 0, other)
        return real(**request)

    dynamodb.transact_write_items = transact  # type: ignore[method-assign]
    assert record_evaluation(store, 0, verdict()).outcome is WriteOutcome.STALE
    assert prove(dynamodb).fault is None


# --- the command ----------------------------------------------------------------------------------


def run_verify(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit code and the result for each scope."""
    result = posture("verify", *arguments, "--output", "json")
    return result.exit_code, json.loads(result.stdout)


def test_the_verb_walks_every_scope(store: Store, dynamodb: "DynamoDBClient") -> None:
    """Those that are gone included; without a fault it ends with 0, with one it names the row."""
    record_evaluation(store, 0, verdict())
    record_evaluation(store, 0, verdict(), scope=OTHER)
    assert run_verify()[0] == 0
    [row] = rows(dynamodb, "history", OTHER)
    put(dynamodb, {**row, "resource": {"S": "subnet-0f"}})
    code, found = run_verify()
    assert code == 1
    assert {each["scope"]: (each["verdict"], each["entry"]) for each in found} == {
        str(SCOPE): ("intact", None),
        str(OTHER): ("altered", row["entry"]["S"]),
    }
    assert run_verify("--scope", str(SCOPE))[0] == 0


def read_chain_ends(file: Path) -> ExportedEnds:
    """Read the ends of the chains from an export."""
    ends = ExportedEnds()
    for each in parse_chain_ends(str(file), file.read_bytes()):
        ends.add(each)
    return ends


def test_heads_are_exported_and_asked_for(
    store: Store, dynamodb: "DynamoDBClient", tmp_path: Path
) -> None:
    """A scope whose every trace was removed is missed by the file that was kept elsewhere."""
    file = tmp_path / "heads.json"
    record_evaluation(store, 0, verdict(status=Status.FAIL))
    record_evaluation(store, 0, verdict(), scope=OTHER)
    assert run_verify("--heads", str(file))[0] == 0
    assert set(read_chain_ends(file).chains) == {str(SCOPE), str(OTHER)}
    for table in ("findings", "history"):
        key = "item" if table == "findings" else "entry"
        for row in rows(dynamodb, table, OTHER):
            dynamodb.delete_item(TableName=table, Key={n: row[n] for n in ("scope", key)})
    assert run_verify()[0] == 0
    code, found = run_verify("--against", str(file))
    assert code == 1
    assert [each["problem"] for each in found if each["scope"] == str(OTHER)] == [
        "removed: 0 rows are left of the 1 exported"
    ]


def test_no_heads_are_written_of_altered_chains(
    store: Store, dynamodb: "DynamoDBClient", tmp_path: Path
) -> None:
    """An export is something to rely on."""
    record_evaluation(store, 0, verdict())
    [row] = rows(dynamodb, "history")
    put(dynamodb, {**row, "summary": {"S": "nothing"}})
    file = tmp_path / "heads.json"
    assert run_verify("--heads", str(file))[0] == 1
    assert not file.exists()


FIRST = '{"version": 1, "exported_at": "2026-01-31T13:00:00.000000Z"'
HEADER = (
    '{"kind": "chain-ends", "version": 2, "table": "history", '
    '"exported_at": "2026-01-31T13:00:00.000000Z"}'
)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "expected JSON"),
        ("[]", "neither kind nor version is known"),
        ("", "expected an export"),
        ('{"version": 1}', "chains"),
        ('{"version": 1, "chains": []}', "exported_at: expected a time"),
        (f'{FIRST}, "chains": [{{"scope": "x"}}]}}', r"chains\[0\]\.scope"),
        (
            f'{FIRST}, "chains": [{{"scope": "111122223333/r/v", "length": "1"}}]}}',
            r"chains\[0\]\.length",
        ),
        (
            f'{FIRST}, "chains": [{{"scope": "111122223333/r/v", "length": 1}}]}}',
            r"chains\[0\]\.tip",
        ),
        (f"{HEADER}\n", "line 1: the last line"),
        ('{"kind": "chain-ends", "version": 3}\n{}', "line 1: version: expected 2, got 3"),
        ('{"kind": "chain-ends", "version": 2}\n{}', "line 1: table is not text"),
        (f'{HEADER}\n{{"scope": "x"}}\n{{}}', "line 2: scope 'x'"),
        (f'{HEADER}\n{{"scope": "waivers"}}\n{{}}', "line 2: length: expected a number"),
        (f'{HEADER}\n{{"scope": "waivers", "length": 1}}\n{{}}', "line 2: tip: expected a digest"),
        (f'{HEADER}\n{{"chains": 1, "rows": 0}}', "line 2: the last line: expected .*0"),
    ],
)
def test_a_wrong_heads_file_is_refused(text: str, named: str, tmp_path: Path) -> None:
    """The field is named."""
    file = tmp_path / "heads.json"
    file.write_text(text)
    with pytest.raises(CommandError, match=named):
        read_chain_ends(file)


@pytest.mark.usefixtures("life")
def test_reading_costs_are_run_verify() -> None:
    """In read units, as DynamoDB counts them."""
    result = posture("verify", "--verbose")
    assert "read units in" in result.stderr


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize("left", ["nothing", "findings", "an unlisted record"])
def test_a_scope_that_was_removed_is_found_by_its_history(
    dynamodb: "DynamoDBClient", left: str
) -> None:
    """Without an export: history names every scope, whatever the findings table still holds."""
    for item in rows(dynamodb, "findings"):
        if item["kind"] == {"S": "head"} if left == "findings" else left == "nothing":
            key = {name: item[name] for name in ("scope", "item")}
            dynamodb.delete_item(TableName="findings", Key=key)
    if left == "an unlisted record":
        dynamodb.update_item(
            TableName="findings",
            Key={"scope": {"S": str(SCOPE)}, "item": {"S": "#head"}},
            UpdateExpression="REMOVE listed",
        )
    code, found = run_verify()
    assert [each["scope"] for each in found if each["scope"] != "waivers"] == [str(SCOPE)]
    assert (found[0]["verdict"], code) == ("altered", 1)
    assert found[0]["entry"] == "#head"


@pytest.mark.usefixtures("life")
def test_an_alert_gives_a_shorter_chain_away(dynamodb: "DynamoDBClient", tmp_path: Path) -> None:
    """The last rows are removed and the scope record is fitted; a mailbox still has the end."""
    chained = in_chain(dynamodb)
    mailbox = tmp_path / "alerts.ndjson"
    alerts = [
        {"kind": "alert", "scope": str(SCOPE), "history": {"rows": number, "digest": digest}}
        for number, digest in enumerate((row["digest"]["S"] for row in chained), 1)
    ]
    digest_of_alerts = {"kind": "digest", "findings": []}
    lines = map(json.dumps, [*alerts[::3], digest_of_alerts, alerts[-1]])
    mailbox.write_text("\n".join(lines), encoding="utf-8")
    assert run_verify("--against", str(mailbox))[0] == 0
    for row in chained[-4:]:
        drop(dynamodb, row)
    set_chain_end(dynamodb, Chain(len(chained) - 4, chained[-5]["digest"]["S"]))
    kept = {row["id"]["S"]: row for row in chained[:-4]}
    for item in rows(dynamodb, "findings"):
        if item["kind"] == {"S": "finding"}:
            key = {name: item[name] for name in ("scope", "item")}
            dynamodb.delete_item(TableName="findings", Key=key)
    for row in kept.values():
        prefix = "~resolved#" if row["status"] == {"S": "resolved"} else ""
        name = f"{prefix}{row['rule']['S']}#{row['resource']['S']}"
        item = {**row, "item": {"S": name}, "kind": {"S": "finding"}}
        dynamodb.put_item(TableName="findings", Item=item)
    assert run_verify()[0] == 0
    code, found = run_verify("--against", str(mailbox))
    assert (code, found[0]["verdict"]) == (1, "altered")
    assert f"{len(chained) - 4} rows are left of the {len(chained)}" in found[0]["problem"]
