"""`posture what-if`: what it predicts is what a scan finds after the change was made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from command_runner import posture
from posture_cli.main import run
from sample_network import ACCOUNT, REGION, SampleNetwork, build_sample_network

OWN_ONLY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "*",
            "Resource": "*",
            "Condition": {
                "StringEquals": {"aws:PrincipalAccount": ACCOUNT, "aws:ResourceAccount": ACCOUNT}
            },
        }
    ],
}
Make = Callable[[SampleNetwork], Any]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SampleNetwork]:
    """Return the sample region; files are in the working directory."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.json").write_text(json.dumps(OWN_ONLY))
    with mock_aws():
        yield build_sample_network(boto3.client("ec2"))


def ask(*arguments: str) -> dict[str, Any]:
    """Return what the command says, as JSON."""
    result = posture("what-if", *arguments, "--output", "json")
    found: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (1 if found["worse"] else 0)
    return found


def fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    """Run the command as a process does, expect exit code 2, and return standard error."""
    monkeypatch.setattr("sys.argv", ["posture", "what-if", *arguments])
    with pytest.raises(SystemExit) as ended:
        run()
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    return said.err


def scan(network: SampleNetwork) -> set[tuple[str, str, str]]:
    """Return the findings of a scan: status, rule and resource."""
    found = json.loads(posture("scan", "--vpc", network.vpc, "-o", "json").stdout)
    return {(each["status"], each["rule"], each["resource"]) for each in found}


def read_matrix(network: SampleNetwork) -> dict[str, list[str]]:
    """Return the outcomes of the subnet's row, by service."""
    result = posture("coverage", "--vpc", network.vpc, "-o", "csv", "--service", "dynamodb")
    rows = [line.split(",") for line in result.stdout.splitlines()[1:]]
    return {row[6]: row[7:8] for row in rows}


@pytest.mark.parametrize(
    ("arguments", "make"),
    [
        (
            ["--delete", "{gateway}"],
            lambda it: it.ec2.delete_vpc_endpoints(VpcEndpointIds=[it.gateway]),
        ),
        (["--remove", "{nat}"], lambda it: it.ec2.delete_nat_gateway(NatGatewayId=it.nat)),
        (
            ["--policy", "{gateway}=policy.json"],
            lambda it: it.ec2.modify_vpc_endpoint(
                VpcEndpointId=it.gateway, PolicyDocument=json.dumps(OWN_ONLY)
            ),
        ),
        (
            [
                (
                    "aws ec2 modify-vpc-endpoint --vpc-endpoint-id {interface} "
                    "--policy-document file://policy.json"
                )
            ],
            lambda it: it.ec2.modify_vpc_endpoint(
                VpcEndpointId=it.interface, PolicyDocument=json.dumps(OWN_ONLY)
            ),
        ),
        (
            [
                (
                    "aws ec2 authorize-security-group-ingress --group-id {group} --protocol tcp "
                    "--port 443 --cidr 0.0.0.0/0"
                )
            ],
            lambda it: it.ec2.authorize_security_group_ingress(
                GroupId=it.group,
                IpProtocol="tcp",
                FromPort=443,
                ToPort=443,
                CidrIp="0.0.0.0/0",
            ),
        ),
    ],
)
def test_a_prediction_is_what_a_scan_finds_afterwards(
    network: SampleNetwork, arguments: list[str], make: Make
) -> None:
    """Findings that open and resolve, and the cells of the matrix."""
    named = [each.format(**vars(network)) for each in arguments]
    before, matrix = scan(network), read_matrix(network)
    found = ask("--vpc", network.vpc, *named)
    make(network)
    after = scan(network)
    (scope,) = found["scopes"]
    for kind, expected in (("opened", after - before), ("resolved", before - after)):
        rows = {(each["status"], each["rule"], each["resource"]) for each in scope[kind]}
        assert rows == expected
    now = read_matrix(network)
    paths = {each["service"].rpartition(".")[2] for each in scope["paths"]}
    assert paths == {name for name in {*matrix, *now} if matrix.get(name) != now.get(name)}


def test_a_file_answers_as_aws_does(network: SampleNetwork) -> None:
    """Except for the time."""
    posture("snapshot", "save", "network.json")
    arguments = ("--vpc", network.vpc, "--delete", network.gateway)
    assert ask("--from", "network.json", *arguments) == ask(*arguments)


def test_an_added_service_is_created_as_its_remediation_says(network: SampleNetwork) -> None:
    """In a subnet of each zone, with the groups of the other endpoints and private DNS."""
    found = ask("--vpc", network.vpc, "--add", "kms")
    (scope,) = found["scopes"]
    (path,) = [each for each in scope["paths"] if each["service"].endswith(".kms")]
    assert path["before"]["outcome"] == "no route"
    assert path["after"]["outcome"] == "endpoint"
    assert scope["charges"]["dollars_a_month"]["after"] > "0"
    added = next(each for each in found["notes"] if each.startswith("Added by: "))
    assert f"--subnet-ids {network.subnet}" in added
    assert "--private-dns-enabled" in added


def test_several_vpcs_are_shown(network: SampleNetwork) -> None:
    """Each that the commands concern; the others are counted."""
    found = ask(
        f"aws ec2 modify-vpc-attribute --vpc-id {network.bare} --enable-dns-hostnames",
        f"aws ec2 delete-nat-gateway --nat-gateway-id {network.nat}",
    )
    assert {each["subject"] for each in found["scopes"]} == {network.vpc, network.bare}
    assert found["unchanged"] == 1


def test_a_bad_question_ends_with_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    network: SampleNetwork,
    tmp_path: Path,
) -> None:
    """In one sentence, which names the place, the refusal's code, or what was expected."""
    (tmp_path / "bad.json").write_text("{")
    for arguments, expected in (
        (("aws ec2 delet-route",), "delet-route: expected an operation"),
        (("--vpc", network.vpc, "--add", "kmss"), "did you mean kms"),
        (("--vpc", network.vpc, "--add", "sns"), "--add sns: "),
        (("--add", "kms"), "--add kms: expected one VPC, found 3; use --vpc"),
        (("--remove", "x-1"), "--remove x-1: expected the id of a resource, one of acl-…"),
        (("--remove", "igw-1"), "--remove igw-1: no route of the VPCs"),
        (("--remove", "nat-1"), "NatGatewayNotFound: DeleteNatGateway: none of the 3"),
        (("--policy", "policy.json"), "--policy policy.json: expected an endpoint and a file"),
        (("--policy", f"{network.gateway}=none.json"), "none.json: No such file"),
        (("--policy", f"{network.gateway}=bad.json"), "bad.json: line 1, column 2: expected JSON"),
        (
            (
                (
                    f"aws ec2 create-vpc-endpoint --vpc-id {network.vpc} --service-name "
                    f"com.amazonaws.{REGION}.s3 --route-table-ids {network.table}"
                ),
            ),
            "RouteAlreadyExists: CreateVpcEndpoint: ",
        ),
    ):
        assert expected in fail(monkeypatch, capsys, *arguments)


def test_a_question_is_needed() -> None:
    """Without one, nothing is read."""
    result = posture("what-if")
    assert result.exit_code == 2
    assert "expected a command, --add, --policy or --remove" in result.stderr
