"""One answer over the stacks of several Regions: merged, counted, and complete or said not."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from audit_stage import TableWriter
from finding_builders import SCOPE, at, verdict
from network_builders import S3, build_snapshot, subnet, table
from posture.analysis.coverage import Analysis
from posture.analysis.matrix import build_matrix_record
from posture.analysis.services import list_covered_services
from posture.model.member import MemberSource, MemberState
from posture.model.scope import Scope
from posture.model.verdict import Severity, Status
from posture.model.waiver import Waiver
from posture.store.members import MemberTable
from posture.store.scope_record import coverage_fields, record_key
from posture.store.waivers import WaiverTable
from posture_cli import exit_codes
from posture_cli.app import app
from posture_cli.audit import open_stacks
from posture_cli.failure import CommandError
from stack_tables import create_tables

ABROAD = replace(SCOPE, region="us-east-1")
TEMPLATE = {
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
    "Outputs": {
        f"{name.capitalize()}TableName": {"Value": name}
        for name in ("findings", "history", "baseline", "ownership", "idempotency")
    },
}
ENABLED = ("ap-south-1", "eu-central-1", "eu-west-1", "us-east-1")
BOTH = ("--region", "eu-west-1", "--region", "us-east-1")
PARTLY = ("--region", "eu-west-1", "--region", "eu-central-1")


@pytest.fixture(scope="module", autouse=True)
def _regions() -> Iterator[None]:
    """Deploy stacks in three Regions, of which the tables of one cannot be read.

    There is a low finding in the first, and two others are in the second. No test writes.
    """
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        patch.setattr(open_stacks, "list_regions", lambda *_: ENABLED)
        create_stack("posture", "eu-central-1")
        create_stack("second", "eu-west-1")
        writers = {}
        for region in ("eu-west-1", "us-east-1"):
            create_stack("posture", region)
            client = boto3.client("dynamodb", region_name=region)
            create_tables(client)
            writers[region] = TableWriter(client)
        writers["eu-west-1"].record(0, verdict("single-az", "vpce-0a", severity=Severity.LOW))
        open_policy = verdict("no-policy", "vpce-0f", severity=Severity.HIGH)
        writers["us-east-1"].record(1, open_policy, scope=ABROAD)
        unread = verdict("route-missing", "rtb-0f", Status.UNKNOWN, severity=Severity.MEDIUM)
        writers["us-east-1"].record(2, open_policy, unread, scope=ABROAD)
        for number, scope in enumerate((SCOPE, ABROAD)):
            store_matrix(scope)
            accept(str(number), scope.region)
        yield


def accept(number: str, region: str) -> None:
    """Add a member and a waiver."""
    client, now = boto3.client("dynamodb", region_name=region), datetime.now(UTC)
    member = number * 12
    MemberTable(client, "baseline").put(member, MemberState.ACTIVE, MemberSource.PERSON, now)
    expires = now + timedelta(days=1)
    waiver = Waiver(number, "none", "vpce-0a", "*", "later", "SEC-1", "al", now, expires)
    WaiverTable(client, "baseline", "history").add(waiver)


def store_matrix(scope: Scope) -> None:
    """Store the paths of one subnet in the record of a scope."""
    analysis = Analysis(build_snapshot(subnet("a"), table("a", subnets=["a"])))
    (service,) = (it for it in list_covered_services(analysis.snapshot) if it.name == S3)
    matrix = build_matrix_record(analysis.build_coverage([service]), analysis)
    boto3.client("dynamodb", region_name=scope.region).update_item(
        TableName="findings",
        Key=record_key(scope),
        UpdateExpression="SET coverage = :matrix",
        ExpressionAttributeValues={":matrix": {"B": coverage_fields(matrix)["coverage"]}},
    )


def create_stack(name: str, region: str) -> None:
    """Create a stack whose outputs name the tables."""
    client = boto3.client("cloudformation", region_name=region)
    client.create_stack(StackName=name, TemplateBody=json.dumps(TEMPLATE))


def run(command: str, *arguments: str) -> Result:
    """Run a command with the names of stacks only."""
    return CliRunner().invoke(app, [command, *arguments])


def list_records(*arguments: str, code: int) -> list[dict[str, Any]]:
    """Return the records of a command that must end with an exit code."""
    result = run(*arguments, "--output", "json")
    assert result.exit_code == code, (result.stderr, result.exception)
    records: list[dict[str, Any]] = json.loads(result.stdout)
    return records


def test_findings_are_merged_in_their_order_with_their_regions() -> None:
    """By severity over all Regions, each with its Region, and the totals of each."""
    result = run("findings", *BOTH)
    assert result.exit_code == exit_codes.FINDINGS
    header, *rows = result.stdout.splitlines()
    assert header.split()[4:6] == ["ACCOUNT", "REGION"]
    assert [row.split()[0] for row in rows] == ["high", "medium", "low"]
    assert [ABROAD.region in row for row in rows] == [True, True, False]
    assert "3 findings: eu-west-1 1, us-east-1 2" in result.stderr


def test_csv_has_the_regions_and_a_single_stack_its_usual_table() -> None:
    """A table of one stack has no column that is the same in each row."""
    found = csv.DictReader(io.StringIO(run("findings", *BOTH, "--output", "csv").stdout))
    assert [row["region"] for row in found] == ["us-east-1", "us-east-1", "eu-west-1"]
    alone = run("findings", "--region", "us-east-1")
    assert "REGION" not in alone.stdout
    assert "findings:" not in alone.stderr


def test_all_finds_the_regions_that_have_such_a_stack() -> None:
    """A Region without one is not monitored, which a note says; it is no failure."""
    result = run("findings", "--region", "all", "--output", "json")
    assert result.exit_code == exit_codes.UNREAD
    regions = [each["region"] for each in json.loads(result.stdout)]
    assert regions == ["us-east-1", "us-east-1", "eu-west-1", "eu-central-1"]
    assert "not monitored: no such stack in ap-south-1\n" in result.stderr
    assert "stack posture in eu-central-1 was not read: " in result.stderr


def test_a_region_that_is_named_beside_all_must_have_the_stack() -> None:
    """It was expected there; the others were only looked for."""
    result = run("findings", "--region", "all", "--region", "ap-south-1")
    assert result.exit_code == exit_codes.UNREAD
    assert "stack posture in ap-south-1 was not read: there is no stack" in result.stderr
    assert "not monitored" not in result.stderr


def test_all_is_refused_where_no_stack_or_only_tables_are_named() -> None:
    """Neither is an empty list: there is nothing that could be read."""
    result = run("findings", "--region", "all", "--stack", "other")
    assert result.exception
    assert "no stack 'other' in any enabled Region" in str(result.exception)
    named = run("findings", "--region", "all", "--findings-table", "findings")
    assert named.exit_code == exit_codes.ERROR
    assert "names of tables" in named.stderr


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        (("findings",), "status", "unknown"),
        (("findings", "--as-of", "2026-02-01"), "status", "unknown"),
        (("findings", "--during", "2026-01-01", "2026-02-01"), "statuses", "unknown"),
        (("history",), "step", "not read"),
        (("history", "--resource", "vpce-0a"), "step", "not read"),
        (("diff", "2026-01-31T12:00:00Z"), "change", "not read"),  # nothing else differs
    ],
)
@pytest.mark.parametrize("missing", ["eu-central-1", "ap-south-1"])
def test_a_region_that_cannot_be_read_is_a_record_of_its_own(
    arguments: tuple[str, ...], field: str, value: str, missing: str
) -> None:
    """There is no table or no stack: the others are shown, and the exit code is its own."""
    regions = ("--region", "eu-west-1", "--region", missing)
    result = run(*arguments, *regions, "--output", "json")
    assert result.exit_code == exit_codes.UNREAD
    *found, unread = json.loads(result.stdout)
    assert {each["resource"] for each in found} == (set() if field == "change" else {"vpce-0a"})
    assert (unread[field], unread["region"], unread["id"]) == (value, missing, None)
    assert unread["rule"] == "account-region-not-readable"
    assert unread["account"] == "123456789012"
    assert f"stack posture in {missing} was not read" in unread["summary"]
    assert unread["evidence"]
    assert f"stack posture in {missing} was not read: " in result.stderr


def test_no_finding_elsewhere_is_no_clean_bill() -> None:
    """A filter that matches nothing says of what it speaks, and the exit code says the rest."""
    result = run("findings", *PARTLY, "--severity", "critical")
    assert result.exit_code == exit_codes.UNREAD
    assert "no match: no finding has severity critical, status" in result.stderr
    assert "in what was read" in result.stderr
    seen = run("findings", *PARTLY, "--vpc", "vpc-0123456789abcdef0")
    assert seen.exit_code == exit_codes.UNREAD  # not "has never been seen": it may be there


def test_nothing_that_can_be_read_is_an_error() -> None:
    """With the reason of each stack."""
    result = run("findings", "--region", "ap-south-1", "--region", "ap-southeast-2")
    assert isinstance(result.exception, Exception)
    for region in ("ap-south-1", "ap-southeast-2"):
        assert f"stack posture in {region} was not read" in str(result.exception)


def test_what_was_read_before_a_failure_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the stack is named as not read to the end."""
    original = open_stacks._take

    def fail_later(items: Iterator[Any], size: int) -> tuple[list[Any], Exception | None]:
        part, _ = original(items, size)
        failed = bool(part) and part[0].scope == ABROAD
        return part, CommandError("the network is down") if failed else None

    monkeypatch.setattr(open_stacks, "_take", fail_later)
    *found, unread = list_records("findings", *BOTH, code=exit_codes.UNREAD)
    assert {each["resource"] for each in found} == {"vpce-0f", "rtb-0f", "vpce-0a"}
    assert "was not read to the end: what is not listed here may exist" in unread["summary"]
    assert unread["evidence"][0]["text"] == "the network is down"


