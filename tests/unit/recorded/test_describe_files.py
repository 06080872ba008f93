"""Folders with the output of `aws ec2 describe-*`: recognised, joined, and never taken for more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from posture.model.network import Facet
from posture_cli.failure import CommandError
from posture_cli.recorded.load import load_regions
from posture_cli.recorded.observe import observe_region
from posture_cli.recorded.region import RecordedRegion

ACCOUNT = "111122223333"


def own(**members: Any) -> dict[str, Any]:
    """Build a row of VPC 1 in the account."""
    return {"VpcId": "vpc-1", "OwnerId": ACCOUNT, **members}


def build_folder() -> dict[str, Any]:
    """Build a complete folder: the content of its files by name."""
    return {
        "vpcs.json": {"Vpcs": [own(CidrBlock="10.0.0.0/16", DhcpOptionsId="dopt-1")]},
        "subnets": {"Subnets": [own(SubnetId="subnet-1", AvailabilityZone="eu-west-1a")]},
        "tables.txt": {
            "RouteTables": [
                own(RouteTableId="rtb-1", Associations=[{"Main": True}, {"SubnetId": "subnet-1"}])
            ]
        },
        "endpoints.json": {
            "VpcEndpoints": [
                own(VpcEndpointId="vpce-1", CreationTimestamp="2026-11-23T12:00:00.123000+00:00")
            ]
        },
        "groups.json": {"SecurityGroups": [own(GroupId="sg-1", GroupName="default")]},
        "acls.json": {"NetworkAcls": [own(NetworkAclId="acl-1", IsDefault=True)]},
        "nats.json": {"NatGateways": []},
        "interfaces.json": {"NetworkInterfaces": []},
        "options.json": {"DhcpOptions": [{"DhcpOptionsId": "dopt-1", "OwnerId": ACCOUNT}]},
        "lists.json": {"PrefixLists": [{"PrefixListId": "pl-aa", "Cidrs": ["3.0.0.0/15"]}]},
        "services.json": {"ServiceDetails": [{"ServiceName": "s3"}], "ServiceNames": ["s3"]},
        "support.json": {"VpcId": "vpc-1", "EnableDnsSupport": {"Value": True}},
        "hostnames.json": {"VpcId": "vpc-1", "EnableDnsHostnames": {"Value": False}},
        "pl-bb.json": {"Entries": [{"Cidr": "10.0.0.0/8"}]},
    }


def write(folder: Path, files: dict[str, Any]) -> Path:
    """Write the files of a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def load(folder: Path, files: dict[str, Any], **options: Any) -> RecordedRegion:
    """Write a folder and load its region."""
    (region,) = load_regions(write(folder, files), **options)
    return region


def fail(folder: Path, files: dict[str, Any], **options: Any) -> str:
    """Return the error of a folder, with places inside it."""
    with pytest.raises(CommandError) as error:
        load_regions(write(folder, files), **options)
    return str(error.value).replace(f"{folder}/", "").replace(str(folder), "FOLDER")


def find_unreadable(region: RecordedRegion) -> dict[str, str]:
    """Return what is unreadable in the VPC."""
    unreadable = observe_region(region).vpcs["vpc-1"].unreadable
    return {facet.value: reason for facet, reason in unreadable.items()}


def test_files_are_recognised_by_their_content(tmp_path: Path) -> None:
    """Whatever their names; account and region are those of the rows."""
    region = load(tmp_path, build_folder())
    assert (region.account, region.region) == (ACCOUNT, "eu-west-1")
    snapshot = observe_region(region).vpcs["vpc-1"]
    assert snapshot.unreadable == {}
    assert (snapshot.vpc.dns_support, snapshot.vpc.dns_hostnames) == (True, False)
    assert set(snapshot.subnets) == {"subnet-1"}
    assert snapshot.endpoints["vpce-1"].created_at is not None


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("subnets", "DescribeSubnets"),
        ("tables.txt", "DescribeRouteTables"),
        ("endpoints.json", "DescribeVpcEndpoints"),
        ("groups.json", "DescribeSecurityGroups"),
        ("acls.json", "DescribeNetworkAcls"),
        ("nats.json", "DescribeNatGateways"),
        ("options.json", "DescribeDhcpOptions"),
        ("lists.json", "DescribePrefixLists"),
        ("services.json", "DescribeVpcEndpointServices"),
    ],
)
def test_a_file_that_is_missing_is_unreadable_by_name(
    tmp_path: Path, name: str, operation: str
) -> None:
    """The reason names the AWS CLI command."""
    files = build_folder()
    del files[name]
    reasons = find_unreadable(load(tmp_path, files, regions=["eu-west-1"]))
    assert set(reasons) == {operation}
    assert "holds no output of aws ec2 describe-" in reasons[operation]


