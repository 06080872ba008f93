"""Asking for findings: every filter, every order, no more read than is wanted, nothing scanned."""

import csv
import io
import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from audit_stage import ALICE, TableWriter, format_time, posture, record_evaluation
from finding_builders import OTHER, SCOPE, at, verdict
from posture.model.finding import Finding, FindingStatus
from posture.model.scope import Scope
from posture.model.verdict import Severity, Status
from posture.store.findings import Findings
from posture.store.history import History
from posture.store.scope_store import Store
from posture_cli.audit.actors import ActorFilter, ActorRole
from posture_cli.audit.finding_filter import (
    SORT_KEYS,
    FindingFilter,
    SortOrder,
    find_past_findings,
    read_findings,
    sort_findings,
)
from stack_tables import TABLES, create_tables
from stored_findings import read_stored_findings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BOB = "arn:aws:iam::111122223333:user/bob"
ABROAD = Scope("444455556666", "us-east-1", "vpc-0c")
RULES = ("route-missing", "no-policy", "single-az")
RESOURCES = ("subnet-0a", "subnet-0b", "vpce-0a")


@pytest.fixture(autouse=True)
def _no_scan(dynamodb: "DynamoDBClient") -> None:
    """Whatever is asked, no table is ever scanned."""

    def refuse(**_: Any) -> None:
        raise AssertionError("a table is scanned")

    dynamodb.meta.events.register("before-call.dynamodb.Scan", refuse)


@pytest.fixture
def everything(dynamodb: "DynamoDBClient") -> list[Finding]:
    """A random life of three scopes, and all their findings as they are now."""
    writer = TableWriter(dynamodb)
    dice = random.Random(7)  # noqa: S311 - a test repeats what it did
    for minute in range(30):
        scope = dice.choice([SCOPE, OTHER, ABROAD])
        verdicts = [
            verdict(
                rule,
                resource,
                dice.choice([Status.FAIL, Status.FAIL, Status.UNKNOWN, Status.PASS]),
                severity=dice.choice(list(Severity)),
            )
            for rule in RULES
            for resource in RESOURCES
            if dice.random() < 0.7
        ]
        writer.record(minute, *verdicts, scope=scope, actor=dice.choice([ALICE, BOB, None]))
    return [each for found in writer.findings.values() for each in found.values()]


def some(dice: random.Random) -> FindingFilter:
    """Return a random choice of filters."""

    def maybe(*values: Any) -> Any:
        return dice.choice([None, None, *values])

    return FindingFilter(
        statuses=frozenset(dice.sample(list(FindingStatus), dice.randrange(4))),
        severities=frozenset(dice.sample(list(Severity), dice.randrange(3))),
        rule=maybe(*RULES),
        resource=maybe(*RESOURCES),
        account=maybe("111122223333", "444455556666"),
        region=maybe("eu-west-1", "us-east-1"),
        vpc=maybe(SCOPE.subject),
        scope=maybe(OTHER),
        actor=maybe(ActorFilter.parse("alice"), ActorFilter.parse(BOB)),
        role=dice.choice(list(ActorRole)),
        since=maybe(at(10)),
        until=maybe(at(25)),
    )


def test_every_way_of_reading_gives_what_filtering_everything_would(
    everything: list[Finding], dynamodb: "DynamoDBClient"
) -> None:
    """Whichever index is chosen, in whichever order, with or without a limit."""
    findings, dice = Findings(dynamodb, TABLES.findings), random.Random(8)  # noqa: S311 - as above
    for _ in range(150):
        wanted, sort = some(dice), dice.choice(list(SortOrder))
        limit = dice.choice([None, 1, 3])
        expected = sorted(filter(wanted.matches, everything), key=SORT_KEYS[sort])
        found = list(read_findings(findings, wanted, sort, limit))
        key = SORT_KEYS[SortOrder.UPDATED if sort is SortOrder.UPDATED else sort]
        same = [(key(each)[:-1], each.status) for each in found]
        assert len(found) == len(expected[:limit]), wanted
        assert [it for it, _ in same] == [key(each)[:-1] for each in expected[:limit]], wanted
        if limit is None:
            assert {it.id: it for it in found} == {it.id: it for it in expected}


def test_no_more_is_read_than_is_wanted(
    everything: list[Finding], dynamodb: "DynamoDBClient"
) -> None:
    """The first findings come before the rest is asked for."""
    asked: list[str] = []
    dynamodb.meta.events.register("before-call.dynamodb.Query", lambda **_: asked.append(""))
    wanted = FindingFilter(severities=frozenset(Severity), statuses=frozenset({FindingStatus.OPEN}))
    found = read_findings(Findings(dynamodb, TABLES.findings), wanted, SortOrder.SEVERITY, 1)
    assert next(found) in everything
    assert len(asked) < len(Severity)


