"""The EC2 client that answers from a recorded region: filters, ids, what is missing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from posture.ec2.describe import Reading
from posture.ec2.region import RegionSnapshot
from posture.errors import ScopeUnreadableError
from posture.model.network import Facet
from posture_cli.recorded.client import open_client
from posture_cli.recorded.observe import RecordedObserver, observe_region
from posture_cli.recorded.region import MissingRows, RecordedRegion, Row

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ACCOUNT, REGION = "111122223333", "eu-west-1"
ROWS: dict[str, list[Row]] = {
    "DescribeVpcs": [
        {"VpcId": "vpc-1", "CidrBlock": "10.1.0.0/16", "DhcpOptionsId": "dopt-1"},
        {"VpcId": "vpc-2", "CidrBlock": "10.2.0.0/16", "DhcpOptionsId": "dopt-1"},
    ],
    "DescribeVpcAttribute": [
        {
            "VpcId": "vpc-1",
            "EnableDnsSupport": {"Value": True},
            "EnableDnsHostnames": {"Value": False},
        },
        {"VpcId": "vpc-2", "EnableDnsSupport": {"Value": True}},
    ],
    "DescribeSubnets": [
        {"SubnetId": "subnet-1", "VpcId": "vpc-1", "Tags": [{"Key": "Name", "Value": "app"}]},
        {"SubnetId": "subnet-2", "VpcId": "vpc-2"},
    ],
    "DescribeRouteTables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-1"}],
    "DescribeVpcEndpoints": [],
    "DescribeSecurityGroups": [
        {"GroupId": "sg-1", "VpcId": "vpc-1"},
        {"GroupId": "sg-2", "VpcId": "vpc-2"},
    ],
    "DescribeNetworkAcls": [],
    "DescribeNatGateways": [{"NatGatewayId": "nat-1", "VpcId": "vpc-2"}],
    "DescribeNetworkInterfaces": [
        {
            "NetworkInterfaceId": "eni-1",
            "VpcId": "vpc-1",
            "Attachment": {"InstanceId": "i-1"},
            "Groups": [{"GroupId": "sg-1"}],
        }
    ],
    "DescribeDhcpOptions": [],
    "DescribePrefixLists": [],
    "GetManagedPrefixListEntries": [{"PrefixListId": "pl-1", "Entries": [{"Cidr": "10.0.0.0/8"}]}],
    "DescribeVpcEndpointServices": [
        {"ServiceName": "com.amazonaws.eu-west-1.kms"},
        {"ServiceName": "com.amazonaws.us-west-2.kms", "ServiceRegion": "us-west-2"},
    ],
}


def record(*missing: MissingRows, without: str = "") -> RecordedRegion:
    """Build the recorded region, with rows missing."""
    rows = {name: each for name, each in ROWS.items() if name != without}
    return RecordedRegion(ACCOUNT, REGION, NOW, rows, missing)


def client(*missing: MissingRows, without: str = "") -> Any:
    """Open the client of the recorded region."""
    return open_client(record(*missing, without=without))


def filtered(name: str, *values: str) -> list[dict[str, Any]]:
    """Return the parameter of one filter."""
    return [{"Name": name, "Values": list(values)}]


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave neither credentials nor a profile that exists, nor a region."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("vpc-id", ("vpc-1",), ["subnet-1"]),
        ("vpc-id", ("vpc-1", "vpc-2"), ["subnet-1", "subnet-2"]),
        ("vpc-id", ("vpc-*",), ["subnet-1", "subnet-2"]),
        ("vpc-id", ("vpc-?",), ["subnet-1", "subnet-2"]),
        ("vpc-id", ("vpc-3",), []),
        ("subnet-id", ("subnet-2",), ["subnet-2"]),
    ],
)
def test_filters_select_rows(name: str, values: tuple[str, ...], expected: list[str]) -> None:
    """A filter has several values, and wildcards."""
    found = client().describe_subnets(Filters=filtered(name, *values))["Subnets"]
    assert [each["SubnetId"] for each in found] == expected


def test_filters_look_into_members() -> None:
    """Those of structures and of lists."""
    ec2 = client()
    attached = filtered("attachment.instance-id", "i-1")
    assert len(ec2.describe_network_interfaces(Filters=attached)["NetworkInterfaces"]) == 1
    attached = filtered("attachment.instance-id", "i-2")
    assert ec2.describe_network_interfaces(Filters=attached)["NetworkInterfaces"] == []


def test_nat_gateways_have_another_parameter() -> None:
    """EC2 calls it Filter."""
    found = client().describe_nat_gateways(Filter=filtered("vpc-id", "vpc-1"))["NatGateways"]
    assert found == []


def test_paginators_work() -> None:
    """Every answer is one page, whatever its size."""
    pages = client().get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 5})
    assert [len(page["Subnets"]) for page in pages] == [2]


def test_services_of_other_regions_are_apart() -> None:
    """Only the region's own are listed without a region."""
    ec2 = client()
    own = ec2.describe_vpc_endpoint_services()["ServiceDetails"]
    assert [each["ServiceName"] for each in own] == ["com.amazonaws.eu-west-1.kms"]
    other = ec2.describe_vpc_endpoint_services(ServiceRegions=["us-west-2"])["ServiceDetails"]
    assert [each["ServiceName"] for each in other] == ["com.amazonaws.us-west-2.kms"]
    with pytest.raises(ClientError, match="services of us-east-1 were not recorded"):
        ec2.describe_vpc_endpoint_services(ServiceRegions=["us-east-1"])