def test_history_of_an_actor_is_by_time_over_all_regions() -> None:
    """What someone did is one story, wherever it was."""
    who = ("--actor", "arn:aws:iam::111122223333:user/alice")
    records = list_records("history", *BOTH, *who, code=0)
    assert [each["time"] for each in records] == sorted(each["time"] for each in records)
    assert {each["region"] for each in records} == {"eu-west-1", "us-east-1"}
    everything = list_records("history", *BOTH, code=0)
    assert len(everything) == 3


def test_a_finding_is_looked_up_in_every_region() -> None:
    """Its id does not say where it is."""
    (wanted, *_) = list_records("findings", *BOTH, code=exit_codes.FINDINGS)
    result = run("finding", wanted["id"], "--region", "all")
    assert result.exit_code == exit_codes.UNREAD
    assert "us-east-1" in result.stdout
    lost = run("finding", wanted["id"], *PARTLY)
    assert "was not read" in str(lost.exception)  # not "there is no such finding"


def test_differences_are_those_of_all_regions() -> None:
    """By kind and severity, with the totals."""
    before = at(0.5).strftime("%Y-%m-%dT%H:%M:%SZ")
    records = list_records("diff", before, *BOTH, code=exit_codes.FINDINGS)
    assert {each["region"] for each in records} == {"us-east-1"}
    assert "2 differences: eu-west-1 0, us-east-1 2" in run("diff", before, *BOTH).stderr