# --- as of ---------------------------------------------------------------------------------------


def simulate(
    client: "DynamoDBClient", steps: int, seed: int
) -> Iterator[tuple[datetime, dict[str, Finding]]]:
    """Let a random life happen; give what is known after each step, with its time."""
    writer = TableWriter(client)
    dice = random.Random(seed)  # noqa: S311 - as above
    minute = 0.0
    for _ in range(steps):
        minute += dice.choice([0.000001, 0.5, 7])
        scope = dice.choice([SCOPE, OTHER])
        verdicts = [
            verdict(
                "route-missing",
                f"subnet-{n}",
                dice.choice(list(Status)),
                severity=dice.choice(list(Severity)),
            )
            for n in range(5)
            if dice.random() < 0.6
        ]
        writer.record(minute, *verdicts, scope=scope)
        found = writer.findings
        yield at(minute), {**found.get(SCOPE, {}), **found.get(OTHER, {})}


def test_what_the_store_wrote_is_rebuilt_too(store: Store, dynamodb: "DynamoDBClient") -> None:
    """As what it keeps itself, after each of its transactions."""
    findings, history = Findings(dynamodb, TABLES.findings), History(dynamodb, TABLES.history)
    for minute, severity in enumerate(Severity):
        record_evaluation(
            store, minute, verdict(severity=severity), verdict(resource=f"subnet-{minute}")
        )
        rebuilt = {
            it.id: it
            for it in find_past_findings(
                history, findings.list_scopes(), FindingFilter(), at(minute)
            )
        }
        assert rebuilt == read_stored_findings(store, SCOPE)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_held_then_is_what_was_seen_then(dynamodb: "DynamoDBClient", seed: int) -> None:
    """Rebuilt from history, at every instant of a long random life and between them."""
    truth = list(simulate(dynamodb, 20, seed))
    findings, history = Findings(dynamodb, TABLES.findings), History(dynamodb, TABLES.history)

    def rebuilt(instant: datetime) -> dict[str, Finding]:
        return {
            it.id: it
            for it in find_past_findings(history, findings.list_scopes(), FindingFilter(), instant)
        }

    moment = timedelta(microseconds=1)
    before: dict[str, Finding] = {}
    for instant, stored in truth:
        assert rebuilt(instant) == stored
        assert rebuilt(instant - moment) == before
        before = stored


def test_ordering_holds_no_more_than_the_limit() -> None:
    """An order over any number of findings is that of all of them, cut."""
    assert list(sort_findings(iter(()), SortOrder.SCOPE, 3)) == []


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def two(dynamodb: "DynamoDBClient") -> None:
    """A bad finding that was mild first, and a repaired one."""
    writer = TableWriter(dynamodb)
    writer.record(0, verdict(severity=Severity.LOW), verdict("no-policy", "vpce-0a"))
    writer.record(10, verdict(severity=Severity.CRITICAL), actor=BOB)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("arguments", "resources"),
    [
        ([], ["subnet-0a"]),
        (["--status", "resolved"], ["vpce-0a"]),
        (
            ["--status", "open", "--status", "resolved", "--sort", "resource"],
            ["subnet-0a", "vpce-0a"],
        ),
        (["--severity", "low"], []),
        (["--actor", "bob"], ["subnet-0a"]),
        (["--actor", "bob", "--as", "changer"], ["subnet-0a"]),
        (["--actor", "bob", "--as", "opener"], []),
        (["--actor", "alice", "--as", "opener"], ["subnet-0a"]),
        (["--actor", "alice", "--as", "resolver"], []),
        (["--actor", "bob", "--as", "resolver", "--status", "resolved"], ["vpce-0a"]),
        (["--actor", "alice", "--as", "opener", "--status", "resolved"], ["vpce-0a"]),
        (["--actor", "alice", "--as", "changer", "--status", "resolved"], []),
        (["--in-region", "eu-west-1"], ["subnet-0a"]),
        (["--since", format_time(at(5))], ["subnet-0a"]),
        (["--until", format_time(at(5))], []),
        (["--as-of", format_time(at(5)), "--sort", "rule"], ["vpce-0a", "subnet-0a"]),
        (["--as-of", format_time(at(5)), "--severity", "low"], ["subnet-0a"]),
        (["--as-of", format_time(at(5)), "--limit", "1"], ["vpce-0a"]),
    ],
)
def test_filters_and_times(arguments: list[str], resources: list[str]) -> None:
    """Each narrows the list; the exit code says whether the list is empty."""
    result = posture("findings", *arguments, "--output", "json")
    found = json.loads(result.stdout)
    assert [each["resource"] for each in found] == resources
    assert result.exit_code == bool(resources)


