"""Scans of many accounts and regions, and of regions that answer only in part."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
import botocore.handlers
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto import mock_aws
from urllib3 import HTTPResponse

from command_runner import posture
from posture.lifecycle import bounds
from posture.remedies import prove
from posture_cli.completion import list_accounts
from posture_cli.failure import describe_failure
from sample_network import REGION, SampleNetwork, build_sample_network

OTHER_REGION = "eu-central-1"
ACCESS = "account-region-not-readable"
PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>"
UNCLOSED = "<html><body><br>Service unavailable</html>"
ERROR = "<Response><Errors><Error><Code>{}</Code><Message>no</Message></Error></Errors></Response>"

Break = Callable[..., None]


def answer(status: int, body: str) -> AWSResponse:
    """Return an HTTP answer."""
    raw = HTTPResponse(BytesIO(body.encode()), status=status, preload_content=False)
    return AWSResponse("https://proxy", status, HTTPHeaders(), raw)


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_, **__: True)


@pytest.fixture
def network() -> Iterator[SampleNetwork]:
    """Return a small emulated region."""
    with mock_aws():
        yield build_sample_network(boto3.client("ec2"))


@pytest.fixture
def break_call(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Return a function that lets every client of the command get other answers."""

    def register(event: str, handler: Callable[..., Any]) -> None:
        handlers = [(f"before-send.{event}", handler), *botocore.handlers.BUILTIN_HANDLERS]
        monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", handlers)
        monkeypatch.setattr(botocore.session, "BUILTIN_HANDLERS", handlers, raising=False)

    return register


def scan(*arguments: str) -> list[dict[str, Any]]:
    """Return what a scan finds, as JSON; it ends with 1."""
    result = posture("scan", *arguments, "--no-fixes", "--output", "json")
    assert result.exit_code == 1, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def keys(found: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """Return what is found: rule, resource and status."""
    return {(each["rule"], each["resource"], each["status"]) for each in found}


# --- commands that are proven --------------------------------------------------------------------


def test_each_of_many_vpcs_gets_the_same_proofs_and_says_how_to_get_more(
    network: SampleNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer than a VPC that is named, so that the scan ends; the last one as many as the first."""
    monkeypatch.setattr(prove, "FIRST_LIMITS", replace(prove.FIRST_LIMITS, trials=1))
    tried: list[str] = []
    make_trial = prove.Prover._make_trial

    def count(prover: prove.Prover, command: str) -> Any:
        tried.append(prover._context.snapshot.scope.subject)
        return make_trial(prover, command)

    monkeypatch.setattr(prove.Prover, "_make_trial", count)
    vpcs = [network.vpc, build_sample_network(network.ec2).vpc]
    result = posture("scan", "--output", "json")
    texts = {
        vpc: [each["remediation"]["text"] for each in json.loads(result.stdout) if vpc in str(each)]
        for vpc in vpcs
    }
    assert sorted(tried) == sorted(vpcs)
    for vpc in vpcs:
        assert sum(f"posture scan --vpc {vpc} checks more" in each for each in texts[vpc]) == 1

    tried.clear()
    alone = posture("scan", "--output", "json", "--vpc", vpcs[0])
    assert tried == [vpcs[0]] * 2
    assert prove.NOT_CHECKED not in alone.stdout


@pytest.mark.usefixtures("network")
def test_a_scan_reports_as_much_of_a_finding_as_the_monitor_stores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that it grows with the findings, however many resources each of them concerns."""
    monkeypatch.setattr(bounds, "SUMMARY", 20)
    assert all(len(each["summary"].encode()) <= bounds.SUMMARY for each in scan())


# --- parts of a region that cannot be read -------------------------------------------------------

FAULTS: dict[str, Callable[..., AWSResponse]] = {
    "a web page with status 200": lambda **_: answer(200, PAGE),
    "no XML with status 200": lambda **_: answer(200, UNCLOSED),
    "nothing": lambda **_: answer(200, ""),
    "a web page of an error": lambda **_: answer(502, PAGE),
    "a web page that is no XML": lambda **_: answer(403, UNCLOSED),
    "throttled": lambda **_: answer(503, ERROR.format("RequestLimitExceeded")),
    "an error of EC2": lambda **_: answer(500, ERROR.format("InternalError")),
    "an unknown code": lambda **_: answer(400, ERROR.format("Peculiar")),
}


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        *(("DescribeNatGateways", fault) for fault in FAULTS),
        ("DescribeVpcEndpointServices", "a web page with status 200"),
        ("DescribeVpcAttribute", "throttled"),
        ("DescribeVpcEndpointServiceConfigurations", "no XML with status 200"),
    ],
)
@pytest.mark.usefixtures("network")
def test_what_fails_is_unknown_and_all_else_is_found(
    operation: str, fault: str, break_call: Break
) -> None:
    """Whatever the answer; the operation is named."""
    whole = keys(scan())
    break_call(f"ec2.{operation}", FAULTS[fault])
    found = scan()
    lost = whole - keys(found)
    unknown = [each for each in found if each["status"] == "unknown"]
    assert any(operation in json.dumps(each["evidence"]) for each in unknown)
    instead = {each["rule"] for each in unknown}
    assert {rule for rule, *_ in lost} <= instead
    assert len(whole - lost) > 0
    assert not any("<html" in json.dumps(each) for each in found)