def test_no_control_passes_while_a_region_is_not_read() -> None:
    """Each counts the Region as unknown."""
    complete = {each["id"]: each for each in list_records("controls", *BOTH, code=1)}
    partial = list_records("controls", *PARTLY, code=exit_codes.UNREAD)
    assert all(each["state"] != "pass" for each in partial)
    assert all(each["unknown"] >= 1 for each in partial)
    assert {each["id"] for each in partial} == complete.keys()


def test_paths_are_those_of_all_regions() -> None:
    """By Region, with the VPCs of each counted; a named VPC may be in any of them."""
    result = run("coverage", "--stack", "posture", *BOTH, "--output", "csv")
    assert result.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["region"] for row in rows] == ["eu-west-1", "us-east-1"]
    assert "2 VPCs: eu-west-1 1, us-east-1 1" in result.stderr
    named = run("coverage", "--stack", "posture", "--region", "all", "--vpc", ABROAD.subject)
    assert named.stdout.count(ABROAD.subject) == 2  # it has the same id in both
    assert named.exit_code == exit_codes.UNREAD


@pytest.mark.parametrize("missing", ["eu-central-1", "ap-south-1"])
def test_paths_of_a_region_that_cannot_be_read_are_unknown(missing: str) -> None:
    """In each format, beside what the others have."""
    regions = ("--stack", "posture", "--region", "eu-west-1", "--region", missing)
    result = run("coverage", *regions, "--output", "csv")
    assert result.exit_code == exit_codes.UNREAD
    known, unread = csv.DictReader(io.StringIO(result.stdout))
    assert (known["region"], known["outcome"]) == ("eu-west-1", "no route")
    assert (unread["region"], unread["outcome"], unread["vpc"]) == (missing, "unknown", "")
    assert unread["account"] == "123456789012"
    assert f"stack posture in {missing} was not read: nothing of it is listed" in unread["summary"]
    assert f"stack posture in {missing} was not read: " in result.stderr
    drawn = run("coverage", *regions)
    assert f"The stack posture in {missing} was not read" in " ".join(drawn.stdout.split())
    _, document = list_records("coverage", *regions, code=exit_codes.UNREAD)
    assert (document["region"], document["vpc"], document["cells"]) == (missing, None, {})
    assert document["unreadable"].keys() == {"stack posture"}
    elsewhere = run("coverage", *regions, "--vpc", "vpc-0123456789abcdef0")
    assert elsewhere.exit_code == exit_codes.UNREAD  # not "has not observed": it may be there
    assert "not observed in what was read: vpc-0123456789abcdef0" in elsewhere.stderr