@pytest.mark.usefixtures("two")
def test_every_form_tells_the_same() -> None:
    """A line of JSON each, CSV, Markdown, and aligned lines in a pipe."""
    chosen = ("--status", "open", "--status", "resolved")

    def listed_as(output: str) -> str:
        return posture("findings", *chosen, "--output", output).stdout

    whole = json.loads(listed_as("json"))
    assert [json.loads(line) for line in listed_as("ndjson").splitlines()] == whole
    ids = [each["id"] for each in whole]
    assert [row["id"] for row in csv.DictReader(io.StringIO(listed_as("csv")))] == ids
    for output in ("markdown", "table"):
        lines = listed_as(output).splitlines()
        assert [each["resource"] in line for each, line in zip(whole, lines[-2:], strict=True)]
    assert listed_as("markdown").splitlines()[1].startswith("| --- |")


@pytest.mark.usefixtures("two")
def test_a_cut_list_says_so() -> None:
    """And one that is not cut does not."""
    arguments = ("--status", "open", "--status", "resolved", "--limit")
    assert "there are more" in posture("findings", *arguments, "1").stderr
    assert "there are more" not in posture("findings", *arguments, "2").stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--since", "yesterday"], "expected a day"),
        (["--scope", "vpc-1"], "expected ACCOUNT/REGION/VPC"),
        (["--limit", "0"], "greater than or equal to 1"),
        (["--status", "bad"], "'bad' is not one of"),
        (["--sort", "colour"], "'colour' is not one of"),
    ],
)
def test_mistakes_name_the_option(arguments: list[str], expected: str) -> None:
    """With what was expected, and code 2."""
    result = posture("findings", *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr
    assert expected in result.stderr


@pytest.mark.usefixtures("two")
def test_other_tools_take_findings() -> None:
    """OCSF a line an event, ASFF an array, by the same filters."""
    chosen = ("--status", "open", "--status", "resolved", "--output")
    events = [json.loads(it) for it in posture("findings", *chosen, "ocsf").stdout.splitlines()]
    assert [it["class_uid"] for it in events] == [2003, 2003]
    found = json.loads(posture("findings", *chosen, "asff").stdout)
    assert {it["Compliance"]["Status"] for it in found} == {"FAILED", "PASSED"}
    assert [it["ProductFields"]["posture/id"] for it in found] == [
        it["finding_info"]["uid"] for it in events
    ]


@pytest.mark.parametrize("given", ["endpoint-in-one-zone", "endpoint-single-availability-zone"])
def test_a_rule_is_found_by_its_former_id(dynamodb: "DynamoDBClient", given: str) -> None:
    """The new id is printed on standard error, unless it was given."""
    current = "endpoint-single-availability-zone"
    TableWriter(dynamodb).record(1, verdict(current, "vpce-0a"), verdict("no-policy", "vpce-0b"))
    result = posture("findings", "--rule", given, "--output", "json")
    assert [each["rule"] for each in json.loads(result.stdout)] == [current]
    note = f"rule {given} is now called {current}\n"
    assert result.stderr == ("" if given == current else note)


# --- several regions -----------------------------------------------------------------------------


def test_stacks_of_several_regions_are_listed_as_one(dynamodb: "DynamoDBClient") -> None:
    """In the order that is asked for, and no more of them than that."""
    abroad = boto3.client("dynamodb", region_name="us-east-1")
    create_tables(abroad)
    TableWriter(dynamodb).record(1, verdict("single-az", "vpce-0a", severity=Severity.LOW))
    TableWriter(dynamodb).record(
        2, verdict("no-policy", "vpce-0b", severity=Severity.HIGH), scope=OTHER
    )
    TableWriter(abroad).record(3, verdict("route-missing", severity=Severity.MEDIUM), scope=ABROAD)
    both = ("--region", "eu-west-1", "--region", "us-east-1")
    listed = json.loads(posture("findings", *both, "--output", "json").stdout)
    assert [each["severity"] for each in listed] == ["high", "medium", "low"]
    assert {each["region"] for each in listed} == {"eu-west-1", "us-east-1"}
    first = json.loads(posture("findings", *both, "--limit", "2", "--output", "json").stdout)
    assert first == listed[:2]
    one = json.loads(posture("findings", *both[2:], "--output", "json").stdout)
    assert one == listed[1:2]
