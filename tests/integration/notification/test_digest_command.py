"""The command in a digest lists exactly what the digest counts."""

import json
import shlex
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from finding_builders import verdict
from notify_stage import Stage
from posture.model.scope import Scope
from posture.model.verdict import Severity
from posture_cli.app import app
from posture_cli.failure import CommandError
from stack_tables import TABLES

VPCS = 7


def evaluate(stage: Stage, minute: int, *severities: Severity, vpcs: int = VPCS) -> None:
    """Evaluate each VPC: it has a finding of each severity, and none of any other."""
    for number in range(vpcs):
        scope = Scope("111122223333", "eu-west-1", f"vpc-{number:017x}")
        found = [verdict(resource=f"subnet-{it}", severity=it) for it in severities]
        stage.evaluate(minute + number, *found, scope=scope)


def run(command: str) -> Result:
    """Run a command of a message on the tables of the tests."""
    tables = ("--history-table", TABLES.history, "--idempotency-table", TABLES.idempotency)
    _, *arguments = shlex.split(command)
    return CliRunner().invoke(app, [*arguments, *tables, "--output", "json"])


def list_rows(document: dict[str, Any]) -> list[tuple[str, int, str]]:
    """Return what the command of a digest lists."""
    result = run(document["more"])
    assert result.exit_code == 0, result.stderr
    return [(each["id"], each["version"], each["step"]) for each in json.loads(result.stdout)]


def counted(document: dict[str, Any]) -> list[tuple[str, int, str]]:
    """Return what a digest counts."""
    return [(each["id"], each["version"], each["step"]) for each in document["findings"]]


def test_each_command_lists_what_its_digest_counts(stage: Stage) -> None:
    """Not what others report of the same time and severity, and whatever happened since."""
    evaluate(stage, 0, Severity.HIGH, Severity.LOW)
    stage.notify(stage.records())
    first = [json.loads(each["Message"]) for each in stage.inbox()]
    evaluate(stage, 20, Severity.LOW)  # resolves the high ones
    evaluate(stage, 0, Severity.HIGH, vpcs=1)  # stale: dropped
    stage.notify(stage.records())
    second = [json.loads(each["Message"]) for each in stage.inbox()]
    assert [it["severity"] for it in first] == ["high", "low"]
    assert [it["severity"] for it in second] == ["high"]
    for document in first + second:
        assert list_rows(document) == counted(document)
        assert sum(document["counts"].values()) == len(counted(document)) == VPCS


def test_an_unknown_digest_is_an_error(stage: Stage) -> None:
    """It may be older than what the monitor remembers."""
    evaluate(stage, 0, Severity.HIGH)
    result = run("posture history --digest d-0123456789abcdef.high.1")
    assert isinstance(result.exception, CommandError)
    assert "digest d-0123456789abcdef.high.1 is not known" in str(result.exception)
    assert result.stdout == ""


def test_a_digest_whose_rows_are_gone_is_an_error(stage: Stage) -> None:
    """A part of what it counted is not shown as all of it."""
    evaluate(stage, 0, Severity.HIGH)
    stage.notify(stage.records())
    (document,) = [json.loads(each["Message"]) for each in stage.inbox()]
    rows = stage.dynamodb.scan(TableName=TABLES.history)["Items"]
    row = next(each for each in rows if each.get("kind") == {"S": "transition"})
    key = {name: row[name] for name in ("scope", "entry")}
    stage.dynamodb.delete_item(TableName=TABLES.history, Key=key)
    result = run(document["more"])
    assert isinstance(result.exception, CommandError)
    assert "posture verify names the rows" in str(result.exception)
    assert result.stdout == ""


@pytest.mark.usefixtures("stage")
def test_a_digest_takes_no_other_filter() -> None:
    """It says itself which changes."""
    result = run("posture history --digest d-0123456789abcdef.high.1 --since 30d")
    assert result.exit_code == 2
    assert "leave out the other filters" in result.stderr
