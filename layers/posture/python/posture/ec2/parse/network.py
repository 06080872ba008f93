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
    parse_tags,
    parse_values,
)
from posture.model.network import AclEntry, NatGateway, NetworkAcl, NetworkInterface, Subnet, Vpc


def parse_vpc(row: Row) -> Vpc:
    """Parse a VPC; its DNS attributes are read by DescribeVpcAttribute."""
    cidrs = parse_associated_blocks(row, IPv4Network)
    primary = parse_network(row.get("CidrBlock"))
    if not cidrs and isinstance(primary, IPv4Network):
        cidrs = (primary,)
    return Vpc(
        id=row.get("VpcId", ""),
        cidrs=cidrs,
        ipv6_cidrs=parse_associated_blocks(row, IPv6Network),
        tags=parse_tags(row.get("Tags")),
    )


def parse_subnet(row: Row) -> Subnet:
    """Parse a subnet."""
    cidr = parse_network(row.get("CidrBlock"))
    return Subnet(
        id=row.get("SubnetId", ""),
        vpc_id=row.get("VpcId", ""),
        zone=row.get("AvailabilityZone", ""),
        cidr=cidr if isinstance(cidr, IPv4Network) else None,
        ipv6_cidrs=parse_associated_blocks(row, IPv6Network),
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
    )


def parse_network_acl(row: Row) -> NetworkAcl:
    """Parse a network ACL, its entries in the order in which they apply."""
    associations = row.get("Associations", ())
    entries = filter(None, map(parse_acl_entry, row.get("Entries", ())))
    return NetworkAcl(
        id=row.get("NetworkAclId", ""),
        vpc_id=row.get("VpcId", ""),
        subnet_ids=parse_values(associations, "SubnetId"),
        association_ids=parse_values(associations, "NetworkAclAssociationId"),
        entries=tuple(sorted(entries, key=lambda entry: (entry.egress, entry.number))),
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
