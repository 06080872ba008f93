"""Completes VPCs that exist and of which a plan alone does not show everything.

What EC2 created with such a VPC, and what others created in it, is unknown unless the plan has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from posture.model.network import Facet
from posture_cli.plan.resources import routes, vpcs
from posture_cli.plan.rows import PlannedRegion
from posture_cli.plan.terraform_plan import Instance
from posture_cli.plan.values import Unknown

READ = "read the Region with --live or --from"
ROWS = (
    "DescribeSubnets",
    "DescribeRouteTables",
    "DescribeVpcEndpoints",
    "DescribeSecurityGroups",
    "DescribeNetworkAcls",
    "DescribeNatGateways",
)
PLACES = (Facet.SUBNETS, Facet.ROUTE_TABLES, Facet.NETWORK_ACLS, Facet.NAT_GATEWAYS)


def complete_existing(region: PlannedRegion, instances: Sequence[Instance]) -> None:
    """Complete the VPCs of a plan that is not laid over rows that were read."""
    data = {
        str(each.values.get("id")): each
        for each in instances
        if each.mode == "data" and each.type == "aws_vpc"
    }
    named = {str(row.get("VpcId", "")) for name in ROWS for row in region.rows[name]}
    for vpc_id in sorted(named - {row["VpcId"] for row in region.rows["DescribeVpcs"]} - {""}):
        _add_other(region, vpc_id, data.get(vpc_id))
    for each in instances:
        if each.mode == "managed" and each.type in {"aws_vpc", "aws_default_vpc"} and not each.new:
            _complete_main_table(region, each)


def _add_other(region: PlannedRegion, vpc_id: str, data: Instance | None) -> None:
    """Add a VPC that the plan refers to and does not manage."""
    values = data.values if data else {}
    cidr = values.get("cidr_block")
    blocks = [{"CidrBlock": cidr, "CidrBlockState": {"State": "associated"}}] if cidr else []
    blocks += [
        {"CidrBlock": other["cidr_block"], "CidrBlockState": {"State": "associated"}}
        for other in values.get("cidr_block_associations") or ()
        if other.get("cidr_block") not in (None, cidr)
    ]
    region.rows["DescribeVpcs"].append(
        {
            "VpcId": vpc_id,
            "OwnerId": str(values.get("owner_id") or region.account),
            "IsDefault": False,
            "CidrBlockAssociationSet": blocks,
            "Ipv6CidrBlockAssociationSet": [],
            "Tags": [],
            **({"CidrBlock": cidr} if cidr else {}),
        }
    )
    vpcs.set_dns(
        region, vpc_id, values.get("enable_dns_support"), values.get("enable_dns_hostnames")
    )
    why = f"the plan does not manage {vpc_id}, and others may have changed it; {READ}"
    for facet in PLACES:
        region.mark_unknown(vpc_id, facet, why)
    if not blocks:
        region.mark_unknown(vpc_id, Facet.VPC, why)
    if not values:
        region.mark_unknown(vpc_id, Facet.DNS_ATTRIBUTES, why)


def _complete_main_table(region: PlannedRegion, vpc: Instance) -> None:
    """Add the main route table, with routes that are not known, if a subnet uses it."""
    vpc_id = str(vpc.values.get("id"))
    tables = [row for row in region.rows["DescribeRouteTables"] if row["VpcId"] == vpc_id]
    links = [link for table in tables for link in table["Associations"]]
    subnets = {row["SubnetId"] for row in region.rows["DescribeSubnets"] if row["VpcId"] == vpc_id}
    if any(link.get("Main") for link in links):
        return
    table_id = _first_text(vpc, ("main_route_table_id", "default_route_table_id"))
    if region.find("DescribeRouteTables", "RouteTableId", table_id) is None:
        if not subnets - {link.get("SubnetId") for link in links}:
            return
        routes.add_route_table(region, table_id, vpc_id)
        unknown = Unknown(f"not in the plan; {READ}")
        routes.add_route(
            region, table_id, {"DestinationCidrBlock": unknown}, {"GatewayId": unknown}
        )
    routes.associate_route_table(region, table_id, f"rtbassoc-{table_id}-main", main=True)


def _first_text(instance: Instance, names: Iterable[str]) -> str:
    found = (instance.values.get(name) for name in names)
    return next(
        (each for each in found if isinstance(each, str) and each),
        f"main route table of {instance.address}",
    )
