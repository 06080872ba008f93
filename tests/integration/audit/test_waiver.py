"""Waivers: the commands, the table, its history, and the alerts that are not sent."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import Result

from audit_stage import posture, rows
from finding_builders import SCOPE, at, verdict
from notify_stage import Stage, emulated
from posture.baseline.document import BaselineDocument
from posture.errors import ConflictError, CorruptItemError, WaiverError
from posture.lifecycle.diff import find_transitions
from posture.lifecycle.waiving import Waivers
from posture.model.baseline import Baseline
from posture.model.finding import FindingStatus
from posture.model.waiver import Waiver
from posture.rules.rule_catalogue import RULES_BY_ID
from posture.store.baselines import BaselineTable
from posture.store.items import parse_stream_record
from posture.store.scope_evaluation import Evaluation
from posture.store.scope_store import Store
from posture.store.waivers import PARTITION, WaiverTable
from posture_cli.audit.verify import Verifier
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ALICE = "arn:aws:iam::111122223333:user/alice"
BOB = "arn:aws:iam::111122223333:user/bob"
RULE = next(iter(RULES_BY_ID))
WANTED = {"--rule": RULE, "--reason": "follows in December", "--ticket": "SEC-1"}
GIVEN = tuple(chain.from_iterable(WANTED.items()))
HELD = Waiver(
    "w-1", "route-missing", "*", str(SCOPE), "for now", "SEC-1", ALICE, at(0), at(60), ALICE, at(0)
)


@pytest.fixture
def table(dynamodb: "DynamoDBClient") -> WaiverTable:
    """Return the waivers' table, empty."""
    return WaiverTable(dynamodb, TABLES.baseline, TABLES.history)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Return every client a region and credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


