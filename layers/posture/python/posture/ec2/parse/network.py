"""A VPC's own parts, from boto3's answers to the model.

Member names: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from posture.ec2.parse.fields import (
    addresses,
    associated_blocks,
    network,
    networks,
    strings,
    tags,
)
from posture.model.network import AclEntry, NatGateway, NetworkAcl, NetworkInterface, Subnet, Vpc

if TYPE_CHECKING:
    from posture.ec2.parse.fields import Row


def vpc(row: Row) -> Vpc:
    """Read a VPC; its DNS attributes come by calls of their own."""
    cidrs, _ = associated_blocks(row, "CidrBlockAssociationSet", "CidrBlock", "CidrBlockState")
    _, ipv6 = associated_blocks(
        row, "Ipv6CidrBlockAssociationSet", "Ipv6CidrBlock", "Ipv6CidrBlockState"
    )
    primary = networks([row.get("CidrBlock", "")])
    return Vpc(
        id=row.get("VpcId", ""),
        owner=row.get("OwnerId", ""),
        cidrs=cidrs or tuple(cidr for cidr in primary if isinstance(cidr, IPv4Network)),
        ipv6_cidrs=ipv6,
        default=bool(row.get("IsDefault")),
        tags=tags(row.get("Tags")),
    )


def subnet(row: Row) -> Subnet:
    """Read a subnet."""
    cidr = network(row.get("CidrBlock"))
    _, ipv6 = associated_blocks(
        row, "Ipv6CidrBlockAssociationSet", "Ipv6CidrBlock", "Ipv6CidrBlockState"
    )
    return Subnet(
        id=row.get("SubnetId", ""),
        vpc_id=row.get("VpcId", ""),
        owner=row.get("OwnerId", ""),
        zone=row.get("AvailabilityZone", ""),
        zone_id=row.get("AvailabilityZoneId", ""),
        cidr=cidr if isinstance(cidr, IPv4Network) else None,
        ipv6_cidrs=ipv6,
        tags=tags(row.get("Tags")),
    )


def nat_gateway(row: Row) -> NatGateway:
    """Read a NAT gateway. A regional one (`AvailabilityMode`) lies in no subnet.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NatGateway.html
    """
    return NatGateway(
        id=row.get("NatGatewayId", ""),
        vpc_id=row.get("VpcId", ""),
        subnet_id=row.get("SubnetId") or None,
        state=row.get("State", "").lower(),
        public=row.get("ConnectivityType", "public") != "private",
    )


def network_interface(row: Row) -> NetworkInterface:
    """Read a network interface with its private addresses of both families."""
    ipv4 = [
        row.get("PrivateIpAddress"),
        *strings(row.get("PrivateIpAddresses"), "PrivateIpAddress"),
    ]
    ipv6 = [row.get("Ipv6Address"), *strings(row.get("Ipv6Addresses"), "Ipv6Address")]
    return NetworkInterface(
        id=row.get("NetworkInterfaceId", ""),
        subnet_id=row.get("SubnetId", ""),
        zone=row.get("AvailabilityZone", ""),
        addresses=addresses([*ipv4, *ipv6]),
        security_group_ids=strings(row.get("Groups"), "GroupId"),
    )


def parse_network_acl(row: Row) -> NetworkAcl:
    """Read a network ACL, its entries in the order in which they apply."""
    associations = row.get("Associations", ())
    entries = (entry for line in row.get("Entries", ()) if (entry := acl_entry(line)) is not None)
    return NetworkAcl(
        id=row.get("NetworkAclId", ""),
        vpc_id=row.get("VpcId", ""),
        default=bool(row.get("IsDefault")),
        subnet_ids=strings(associations, "SubnetId"),
        association_ids=strings(associations, "NetworkAclAssociationId"),
        entries=tuple(sorted(entries, key=lambda entry: (entry.egress, entry.number))),
        tags=tags(row.get("Tags")),
    )


def acl_entry(row: Row) -> AclEntry | None:
    """Read one entry; None for one that names no addresses and so decides nothing."""
    cidr = network(row.get("CidrBlock") or row.get("Ipv6CidrBlock"))
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
