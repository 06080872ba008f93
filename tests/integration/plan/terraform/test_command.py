"""`posture plan` on Terraform plans: no credentials, no network."""

import json
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from posture_cli.app import app
from terraform_stage import CORPUS

PLAN = CORPUS / "missing_gateway_route" / "plan.json"
FIXED = CORPUS / "complete_gateway_routes" / "plan.json"
CHANGE = CORPUS / "change_takes_a_gateway_route"
RULE = "subnet-without-gateway-endpoint-route"


@pytest.fixture(autouse=True)
def _without_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the AWS settings of the shell."""
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


def plan(*arguments: object) -> Result:
    """Run `posture plan`."""
    return CliRunner().invoke(app, ["plan", *map(str, arguments)])


def load(path: Path) -> dict[str, Any]:
    """Load a plan, to change it."""
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def list_opened(result: Result) -> set[tuple[str, str, str]]:
    """List the rule, resource and status of what opens."""
    scopes = json.loads(result.stdout)["scopes"]
    return {
        (each["rule"], each["resource"], each["status"])
        for scope in scopes
        for each in scope["opened"]
    }


def test_missing_route_of_a_new_vpc_is_caught() -> None:
    """The subnet is named by its address, as it has no id yet."""
    result = plan(PLAN, "--output", "json")
    assert result.exit_code == 1
    assert (RULE, "subnet-aws_subnet.b", "fail") in list_opened(result)


def test_missing_route_of_an_existing_vpc_is_caught() -> None:
    """Over the network as it is, the change itself is what opens."""
    result = plan(CHANGE / "plan.json", "--from", CHANGE / "base.json", "--output", "json")
    assert result.exit_code == 1
    assert {(rule, status) for rule, _, status in list_opened(result)} == {(RULE, "fail")}


def test_what_the_plan_leaves_open_is_unknown_and_named() -> None:
    """A slice and an index that is reversed look like the whole and the same index."""
    result = plan(CORPUS / "one_table_of_several" / "plan.json", "--output", "json")
    assert (RULE, "subnet-aws_subnet.private[0]", "unknown") in list_opened(result)
    notes = " ".join(json.loads(result.stdout)["notes"])
    assert "aws_vpc_endpoint.s3.route_table_ids" in notes


def test_type_that_is_not_understood_is_named(tmp_path: Path) -> None:
    """A resource that touches networks is never passed over in silence."""
    document = load(PLAN)
    entry = dict(document["resource_changes"][0])
    entry |= {"address": "aws_vpc_new_thing.x", "type": "aws_vpc_new_thing", "name": "x"}
    document["resource_changes"].append(entry)
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(document))
    notes = json.loads(plan(file, "--output", "json").stdout)["notes"]
    assert any("aws_vpc_new_thing.x" in each for each in notes)


def test_pull_request_formats_hold_the_finding() -> None:
    """SARIF, JUnit XML and Markdown name the rule and the resource."""
    sarif = json.loads(plan(PLAN, "--output", "sarif").stdout)
    results = sarif["runs"][0]["results"]
    assert RULE in {each["ruleId"] for each in results if each["kind"] == "fail"}
    junit = ET.fromstring(plan(PLAN, "--output", "junit").stdout)  # noqa: S314 - own text
    assert junit.findall(".//failure")
    assert "aws\\_subnet.b" in plan(PLAN, "--output", "markdown").stdout


def test_nothing_fails_exits_with_zero(tmp_path: Path) -> None:
    """A policy that says what it allows is all that the other plan lacks."""
    document = load(FIXED)
    closed = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    closed["Condition"] = {"StringEquals": {"aws:PrincipalAccount": "111122223333"}}  # type: ignore[assignment]
    closed["Condition"]["StringEquals"]["aws:ResourceAccount"] = "111122223333"  # type: ignore[index]
    for each in document["resource_changes"]:
        if each["type"] == "aws_vpc_endpoint":
            each["change"]["after"]["policy"] = json.dumps({"Statement": [closed]})
            each["change"]["after_unknown"].pop("policy")
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(document))
    result = plan(file, "--account", "111122223333", "--output", "json")
    assert {status for _, _, status in list_opened(result)} <= {"unknown"}
    assert result.exit_code == 0


BAD = {
    "state": (
        '{"format_version": "1.0", "terraform_version": "1.11.4", "values": {}}',
        "a Terraform state",
    ),
    "raw state": (
        '{"version": 4, "serial": 1, "lineage": "x", "resources": []}',
        "Terraform state",
    ),
    "later format": (
        '{"format_version": "2.0", "resource_changes": [], "configuration": {}}',
        "format_version: expected 1.x",
    ),
    "errored": (
        '{"format_version": "1.2", "errored": true, "resource_changes": [], "configuration": {}}',
        "errored: the plan failed",
    ),
    "no configuration": (
        '{"format_version": "1.2", "resource_changes": []}',
        "configuration: expected an object",
    ),
    "broken change": (
        '{"format_version": "1.2", "configuration": {}, "resource_changes": [{"address": "a"}]}',
        "resource_changes[0].mode",
    ),
    "text": ("Terraform will perform the following actions:\n", "the text of a Terraform plan"),
    "truncated": ('{"format_version": "1.2", "resource_changes": [', "line 1, column 48"),
    "log": ('{"@level":"info"}\n{"@level":"info"}\n', "the log of terraform plan -json"),
    "Pulumi": ('{"steps": [{"op": "create", "urn": "urn:pulumi:x"}]}', "a preview of Pulumi"),
    "configuration": ('{"resource": {"aws_vpc": {}}}', "a Terraform configuration"),
    "list": ("[]", "found a JSON list"),
    "empty": ("", "an empty file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name: str, tmp_path: Path) -> None:
    """The error names the file, the place and what was expected; nothing is half-judged."""
    text, expected = BAD[name]
    file = tmp_path / "plan.json"
    file.write_text(text)
    result = plan(file)
    assert expected in str(result.exception)
    assert str(file) in str(result.exception)
    assert not result.stdout


def test_saved_plan_is_named(tmp_path: Path) -> None:
    """The binary file that `terraform plan -out` writes is not the JSON."""
    file = tmp_path / "tfplan"
    file.write_bytes(b"PK\x03\x04\x00")
    assert "terraform show -json" in str(plan(file).exception)


def test_region_is_asked_for(tmp_path: Path) -> None:
    """A plan whose provider names no Region, and whose resources neither, needs --region."""
    document = load(PLAN)
    document["configuration"]["provider_config"]["aws"].pop("expressions")
    text = json.dumps(document).replace('"eu-west-1a"', "null").replace('"eu-west-1b"', "null")
    file = tmp_path / "plan.json"
    file.write_text(text.replace("com.amazonaws.eu-west-1.s3", "com.amazonaws.s3"))
    assert "give --region" in str(plan(file).exception)
