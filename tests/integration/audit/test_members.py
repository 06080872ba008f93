"""The commands about members: what they write, list and refuse."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import Result

from audit_stage import posture
from posture.model.member import Member, MemberSource, MemberState
from posture.store.members import MemberTable
from posture_cli.failure import CommandError
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ONE, OTHER, THIRD = "111111111111", "222222222222", "333333333333"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def build_clock() -> type[datetime]:
    """Build a clock that advances by a second at each reading."""
    seconds = count()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return (NOW + timedelta(seconds=next(seconds))).astimezone(tz)

    return Clock


@pytest.fixture
def table(dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> MemberTable:
    """Return the table, empty; every client has a region and credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr("posture_cli.commands.members.datetime", build_clock())
    return MemberTable(dynamodb, TABLES.baseline)


def members(*arguments: str) -> Result:
    """Run one of the commands."""
    return posture("members", *arguments, "--baseline-table", TABLES.baseline)


def listed(*arguments: str) -> list[dict[str, Any]]:
    """Return the members that are listed."""
    found: list[dict[str, Any]] = json.loads(members("list", *arguments, "-o", "json").stdout)
    return found


def read(table: MemberTable, account: str) -> Member:
    """Return a member as it is stored."""
    stored = table.get(account)
    assert stored
    return stored


def test_a_person_adds_removes_and_releases_a_member(table: MemberTable) -> None:
    """What a person wrote is the person's, until it is released."""
    assert members("add", ONE, OTHER).exit_code == 0
    added = read(table, ONE)
    assert (added.state, added.source) == (MemberState.ACTIVE, MemberSource.PERSON)
    assert added.is_due(added.since)
    assert added.since == added.last_seen
    assert members("remove", ONE).exit_code == 0
    removed = read(table, ONE)
    assert (removed.state, removed.since) == (MemberState.LEFT, added.since)
    assert [each["account"] for each in listed()] == [OTHER]
    assert [each["account"] for each in listed("--all")] == [OTHER, ONE]
    assert members("release", ONE).exit_code == 0
    assert read(table, ONE).source is MemberSource.ORGANIZATION
    assert read(table, ONE).state is MemberState.LEFT
    assert members("add", ONE).exit_code == 0
    assert read(table, ONE).since > added.since  # it is a member anew


def test_a_list_names_ages_and_errors(table: MemberTable) -> None:
    """Those first that were swept longest ago; for pipes with exact times."""
    for account in (ONE, OTHER, THIRD):
        table.put(account, MemberState.ACTIVE, MemberSource.ORGANIZATION, NOW - timedelta(days=9))
    table.complete(read(table, ONE), NOW - timedelta(hours=3, minutes=5))
    table.complete(read(table, OTHER), NOW - timedelta(hours=30))
    table.give_up(read(table, OTHER), NOW, "AccessDenied: sts:AssumeRole \x1b[2J")
    shown = members("list").stdout
    assert shown.index(THIRD) < shown.index(OTHER) < shown.index(ONE)
    assert "never" in shown
    assert "1 d 6 h ago" in shown
    assert "3 h 5 min ago" in shown
    assert "AccessDenied" in shown
    assert "\x1b[2J" not in shown
    rows = list(csv.DictReader(io.StringIO(members("list", "-o", "csv").stdout)))
    assert [each["account"] for each in rows] == [THIRD, OTHER, ONE]
    assert float(rows[1]["age_seconds"]) >= 30 * 3_600
    assert rows[0]["swept_at"] == ""
    assert [each["due"] for each in rows] == ["yes", "no", "no"]