def test_an_attribute_that_is_missing_is_unreadable(tmp_path: Path) -> None:
    """It is neither true nor false."""
    files = build_folder()
    del files["hostnames.json"]
    assert set(find_unreadable(load(tmp_path, files))) == {Facet.DNS_ATTRIBUTES}


def test_several_files_of_one_operation_are_joined(tmp_path: Path) -> None:
    """In folders, too; hidden files are not read."""
    files = build_folder()
    files["more/subnets.json"] = {"Subnets": [own(SubnetId="subnet-2")]}
    files[".hidden"] = "no JSON"
    snapshot = observe_region(load(tmp_path, files)).vpcs["vpc-1"]
    assert set(snapshot.subnets) == {"subnet-1", "subnet-2"}


@pytest.mark.parametrize(
    ("name", "rows", "operation"),
    [
        ("tables.txt", {"RouteTables": []}, "DescribeRouteTables"),
        (
            "tables.txt",
            {"RouteTables": [own(RouteTableId="rtb-2", Associations=[])]},
            "DescribeRouteTables",
        ),
        ("acls.json", {"NetworkAcls": []}, "DescribeNetworkAcls"),
        ("groups.json", {"SecurityGroups": []}, "DescribeSecurityGroups"),
        ("subnets", {"Subnets": []}, "DescribeSubnets"),
    ],
)
def test_a_filtered_output_is_no_empty_network(
    tmp_path: Path, name: str, rows: Any, operation: str
) -> None:
    """EC2 creates a main table, an ACL and a group with each VPC."""
    files = {**build_folder(), name: rows}
    assert set(find_unreadable(load(tmp_path, files, regions=["eu-west-1"]))) == {operation}


@pytest.mark.parametrize(
    ("target", "facet"),
    [
        ({"GatewayId": "vpce-9", "DestinationPrefixListId": "pl-aa"}, Facet.ENDPOINTS),
        ({"NatGatewayId": "nat-9", "DestinationCidrBlock": "0.0.0.0/0"}, Facet.NAT_GATEWAYS),
    ],
)
def test_a_target_of_a_route_that_no_file_holds(
    tmp_path: Path, target: dict[str, str], facet: Facet
) -> None:
    """Endpoints or NAT gateways are incomplete, unless the route is a blackhole."""
    files = build_folder()
    files["tables.txt"]["RouteTables"][0]["Routes"] = [{**target, "State": "active"}]
    assert set(find_unreadable(load(tmp_path, files))) == {facet}
    files["tables.txt"]["RouteTables"][0]["Routes"] = [{**target, "State": "blackhole"}]
    assert find_unreadable(load(tmp_path, files)) == {}


def test_a_shared_vpc_shows_less(tmp_path: Path) -> None:
    """Its owner's main table and default group are not visible; use --account."""
    files = build_folder()
    files["vpcs.json"]["Vpcs"][0]["OwnerId"] = "444455556666"
    route = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-9", "State": "active"}
    shared = {**own(RouteTableId="rtb-2", Routes=[route]), "OwnerId": "444455556666"}
    files["tables.txt"] = {"RouteTables": [shared]}
    files["groups.json"] = {"SecurityGroups": [own(GroupId="sg-2", GroupName="app")]}
    assert find_unreadable(load(tmp_path, files)) == {}


