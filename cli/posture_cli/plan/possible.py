"""Tells whether EC2 would make a network: a reading of a plan that it refuses is none.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from posture_cli.plan.rows import PlannedRegion, Row


def is_possible(region: PlannedRegion) -> bool:
    """Return whether what belongs together is in one VPC, and each subnet's block in its VPC's."""
    vpcs = {row["VpcId"]: row for row in region.rows["DescribeVpcs"]}
    homes = {
        row[key]: row["VpcId"]
        for operation, key in (
            ("DescribeSubnets", "SubnetId"),
            ("DescribeRouteTables", "RouteTableId"),
        )
        for row in region.rows[operation]
    }
    together = all(homes.get(each, vpc_id) == vpc_id for vpc_id, each in _list_links(region))
    return together and all(
        _is_inside(row, vpcs[row["VpcId"]])
        for row in region.rows["DescribeSubnets"]
        if row["VpcId"] in vpcs
    )


def _list_links(region: PlannedRegion) -> Iterator[tuple[str, str]]:
    """List the ids that a resource refers to, each with the VPC in which they must be."""
    for operation in ("DescribeRouteTables", "DescribeNetworkAcls"):
        for row in region.rows[operation]:
            for link in row["Associations"]:
                if link.get("SubnetId"):
                    yield row["VpcId"], link["SubnetId"]
    for row in region.rows["DescribeVpcEndpoints"]:
        for each in (*row.get("SubnetIds", ()), *row.get("RouteTableIds", ())):
            yield row["VpcId"], each


def _is_inside(subnet: Row, vpc: Row) -> bool:
    blocks = [ip_network(each["CidrBlock"]) for each in vpc.get("CidrBlockAssociationSet", ())]
    block = subnet.get("CidrBlock")
    if not blocks or not isinstance(block, str):
        return True
    return any(ip_network(block).overlaps(each) for each in blocks)
