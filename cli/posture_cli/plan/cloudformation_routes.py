"""Map VPCs, subnets, route tables and gateways of a template to rows.

Properties: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_EC2.html
"""

from __future__ import annotations

from posture.model.network import Facet
from posture_cli.plan.cloudformation_stack import Resource
from posture_cli.plan.ipv6_blocks import choose_stand_in
from posture_cli.plan.resources import prefix_lists, routes, subnets, vpcs
from posture_cli.plan.rows import DESTINATIONS
from posture_cli.plan.unassigned import ZONE
from posture_cli.plan.values import UNASSIGNED, Unknown, find_unknown, make_symbol

# The targets of a route as EC2 returns them.
TARGETS = {
    "GatewayId": "GatewayId",
    "VpcEndpointId": "GatewayId",
    "NatGatewayId": "NatGatewayId",
    "InstanceId": "InstanceId",
    "NetworkInterfaceId": "NetworkInterfaceId",
    "TransitGatewayId": "TransitGatewayId",
    "VpcPeeringConnectionId": "VpcPeeringConnectionId",
    "EgressOnlyInternetGatewayId": "EgressOnlyInternetGatewayId",
    "CarrierGatewayId": "CarrierGatewayId",
    "LocalGatewayId": "LocalGatewayId",
    "CoreNetworkArn": "CoreNetworkArn",
    "OdbNetworkArn": "OdbNetworkArn",
}
IPAM = "allocated by IPAM"


def add_vpc(it: Resource) -> None:
    """Add a VPC.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpc.html
    """
    cidr = it.get_cidr("CidrBlock")
    if cidr is None:
        cidr = Unknown(IPAM)
    vpcs.add_vpc(
        it.region,
        it.id,
        it.address,
        cidr,
        dns_support=it.get_bool("EnableDnsSupport", default=True),
        dns_hostnames=it.get_bool("EnableDnsHostnames", default=False),
        tags=it.get_tags(),
    )
    it.mark_doubt(it.id)


def add_vpc_cidr(it: Resource) -> None:
    """Add a CIDR block to a VPC; a stand-in for the IPv6 block that Amazon assigns."""
    vpc_id = it.get_vpc()
    cidr = it.get_cidr("CidrBlock") or it.get_cidr("Ipv6CidrBlock")
    if cidr is None and it.get_bool("AmazonProvidedIpv6CidrBlock", default=False) is True:
        row = it.region.find("DescribeVpcs", "VpcId", vpc_id) or {}
        if not row.get("Ipv6CidrBlockAssociationSet"):
            vpcs.add_cidr(it.region, vpc_id, choose_stand_in(it.region), it.address)
    else:
        vpcs.add_cidr(it.region, vpc_id, cidr or Unknown(IPAM), it.address)


def add_dhcp_options(it: Resource) -> None:
    """Add a DHCP option set."""
    vpcs.add_dhcp_options(it.region, it.id, it.get_list("DomainNameServers"))


def associate_dhcp_options(it: Resource) -> None:
    """Associate a DHCP option set with a VPC."""
    vpc_id = it.get_vpc()
    vpcs.associate_dhcp_options(it.region, it.get_id_of("DhcpOptionsId", "dhcp-options"), vpc_id)


def add_prefix_list(it: Resource) -> None:
    """Add a customer-managed prefix list."""
    entries = it.get_list("Entries")
    if isinstance(entries, list):
        entries = [each.get("Cidr") if isinstance(each, dict) else each for each in entries]
        for number, each in enumerate(entries):
            if not isinstance(each, Unknown):
                it.check_cidr(f"Entries[{number}].Cidr", each)
    prefix_lists.add_prefix_list(it.region, it.id, entries)


def add_subnet(it: Resource) -> None:
    """Add a subnet; without a zone in the template, EC2 chooses one.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-subnet.html
    """
    vpc_id = it.get_vpc()
    zone = it.get("AvailabilityZone") or it.get("AvailabilityZoneId")
    cidr = it.get_cidr("CidrBlock")
    if cidr is None and it.get_bool("Ipv6Native", default=False) is not True:
        cidr = Unknown(IPAM)
    subnets.add_subnet(
        it.region,
        it.id,
        vpc_id,
        it.address,
        cidr,
        zone or f"{ZONE}{it.address}",
        ipv6_cidr=it.get_cidr("Ipv6CidrBlock"),
        dns64=it.get_bool("EnableDns64", default=False),
        tags=it.get_tags(),
    )


def add_subnet_cidr(it: Resource) -> None:
    """Add an IPv6 block to a subnet."""
    subnet_id = it.get_id_of("SubnetId", "subnet")
    _mark(it, it.region.find_vpc_id("DescribeSubnets", "SubnetId", subnet_id))
    subnets.add_subnet_cidr(
        it.region, subnet_id, it.get_cidr("Ipv6CidrBlock") or Unknown(IPAM), it.address
    )