def test_no_member_is_released_where_no_list_decides(
    table: MemberTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With MembersFrom=table it would have no effect, and a person would wait for it."""
    table.put(ONE, MemberState.LEFT, MemberSource.PERSON, NOW, "arn:aws:iam::1:user/alice")
    outputs = {"BaselineTableName": TABLES.baseline, "SweepMemberFunctionName": "sweep"}
    monkeypatch.setattr("posture_cli.deployed._read_outputs", lambda *_: outputs)
    refused = posture("members", "release", ONE)
    assert isinstance(refused.exception, CommandError)
    expected = "without MembersFrom=organization no list decides who is a member"
    assert expected in str(refused.exception)
    assert read(table, ONE).source is MemberSource.PERSON
    outputs["MembersStateMachineArn"] = "arn:aws:states:eu-west-1:1:stateMachine:members"
    assert posture("members", "release", ONE).exit_code == 0
    assert read(table, ONE).source is MemberSource.ORGANIZATION


def test_what_a_change_was_is_said_and_who_made_it_is_kept(table: MemberTable) -> None:
    """An auditor asks who took an account out; what the organization decides has no person."""
    said = [
        members(verb, ONE).stderr.strip().removeprefix(f"{ONE} is ")
        for verb in ("add", "add", "remove", "remove", "add")
    ]
    assert said == [
        "a member, for the first time",
        "a member, as before",
        "no longer a member",
        "no member, as before",
        "a member again",
    ]
    (record,) = listed()
    assert record["named_by"].startswith("arn:aws:")
    assert record["named_by"] == read(table, ONE).named_by
    members("release", ONE)
    assert listed()[0]["named_by"] == ""


@pytest.mark.parametrize(
    "given",
    [
        (f"{ONE},{OTHER}",),
        (f" {ONE} ", f"\t{OTHER}\n"),
        (f"{ONE}, {OTHER}", ONE),
        (f"{ONE} {OTHER}",),
    ],
)
def test_accounts_are_taken_as_files_hold_them(table: MemberTable, given: tuple[str, ...]) -> None:
    """Each once, with commas, spaces or both between them."""
    assert members("add", *given).exit_code == 0
    assert sorted(each.account for each in table.load().members) == [ONE, OTHER]


@pytest.mark.parametrize("verb", ["add", "remove"])
def test_the_account_of_the_monitor_is_no_member(table: MemberTable, verb: str) -> None:
    """It is watched all the same, which the command says instead of that it is removed."""
    result = members(verb, ONE, "123456789012")
    assert isinstance(result.exception, CommandError)
    assert "123456789012 is the account of the monitor" in str(result.exception)
    assert table.load().members == ()


@pytest.mark.parametrize(
    "wrong",
    [
        "123",
        "arn:aws:iam::111111111111:root",
        "1111-1111-1111",
        "",
        " ",
        ",",
        "\N{ARABIC-INDIC DIGIT ONE}" * 12,
    ],
)
def test_what_is_no_account_is_refused_and_nothing_written(table: MemberTable, wrong: str) -> None:
    """The message says what was expected; the right ones beside it are not written either."""
    result = members("add", ONE, wrong)
    assert result.exit_code == 2
    assert "expected 12-digit account IDs" in result.stderr
    assert table.load().members == ()


def test_an_account_that_never_was_a_member_cannot_be_removed(table: MemberTable) -> None:
    """A mistyped account is named with the nearest one, and nothing is written."""
    members("add", ONE, OTHER)
    result = members("remove", ONE, "222222222223")
    assert isinstance(result.exception, CommandError)
    assert "222222222223 is not in the table" in str(result.exception)
    assert f"did you mean {OTHER}" in str(result.exception)
    assert read(table, ONE).is_active


def test_an_item_that_cannot_be_read_is_named_beside_the_others(table: MemberTable) -> None:
    """The list is not complete, and the exit code says so."""
    members("add", ONE)
    table._client.put_item(
        TableName=TABLES.baseline,
        Item={"kind": {"S": "member"}, "name": {"S": OTHER}, "state": {"S": "gone"}},
    )
    result = members("list")
    assert result.exit_code == 2
    assert ONE in result.stdout
    assert f"member / {OTHER} cannot be read" in result.stderr


def test_an_empty_table_says_where_members_come_from(table: MemberTable) -> None:
    """With the parameter, the table is not read."""
    assert table.load().members == ()
    result = members("list")
    assert result.exit_code == 0
    assert "MemberAccounts" in result.stderr
