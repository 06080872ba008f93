"""Parses VPCs, subnets, NAT gateways, network interfaces and network ACLs.

Member names: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from posture.ec2.parse.fields import (
    Row,
    parse_addresses,
    parse_associated_blocks,
    parse_network,
    parse_pairs,
    parse_tags,
    parse_values,
)
from posture.model.dns import AMAZON_DNS
from posture.model.network import (
    AclEntry,
    DhcpOptions,
    NatGateway,
    NetworkAcl,
    NetworkInterface,
    Subnet,
    Vpc,
)

# Stands for the region's default option set, which names the VPC's own Resolver:
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Vpc.html
DEFAULT_OPTIONS = "default"


def parse_vpc(row: Row) -> Vpc:
    """Parse a VPC; its DNS attributes are read by DescribeVpcAttribute."""
    cidrs = parse_associated_blocks(row, IPv4Network)
    primary = parse_network(row.get("CidrBlock"))
    if isinstance(primary, IPv4Network):
        cidrs = (primary, *(each for each in cidrs if each != primary))
    dhcp_options_id = row.get("DhcpOptionsId", "")
    return Vpc(
        id=row.get("VpcId", ""),
        cidrs=cidrs,
        ipv6_cidrs=parse_associated_blocks(row, IPv6Network),
        block_public_access=parse_block_mode(row),
        dhcp_options_id=dhcp_options_id,
        dns_servers=(AMAZON_DNS,) if dhcp_options_id == DEFAULT_OPTIONS else None,
        owner=row.get("OwnerId", ""),
        default=bool(row.get("IsDefault")),
        tags=parse_tags(row.get("Tags")),
    )


def parse_dhcp_options(row: Row) -> DhcpOptions:
    """Parse a DHCP option set.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DhcpOptions.html
    """
    servers = (
        value.get("Value", "")
        for option in row.get("DhcpConfigurations", ())
        if option.get("Key") == "domain-name-servers"
        for value in option.get("Values", ())
    )
    return DhcpOptions(row.get("DhcpOptionsId", ""), tuple(filter(None, servers)))


def parse_block_mode(row: Row) -> str:
    """Parse the mode of VPC Block Public Access of a VPC or subnet.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_BlockPublicAccessStates.html
    """
    return str(row.get("BlockPublicAccessStates", {}).get("InternetGatewayBlockMode") or "")


def parse_subnet(row: Row) -> Subnet:
    """Parse a subnet."""
    cidr = parse_network(row.get("CidrBlock"))
    return Subnet(
        id=row.get("SubnetId", ""),
        vpc_id=row.get("VpcId", ""),
        zone=row.get("AvailabilityZone", ""),
        cidr=cidr if isinstance(cidr, IPv4Network) else None,
        ipv6_cidrs=parse_associated_blocks(row, IPv6Network),
        block_public_access=parse_block_mode(row),
        dns64=row.get("EnableDns64"),
        tags=parse_tags(row.get("Tags")),
    )


def parse_nat_gateway(row: Row) -> NatGateway:
    """Parse a NAT gateway. A regional one (`AvailabilityMode`) has no subnet.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NatGateway.html
    """
    return NatGateway(
        id=row.get("NatGatewayId", ""),
        vpc_id=row.get("VpcId", ""),
        subnet_id=row.get("SubnetId") or None,
        state=row.get("State", "").lower(),
        public=row.get("ConnectivityType", "public") != "private",
        route_table_id=row.get("RouteTableId") or None,
    )


def parse_network_interface(row: Row) -> NetworkInterface:
    """Parse a network interface with its private IPv4 and IPv6 addresses."""
    ipv4 = parse_values(row.get("PrivateIpAddresses"), "PrivateIpAddress")
    ipv6 = parse_values(row.get("Ipv6Addresses"), "Ipv6Address")
    return NetworkInterface(
        id=row.get("NetworkInterfaceId", ""),
        subnet_id=row.get("SubnetId", ""),
        zone=row.get("AvailabilityZone", ""),
        addresses=parse_addresses(
            [row.get("PrivateIpAddress"), *ipv4, row.get("Ipv6Address"), *ipv6]
        ),
        security_group_ids=parse_values(row.get("Groups"), "GroupId"),
        instance_id=row.get("Attachment", {}).get("InstanceId") or "",
    )


def parse_network_acl(row: Row) -> NetworkAcl:
    """Parse a network ACL, its entries in the order in which they apply."""
    associations = row.get("Associations", ())
    entries = filter(None, map(parse_acl_entry, row.get("Entries", ())))
    return NetworkAcl(
        id=row.get("NetworkAclId", ""),
        vpc_id=row.get("VpcId", ""),
        subnet_ids=parse_values(associations, "SubnetId"),
        associations=parse_pairs(associations, "NetworkAclAssociationId", ("SubnetId",)),
        entries=tuple(sorted(entries, key=lambda entry: (entry.egress, entry.number))),
        default=bool(row.get("IsDefault")),
    )


def parse_acl_entry(row: Row) -> AclEntry | None:
    """Parse a network ACL entry; None if it has no CIDR block and so matches no traffic."""
    cidr = parse_network(row.get("CidrBlock") or row.get("Ipv6CidrBlock"))
    if cidr is None:
        return None
    ports = row.get("PortRange", {})
    return AclEntry(
        number=int(row.get("RuleNumber", 0)),
        egress=bool(row.get("Egress")),
        allow=row.get("RuleAction") == "allow",
        protocol=str(row.get("Protocol", "-1")),
        cidr=cidr,
        from_port=ports.get("From"),
        to_port=ports.get("To"),
    )
