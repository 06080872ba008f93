"""`posture report`: what it reads, shows and refuses."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from audit_stage import TableWriter, format_time, posture, record_evaluation, rows
from finding_builders import SCOPE, at, verdict
from posture.lifecycle.diff import find_transitions
from posture.model.verdict import Severity
from posture.store.scope_evaluation import Evaluation
from posture.store.scope_store import Store
from report_material import matrix, read_whole
from stack_tables import TABLES, create_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def reported(file: Path, *arguments: str) -> str:
    """Write a report and give its text."""
    result = posture("report", "--html", str(file), *arguments)
    assert result.exit_code == 0, result.stderr
    return read_whole(file.read_text())


def test_it_tells_what_the_tables_hold(store: Store, tmp_path: Path) -> None:
    """The finding with its evidence, the latest matrix, and that nothing was altered."""
    store.record(
        Evaluation(SCOPE, at(0), coverage=matrix(hostile=False)),
        lambda state: find_transitions(SCOPE, state.findings, [verdict()], observed_at=at(0)),
    )
    page = reported(tmp_path / "r.html", "--days", "3650")
    for expected in (
        "1 high finding is open in one VPC or endpoint service.",
        "Route table rtb-0a has no route to pl-0a.",
        "payments-private-a",
        "1 rows in 1 chains",
    ):
        assert expected in page


def test_it_tells_what_held_then(dynamodb: "DynamoDBClient", tmp_path: Path) -> None:
    """Later findings and today's matrix are not in it."""
    writer = TableWriter(dynamodb)
    writer.record(0, verdict(severity=Severity.LOW))
    writer.record(10, verdict(severity=Severity.LOW), verdict("no-policy", "vpce-0f"))
    then = reported(tmp_path / "r.html", "--as-of", format_time(at(5)))
    assert "1 low finding is open" in then
    assert "vpce-0f" not in then
    assert "No paths are stored for this time" in then


def test_it_says_that_history_was_altered(
    store: Store, dynamodb: "DynamoDBClient", tmp_path: Path
) -> None:
    """A report on forged rows names the first of them."""
    record_evaluation(store, 0, verdict())
    row = rows(dynamodb, "history")[0]
    dynamodb.put_item(TableName="history", Item={**row, "summary": {"S": "all is well"}})
    page = reported(tmp_path / "r.html")
    assert "The history was altered" in page
    assert row["entry"]["S"] in page


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "--html"),
        (["--html", "x.html", "--days", "0"], "--days"),
        (["--html", "x.html", "--as-of", "soon"], "expected a day"),
    ],
)
def test_mistakes_name_the_option(arguments: list[str], expected: str) -> None:
    """With code 2."""
    result = posture("report", *arguments)
    assert result.exit_code == 2
    assert expected in result.stderr


@pytest.mark.usefixtures("dynamodb")
def test_nothing_known_is_no_empty_page(tmp_path: Path) -> None:
    """An empty page could be mistaken for good news."""
    result = posture("report", "--html", str(tmp_path / "r.html"))
    assert "nothing was evaluated" in str(result.exception)
    assert not (tmp_path / "r.html").exists()


def test_several_regions_are_one_page(dynamodb: "DynamoDBClient", tmp_path: Path) -> None:
    """With a row for each account and Region, and the findings of all."""
    TableWriter(dynamodb).record(0, verdict(severity=Severity.LOW))
    other = boto3.client("dynamodb", region_name="us-east-1")
    create_tables(other)
    scope = replace(SCOPE, account="444455556666", region="us-east-1")
    TableWriter(other).record(0, verdict("no-policy", "vpce-0f"), scope=scope)
    regions = ("--region", "eu-west-1", "--region", "us-east-1")
    page = reported(tmp_path / "r.html", *regions, "--baseline-table", TABLES.baseline)
    assert "2 accounts · 2 regions" in page
    assert "Unresolved findings by account and region" in page
    assert "vpce-0f" in page
    assert "rtb-0a" in page