def add_route_table(it: Resource) -> None:
    """Add a route table."""
    routes.add_route_table(it.region, it.id, it.get_vpc())


def add_route(it: Resource) -> None:
    """Add a route.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-route.html
    """
    table_id = it.get_id_of("RouteTableId", "route-table")
    _mark(it, it.region.find_vpc_id("DescribeRouteTables", "RouteTableId", table_id))
    for name in DESTINATIONS[:2]:
        it.get_cidr(name)
    destination = {name: it.get(name) for name in DESTINATIONS if it.get(name) is not None}
    target = {member: it.get(name) for name, member in TARGETS.items() if it.get(name) is not None}
    if len(destination) != 1:
        it.fail(" or ".join(DESTINATIONS), f"expected one destination, found {len(destination)}")
    if len(target) != 1:
        it.fail(" or ".join(TARGETS), f"expected one target, found {len(target)}")
    routes.add_route(it.region, table_id, destination, target)


def associate_subnet(it: Resource) -> None:
    """Associate a route table with a subnet."""
    table_id = it.get_id_of("RouteTableId", "route-table")
    subnet_id = it.get_id_of("SubnetId", "subnet")
    _mark(it, it.region.find_vpc_id("DescribeSubnets", "SubnetId", subnet_id))
    association = it.stack.physical_ids.get(it.logical_id, f"rtbassoc-{it.address}")
    routes.associate_route_table(it.region, table_id, association, subnet_id=subnet_id)


def associate_gateway(it: Resource) -> None:
    """Associate a route table with an internet or virtual private gateway."""
    table_id = it.get_id_of("RouteTableId", "route-table")
    gateway_id = it.get_id_of("GatewayId", "internet-gateway")
    _mark(it, it.region.find_vpc_id("DescribeRouteTables", "RouteTableId", table_id))
    association = it.stack.physical_ids.get(it.logical_id, f"rtbassoc-{it.address}")
    routes.associate_route_table(it.region, table_id, association, gateway_id=gateway_id)


def propagate_routes(it: Resource) -> None:
    """Let a virtual private gateway propagate routes to tables."""
    gateway_id = it.get_id_of("VpnGatewayId", "virtual-private-gateway")
    tables = it.get_list("RouteTableIds")
    for table_id in tables if isinstance(tables, list) else ():
        _mark(it, it.region.find_vpc_id("DescribeRouteTables", "RouteTableId", table_id))
        routes.propagate_routes(it.region, str(table_id), gateway_id)


def add_nat_gateway(it: Resource) -> None:
    """Add a NAT gateway.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-natgateway.html
    """
    subnet_id = None if it.get("SubnetId") is None else it.get_id_of("SubnetId", "subnet")
    if subnet_id is None:
        vpc_id = it.get_vpc()
    else:
        vpc_id = it.region.find_vpc_id("DescribeSubnets", "SubnetId", subnet_id)
        _mark(it, vpc_id)
    kind = it.get("ConnectivityType", "public")
    if isinstance(kind, Unknown):
        why = f"ConnectivityType of {it.address} is {kind.what}"
        it.region.mark_unknown(vpc_id, Facet.NAT_GATEWAYS, why)
    routes.add_nat_gateway(it.region, it.id, vpc_id, subnet_id, public=kind != "private")


def add_network_interface(it: Resource) -> None:
    """Add a network interface, for routes that target it."""
    subnet_id = it.get_id_of("SubnetId", "subnet")
    _add_interface(it, it.id, subnet_id, it.get("GroupSet"))


def add_instance(it: Resource) -> None:
    """Add the primary network interface of an instance, for routes that target the instance."""
    if isinstance(it.get("SubnetId"), str):
        interface_id = make_symbol("network-interface", it.address)
        groups = it.get("SecurityGroupIds")
        _add_interface(it, interface_id, it.get("SubnetId"), groups, instance_id=it.id)


def _add_interface(
    it: Resource, interface_id: str, subnet_id: str, groups: object, instance_id: str = ""
) -> None:
    address = it.get("PrivateIpAddress")
    vpc_id = it.region.find_vpc_id("DescribeSubnets", "SubnetId", subnet_id)
    _mark(it, vpc_id)
    if find_unknown(groups):
        why = f"the groups of {it.address} are not known"
        it.region.mark_unknown(vpc_id, Facet.NETWORK_INTERFACES, why)
    subnets.add_network_interface(
        it.region,
        interface_id,
        subnet_id,
        [each for each in groups if isinstance(each, str)] if isinstance(groups, list) else (),
        addresses=[address if isinstance(address, str) else UNASSIGNED[4]],
        instance_id=instance_id,
    )


def _mark(it: Resource, vpc_id: str) -> None:
    if vpc_id:
        it.mark_doubt(vpc_id)