def test_uses_of_central_endpoints_are_unknown_where_a_region_is_not_read() -> None:
    """That no VPC of the others uses one does not say that none does."""
    regions = ("--stack", "posture", *PARTLY)
    (unread,) = list_records("network", *regions, code=exit_codes.UNREAD)
    assert (unread["region"], unread["status"]) == ("eu-central-1", "unknown")
    assert "stack posture in eu-central-1 was not read" in unread["why"]
    assert unread["missing"]
    drawn = run("network", *regions)
    assert drawn.exit_code == exit_codes.UNREAD
    assert "all of eu-central-1" in drawn.stdout
    assert "unknown" in drawn.stdout
    assert "no VPC uses the endpoints of another in what was read" in drawn.stderr
    complete = run("network", "--stack", "posture", *BOTH)
    assert (complete.exit_code, complete.stdout) == (0, "")


def test_the_history_of_all_regions_is_verified_at_once(tmp_path: Path) -> None:
    """Each stack by itself, also its waivers; the ends of all are one file."""
    file = tmp_path / "heads.ndjson"
    result = run("verify", *BOTH, "--heads", str(file), "--output", "json")
    assert result.exit_code == 0
    found = [(it["region"], it["scope"], it["rows"]) for it in json.loads(result.stdout)]
    assert found == [
        ("eu-west-1", str(SCOPE), 1),
        ("eu-west-1", "waivers", 1),
        ("us-east-1", str(ABROAD), 2),
        ("us-east-1", "waivers", 1),
    ]
    assert "5 rows in 4 chains" in result.stderr
    assert "eu-west-1, us-east-1: not compared with exported ends" in result.stderr
    proven = run("verify", *BOTH, "--against", str(file))
    assert proven.exit_code == 0
    assert "eu-west-1: compared with 1 export of" in proven.stderr
    assert "us-east-1: compared with 1 export of" in proven.stderr
    alone = run("verify", "--region", "us-east-1", "--against", str(file))
    assert alone.exit_code == 0  # the chains of the other Region are not missed in this one
    assert "an export of table history in eu-west-1 is not compared" in alone.stderr
    tips = [line for line in file.read_text().splitlines() if str(ABROAD) in line]
    file.write_text(file.read_text().replace(json.loads(tips[0])["tip"], "0" * 64))
    forged = run("verify", "--region", "all", "--region", "us-east-1", "--against", str(file))
    assert forged.exit_code == exit_codes.UNREAD
    header, *rows = forged.stdout.splitlines()
    assert header.split()[:3] == ["VERDICT", "REGION", "SCOPE"]
    assert [row.split()[0] for row in rows] == ["intact"] * 2 + ["altered", "intact", "unknown"]