@pytest.mark.parametrize("fault", ["a web page with status 200", "throttled"])
def test_vpcs_that_cannot_be_listed_are_unknown_and_named_all_the_same(
    network: SampleNetwork, fault: str, break_call: Break
) -> None:
    """By the resources that name them; the region is unknown as well."""
    break_call("ec2.DescribeVpcs", FAULTS[fault])
    found = scan()
    (region,) = [each for each in found if each["rule"] == ACCESS]
    assert "completely in eu-west-1" in region["summary"]
    assert "DescribeVpcs" in json.dumps(region["evidence"])
    assert network.vpc in {each["vpc"] for each in found}


@pytest.mark.usefixtures("network")
def test_a_region_that_cannot_be_reached_loses_no_other(break_call: Break) -> None:
    """It is unknown, named on standard error, and nothing is asked a thousand times."""
    asked = []

    def fail(request: Any, **_: Any) -> None:
        if OTHER_REGION in request.url:
            asked.append(request.url)
            raise ConnectionError("no route to host")

    break_call("ec2", fail)
    result = posture("scan", "-r", REGION, "-r", OTHER_REGION, "-o", "json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [each["region"] for each in found if each["rule"] == ACCESS] == [OTHER_REGION]
    assert {each["region"] for each in found if each["status"] == "fail"} == {REGION}
    assert f"unknown: 123456789012/{OTHER_REGION}: " in result.stderr
    assert "in 1 account and 2 regions" in result.stderr


def test_a_partly_failing_region_is_saved_with_its_gaps(
    network: SampleNetwork, break_call: Break, tmp_path: Path
) -> None:
    """A scan of the file says unknown where the scan of the region does."""
    break_call("ec2.DescribeNatGateways", lambda **_: answer(200, PAGE))
    break_call("ec2.DescribeSubnets", lambda **_: answer(503, UNCLOSED))
    file = tmp_path / "network.json"
    assert posture("snapshot", "save", str(file)).exit_code == 0
    assert keys(scan("--from", str(file))) == keys(scan())
    assert network.vpc in file.read_text(encoding="utf-8")


@pytest.mark.usefixtures("network")
def test_a_vpc_that_does_not_exist_may_be_where_nothing_could_be_read(break_call: Break) -> None:
    """It is an error only if everything could be read."""
    missing = posture("scan", "--vpc", "vpc-0123456789abcdef0")
    assert "there is no vpc-0123456789abcdef0 in eu-west-1" in str(missing.exception)
    break_call("ec2.DescribeVpcs", lambda **_: answer(503, PAGE))
    (found,) = scan("--vpc", "vpc-0123456789abcdef0")
    assert found["rule"] == ACCESS


# --- many accounts and regions -------------------------------------------------------------------


class Organization:
    """A management account with two members; each has a VPC in two regions."""

    def __init__(self) -> None:
        organizations = boto3.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        self.own = boto3.client("sts").get_caller_identity()["Account"]
        self.members = [self._create(organizations, name) for name in ("payments", "hub")]
        self.vpcs = {self._build(account) for account in (self.own, *self.members)}

    @staticmethod
    def _create(organizations: Any, name: str) -> str:
        made = organizations.create_account(Email=f"{name}@example.com", AccountName=name)
        account: str = made["CreateAccountStatus"]["AccountId"]
        return account

    def _build(self, account: str) -> str:
        keys: dict[str, Any] = {}
        if account != self.own:
            role = f"arn:aws:iam::{account}:role/Build"
            made = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="build")
            keys = {
                "aws_access_key_id": made["Credentials"]["AccessKeyId"],
                "aws_secret_access_key": made["Credentials"]["SecretAccessKey"],
                "aws_session_token": made["Credentials"]["SessionToken"],
            }
        ec2 = boto3.client("ec2", **keys)
        vpc: str = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3")
        return vpc


