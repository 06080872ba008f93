"""`posture snapshot save`, and the commands that read the file instead of AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from moto import mock_aws
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses import EC2Response
from typer.testing import Result

from command_runner import posture
from posture_cli.main import run
from posture_cli.recorded.operations import OPERATIONS
from sample_network import ACCOUNT, REGION, SampleNetwork, build_sample_network

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[SampleNetwork]:
    """Return the sample region, with what leads out of a VPC."""
    for name in CREDENTIALS:
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    with mock_aws():
        sample = build_sample_network(boto3.client("ec2"))
        sample.share_group()
        sample.add_cross_region_endpoint()
        sample.associate_dhcp_options("10.0.0.2", "10.9.9.9")
        yield sample


def run_without_aws(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """Run the command without credentials; a call to AWS would fail."""
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    return posture(*arguments)


def parse(text: str) -> list[Any]:
    """Parse JSON, without order and the time of the observation."""
    document = json.loads(text)
    rows = document if isinstance(document, list) else [document]
    for each in rows:
        each.pop("observed_at", None)
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def save(tmp_path: Path, *arguments: str) -> str:
    """Save the network; return the file."""
    file = tmp_path / "network.json"
    result = posture("snapshot", "save", str(file), *arguments)
    assert result.exit_code == 0, result.output
    return str(file)


def save_describe_output(ec2: Any, folder: Path, vpcs: list[str]) -> Path:
    """Write what the AWS CLI prints, one file for each command."""
    folder.mkdir()

    def write(name: str, answer: dict[str, Any]) -> None:
        answer.pop("ResponseMetadata", None)
        text = json.dumps(answer, default=datetime.isoformat)
        (folder / f"{name}.json").write_text(text)

    for name, operation in OPERATIONS.items():
        if not operation.key and name != "DescribeVpcEndpointConnections":  # moto has none
            write(name, ec2.get_paginator(xform_name(name)).paginate().build_full_result())
    for vpc in vpcs:
        for attribute in ("enableDnsSupport", "enableDnsHostnames"):
            answer = ec2.describe_vpc_attribute(VpcId=vpc, Attribute=attribute)
            write(f"{vpc}-{attribute}", answer)
    for each in ec2.describe_managed_prefix_lists()["PrefixLists"]:
        entries = ec2.get_managed_prefix_list_entries(PrefixListId=each["PrefixListId"])
        write(each["PrefixListId"], entries)
    return folder


@pytest.mark.parametrize(
    "command",
    [["scan", "--all"], ["coverage"], ["explain", "SUBNET", "s3"], ["explain", "SUBNET", "sns"]],
)
def test_a_saved_network_is_the_live_one(
    network: SampleNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """Every command answers the same, without credentials and network."""
    arguments = [each.replace("SUBNET", network.subnet) for each in command]
    live = posture(*arguments, "--output", "json")
    file = save(tmp_path)
    saved = run_without_aws(monkeypatch, *arguments, "--output", "json", "--from", file)
    assert parse(saved.stdout) == parse(live.stdout)
    assert (saved.exit_code, saved.stderr) == (live.exit_code, live.stderr)


def test_output_of_the_aws_cli_is_the_live_network(
    network: SampleNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In files of any name; services of other regions are the only thing that it lacks."""
    live = posture("scan", "--all", "--output", "json")
    vpcs = [each["VpcId"] for each in network.ec2.describe_vpcs()["Vpcs"]]
    folder = save_describe_output(network.ec2, tmp_path / "describe", vpcs)
    saved = run_without_aws(monkeypatch, "scan", "--all", "-o", "json", "--from", str(folder))
    assert parse(saved.stdout) == parse(live.stdout)


def test_a_file_that_is_missing_makes_answers_unknown(
    network: SampleNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What passed before is unknown, and names the command that was not run."""
    vpcs = [each["VpcId"] for each in network.ec2.describe_vpcs()["Vpcs"]]
    folder = save_describe_output(network.ec2, tmp_path / "describe", vpcs)
    (folder / "DescribeRouteTables.json").unlink()
    found = run_without_aws(monkeypatch, "scan", "--all", "-o", "json", "--from", str(folder))
    assert found.exit_code == 1
    rows = [each for each in json.loads(found.stdout) if each["rule"].startswith("gateway-")]
    assert rows
    assert {each["status"] for each in rows} == {"unknown"}
    assert "aws ec2 describe-route-tables" in json.dumps(rows)


def test_one_vpc_can_be_saved(
    network: SampleNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file holds no other, and says so if it is asked for."""
    file = save(tmp_path, "--vpc", network.vpc)
    found = run_without_aws(monkeypatch, "scan", "--from", file, "--all", "-o", "json")
    assert {each["vpc"] for each in json.loads(found.stdout)} == {network.vpc}
    missing = posture("scan", "--from", file, "--vpc", network.bare)
    assert f"there is no {network.bare}" in str(missing.exception)


def test_what_is_denied_is_saved_as_denied(
    network: SampleNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers that depend on it are unknown, with the same reason as in AWS."""
    denied = EC2Response.describe_network_acls

    def deny(_: Any) -> Any:
        raise EC2ClientError("UnauthorizedOperation", "You are not authorized: user/secret")

    monkeypatch.setattr(EC2Response, "describe_network_acls", deny)
    live = posture("scan", "--all", "--vpc", network.vpc, "-o", "json")
    file = save(tmp_path)
    assert "user/secret" not in Path(file).read_text()
    monkeypatch.setattr(EC2Response, "describe_network_acls", denied)
    saved = run_without_aws(
        monkeypatch, "scan", "--all", "--vpc", network.vpc, "-o", "json", "--from", file
    )
    assert parse(saved.stdout) == parse(live.stdout)
    assert "ec2:DescribeNetworkAcls is denied" in saved.stdout


def test_a_snapshot_holds_no_credentials(network: SampleNetwork, tmp_path: Path) -> None:
    """Nor anything of the requests."""
    text = Path(save(tmp_path, "--vpc", network.vpc)).read_text()
    assert "testing" not in text
    assert "RequestId" not in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--from", "nowhere.json"], "nowhere.json: No such file or directory"),
        (["--account", "111122223333"], "--account is for files: use it with --from"),
        (["--from", "bad.json"], "bad.json: line 1, column 2: expected JSON"),
    ],
)
def test_a_bad_file_ends_with_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    expected: str,
) -> None:
    """And one sentence."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.json").write_text("{")
    monkeypatch.setattr("sys.argv", ["posture", "scan", *arguments])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    assert expected in capsys.readouterr().err


def test_a_deployed_monitor_needs_no_file() -> None:
    """The two are not combined."""
    result = posture("coverage", "--stack", "posture", "--from", "network.json")
    assert result.exit_code == 2
    assert "--from with --stack" in result.stderr