@pytest.mark.parametrize("missing", ["eu-central-1", "ap-south-1"])
def test_a_history_that_cannot_be_read_is_unknown(missing: str, tmp_path: Path) -> None:
    """Nothing proves it: the file that would say so of all is not written."""
    file = tmp_path / "heads.ndjson"
    regions = ("--region", "eu-west-1", "--region", missing)
    result = run("verify", *regions, "--heads", str(file), "--output", "csv")
    assert result.exit_code == exit_codes.UNREAD
    *known, unread = csv.DictReader(io.StringIO(result.stdout))
    assert [each["verdict"] for each in known] == ["intact", "intact"]
    assert (unread["verdict"], unread["region"], unread["rows"]) == ("unknown", missing, "")
    assert f"stack posture in {missing} was not read" in unread["problem"]
    assert f"did not write {file}, because not all stacks were read" in result.stderr
    assert not file.exists()


def test_a_scope_is_verified_in_its_region() -> None:
    """The other stacks cannot have it; one that none has seen is named with the nearest."""
    (found,) = list_records("verify", *BOTH, "--scope", str(ABROAD), code=0)
    assert (found["scope"], found["region"]) == (str(ABROAD), "us-east-1")
    unseen = run("verify", *BOTH, "--scope", str(SCOPE)[:-1] + "9")
    assert "was never observed" in str(unseen.exception)
    assert f"did you mean {SCOPE}" in str(unseen.exception)


@pytest.mark.parametrize(
    ("command", "name", "reason"),
    [("members", "account", "last_error"), ("waiver", "id", "reason")],
)
def test_what_each_region_has_is_one_list(command: str, name: str, reason: str) -> None:
    """With the Region of each; a Region that cannot be read is unknown, not empty."""
    found = list_records(command, "list", *BOTH, code=0)
    assert {each["region"] for each in found} == {"eu-west-1", "us-east-1"}
    assert len({each[name] for each in found}) == 2
    table = run(command, "list", *BOTH)
    assert "REGION" in table.stdout.splitlines()[0]
    assert "eu-west-1 1, us-east-1 1" in table.stderr
    assert "REGION" not in run(command, "list", "--region", "us-east-1").stdout
    *_, unread = list_records(command, "list", *PARTLY, code=exit_codes.UNREAD)
    assert (unread["state"], unread["region"], unread[name]) == ("unknown", "eu-central-1", None)
    assert "stack posture in eu-central-1 was not read" in unread[reason]


def test_two_stacks_of_a_region_are_one_answer() -> None:
    """Members may be split between them; a stack that a Region lacks is named."""
    result = run("findings", "--stack", "posture", "--stack", "second")
    assert result.exit_code == exit_codes.FINDINGS
    assert result.stdout.count("vpce-0a") == 4  # each twice, in its column and its sentence
    lacking = run("findings", "--stack", "posture", "--stack", "third")
    assert lacking.exit_code == exit_codes.UNREAD
    assert "stack third in eu-west-1 was not read" in lacking.stderr


def test_the_page_has_totals_by_region_and_names_what_is_missing(tmp_path: Path) -> None:
    """In its headline, above everything, and in the tables."""
    file = tmp_path / "r.html"
    assert run("report", "--html", str(file), *BOTH).exit_code == 0
    page = file.read_text()
    assert "Unresolved findings by Region" in page
    assert 'data-region="us-east-1"' in page
    assert "all Regions" in page
    assert 'class="unread"' not in page
    result = run("report", "--html", str(file), *PARTLY)
    assert result.exit_code == exit_codes.UNREAD
    page = file.read_text()
    assert "eu-central-1 was not read.</h1>" in page
    assert "What is missing here is unknown, not clean" in page
    assert "1 account · 1 region" in page
    assert '<td data-label="Critical" class="number soft">unknown</td>' in page  # not 0
    assert page.count(">not read</span>") == 2  # its Region, and its account there


def test_an_export_is_whole_or_not_written(tmp_path: Path) -> None:
    """Programs read it later, without the exit code."""
    assert run("export", str(tmp_path / "a"), *BOTH).exit_code == 0
    assert (tmp_path / "a" / "manifest.json").exists()
    result = run("export", str(tmp_path / "b"), *PARTLY)
    assert "was not read" in str(result.exception)
    assert not (tmp_path / "b" / "manifest.json").exists()
