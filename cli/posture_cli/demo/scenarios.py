"""The demo's scenarios: misconfigurations by real API calls, and their repair."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from posture_cli.demo.hub import HUB_BLOCK
from posture_cli.demo.network_builder import build_https_permission
from posture_cli.demo.organization import Organization, OrganizationBuilder

FULL_ACCESS_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
    }
)


Misconfiguration = Callable[[OrganizationBuilder, Organization], Iterator[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One misconfiguration: entering `misconfigure` makes it, leaving repairs it."""

    name: str
    title: str
    misconfigure: Callable[[OrganizationBuilder, Organization], AbstractContextManager[None]]


SCENARIOS: list[Scenario] = []
SHARED_SCENARIOS: list[Scenario] = []  # of the hub and its spokes


def _scenario(
    name: str, title: str, scenarios: list[Scenario] = SCENARIOS
) -> Callable[[Misconfiguration], Misconfiguration]:
    """Add a function that misconfigures the network, yields, and repairs it."""

    def add(function: Misconfiguration) -> Misconfiguration:
        scenarios.append(Scenario(name, title, contextmanager(function)))
        return function

    return add


@_scenario("detour", "A more specific route sends part of the S3 traffic to the NAT gateway")
def _route_to_nat_gateway(
    builder: OrganizationBuilder, organization: Organization
) -> Iterator[None]:
    ec2, vpc = builder.ec2, organization.payments
    name = f"com.amazonaws.{ec2.meta.region_name}.s3"
    lists = ec2.describe_managed_prefix_lists(
        Filters=[{"Name": "prefix-list-name", "Values": [name]}]
    )["PrefixLists"]
    entries = ec2.get_managed_prefix_list_entries(PrefixListId=lists[0]["PrefixListId"])
    address, length = entries["Entries"][0]["Cidr"].split("/")
    half = f"{address}/{int(length) + 1}"  # more specific than the endpoint's route
    ec2.create_route(
        RouteTableId=vpc.private_table, DestinationCidrBlock=half, NatGatewayId=vpc.nat_gateway
    )
    yield
    ec2.delete_route(RouteTableId=vpc.private_table, DestinationCidrBlock=half)


@_scenario("lost-route", "The DynamoDB endpoint loses the private route table")
def _remove_route_table(builder: OrganizationBuilder, organization: Organization) -> Iterator[None]:
    vpc = organization.payments
    endpoint, table = vpc.endpoints["dynamodb"], vpc.private_table
    builder.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, RemoveRouteTableIds=[table])
    yield
    builder.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[table])


@_scenario("open-policy", "The S3 endpoint's policy is changed to full access")
def _open_policy(builder: OrganizationBuilder, organization: Organization) -> Iterator[None]:
    endpoint, policy = organization.payments.endpoints["s3"], builder.policy()
    builder.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=FULL_ACCESS_POLICY)
    yield
    builder.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=policy)


@_scenario("open-group", "The endpoints' security group allows 0.0.0.0/0")
def _open_group(builder: OrganizationBuilder, organization: Organization) -> Iterator[None]:
    group = organization.payments.endpoint_group
    any_address = [build_https_permission("0.0.0.0/0")]
    builder.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=any_address)
    yield
    builder.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=any_address)


@_scenario("dns-off", "DNS hostnames are disabled in the analytics VPC")
def _disable_dns_hostnames(
    builder: OrganizationBuilder, organization: Organization
) -> Iterator[None]:
    vpc_id = organization.analytics.id
    builder.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": False})
    yield
    builder.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})


@_scenario("other-table", "A subnet moves to a route table without endpoint routes")
def _move_subnet(builder: OrganizationBuilder, organization: Organization) -> Iterator[None]:
    ec2, vpc = builder.ec2, organization.analytics
    tables = ec2.describe_route_tables(RouteTableIds=[vpc.private_table])["RouteTables"]
    association = next(
        association["RouteTableAssociationId"]
        for association in tables[0]["Associations"]
        if association.get("SubnetId") == vpc.private_subnets[1]
    )
    bare = ec2.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"]
    moved = ec2.replace_route_table_association(AssociationId=association, RouteTableId=bare)[
        "NewAssociationId"
    ]
    yield
    ec2.replace_route_table_association(AssociationId=moved, RouteTableId=vpc.private_table)
    ec2.delete_route_table(RouteTableId=bare)


@_scenario("deleted-endpoint", "The KMS endpoint is deleted")
def _delete_endpoint(builder: OrganizationBuilder, organization: Organization) -> Iterator[None]:
    vpc = organization.payments
    builder.ec2.delete_vpc_endpoints(VpcEndpointIds=[vpc.endpoints["kms"]])
    yield
    builder.create_private_endpoint(vpc.id, vpc.private_subnets, "kms", vpc.endpoint_group)


@_scenario(
    "lost-transit-route",
    "The transit gateway's route table for spokes loses the route to the central endpoints",
    SHARED_SCENARIOS,
)
def _delete_transit_route(
    builder: OrganizationBuilder, organization: Organization
) -> Iterator[None]:
    hub = organization.hub
    if hub is None:
        raise AssertionError(organization)
    builder.ec2.delete_transit_gateway_route(
        TransitGatewayRouteTableId=hub.spokes_table, DestinationCidrBlock=HUB_BLOCK
    )
    yield
    builder.ec2.create_transit_gateway_route(
        TransitGatewayRouteTableId=hub.spokes_table,
        DestinationCidrBlock=HUB_BLOCK,
        TransitGatewayAttachmentId=hub.attachment,
    )
