"""The commands as people and scripts call them: their output and exit codes."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from command_runner import posture
from posture.ec2.endpoint_services import ServicesSnapshot
from posture.rules.rule_catalogue import RULES, SERVICE_RULES
from posture_cli.main import run
from sample_network import REGION, SampleNetwork, build_sample_network
from stack_tables import TABLES, create_tables

EXAMPLE = Path(__file__).parents[3] / "cli/posture_cli/baseline.example.yaml"
RECORD = {
    "eventID": "e-1",
    "eventName": "DeleteRoute",
    "eventSource": "ec2.amazonaws.com",
    "eventTime": "2026-11-23T12:00:00Z",
    "awsRegion": REGION,
    "recipientAccountId": "111122223333",
    "userIdentity": {"type": "Root", "arn": "arn:aws:iam::111122223333:root"},
    "requestParameters": {"routeTableId": "rtb-0123456789abcdef0"},
}
QUEUED = {"messageId": "m-1", "body": json.dumps({"detail": RECORD})}
FIELDS = {
    "rule", "status", "severity", "resource", "account", "region", "vpc", "evidence", "remediation",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


@pytest.fixture
def network() -> Iterator[SampleNetwork]:
    """Return a small emulated region, and the monitor's tables."""
    with mock_aws():
        create_tables(boto3.client("dynamodb"))
        yield build_sample_network(boto3.client("ec2"))


def failed(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command as a process does, and give the code it ends with."""
    monkeypatch.setattr("sys.argv", ["posture", *arguments])
    with pytest.raises(SystemExit) as ended:
        run()
    assert isinstance(ended.value.code, int)
    return ended.value.code


# --- scan ----------------------------------------------------------------------------------------


def scanned(*arguments: str) -> list[dict[str, Any]]:
    """Return what a scan finds, as JSON."""
    found: list[dict[str, Any]] = json.loads(posture("scan", *arguments, "-o", "json").stdout)
    return found


def test_a_scan_tells_what_fails(network: SampleNetwork) -> None:
    """Each finding has the fields that scripts use; failures end with 1."""
    result = posture("scan", "--vpc", network.vpc, "--output", "json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found
    assert all(each.keys() >= FIELDS for each in found)
    assert {each["status"] for each in found} <= {"fail", "unknown"}
    assert {each["vpc"] for each in found} == {network.vpc}


def test_all_shows_what_passes(network: SampleNetwork) -> None:
    """On top of what does not."""
    bad, everything = scanned("--vpc", network.vpc), scanned("--vpc", network.vpc, "--all")
    assert {each["status"] for each in everything} > {each["status"] for each in bad}
    assert len([each for each in everything if each["status"] != "pass"]) == len(bad)


def test_a_clean_vpc_ends_with_zero(network: SampleNetwork) -> None:
    """A VPC with nothing in it."""
    result = posture("scan", "--vpc", network.bare, "-o", "json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def test_a_baseline_is_required(network: SampleNetwork, tmp_path: Path) -> None:
    """What it requires is missing."""
    file = tmp_path / "b.json"
    file.write_text(json.dumps({"default": {"required_services": ["kms"]}}))
    (found,) = scanned("--vpc", network.bare, "--baseline", str(file))
    assert found["rule"] == "required-service-without-endpoint"


def test_an_exempt_vpc_is_not_judged(network: SampleNetwork, tmp_path: Path) -> None:
    """Not even what passes is listed."""
    override = {
        "name": "x",
        "match": {"vpcs": [network.vpc]},
        "set": {"exempt": True, "exempt_reason": "because"},
    }
    file = tmp_path / "b.json"
    file.write_text(json.dumps({"overrides": [override]}))
    assert scanned("--vpc", network.vpc, "--all", "--baseline", str(file)) == []


def test_endpoint_services_are_judged_too(network: SampleNetwork) -> None:
    """Each is a scope of its own, beside the VPCs; --vpc leaves them out."""
    balancer = boto3.client("elbv2").create_load_balancer(
        Name="nlb", Type="network", Subnets=[network.subnet]
    )["LoadBalancers"][0]["LoadBalancerArn"]
    made = network.ec2.create_vpc_endpoint_service_configuration(
        NetworkLoadBalancerArns=[balancer], AcceptanceRequired=False
    )
    service = made["ServiceConfiguration"]["ServiceId"]
    (accepts,) = [
        each for each in scanned() if each["rule"] == "endpoint-service-acceptance-not-required"
    ]
    assert (accepts["resource"], accepts["status"], accepts["vpc"]) == (service, "fail", None)
    assert service not in {each["resource"] for each in scanned("--vpc", network.bare)}


@pytest.mark.usefixtures("network")
def test_endpoint_services_that_cannot_be_listed_are_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Never a pass: one line a rule that could not be asked."""
    monkeypatch.setattr(
        "posture_cli.live.collect_services",
        lambda *_, **__: ServicesSnapshot({}, "UnauthorizedOperation: denied"),
    )
    expected = {each["rule"]: each["status"] for each in scanned() if each["resource"] == REGION}
    assert expected == {rule.id: "unknown" for rule in SERVICE_RULES}


def test_a_scan_prints_only_commands_that_are_verified(network: SampleNetwork) -> None:
    """In JSON, CSV and SARIF; what is not verified is a sentence without a command."""
    found = [each["remediation"] for each in scanned("--vpc", network.vpc)]
    assert any(each["command"] for each in found)
    for each in found:
        assert bool(each["command"]) == bool(each["verified"])
    verified = {each["verified"] for each in found if each["verified"]}
    rows = csv.DictReader(io.StringIO(posture("scan", "--vpc", network.vpc, "-o", "csv").stdout))
    in_csv = {row["verified"] for row in rows}
    assert verified <= in_csv
    sarif = posture("scan", "--vpc", network.vpc, "-o", "sarif").stdout
    assert all(f"Verified: {each}" in sarif for each in verified)


def test_a_scan_says_what_it_looked_at(network: SampleNetwork) -> None:
    """The output differs from that of a scan that did not run."""
    assert posture("scan", "--vpc", network.bare).stderr.endswith(
        "evaluated 1 VPC: 0 fail, 0 unknown, 0 pass\n"
    )


@pytest.mark.usefixtures("network")
def test_the_region_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_REGION is read, and read first, as the AWS CLI does it; boto3 by itself does not."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_REGION", REGION)
    assert {each["region"] for each in scanned()} == {REGION}
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert {each["region"] for each in scanned()} == {REGION}


