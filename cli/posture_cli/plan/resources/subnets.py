"""Subnets of a planned region and their network interfaces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from posture.model.network import Facet
from posture_cli.plan.resources import network_acls
from posture_cli.plan.rows import PlannedRegion, Row, list_tags
from posture_cli.plan.values import UNASSIGNED, Unknown


def add_subnet(  # noqa: PLR0913, PLR0917 - what CreateSubnet takes
    region: PlannedRegion,
    subnet_id: str,
    vpc_id: str,
    address: str,
    cidr: str | Unknown | None,
    zone: str | Unknown,
    *,
    ipv6_cidr: str | Unknown | None = None,
    dns64: bool | Unknown = False,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Add a subnet; until one is associated, it has the VPC's main table and default ACL."""
    known = region.keep_known(
        vpc_id,
        Facet.SUBNETS,
        address,
        CidrBlock=cidr,
        AvailabilityZone=zone,
        Ipv6CidrBlock=ipv6_cidr,
    )
    blocks = [known.pop("Ipv6CidrBlock")] if "Ipv6CidrBlock" in known else []
    row = {"SubnetId": subnet_id, "VpcId": vpc_id, "OwnerId": region.account, **known}
    if not isinstance(dns64, Unknown):
        row["EnableDns64"] = dns64
    row |= {"State": "available", "Tags": list_tags(tags)}
    exists = region.find("DescribeSubnets", "SubnetId", subnet_id) is not None
    region.put("DescribeSubnets", "SubnetId", row).setdefault("Ipv6CidrBlockAssociationSet", [])
    for block in blocks:
        add_subnet_cidr(region, subnet_id, block, address)
    default = next(
        (it for it in region.select("DescribeNetworkAcls", vpc_id) if it.get("IsDefault")), None
    )
    if default and not exists:
        network_acls.associate_network_acl(region, default["NetworkAclId"], subnet_id)


def add_subnet_cidr(
    region: PlannedRegion, subnet_id: str, cidr: str | Unknown, address: str
) -> None:
    """Add an IPv6 block to a subnet."""
    row = region.put("DescribeSubnets", "SubnetId", {"SubnetId": subnet_id})
    vpc_id = str(row.get("VpcId", ""))
    for block in region.keep_known(vpc_id, Facet.SUBNETS, address, Ipv6CidrBlock=cidr).values():
        blocks = row.setdefault("Ipv6CidrBlockAssociationSet", [])
        state = {"State": "associated"}
        if all(each["Ipv6CidrBlock"] != block for each in blocks):
            blocks.append({"Ipv6CidrBlock": block, "Ipv6CidrBlockState": state})


def add_network_interface(  # noqa: PLR0913 - what an interface has
    region: PlannedRegion,
    interface_id: str,
    subnet_id: str,
    group_ids: Iterable[str],
    *,
    addresses: Iterable[str] = (UNASSIGNED[4],),
    instance_id: str = "",
) -> None:
    """Add a network interface; an address that EC2 has not yet chosen is `UNASSIGNED`."""
    subnet = region.find("DescribeSubnets", "SubnetId", subnet_id) or {}
    ipv4 = [each for each in addresses if ":" not in each]
    row: Row = {
        "NetworkInterfaceId": interface_id,
        "SubnetId": subnet_id,
        "VpcId": subnet.get("VpcId", ""),
        "AvailabilityZone": subnet.get("AvailabilityZone", ""),
        "Groups": [{"GroupId": each} for each in group_ids],
        "PrivateIpAddresses": [{"PrivateIpAddress": each} for each in ipv4],
        "Ipv6Addresses": [{"Ipv6Address": each} for each in addresses if ":" in each],
    }
    if ipv4:
        row["PrivateIpAddress"] = ipv4[0]
    if instance_id:
        row["Attachment"] = {"InstanceId": instance_id, "Status": "attached"}
    region.put("DescribeNetworkInterfaces", "NetworkInterfaceId", row)
