"""Counting controls from the tables: what passed, what failed, and what was not evaluated."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

import pytest

from audit_stage import posture
from finding_builders import OTHER, SCOPE, at, verdict
from posture.lifecycle.diff import find_transitions, resolve_all
from posture.model.scope import Scope
from posture.model.verdict import Severity, Status, Verdict
from posture.rules.control_counts import list_passed_checks
from posture.store.scope_evaluation import Evaluation
from posture.store.scope_store import Store

REQUIRED = "required-service-without-endpoint"
GONE = Scope("111122223333", "eu-west-1", "vpc-0aaaaaaaaaaaaaaaa")


def _required(service: str, status: Status) -> Verdict:
    return verdict(REQUIRED, f"com.amazonaws.eu-west-1.{service}", status, severity=Severity.HIGH)


def _record(store: Store, minute: float, *verdicts: Verdict, scope: Scope = SCOPE) -> None:
    passed = frozenset(map(str, list_passed_checks(verdicts)))
    store.record(
        Evaluation(scope, at(minute), passed=passed),
        lambda state: find_transitions(scope, state.findings, verdicts, observed_at=at(minute)),
    )


@pytest.fixture
def network(store: Store) -> None:
    """A VPC without Secrets Manager, one without the API of ECR, and one that is gone."""
    _record(store, 0, _required("ssm", Status.PASS), _required("secretsmanager", Status.FAIL))
    _record(
        store, 1, _required("ssm", Status.UNKNOWN), _required("ecr.api", Status.FAIL), scope=OTHER
    )
    _record(store, 0, _required("ecr.api", Status.FAIL), scope=GONE)
    store.record(
        Evaluation(GONE, at(2), exists=False),
        lambda state: resolve_all(GONE, state.findings, at(2), "VPC gone"),
    )


def _read(arguments: Iterable[str]) -> dict[str, Any]:
    result = posture("controls", "--output", "json", *arguments)
    return {f"{it['framework']} {it['id']}": it for it in json.loads(result.stdout)}


@pytest.mark.usefixtures("network")
def test_each_control_counts_its_own_service() -> None:
    """A missing Secrets Manager endpoint fails no control of another service."""
    found = _read([])
    ecr, ssm = found["Security Hub EC2.55"], found["Security Hub EC2.57"]
    assert (ecr["state"], ecr["failed"], ecr["out_of_scope"]) == ("fail", 1, 1)
    assert (ssm["state"], ssm["passed"], ssm["unknown"]) == ("not evaluated", 1, 1)
    docker = found["Security Hub EC2.56"]
    assert (docker["state"], docker["not_evaluated"]) == ("not evaluated", 2)
    assert found["NIST SP 800-53 r5 SC-7"]["failed"] == 2


@pytest.mark.usefixtures("network")
def test_the_scopes_of_a_control_are_listed() -> None:
    """By outcome, so that an auditor can follow each number."""
    result = posture("controls", "--control", "ec2.57", "--scopes", "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["scope"]: row["outcome"] for row in rows} == {
        str(SCOPE): "passed",
        str(OTHER): "unknown",
    }
    assert result.exit_code == 1


@pytest.mark.usefixtures("network")
def test_only_chosen_scopes_are_counted() -> None:
    """The VPC in which Systems Manager has its endpoint."""
    result = posture("controls", "--control", "EC2.57", "--vpc", SCOPE.subject)
    assert result.exit_code == 0
    assert "pass" in result.stdout


@pytest.mark.usefixtures("network")
def test_passes_of_a_past_time_are_not_claimed() -> None:
    """History says what failed then, and nothing of what passed."""
    found = _read(["--as-of", "2026-01-31T12:01:30Z"])
    ecr, ssm = found["Security Hub EC2.55"], found["Security Hub EC2.57"]
    assert (ecr["state"], ecr["failed"]) == ("fail", 2)
    assert (ssm["state"], ssm["passed"], ssm["unrecorded"]) == ("not evaluated", 0, 2)


@pytest.mark.usefixtures("network")
def test_a_record_of_a_former_version_has_no_passes(store: Store, dynamodb: Any) -> None:
    """Until it is evaluated again, only its failures are known."""
    dynamodb.update_item(
        TableName="findings",
        Key={"scope": {"S": str(SCOPE)}, "item": {"S": "#head"}},
        UpdateExpression="REMOVE passed",
    )
    assert _read([])["Security Hub EC2.57"]["unrecorded"] == 1
    _record(store, 5, _required("ssm", Status.PASS))
    assert _read([])["Security Hub EC2.57"]["passed"] == 1


def test_the_mapping_needs_no_stack() -> None:
    """It shows the line and the page of each control."""
    result = posture("controls", "--mapping", "--framework", "pciDSS", "--output", "json")
    records = json.loads(result.stdout)
    assert [it["id"] for it in records] == ["1.3.1", "1.3.2", "7.3.3", "10.7.2"]
    assert all(it["text"] and it["source"].startswith("https://") for it in records)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--framework", "PCI DSS 3.2.1"], "PCI DSS 4.0.1"),
        (["--control", "EC2.59"], "EC2.5"),
        (["--framework", "SOC", "--control", "CC6.9"], "CC6."),
    ],
)
def test_what_does_not_exist_is_an_error_with_near_names(
    arguments: list[str], expected: str
) -> None:
    """Rather than an empty list."""
    result = posture("controls", "--mapping", *arguments)
    assert result.exit_code == 2
    assert expected in result.output