PAGE = {"Subnets": [], "NextToken": "eyJ"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"subnets": PAGE}, "subnets: NextToken: a page is missing"),
        ({"a.json": "{"}, "a.json: line 1, column 2: expected JSON"),
        ({"a.json": "VPCS\t10.0.0.0/16"}, "a.json: line 1, column 1: expected JSON"),
        (
            {"a.json": [{"VpcId": "vpc-1"}]},
            (
                "a.json: expected the output of an aws ec2 describe command, an object, found a "
                "list; was --query used?"
            ),
        ),
        ({"a.json": {"Buckets": []}}, "a.json: expected the output of an aws ec2 describe command"),
        ({"subnets": {"Subnets": {}}}, "subnets: Subnets: expected a list, found an object"),
        (
            {"subnets": {"Subnets": [{"VpcId": "vpc-1"}]}},
            "subnets: Subnets[0].SubnetId: expected an id, found none",
        ),
        (
            {"subnets": {"Subnets": [own(SubnetId="subnet-1", EnableDns64="no")]}},
            "subnets: Subnets[0].EnableDns64: expected true or false, found 'no'",
        ),
        ({"pl-bb.json": {"Entries": "x"}}, "pl-bb.json: answer.Entries: expected a list"),
        (
            {"entries.json": {"Entries": []}},
            (
                "entries.json: the output of aws ec2 get-managed-prefix-list-entries does not say "
                "what it is of; expected the id in the name of the file, as in pl-0123abcd.json"
            ),
        ),
        (
            {"principals.json": {"AllowedPrincipals": []}},
            "principals.json: the output of aws ec2 describe-vpc-endpoint-service-permissions",
        ),
        (
            {"more.json": {"Subnets": [own(SubnetId="s", AvailabilityZone="us-east-1a")]}},
            (
                "FOLDER: expected resources of one Region, found eu-west-1 in subnets, us-east-1 "
                "in more.json; use --region"
            ),
        ),
        (
            {"more.json": {"SecurityGroups": [{"GroupId": "sg-9", "OwnerId": "444455556666"}]}},
            "FOLDER: expected resources of one account, found 111122223333 in",
        ),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, files: dict[str, Any], expected: str) -> None:
    """With what was expected of it; the other files are not evaluated."""
    assert fail(tmp_path, {**build_folder(), **files}).startswith(expected)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    """It is no empty network."""
    assert fail(tmp_path, {}) == "FOLDER: expected files with output of aws ec2 describe commands"


def test_what_cannot_be_decided_can_be_given(tmp_path: Path) -> None:
    """By --account and --region."""
    files = {"vpcs.json": {"Vpcs": [{"VpcId": "vpc-1"}]}}
    assert "found no owner; use --account" in fail(tmp_path, files)
    assert "found no Availability Zone or ARN; use --region" in fail(
        tmp_path, files, account=ACCOUNT
    )
    region = load(tmp_path, files, account=ACCOUNT, regions=["eu-west-1"])
    assert (region.account, region.region) == (ACCOUNT, "eu-west-1")
    assert "of one Region" in fail(tmp_path, files, regions=["eu-west-1", "us-east-1"])


@pytest.mark.parametrize(
    "other",
    [
        {"InternetGateways": []},
        {"Reservations": []},
        {"PrefixLists": [{"PrefixListId": "pl-1", "PrefixListArn": "arn:aws:ec2:x"}]},
    ],
)
def test_what_is_not_needed_is_ignored_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: Any
) -> None:
    """A folder may hold more than the observer reads."""
    assert find_unreadable(load(tmp_path, {**build_folder(), "other.json": other})) == {}
    assert "other.json" in capsys.readouterr().err


def test_one_file_is_read_as_well(tmp_path: Path) -> None:
    """What it does not hold is unreadable."""
    write(tmp_path, build_folder())
    (region,) = load_regions(tmp_path / "vpcs.json", regions=["eu-west-1"])
    assert set(region.rows) == {"DescribeVpcs"}