def test_an_attribute_that_was_not_recorded_is_no_false() -> None:
    """It is an error that names attribute and VPC."""
    ec2 = client()
    answer = ec2.describe_vpc_attribute(VpcId="vpc-1", Attribute="enableDnsHostnames")
    assert answer["EnableDnsHostnames"] == {"Value": False}
    with pytest.raises(ClientError, match="enableDnsHostnames of vpc-2 was not recorded"):
        ec2.describe_vpc_attribute(VpcId="vpc-2", Attribute="enableDnsHostnames")
    with pytest.raises(ClientError, match="enableDnsSupport of vpc-3 was not recorded"):
        ec2.describe_vpc_attribute(VpcId="vpc-3", Attribute="enableDnsSupport")


def test_a_prefix_list_that_was_not_recorded_is_not_empty() -> None:
    """It is an error that names the list."""
    ec2 = client()
    assert ec2.get_managed_prefix_list_entries(PrefixListId="pl-1")["Entries"]
    with pytest.raises(ClientError, match="pl-2 was not recorded"):
        ec2.get_managed_prefix_list_entries(PrefixListId="pl-2")


@pytest.mark.parametrize(
    "call",
    [
        lambda ec2: ec2.describe_instances(),
        lambda ec2: ec2.describe_subnets(SubnetIds=["subnet-1"]),
        lambda ec2: ec2.delete_vpc(VpcId="vpc-1"),
    ],
)
def test_no_other_call_is_answered(call: Any) -> None:
    """Rather an error than rows that were not asked for."""
    with pytest.raises(NotImplementedError):
        call(client())


def observe(*missing: MissingRows, without: str = "") -> RegionSnapshot:
    """Observe the recorded region."""
    return observe_region(record(*missing, without=without))


def test_the_observer_reads_a_recorded_region() -> None:
    """Without credentials, at the time of the recording."""
    region = observe()
    assert set(region.vpcs) == {"vpc-1", "vpc-2"}
    snapshot = region.vpcs["vpc-1"]
    assert snapshot.observed_at == NOW
    assert set(snapshot.subnets) == {"subnet-1"}
    assert (snapshot.vpc.dns_support, snapshot.vpc.dns_hostnames) == (True, False)
    assert "com.amazonaws.eu-west-1.kms" in snapshot.services
    assert snapshot.unreadable == {}


def test_what_was_not_recorded_is_unreadable_by_name() -> None:
    """An operation without rows is no empty network."""
    region = observe(without="DescribeNatGateways")
    assert region.vpcs["vpc-1"].unreadable == {
        Facet.NAT_GATEWAYS: "DescribeNatGateways was not recorded"
    }


def test_what_is_missing_of_one_vpc_is_unreadable_in_it_only() -> None:
    """The others are complete."""
    gap = MissingRows("DescribeRouteTables", "rtb-9 is known after apply", "vpc-2")
    region = observe(gap)
    assert region.vpcs["vpc-1"].unreadable == {}
    assert region.vpcs["vpc-2"].unreadable[Facet.ROUTE_TABLES] == "rtb-9 is known after apply"


def test_a_denial_that_was_recorded_is_a_denial() -> None:
    """With the reason that a live observation has."""
    gap = MissingRows("DescribeSubnets", "", code="UnauthorizedOperation")
    reason = observe(gap).vpcs["vpc-1"].unreadable[Facet.SUBNETS]
    assert reason == "UnauthorizedOperation: ec2:DescribeSubnets is denied"


def test_a_region_without_its_vpcs_is_an_error() -> None:
    """There is nothing to evaluate, and no claim that there is none."""
    with pytest.raises(ScopeUnreadableError, match="DescribeVpcs was not recorded"):
        observe(without="DescribeVpcs")


def test_services_that_were_not_recorded_may_exist() -> None:
    """They are denied, not absent."""
    found = RecordedObserver(record()).collect_services()
    assert found.denied
    assert found.unreadable == "DescribeVpcEndpointServiceConfigurations was not recorded"


def test_rows_that_were_all_found_are_no_part_of_what_is_missing() -> None:
    """An answer to a question about ids is complete if it has them all."""
    gap = MissingRows("DescribeSecurityGroups", "some are not known", "vpc-2")
    ec2 = client(gap)
    assert ec2.describe_security_groups(Filters=filtered("group-id", "sg-1"))["SecurityGroups"]
    with pytest.raises(ClientError, match="some are not known"):
        ec2.describe_security_groups(Filters=filtered("group-id", "sg-1", "sg-9"))
    with pytest.raises(ClientError, match="some are not known"):
        ec2.describe_security_groups()


def test_reading_is_empty_only_if_rows_are_known_to_be_none() -> None:
    """The difference between nothing and not known."""
    assert RecordedObserver(record()).list_vpcs().vpcs != Reading()
