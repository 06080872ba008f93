"""Each command on the page for auditors, run as it is written there."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from audit_stage import TableWriter, rows
from finding_builders import at, verdict
from posture.evidence.export import LockedBucket, export_chain_ends
from posture.model.finding import finding_id
from posture.model.scope import Scope
from posture.runtime.settings import EvidenceBucket
from posture.store.chain_ends import ChainEnd, ExportHeader, format_lines
from posture.store.findings import Findings
from posture.store.hash_chain import Chain
from posture.store.waivers import WaiverTable
from posture_cli.app import app
from sample_network import build_sample_network
from stack_tables import TABLES, create_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE = (Path(__file__).parents[3] / "docs/auditors.md").read_text(encoding="utf-8")
ALICE = "arn:aws:sts::111122223333:assumed-role/Deploy/alice"
RULE = "gateway-service-bypasses-endpoint"
DOCUMENTED = Scope("111122223333", "eu-west-1", "vpc-0123456789abcdef0")
BUCKET = "evidence-bucket"
DAY = 24 * 60


def list_commands(page: str) -> list[str]:
    """Return the commands of a page: of its code blocks, and in its tables."""
    fenced = re.findall(r"^ *```\n(.*?)^ *```", page, re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in fenced for line in block.splitlines()]
    lines += re.findall(
        r"`(posture [^`]+)`", "\n".join(re.findall(r"^\|.*\|$", page, re.MULTILINE))
    )
    commands = [line.partition("#")[0].strip() for line in lines if line.startswith("posture ")]
    return list(dict.fromkeys(each for each in commands if each != "posture verify"))


def deploy_stack() -> None:
    """Create a stack that has the outputs of the monitor's, as commands look them up."""
    outputs = {f"{name.capitalize()}TableName": {"Value": name} for name in vars_of(TABLES)}
    template = {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}
    boto3.client("cloudformation").create_stack(
        StackName="posture", TemplateBody=json.dumps(template)
    )


def vars_of(tables: Any) -> list[str]:
    """Return the names of the tables."""
    return [str(getattr(tables, name)) for name in tables.__slots__]


def export(client: "DynamoDBClient") -> list[ChainEnd]:
    """Export to the bucket as the function does; return the same ends."""
    storage = boto3.client("s3")
    storage.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    header = ExportHeader("history", at(200 * DAY), "posture", "111122223333", "eu-west-1")
    target = LockedBucket(storage, EvidenceBucket(BUCKET, "123456789012"))
    export_chain_ends(Findings(client, "findings"), WaiverTable(client, "baseline"), target, header)
    [last] = [row for row in rows(client, "history", DOCUMENTED) if row["number"]["N"] == "2"]
    return [ChainEnd(str(DOCUMENTED), Chain(2, last["digest"]["S"]))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return what stands for names of the page, with a network, tables, a bucket and files."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("MOTO_ACCOUNT_ID", "111122223333")
    monkeypatch.chdir(tmp_path)
    with mock_aws():
        client = boto3.client("dynamodb")
        create_tables(client)
        deploy_stack()
        network = build_sample_network(boto3.client("ec2"))
        writer = TableWriter(client)
        writer.record(0, verdict(RULE, "rtb-0123456789abcdef0"), scope=DOCUMENTED, actor=ALICE)
        writer.record(180 * DAY, scope=DOCUMENTED)  # within the third quarter
        writer.record(250 * DAY, scope=DOCUMENTED)
        writer.record(299 * DAY, verdict("no-policy", "vpce-0a"), scope=network.scope)
        ends = export(client)
        header = ExportHeader("history", at(200 * DAY))
        lines = "\n".join(format_lines(header, ends))
        (tmp_path / "heads-2026-06-30.json").write_text(lines, encoding="utf-8")
        history = {"rows": ends[0].chain.length, "digest": ends[0].chain.tip}
        alert = {"kind": "alert", "scope": str(DOCUMENTED), "history": history}
        (tmp_path / "alerts.ndjson").write_text(json.dumps(alert), encoding="utf-8")
        policy = {
            "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]
        }
        (tmp_path / "policy.json").write_text(json.dumps(policy), encoding="utf-8")
        yield {
            "f-0123456789abcdef0123": finding_id(DOCUMENTED, RULE, "rtb-0123456789abcdef0"),
            "subnet-0123456789abcdef0": network.subnet,
            "$(date +%F)": "2026-06-30",
        }


COMMANDS = list_commands(PAGE)


def test_the_page_has_its_commands() -> None:
    """So that a changed form of the page does not skip them."""
    assert len(COMMANDS) >= 25
    assert "posture history --since 2026-07-01 --until 2026-09-30 --output csv > q3.csv" in COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_command_answers(command: str, names: dict[str, str]) -> None:
    """Without an error."""
    line, _, file = command.partition(" > ")
    for name, value in names.items():
        line = line.replace(name, value)
    result = CliRunner().invoke(app, shlex.split(line)[1:])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in {0, 1}, result.stderr
    assert result.output.strip()
    if file.endswith(".csv"):
        assert result.stdout.startswith("time,step,")


def test_the_answers_about_the_quarter(names: dict[str, str]) -> None:
    """The finding that was repaired within it is in them, and the late VPC is named."""
    assert names
    quarter = ("--during", "2026-07-01", "2026-09-30")
    result = CliRunner().invoke(app, ["findings", "--rule", RULE, *quarter, "-o", "json"])
    [found] = json.loads(result.stdout)
    assert (found["resource"], found["statuses"]) == ("rtb-0123456789abcdef0", "open, resolved")
    assert "1 of 2 scopes were observed" in result.stderr
    assert "first observed later" in result.stderr
