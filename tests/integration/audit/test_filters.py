"""A filter that cannot match is an error that names the nearest; one that does not is no match."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from audit_stage import ALICE, TableWriter, format_time, posture, record_evaluation
from finding_builders import OTHER, SCOPE, at, verdict
from posture.model.scope import Scope
from posture.store.actors import ActorDirectory
from posture.store.scope_store import Store
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RULE = "endpoint-single-availability-zone"
BOB = "arn:aws:sts::111122223333:assumed-role/Deploy/bob"
DAN = "arn:aws:iam::111122223333:user/dan"
ABROAD = Scope("444455556666", "us-east-1", "vpc-0c")


@pytest.fixture(autouse=True)
def _life(dynamodb: "DynamoDBClient") -> None:
    """Opened by Alice and repaired by Bob; elsewhere something of another rule stays."""
    writer = TableWriter(dynamodb)
    writer.record(0, verdict(RULE, "vpce-0a"))
    writer.record(10, actor=BOB)
    writer.record(0, verdict("no-policy", "vpce-0b"), scope=OTHER)
    writer.record(0, scope=ABROAD)


IMPOSSIBLE = [
    ("--rule", "endpoint-single-avalability-zone", ["no rule", RULE]),
    ("--account", "111122223334", ["account '111122223334'", "111122223333"]),
    ("--account", "1111", ["account '1111'", "111122223333"]),
    ("--vpc", "vpc-0a1b2c3d4e5f60719", ["has never been seen", SCOPE.subject]),
    ("--scope", "111122223333/eu-west-1/vpc-0d", ["has never been seen", str(SCOPE)]),
    ("--in-region", "eu-wst-1", ["region 'eu-wst-1'", "eu-west-1"]),
    ("--actor", "alcie", ["'alcie' has never been seen", "alice"]),
    ("--actor", "arn:aws:iam::444455556677:user/alice", ["has never been seen", ALICE]),
    ("--actor", "not a name", ["is not an ARN, the name of a role"]),
    ("--since", "2999-01-01", ["expected a time in the past"]),
    ("--until", "2999-01-01", ["expected a time in the past"]),
    ("--until", "2020-01-01", ["history begins 2026-01-31"]),
]
ABSENT = {
    "findings": set[str](),
    "history": {"--rule", "--in-region"},
    "diff": {"--rule", "--in-region", "--since", "--until"},
}


@pytest.mark.parametrize(
    ("command", "option", "value", "expected"),
    [
        (command, *case)
        for command, absent in ABSENT.items()
        for case in IMPOSSIBLE
        if case[0] not in absent
    ],
)
def test_a_filter_that_cannot_match_is_refused(
    command: str, option: str, value: str, expected: Sequence[str]
) -> None:
    """It names what was given and the nearest that exists; nothing is written."""
    times = [format_time(at(1))] if command == "diff" else []
    arguments = [*times, option, value]
    result = posture(command, *arguments, "--output", "json")
    said = result.stderr + str(result.exception or "")
    assert result.exit_code != 0
    assert result.stdout == ""
    for each in expected:
        assert each in said.replace("\n", " "), said


@pytest.mark.parametrize("command", ["findings", "history"])
def test_a_period_that_ends_before_it_begins_is_refused(command: str) -> None:
    """With both times."""
    result = posture(command, "--since", "2026-02-02", "--until", "2026-02-01")
    assert result.exit_code == 2
    assert "--until (2026-02-01 23:59:59) is before --since" in result.stderr


@pytest.mark.parametrize(
    ("command", "arguments", "expected"),
    [
        ("findings", ["--rule", RULE], f"no match: no finding has rule {RULE}"),
        ("findings", ["--account", "444455556666"], "account 444455556666"),
        ("findings", ["--vpc", SCOPE.subject], f"VPC {SCOPE.subject}"),
        ("findings", ["--actor", "bob"], "actor bob"),
        ("findings", ["--resource", "rtb-0"], "resource rtb-0"),
        ("findings", ["--actor", "arn:aws:iam::111122223333:user/alcie"], ALICE),
        ("history", ["--actor", "Deploy", "--until", format_time(at(5))], "no change has actor"),
        ("history", ["--vpc", ABROAD.subject], "no change has VPC vpc-0c"),
        ("diff", [format_time(at(11)), "--actor", "bob"], "no difference has actor bob"),
        ("diff", [format_time(at(11))], "no match: no difference was found"),
    ],
)
def test_a_filter_that_does_not_match_says_so(
    command: str, arguments: list[str], expected: str
) -> None:
    """Plainly, with an empty list on standard output."""
    result = posture(command, *arguments, "--output", "json")
    assert (result.exit_code, result.stdout) == (0, "[]\n"), result.output
    assert "no match: " in result.stderr
    assert expected in result.stderr


@pytest.mark.parametrize(
    "actor", [BOB, "bob", "Deploy", "deploy/BOB", "arn:aws:iam::111122223333:role/x/Deploy"]
)
def test_an_actor_has_the_same_forms_everywhere(actor: str) -> None:
    """In every command that has the option."""
    for command in (
        ["findings", "--status", "resolved", "--as", "resolver"],
        ["history"],
        ["diff", format_time(at(1)), "--as", "resolver"],
    ):
        result = posture(*command, "--actor", actor, "--output", "ndjson")
        assert [RULE in line for line in result.stdout.splitlines()] == [True], result.output


def test_the_store_remembers_each_actor_once(store: Store, dynamodb: "DynamoDBClient") -> None:
    """Whether or not an earlier function did."""
    record_evaluation(store, 20, verdict(), scope=ABROAD, actor=DAN)
    record_evaluation(store, 21, scope=ABROAD, actor=ALICE)
    names = [it.name for it in ActorDirectory(dynamodb, TABLES.history).load()]
    assert sorted(names) == sorted([ALICE, BOB, DAN])
