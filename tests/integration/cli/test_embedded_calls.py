"""The embedded EC2 keeps a trail of real calls, and completes what moto leaves undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.ec2 import utils

from posture_cli.embedded.cloudtrail import ApiCaller, record_calls
from posture_cli.embedded.environment import isolate_environment
from posture_cli.embedded.moto_patches import EndpointPatches, use_numbered_ids

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

REGION = "eu-west-1"
ALICE = ApiCaller("123456789012", "NetworkAdmin", "alice")


@dataclass(frozen=True)
class Network:
    """A VPC with a subnet, a route table and a security group."""

    ec2: EC2Client
    trail: list[dict[str, Any]]
    vpc: str
    subnet: str
    table: str
    group: str

    def gateway_endpoint(self) -> str:
        """Make a gateway endpoint on no route table."""
        return self.ec2.create_vpc_endpoint(
            VpcEndpointType="Gateway", VpcId=self.vpc, ServiceName=f"com.amazonaws.{REGION}.s3"
        )["VpcEndpoint"]["VpcEndpointId"]

    def interface_endpoint(self) -> str:
        """Make an interface endpoint in the subnet."""
        return self.ec2.create_vpc_endpoint(
            VpcEndpointType="Interface",
            VpcId=self.vpc,
            ServiceName=f"com.amazonaws.{REGION}.kms",
            SubnetIds=[self.subnet],
            SecurityGroupIds=[self.group],
            PrivateDnsEnabled=True,
        )["VpcEndpoint"]["VpcEndpointId"]

    def gateways(self) -> list[str]:
        """Return the targets of the table's routes."""
        routes = self.ec2.describe_route_tables(RouteTableIds=[self.table])["RouteTables"][0]
        return [route["GatewayId"] for route in routes["Routes"] if "GatewayId" in route]

    def endpoint(self, endpoint: str) -> Any:
        """Describe an endpoint."""
        return self.ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"][0]


@pytest.fixture
def network() -> Iterator[Network]:
    """A network in an emulated AWS of its own, whose client is followed."""
    with isolate_environment(REGION), mock_aws():
        ec2 = boto3.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        group = ec2.create_security_group(VpcId=vpc, GroupName="g", Description="g")["GroupId"]
        trail: list[dict[str, Any]] = []
        EndpointPatches(ALICE.account, REGION).attach(ec2)
        record_calls(ec2, ALICE, trail.append)
        yield Network(ec2, trail, vpc, subnet, table, group)


def test_mutating_call_is_recorded(network: Network) -> None:
    """A call that changes something is recorded, with the id that only its response has."""
    endpoint = network.gateway_endpoint()
    (entry,) = network.trail
    response = entry["responseElements"]["CreateVpcEndpointResponse"]
    assert entry["eventName"] == "CreateVpcEndpoint"
    assert entry["userIdentity"]["arn"] == ALICE.arn
    assert response["vpcEndpoint"]["vpcEndpointId"] == endpoint


def test_reading_leaves_no_record(network: Network) -> None:
    """Describe calls do not appear."""
    network.ec2.describe_vpcs()
    assert network.trail == []


def test_refused_call_is_recorded_with_its_error(network: Network) -> None:
    """A call that EC2 refuses leaves a record with the error and no response."""
    with pytest.raises(ClientError):
        network.ec2.delete_route(RouteTableId=network.table, DestinationCidrBlock="192.0.2.0/24")
    (entry,) = network.trail
    assert entry["errorCode"] == "Client.InvalidRoute.NotFound"
    assert entry["responseElements"] is None


def test_route_follows_the_endpoints_tables(network: Network) -> None:
    """Adding a route table to a gateway endpoint adds its route, removing it removes it."""
    endpoint = network.gateway_endpoint()
    network.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[network.table])
    assert endpoint in network.gateways()
    network.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, RemoveRouteTableIds=[network.table])
    assert endpoint not in network.gateways()


def test_endpoint_can_be_deleted_afterwards(network: Network) -> None:
    """What was added by a modification is removed by the deletion."""
    endpoint = network.gateway_endpoint()
    network.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[network.table])
    network.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert endpoint not in network.gateways()


def test_private_dns_can_be_switched(network: Network) -> None:
    """Private DNS follows ModifyVpcEndpoint; a gateway endpoint never has it."""
    endpoint = network.interface_endpoint()
    network.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PrivateDnsEnabled=False)
    assert network.endpoint(endpoint)["PrivateDnsEnabled"] is False
    assert network.endpoint(network.gateway_endpoint())["PrivateDnsEnabled"] is False


def test_interfaces_lie_in_subnet_and_group(network: Network) -> None:
    """The interfaces of two endpoints have the group and different addresses of the subnet."""
    endpoints = [network.interface_endpoint(), network.interface_endpoint()]
    ids = [network.endpoint(each)["NetworkInterfaceIds"][0] for each in endpoints]
    interfaces = network.ec2.describe_network_interfaces(NetworkInterfaceIds=ids)
    addresses = {each["PrivateIpAddress"] for each in interfaces["NetworkInterfaces"]}
    groups = {
        group["GroupId"] for each in interfaces["NetworkInterfaces"] for group in each["Groups"]
    }
    assert len(addresses) == 2
    assert all(ip_address(each) in ip_network("10.9.1.0/24") for each in addresses)
    assert groups == {network.group}


def test_failed_modification_changes_nothing(network: Network) -> None:
    """A modification that EC2 refuses is not completed."""
    with pytest.raises(ClientError):
        network.ec2.modify_vpc_endpoint(
            VpcEndpointId="vpce-0123456789abcdef0", AddRouteTableIds=[network.table]
        )
    assert network.gateways() == ["local"]


def test_numbered_ids_are_unique() -> None:
    """A number is padded with the digit a, which a longer number may begin with."""
    with use_numbered_ids():
        ids = [utils.random_id("sg") for _ in range(3000)]
    assert len(set(ids)) == len(ids)
