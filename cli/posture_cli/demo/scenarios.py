"""What people do to the organisation: each act breaks something and repairs it again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from posture_cli.demo.organisation import HTTPS, Organisation, OrganisationBuilder

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef

OPEN_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
    }
)


@dataclass(frozen=True, slots=True)
class ScenarioContext:
    """Who acts on what: an EC2 client whose calls are on the trail, and the organisation."""

    ec2: EC2Client
    organisation: Organisation
    builder: OrganisationBuilder


Misconfigure = Callable[[ScenarioContext], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One misconfiguration: entering the deed breaks, leaving it repairs."""

    name: str
    title: str
    deed: Misconfigure


@contextmanager
def _detour(cast: ScenarioContext) -> Iterator[None]:
    """A route that is more specific than the endpoint's takes part of S3 to the NAT gateway."""
    vpc = cast.organisation.payments
    lists = cast.ec2.describe_managed_prefix_lists(
        Filters=[{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{_region(cast)}.s3"]}]
    )["PrefixLists"]
    entries = cast.ec2.get_managed_prefix_list_entries(PrefixListId=lists[0]["PrefixListId"])
    cidr = entries["Entries"][0]["Cidr"]
    cast.ec2.create_route(
        RouteTableId=vpc.private_table,
        DestinationCidrBlock=_half_of(cidr),
        NatGatewayId=vpc.nat_gateway,
    )
    yield
    cast.ec2.delete_route(RouteTableId=vpc.private_table, DestinationCidrBlock=_half_of(cidr))


@contextmanager
def _lost_route(cast: ScenarioContext) -> Iterator[None]:
    vpc = cast.organisation.payments
    endpoint, table = vpc.endpoints["dynamodb"], vpc.private_table
    cast.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, RemoveRouteTableIds=[table])
    yield
    cast.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[table])


@contextmanager
def _open_policy(cast: ScenarioContext) -> Iterator[None]:
    endpoint = cast.organisation.payments.endpoints["s3"]
    cast.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=OPEN_POLICY)
    yield
    cast.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=cast.builder.policy())


@contextmanager
def _open_group(cast: ScenarioContext) -> Iterator[None]:
    group = cast.organisation.payments.endpoint_group
    everybody: IpPermissionTypeDef = {
        "IpProtocol": "tcp",
        "FromPort": HTTPS,
        "ToPort": HTTPS,
        "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
    }
    cast.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[everybody])
    yield
    cast.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[everybody])


@contextmanager
def _dns_off(cast: ScenarioContext) -> Iterator[None]:
    vpc_id = cast.organisation.analytics.id
    cast.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": False})
    yield
    cast.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})


@contextmanager
def _other_table(cast: ScenarioContext) -> Iterator[None]:
    vpc = cast.organisation.analytics
    tables = cast.ec2.describe_route_tables(RouteTableIds=[vpc.private_table])["RouteTables"]
    association = next(
        association["RouteTableAssociationId"]
        for association in tables[0]["Associations"]
        if association.get("SubnetId") == vpc.private_subnets[1]
    )
    bare = cast.ec2.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"]
    moved = cast.ec2.replace_route_table_association(AssociationId=association, RouteTableId=bare)[
        "NewAssociationId"
    ]
    yield
    cast.ec2.replace_route_table_association(AssociationId=moved, RouteTableId=vpc.private_table)
    cast.ec2.delete_route_table(RouteTableId=bare)


@contextmanager
def _deleted_endpoint(cast: ScenarioContext) -> Iterator[None]:
    vpc = cast.organisation.payments
    cast.ec2.delete_vpc_endpoints(VpcEndpointIds=[vpc.endpoints["kms"]])
    yield
    cast.builder.interface_endpoint("kms", vpc.id, vpc.endpoint_group, list(vpc.private_subnets))


SCENARIOS = (
    Scenario(
        "detour", "a more specific route takes part of S3 out through the NAT gateway", _detour
    ),
    Scenario("lost-route", "the DynamoDB endpoint loses the private route table", _lost_route),
    Scenario(
        "open-policy",
        "the S3 endpoint's policy is opened to everybody and everything",
        _open_policy,
    ),
    Scenario("open-group", "the endpoints' security group admits 0.0.0.0/0", _open_group),
    Scenario("dns-off", "analytics switches its DNS host names off", _dns_off),
    Scenario(
        "other-table", "a subnet moves to a route table without endpoint routes", _other_table
    ),
    Scenario("deleted-endpoint", "the KMS endpoint is deleted", _deleted_endpoint),
)


def _region(cast: ScenarioContext) -> str:
    return cast.ec2.meta.region_name


def _half_of(cidr: str) -> str:
    """Give the lower half of a block: more specific than the block itself."""
    address, length = cidr.split("/")
    return f"{address}/{int(length) + 1}"