@pytest.mark.usefixtures("network")
def test_a_scan_lists_the_mistakes_of_its_baseline(tmp_path: Path) -> None:
    """One per line, by file and field; no VPC is read."""
    file = tmp_path / "b.yaml"
    file.write_text("default: {required_services: s3}\n")
    result = posture("scan", "--baseline", str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"posture: {file} has an error:" in result.stderr
    assert "\n  default.required_services: expected a list" in result.stderr


def test_csv_has_one_row_a_finding(network: SampleNetwork) -> None:
    """With a header that scripts can rely on."""
    rows = list(csv.DictReader(io.StringIO(posture("scan", "-o", "csv").stdout)))
    assert rows
    assert rows[0].keys() >= FIELDS
    assert network.vpc in {row["vpc"] for row in rows}


def test_a_pipe_gets_plain_lines(network: SampleNetwork) -> None:
    """No colour, no frame, a line a finding."""
    output = posture("scan", "--vpc", network.vpc).stdout
    assert "\x1b" not in output
    assert len(output.splitlines()) == 1 + len(scanned("--vpc", network.vpc))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--vpc", "subnet-1"], "'subnet-1' is not a VPC"),
        (["--vpc", "vpc-0123456789abcdef0"], "there is no vpc-0123456789abcdef0"),
        (["--region", "atlantis"], "'atlantis' is not a Region"),
        (["--baseline", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
@pytest.mark.usefixtures("network")
def test_mistakes_are_sentences(
    arguments: list[str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And end with 2."""
    assert failed(monkeypatch, "scan", *arguments) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert "Traceback" not in error


# --- replay --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(RECORD).encode(),
        json.dumps({"Records": [RECORD]}).encode(),
        gzip.compress(json.dumps({"Records": [RECORD]}).encode()),
        json.dumps({"detail-type": "AWS API Call via CloudTrail", "detail": RECORD}).encode(),
        json.dumps([RECORD]).encode(),
        json.dumps({"Records": [QUEUED]}).encode(),
    ],
    ids=["record", "log file", "gzipped", "event", "list", "queue batch"],
)  # fmt: skip
def test_records_are_read_in_every_form(content: bytes, tmp_path: Path) -> None:
    """Each leads to the same route table."""
    file = tmp_path / "trail"
    file.write_bytes(content)
    result = posture("replay", str(file), "-o", "json")
    (row,) = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (row["event"], row["outcome"]) == ("DeleteRoute", "applied")
    assert row["resources"] == ["rtb-0123456789abcdef0"]


def test_a_malformed_record_is_reported_beside_the_others(tmp_path: Path) -> None:
    """By its place in the file; the command ends with 1."""
    file = tmp_path / "trail"
    file.write_text(json.dumps({"Records": [RECORD, {"eventName": 3}]}))
    result = posture("replay", str(file), "-o", "json")
    good, bad = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (good["outcome"], bad["outcome"], bad["place"]) == ("applied", "malformed", "record 2")
    assert "recipientAccountId" in bad["reason"]


def test_what_is_ignored_makes_nobody_look(tmp_path: Path) -> None:
    """The failed call names its route table, but the monitor evaluates nothing."""
    file = tmp_path / "trail"
    file.write_text(json.dumps({**RECORD, "errorCode": "Client.UnauthorizedOperation"}))
    (row,) = json.loads(posture("replay", str(file), "-o", "json").stdout)
    assert (row["outcome"], row["looks_at"]) == ("ignored", "")
    assert row["resources"] == ["rtb-0123456789abcdef0"]


def test_a_file_that_is_no_json_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named."""
    file = tmp_path / "notes.txt"
    file.write_text("hello")
    assert failed(monkeypatch, "replay", str(file)) == 2
    assert f"{file}: expected JSON" in capsys.readouterr().err


# --- baseline ------------------------------------------------------------------------------------


def test_the_example_can_be_applied(tmp_path: Path) -> None:
    """What is printed to start from is valid."""
    file = tmp_path / "b.yaml"
    file.write_text(posture("baseline", "example").stdout)
    assert posture("baseline", "validate", str(file)).exit_code == 0
    assert file.read_text() == EXAMPLE.read_text()


def test_every_mistake_is_listed(tmp_path: Path) -> None:
    """By its field, and the command ends with 2."""
    file = tmp_path / "b.yaml"
    file.write_text("default:\n  trusted_accounts: [1]\n  pending_grace_minutes: soon\n")
    result = posture("baseline", "validate", str(file))
    assert result.exit_code == 2
    assert "has 2 errors" in result.stderr
    assert "default.trusted_accounts[0]: expected an account of 12 digits" in result.stderr
    assert "default.pending_grace_minutes: expected a whole number" in result.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("default: {\n", "line 2, column 1"),
        ("default: {}\ndefault: {}\n", "line 2, column 1: duplicate key default"),
        ("1: {}\n", "a key must be a string"),
    ],
)
def test_yaml_mistakes_have_a_place(tmp_path: Path, text: str, expected: str) -> None:
    """Line and column."""
    file = tmp_path / "b.yaml"
    file.write_text(text)
    result = posture("baseline", "validate", str(file))
    assert (result.exit_code, expected in result.stderr) == (2, True), result.stderr


@pytest.mark.usefixtures("network")
def test_apply_then_show_gives_the_file_back(tmp_path: Path) -> None:
    """With its version; applying it again changes nothing."""
    table = ["--table", TABLES.baseline]
    checked = posture("baseline", "apply", str(EXAMPLE), *table, "--check")
    assert checked.exit_code == 1
    assert "+  - s3" in checked.stdout
    assert posture("baseline", "apply", str(EXAMPLE), *table).exit_code == 0
    shown = posture("baseline", "show", *table)
    assert "version 1" in shown.stderr
    file = tmp_path / "shown.yaml"
    file.write_text(shown.stdout)
    again = posture("baseline", "apply", str(file), *table)
    assert (again.exit_code, "is already applied (version 1)" in again.stderr) == (0, True)


# --- the catalogue -------------------------------------------------------------------------------


def test_rules_lists_every_rule() -> None:
    """In every form."""
    listed = json.loads(posture("rules", "-o", "json").stdout)
    assert [each["id"] for each in listed] == [rule.id for rule in RULES]
    page = posture("rules", "-o", "markdown").stdout
    assert all(f"### {rule.id}" in page for rule in RULES)
    assert len(posture("rules").stdout.splitlines()) == 1 + len(RULES)


@pytest.mark.parametrize("command", ["demo", "scan", "replay", "findings", "rules", "events"])
def test_help_teaches_by_example(command: str) -> None:
    """The help of each command ends with examples."""
    output = posture(command, "--help").stdout
    assert "Examples:" in output
    assert f"posture {command}" in output