@pytest.fixture
def organization() -> Iterator[Organization]:
    """Return an emulated organization."""
    with mock_aws():
        yield Organization()


def refuse(account: str, asked: list[dict[str, str]]) -> Callable[..., AWSResponse | None]:
    """Return what refuses to assume the role of an account, and keeps what was asked for."""

    def handle(request: Any, **_: Any) -> AWSResponse | None:
        parameters = {name: each[0] for name, each in parse_qs(request.body).items()}
        asked.append(parameters)
        if account and account in parameters["RoleArn"]:
            return answer(403, ERROR.format("AccessDenied").replace("Response>", "ErrorResponse>"))
        return None

    return handle


def test_an_organization_is_scanned_in_one_table(
    organization: Organization, break_call: Break
) -> None:
    """The own account with own credentials, each other one by its role, for reading only."""
    asked: list[dict[str, str]] = []
    break_call("sts.AssumeRole", refuse("", asked))
    found = scan("--org", "--region", REGION, "--region", OTHER_REGION)
    assert {each["account"] for each in found} == {organization.own, *organization.members}
    assert {each["region"] for each in found} == {REGION, OTHER_REGION}
    assert organization.vpcs <= {each["vpc"] for each in found}
    role = "arn:aws:iam::{}:role/OrganizationAccountAccessRole"
    assert {each["RoleArn"] for each in asked} == set(map(role.format, organization.members))
    for each in asked:
        assert json.loads(each["Policy"])["Statement"]["Action"] == [
            "ec2:Describe*",
            "ec2:GetManagedPrefixListEntries",
        ]


def test_one_account_that_refuses_loses_no_other(
    organization: Organization, break_call: Break
) -> None:
    """It is unknown and named in every format; the exit code says so."""
    refused, other = organization.members
    break_call("sts.AssumeRole", refuse(refused, []))
    arguments = (
        "scan",
        "--no-fixes",
        "--accounts",
        ",".join(organization.members),
        "--role",
        "Audit/Reader",
    )
    result = posture(*arguments, "--region", "all", "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    (unknown,) = [row for row in rows if row["account"] == refused]
    assert (unknown["rule"], unknown["status"], unknown["region"]) == (ACCESS, "unknown", "all")
    assert "sts:AssumeRole is denied (role Audit/Reader)" in unknown["evidence"]
    assert len({row["region"] for row in rows if row["account"] == other}) > 10
    assert result.exit_code == 1
    assert f"unknown: {refused}/all: AccessDenied" in result.stderr
    assert organization.own not in {row["account"] for row in rows}
    assert ACCESS in posture(*arguments, "--output", "sarif").stdout
    assert ACCESS in posture(*arguments, "--output", "junit").stdout


def test_accounts_that_were_scanned_are_completed(organization: Organization) -> None:
    """Later, without a call."""
    assert list_accounts("") == []
    posture("scan", "--accounts", " ".join(organization.members), "--role", "Reader")
    assert list_accounts("") == sorted(organization.members)
    assert list_accounts(organization.members[0][:11]) == [organization.members[0]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--accounts 111122223333", "--accounts needs --role"),
        ("--accounts 1111 --role Reader", "'1111' is not an account of 12 digits"),
        ("--role Reader", "--role is for other accounts: give --org, or --accounts"),
        ("--accounts 111122223333 --role arn:aws:iam::1:role/x", "is not the name of a role"),
        ("--org --from network.json", "a file has its own accounts"),
    ],
)
@pytest.mark.usefixtures("network")
def test_options_about_accounts_that_contradict_each_other(arguments: str, expected: str) -> None:
    """Are named before anything is read."""
    result = posture("scan", *arguments.split())
    text = result.stderr + (describe_failure(result.exception or Exception()) or "")
    assert expected in text
    assert result.stdout == ""


@pytest.mark.usefixtures("network")
def test_an_organization_that_may_not_be_listed(break_call: Break) -> None:
    """What is needed is named."""
    denied = '{"__type": "AccessDeniedException", "Message": "no"}'
    break_call("organizations.ListAccounts", lambda **_: answer(400, denied))
    text = describe_failure(posture("scan", "--org").exception or Exception()) or ""
    assert "cannot be listed: AccessDeniedException. Only its management account" in text
    assert "organizations:ListAccounts" in text