def waiver(*arguments: str, by: str = ALICE) -> Result:
    """Run one of the waiver commands as a given caller."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("posture_cli.deployed.find_caller_arn", lambda _: by)
        tables = ["--baseline-table", TABLES.baseline]
        if arguments[0] != "list":
            tables += ["--history-table", TABLES.history]
        return posture("waiver", *arguments, *tables)


def listed(*arguments: str) -> list[dict[str, Any]]:
    """Return the waivers that are listed."""
    found: list[dict[str, Any]] = json.loads(waiver("list", *arguments, "-o", "json").stdout)
    return found


def test_a_waiver_is_added_listed_and_revoked(
    table: WaiverTable, dynamodb: "DynamoDBClient"
) -> None:
    """Each step is a row of history, chained, with who took it."""
    assert waiver("add", *GIVEN, "--resource", "vpce-0a", "--expires", _soon()).exit_code == 0
    [found] = listed()
    assert (found["state"], found["rule"], found["resource"]) == ("in force", RULE, "vpce-0a")
    assert waiver("revoke", found["id"], by=BOB).exit_code == 0
    assert listed() == []
    [over] = listed("--all")
    assert (over["state"], over["revoked_by"]) == ("revoked", BOB)
    steps = [(row["step"]["S"], row["by"]["S"]) for row in rows(dynamodb, "history", PARTITION)]
    assert steps == [("requested", ALICE), ("revoked", BOB)]
    proof = Verifier(dynamodb, TABLES).verify_waivers(None)
    assert (proof.fault, proof.chain) == (None, table.load_chain())


def test_somebody_else_must_approve(dynamodb: "DynamoDBClient") -> None:
    """If the baseline says so, a waiver waits for a second person."""
    demand(dynamodb, Baseline(waiver_approval=True))
    assert waiver("add", *GIVEN, "--resource", "vpce-0a", "--expires", _soon()).exit_code == 0
    [found] = listed()
    assert found["state"] == "requested"
    assert "another person must approve" in str(waiver("approve", found["id"]).exception)
    assert waiver("approve", found["id"], by=BOB).exit_code == 0
    assert [(each["state"], each["approved_by"]) for each in listed()] == [("in force", BOB)]
    assert "nothing to approve" in str(waiver("approve", found["id"], by=BOB).exception)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"--resource": "x", "--expires": "2020-01-01"}, "a time in the future"),
        ({"--resource": "x", "--expires": "2999-01-01"}, "at most 90 days"),
        ({"--resource": "x", "--expires": "soon"}, "expected a day"),
        ({"--resource": "x"}, "--expires"),
        ({"--expires": "SOON"}, "everywhere is refused"),
        ({"--resource": "*", "--scope": "*/*", "--expires": "SOON"}, "everywhere is refused"),
        ({"--resource": "x", "--expires": "SOON", "--ticket": " "}, "must not be empty"),
        ({"--resource": "x", "--expires": "SOON", "--rule": "nothing"}, "no rule 'nothing'"),
    ],
)
@pytest.mark.usefixtures("dynamodb")
def test_mistakes_are_refused(options: dict[str, str], expected: str) -> None:
    """And nothing is written."""
    given = chain.from_iterable((WANTED | options).items())
    result = waiver("add", *(_soon() if it == "SOON" else it for it in given))
    assert result.exit_code != 0
    assert expected in result.stderr + str(result.exception)
    assert listed("--all") == []


@pytest.mark.usefixtures("dynamodb")
def test_a_former_rule_id_is_replaced_by_the_current_one() -> None:
    """The waiver is written with the new id, which is printed."""
    options = WANTED | {"--rule": "nat-cost-avoidable", "--resource": "x", "--expires": _soon()}
    result = waiver("add", *chain.from_iterable(options.items()))
    assert "rule nat-cost-avoidable is now called nat-gateway-charges-avoidable" in result.stderr
    assert [each["rule"] for each in listed()] == ["nat-gateway-charges-avoidable"]


@pytest.mark.usefixtures("dynamodb")
def test_an_unknown_waiver_is_a_sentence() -> None:
    """There is none of that id."""
    assert "there is no waiver w-0" in str(waiver("revoke", "w-0").exception)


def test_two_steps_at_once(table: WaiverTable) -> None:
    """Of two people who change a waiver, the second one is refused."""
    table.add(replace(HELD, approved_by="", approved_at=None))
    stale = table.get("w-1")
    table.approve(stale, BOB, at(1))
    with pytest.raises(ConflictError, match="w-1"):
        table.revoke(stale, BOB, at(2))
    with pytest.raises(WaiverError, match="w-2"):
        table.get("w-2")


def test_a_waiver_that_cannot_be_read_stops_evaluations(
    table: WaiverTable, dynamodb: "DynamoDBClient"
) -> None:
    """Guessing what was accepted would be worse."""
    table.add(HELD)
    dynamodb.update_item(
        TableName=TABLES.baseline,
        Key={"kind": {"S": "waiver"}, "name": {"S": "w-1"}},
        UpdateExpression="REMOVE expires_at",
    )
    with pytest.raises(CorruptItemError, match="w-1"):
        BaselineTable(dynamodb, TABLES.baseline).load()


def test_the_monitor_reads_waivers_with_the_baseline(
    table: WaiverTable, dynamodb: "DynamoDBClient"
) -> None:
    """Just as they were written, and in every form of life."""
    table.add(HELD)
    document = BaselineTable(dynamodb, TABLES.baseline).load()
    assert document == BaselineDocument(waivers=(HELD,))


def test_a_waived_finding_is_not_reported() -> None:
    """Other findings of the commit are; after the waiver expires, it is reported again."""
    with emulated() as stage:
        excused = verdict()
        watched = verdict(resource="vpce-0a", rule="no-policy")
        _look(stage, 1, [excused])
        assert stage.notify(stage.records()) == {"batchItemFailures": []}
        assert stage.inbox() == []
        _look(stage, 2, [excused, watched])
        stage.notify(stage.records())
        [message] = stage.inbox()
        assert [each["resource"] for each in _findings_of(message)] == ["vpce-0a"]
        _look(stage, 61, [excused, watched])
        stage.notify(stage.records())
        [message] = stage.inbox()
        [found] = _findings_of(message)
        assert (found["step"], found["reason"]) == ("opened", "waiver w-1 has expired")


def test_a_stream_record_of_a_waived_finding_announces_nothing() -> None:
    """Nothing is read, and nothing claimed, for it."""
    image = {"kind": {"S": "finding"}, "commit": {"S": "c#1"}, "scope": {"S": str(SCOPE)}}
    for status in FindingStatus:
        record = {"dynamodb": {"NewImage": {**image, "status": {"S": status.value}}}}
        assert (parse_stream_record(record) is None) is (status is FindingStatus.WAIVED)


def _look(stage: Stage, minute: float, verdicts: list[Any]) -> None:
    holding = Waivers(SCOPE, at(minute), (HELD,))
    Store(stage.dynamodb, TABLES).record(
        Evaluation(SCOPE, at(minute)),
        lambda state: find_transitions(
            SCOPE, state.findings, verdicts, observed_at=at(minute), waivers=holding
        ),
    )


def _findings_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(message["Message"])["findings"]
    return found


def _soon() -> str:
    return f"{datetime.now(UTC) + timedelta(days=5):%Y-%m-%d}"


def demand(client: "DynamoDBClient", baseline: Baseline) -> None:
    """Apply a baseline."""
    BaselineTable(client, TABLES.baseline).apply(
        BaselineDocument(baseline), after=0, applied_at=at(0), applied_by=ALICE
    )
