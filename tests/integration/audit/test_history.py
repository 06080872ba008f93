"""What happened: to a scope, a resource, by an actor, in one finding's life, between two times."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from audit_stage import ALICE, TableWriter, format_time, posture
from finding_builders import OTHER, SCOPE, at, verdict
from posture.model.finding import finding_id
from posture.model.verdict import Severity

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BOB = "arn:aws:iam::111122223333:user/bob"
ID = finding_id(SCOPE, "route-missing", "subnet-0a")


@pytest.fixture(autouse=True)
def _life(dynamodb: "DynamoDBClient") -> None:
    """Opened by Alice, worsened by Bob, repaired by a sweep; elsewhere something stays."""

    def refuse(**_: Any) -> None:
        raise AssertionError("a table is scanned")

    dynamodb.meta.events.register("before-call.dynamodb.Scan", refuse)
    writer = TableWriter(dynamodb)
    writer.record(0, verdict(severity=Severity.LOW))
    writer.record(10, verdict(severity=Severity.HIGH), actor=BOB)
    writer.record(20, actor=None)
    writer.record(5, verdict(resource="vpce-0a"), scope=OTHER)


def steps(command: str, *arguments: str) -> list[tuple[str, str]]:
    """Return each row's step and resource."""
    result = posture(command, *arguments, "--output", "json")
    return [(each["step"], each["resource"]) for each in json.loads(result.stdout)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--scope", str(SCOPE)], ["opened", "changed", "resolved"]),
        (["--vpc", SCOPE.subject], ["opened", "changed", "resolved"]),
        (["--resource", "subnet-0a"], ["opened", "changed", "resolved"]),
        (["--resource", "vpce-0a"], ["opened"]),
        (["--actor", BOB], ["changed"]),
        (["--actor", ALICE], ["opened", "opened"]),
        (["--resource", "subnet-0a", "--since", format_time(at(5))], ["changed", "resolved"]),
        (["--resource", "subnet-0a", "--until", format_time(at(5))], ["opened"]),
        (["--resource", "subnet-0a", "--limit", "2"], ["opened", "changed"]),
        (["--resource", "nothing"], []),
    ],
)
def test_history_by_every_key(arguments: list[str], expected: list[str]) -> None:
    """Oldest first, and only what was asked for."""
    assert [step for step, _ in steps("history", *arguments)] == expected


def test_at_most_one_key_is_named() -> None:
    """Not two."""
    result = posture("history", "--vpc", SCOPE.subject, "--resource", "subnet-0a")
    assert result.exit_code == 2
    assert "give at most one of" in result.stderr


def test_a_finding_is_shown_whole() -> None:
    """What is wrong, the evidence, what to do, who did it, and every step."""
    result = posture("finding", ID)
    assert result.exit_code == 0
    for expected in (
        "RESOLVED",
        "subnet-0a reaches S3",
        "Route table rtb-0a",
        "modify-vpc-endpoint",
        "opened by   arn:aws:iam::111122223333:user/alice with DeleteRoute at 2026-01-31 11:59",
        "resolved by unknown",
        "opened    low      by arn:aws:iam::111122223333:user/alice with DeleteRoute at",
        "changed   high     by arn:aws:iam::111122223333:user/bob with DeleteRoute at",
        "(resource gone)",
    ):
        assert expected in result.stdout
    record = json.loads(posture("finding", ID, "-o", "json").stdout)
    assert [each["step"] for each in record["life"]] == ["opened", "changed", "resolved"]


@pytest.mark.parametrize("name", ["f-1", "rtb-0a", ""])
def test_a_wrong_id_is_refused(name: str) -> None:
    """With the form that was expected."""
    result = posture("finding", name)
    assert result.exit_code == 2
    assert "20 hexadecimal digits" in result.stderr


def test_differences_between_two_times() -> None:
    """What is new, different and gone, and what came and went in between."""

    def compare(*times: str) -> list[tuple[str, str | None, str]]:
        result = posture("diff", *times, "--output", "json")
        found = json.loads(result.stdout)
        assert result.exit_code == bool(found)
        return [(each["change"], each["was"], each["resource"]) for each in found]

    assert compare(format_time(at(0)), format_time(at(6))) == [
        ("first observed", None, "vpce-0a"),
    ]
    assert compare(format_time(at(6)), format_time(at(15))) == [("changed", "open", "subnet-0a")]
    assert compare(format_time(at(15))) == [("resolved", "open", "subnet-0a")]
    assert compare(format_time(at(1)), format_time(at(30))) == [
        ("first observed", None, "vpce-0a"),
        ("resolved", "open", "subnet-0a"),
    ]
    assert compare(format_time(at(21)), format_time(at(30)), "--vpc", SCOPE.subject) == []


def test_times_the_wrong_way_round_are_refused() -> None:
    """Rather than compared backwards."""
    result = posture("diff", format_time(at(5)), format_time(at(1)))
    assert result.exit_code == 2
    assert "is before" in result.stderr


@pytest.mark.parametrize(
    "command",
    [["history", "--resource", "subnet-0a"], ["finding", ID], ["diff", format_time(at(1))]],
)
def test_reading_costs_are_printed(command: list[str]) -> None:
    """In read units."""
    assert "read units in" in posture(command[0], *command[1:], "--verbose").stderr
