"""Questions about the past: what was true, since when, and over which scopes."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from audit_stage import ALICE, TableWriter, format_time, posture, record_evaluation
from finding_builders import OTHER, SCOPE, at, verdict
from posture.model.finding import finding_id
from posture.model.verdict import Severity
from posture.store.scope_store import Store
from posture_cli.failure import CommandError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LATE = f"{OTHER} (2026-01-31 12:30 UTC)"


@pytest.fixture
def _flapping(dynamodb: "DynamoDBClient") -> None:
    """One finding that opens, is resolved and opens again; another scope that is observed late."""
    writer = TableWriter(dynamodb)
    writer.record(0)
    writer.record(10, verdict(severity=Severity.CRITICAL))
    writer.record(20, actor=None)
    writer.record(40, verdict())
    writer.record(30, verdict("no-policy", "vpce-0a"), scope=OTHER)


def ask(command: str, *arguments: str) -> tuple[list[dict[str, Any]], str]:
    """Return the records of an answer, and its notes."""
    result = posture(command, *arguments, "--output", "json")
    return json.loads(result.stdout), " ".join(result.stderr.split())


def during(since: float, until: float, *arguments: str) -> list[tuple[str, str, str]]:
    """Return the resource, statuses and severity of what was bad in a period."""
    period = ("--during", format_time(at(since)), format_time(at(until)))
    found, _ = ask("findings", *period, *arguments)
    return [(each["resource"], each["statuses"], each["severity"]) for each in found]


@pytest.mark.usefixtures("_flapping")
def test_what_came_and_went_is_in_every_answer_about_its_period() -> None:
    """In the list, the comparison and the history, although the finding is open again now."""
    assert during(5, 25) == [("subnet-0a", "open, resolved", "critical")]
    assert during(21, 29) == []
    assert during(5, 50) == [
        ("subnet-0a", "open, resolved", "critical"),
        ("vpce-0a", "open", "high"),
        ("subnet-0a", "open", "high"),
    ]
    [difference], _ = ask("diff", format_time(at(5)), format_time(at(25)))
    assert (difference["change"], difference["resource"]) == ("opened and resolved", "subnet-0a")
    rows, _ = ask("history", "--since", format_time(at(5)), "--until", format_time(at(25)))
    assert [each["step"] for each in rows] == ["opened", "resolved"]


@pytest.mark.usefixtures("_flapping")
@pytest.mark.parametrize(
    ("arguments", "resources"),
    [
        (["--severity", "critical"], ["subnet-0a"]),
        (["--severity", "low"], []),
        (["--status", "resolved"], ["subnet-0a"]),
        (["--status", "waived"], []),
        (["--rule", "no-policy"], ["vpce-0a"]),
        (["--vpc", SCOPE.subject], ["subnet-0a", "subnet-0a"]),
        (["--limit", "1"], ["subnet-0a"]),
        (["--sort", "opened", "--limit", "2"], ["subnet-0a", "vpce-0a"]),
    ],
)
def test_a_period_takes_every_filter(arguments: list[str], resources: list[str]) -> None:
    """A finding matches if it matched at any time of the period."""
    assert [resource for resource, _, _ in during(5, 50, *arguments)] == resources


@pytest.mark.usefixtures("_flapping")
def test_a_period_in_every_form() -> None:
    """CSV has the statuses; OCSF and ASFF have the state at the end."""
    period = ("--during", format_time(at(5)), format_time(at(25)))
    [row] = csv.DictReader(io.StringIO(posture("findings", *period, "-o", "csv").stdout))
    assert (row["statuses"], row["id"]) == (
        "open, resolved",
        finding_id(SCOPE, "route-missing", "subnet-0a"),
    )
    assert json.loads(posture("findings", *period, "-o", "ocsf").stdout)["status"] == "Resolved"
    assert len(json.loads(posture("findings", *period, "-o", "asff").stdout)) == 1


@pytest.mark.usefixtures("_flapping")
@pytest.mark.parametrize(
    "arguments",
    [
        ["findings", "--as-of", format_time(at(15))],
        ["findings", "--during", format_time(at(5)), format_time(at(50))],
        ["diff", format_time(at(5)), format_time(at(50))],
        ["history", "--since", format_time(at(5)), "--until", format_time(at(50))],
    ],
)
def test_every_answer_says_over_which_scopes_it_speaks(arguments: list[str]) -> None:
    """The one that was first observed later is named, not counted as clean."""
    _, notes = ask(arguments[0], *arguments[1:])
    assert "1 of 2 scopes" in notes
    assert "history begins 2026-01-31 12:00 UTC" in notes
    assert f"first observed later, and nothing is known of it before: {LATE}." in notes


@pytest.mark.usefixtures("_flapping")
def test_what_was_bad_when_first_observed_is_not_called_opened() -> None:
    """It may be older."""
    found, _ = ask("diff", format_time(at(25)), format_time(at(50)))
    assert {each["resource"]: each["change"] for each in found} == {
        "subnet-0a": "opened",
        "vpce-0a": "first observed",
    }


@pytest.mark.usefixtures("_flapping")
@pytest.mark.parametrize(
    "arguments",
    [
        ["findings", "--as-of", format_time(at(-5))],
        ["findings", "--as-of", "2025-12-31"],
        ["findings", "--during", "2025-01-01", "2025-12-31"],
        ["diff", "2025-12-31", format_time(at(50))],
    ],
)
def test_a_time_before_the_first_observation_is_refused(arguments: list[str]) -> None:
    """With the date at which history begins."""
    result = posture(*arguments)
    assert isinstance(result.exception, CommandError)
    assert str(result.exception).startswith("history begins 2026-01-31 12:00 UTC: nothing was obs")


@pytest.mark.usefixtures("_flapping")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["findings", "--as-of", "2999-01-01"], "--as-of"),
        (["findings", "--during", "2026-01-01", "2999-01-01"], "--during"),
        (["diff", "2026-02-01", "2999-01-01"], "T2"),
        (["report", "--html", "x.html", "--as-of", "2999-01-01"], "--as-of"),
    ],
)
def test_a_future_time_is_refused(arguments: list[str], named: str) -> None:
    """The option is named, and what was expected."""
    result = posture(*arguments)
    assert result.exit_code == 2
    assert named in result.stderr
    assert "expected a time in the past, got '2999-01-01'" in " ".join(result.stderr.split())


def test_today_ends_now(store: Store) -> None:
    """A day that has begun is no future time."""
    record_evaluation(store, 0, verdict())
    assert posture("findings", "--as-of", f"{datetime.now(UTC):%F}").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--during", "2026-01-02", "2026-01-01"], "is before T1"),
        (["--during", "x", "2026-01-01"], "--during: expected a day"),
        (["--during", "2026-01-01", "2026-01-02", "--since", "7d"], "give --during alone"),
        (["--during", "2026-01-01", "2026-01-02", "--as-of", "7d"], "give --during alone"),
        (["--during", "2026-01-01"], "requires 2 arguments"),
    ],
)
def test_a_wrong_period_is_refused(arguments: list[str], expected: str) -> None:
    """With code 2."""
    result = posture("findings", *arguments)
    assert result.exit_code == 2
    assert expected in " ".join(result.stderr.split())


def test_the_store_remembers_the_first_observation(
    store: Store, dynamodb: "DynamoDBClient"
) -> None:
    """Whatever is written later, and also of a scope that was never bad."""
    record_evaluation(store, 3)
    record_evaluation(store, 9, verdict())
    _, notes = ask("findings", "--as-of", format_time(at(5)))
    assert "history begins 2026-01-31 12:03 UTC" in notes
    # A record that a former version wrote has no such time: its history says the first one.
    dynamodb.update_item(
        TableName="findings",
        Key={"scope": {"S": str(SCOPE)}, "item": {"S": "#head"}},
        UpdateExpression="REMOVE first_observed_at",
    )
    _, notes = ask("findings", "--as-of", format_time(at(10)))
    assert "history begins 2026-01-31 12:09 UTC" in notes


@pytest.mark.usefixtures("_flapping")
def test_the_whole_fleet_is_exported_for_a_period() -> None:
    """One scope after the other, as CSV and as JSON lines, without naming one."""
    whole, _ = ask("history")
    assert [each["vpc"] for each in whole] == [SCOPE.subject] * 3 + [OTHER.subject]
    rows = list(csv.DictReader(io.StringIO(posture("history", "-o", "csv").stdout)))
    assert [row["step"] for row in rows] == [each["step"] for each in whole]
    lines = posture("history", "--until", format_time(at(35)), "-o", "ndjson").stdout.splitlines()
    assert [json.loads(line)["resource"] for line in lines] == ["subnet-0a", "subnet-0a", "vpce-0a"]
    assert [each["actor"] for each in whole] == [ALICE, None, ALICE, ALICE]
    here, _ = ask("history", "--account", SCOPE.account)
    assert here == whole
    assert posture("history", "--account", SCOPE.account, "--resource", "x").exit_code == 2
