"""Stand-ins for the IPv6 blocks that Amazon assigns to VPCs.

A documentation block stands for the assigned one. That is exact as long as nothing in the VPC names
another IPv6 block: then a route or rule treats both alike.
https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
https://www.rfc-editor.org/rfc/rfc3849
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Network, ip_network
from itertools import islice
from typing import Any

from posture.model.network import Facet
from posture_cli.plan.rows import PlannedRegion

DOCUMENTATION = IPv6Network("2001:db8::/32")
LENGTH = 56  # of a block that Amazon assigns
SUBNET_LENGTH = 64
EVERYTHING = frozenset({"::/0", "64:ff9b::/96"})
KINDS = {
    "DescribeRouteTables": Facet.ROUTE_TABLES,
    "DescribeNetworkAcls": Facet.NETWORK_ACLS,
    "DescribeSecurityGroups": Facet.SECURITY_GROUPS,
}
MEMBERS = frozenset({"DestinationIpv6CidrBlock", "Ipv6CidrBlock", "CidrIpv6"})


def choose_stand_in(region: PlannedRegion) -> str:
    """Choose a block that no VPC of the region has yet."""
    used = {block for _, block in _list_used(region)}
    blocks = DOCUMENTATION.subnets(new_prefix=LENGTH)
    return next(str(each) for each in islice(blocks, len(used) + 1) if str(each) not in used)


def choose_subnet_stand_in(region: PlannedRegion, vpc_id: str) -> str | None:
    """Choose a block of the VPC's stand-in that no subnet has yet; None without a stand-in."""
    block = next((block for vpc, block in _list_used(region) if vpc == vpc_id), None)
    if block is None:
        return None
    used = {
        each["Ipv6CidrBlock"]
        for row in region.rows["DescribeSubnets"]
        for each in row.get("Ipv6CidrBlockAssociationSet", ())
    }
    blocks = map(str, IPv6Network(block).subnets(new_prefix=SUBNET_LENGTH))
    return next((each for each in blocks if each not in used), None)


def _list_used(region: PlannedRegion) -> Iterator[tuple[str, str]]:
    for vpc in region.rows["DescribeVpcs"]:
        for each in vpc.get("Ipv6CidrBlockAssociationSet", ()):
            if _is_stand_in(each["Ipv6CidrBlock"]):
                yield vpc["VpcId"], each["Ipv6CidrBlock"]


def check_stand_ins(region: PlannedRegion) -> None:
    """Let what tells IPv6 blocks apart be unknown in VPCs with a stand-in."""
    for vpc_id in {vpc_id for vpc_id, _ in _list_used(region)}:
        for operation, facet in KINDS.items():
            rows = [row for row in region.rows[operation] if row.get("VpcId") == vpc_id]
            found = next((block for block in _list_blocks(rows) if not _is_safe(block)), None)
            if found:
                why = f"Amazon chooses the IPv6 block of {vpc_id}, which {found} may contain"
                region.mark_unknown(vpc_id, facet, why)


def list_stand_ins(region: PlannedRegion) -> Iterator[str]:
    """List sentences that name the stand-ins."""
    for vpc_id, block in _list_used(region):
        yield f"Amazon chooses the IPv6 block of {vpc_id}; {block} stands for it."


def _list_blocks(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            if name in MEMBERS and isinstance(each, str):
                yield each
            else:
                yield from _list_blocks(each)
    elif isinstance(value, list):
        for each in value:
            yield from _list_blocks(each)


def _is_safe(block: str) -> bool:
    return block in EVERYTHING or _is_stand_in(block)


def _is_stand_in(block: str) -> bool:
    network = ip_network(block, strict=False)
    return isinstance(network, IPv6Network) and network.subnet_of(DOCUMENTATION)
