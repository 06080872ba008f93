"""`posture policy` with a VPC that is read: its account, its endpoint and its required services."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from moto import mock_aws

from command_runner import posture
from posture_cli.main import run
from sample_network import ACCOUNT, REGION, SampleNetwork, build_sample_network, create_endpoint

BASELINE = """
default:
  organization: o-a1b2c3d4e5
  trusted_organizations: [o-a1b2c3d4e5]
  required_services: [ecr.dkr, s3]
"""


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[SampleNetwork]:
    """Return a small emulated region."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    with mock_aws():
        yield build_sample_network(boto3.client("ec2"))


@pytest.fixture
def baseline(tmp_path: Path) -> str:
    """Write a baseline that trusts an organization and requires Amazon ECR."""
    file = tmp_path / "baseline.yaml"
    file.write_text(BASELINE)
    return str(file)


def test_a_policy_is_generated_for_the_endpoint_of_a_vpc(
    network: SampleNetwork, baseline: str
) -> None:
    """With its id, and what the baseline requires of it."""
    arguments = ("--service", "s3", "--vpc", network.vpc, "--baseline", baseline)
    command = posture("policy", "generate", *arguments, "-o", "cli")
    assert command.exit_code == 0, command.stderr
    assert f"--vpc-endpoint-id {network.gateway} --region {REGION}" in command.stdout
    assert f"prod-{REGION}-starport-layer-bucket" in command.stdout
    assert "aws:PrincipalOrgID" in command.stdout
    template = posture("policy", "generate", *arguments, "-o", "cloudformation").stdout
    properties = yaml.safe_load(template)["Resources"]["S3Endpoint"]["Properties"]
    assert properties["VpcId"] == network.vpc
    assert properties["VpcEndpointType"] == "Gateway"


def test_the_account_of_the_vpc_is_trusted(network: SampleNetwork, tmp_path: Path) -> None:
    """Without a baseline it is the only one."""
    arguments = ("--service", "sns", "--vpc", network.vpc)
    generated = posture("policy", "generate", *arguments, "-o", "json")
    condition = json.loads(generated.stdout)["Statement"][0]["Condition"]["StringEquals"]
    assert condition == {"aws:PrincipalAccount": ACCOUNT, "aws:ResourceAccount": ACCOUNT}
    file = tmp_path / "policy.json"
    file.write_text(generated.stdout)
    assert posture("policy", "check", str(file), *arguments).exit_code == 0


def test_a_vpc_is_read_from_a_file(network: SampleNetwork, baseline: str, tmp_path: Path) -> None:
    """Without credentials or network, with the same result."""
    arguments = ("--service", "s3", "--vpc", network.vpc, "--baseline", baseline, "-o", "json")
    now = posture("policy", "generate", *arguments).stdout
    file = tmp_path / "network.json"
    assert posture("snapshot", "save", str(file)).exit_code == 0
    assert posture("policy", "generate", *arguments, "--from", str(file)).stdout == now


def test_an_endpoint_that_does_not_exist_yet_has_a_policy(network: SampleNetwork) -> None:
    """The AWS CLI command leaves its id open."""
    arguments = ("--service", "kms", "--vpc", network.vpc, "-o", "cli")
    command = posture("policy", "generate", *arguments).stdout
    assert '--vpc-endpoint-id "$VPC_ENDPOINT_ID"' in command


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--vpc", "vpc-00000000", "--service", "s3"), "there is no vpc-00000000"),
        (("--service", "s33"), "did you mean s3"),
        (("--service", "s3", "--endpoint", "vpce-0"), "has no endpoint vpce-0"),
        ((), "--service"),
    ],
)
def test_what_does_not_exist_is_named(
    network: SampleNetwork,
    arguments: tuple[str, ...],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With exit code 2."""
    vpc = () if "--vpc" in arguments else ("--vpc", network.vpc)
    monkeypatch.setattr("sys.argv", ["posture", "policy", "generate", *vpc, *arguments])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_one_of_several_endpoints_is_chosen(
    network: SampleNetwork, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A VPC may have two endpoints of a service: the ids are listed."""
    other = create_endpoint(
        network.ec2, network.vpc, "Interface", "sns", SubnetIds=[network.subnet]
    )
    arguments = ["policy", "generate", "--service", "sns", "--vpc", network.vpc]
    chosen = posture(*arguments, "--endpoint", other, "-o", "cli")
    assert other in chosen.stdout
    monkeypatch.setattr("sys.argv", ["posture", *arguments])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert other in error
    assert network.interface in error
