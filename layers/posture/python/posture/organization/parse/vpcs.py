"""Parses VPCs as members of the shared network."""

from __future__ import annotations

from posture.ec2.parse.fields import parse_tags
from posture.ec2.parse.network import parse_vpc
from posture.model.shared_network import SharedVpc
from posture.organization.parse.fields import Row, get_text, list_members
from posture.organization.parse.transit import sort_networks


def parse_shared_vpc(row: Row, account: str, region: str) -> SharedVpc:
    """Parse a row of DescribeVpcs. A shared VPC belongs to its owner."""
    vpc = parse_vpc(row)
    return SharedVpc(
        id=get_text(row, "VpcId"),
        account=get_text(row, "OwnerId", "") or account,
        region=region,
        cidrs=sort_networks((*vpc.cidrs, *vpc.ipv6_cidrs)),
        tags=parse_tags(list(list_members(row, "Tags"))),
    )
