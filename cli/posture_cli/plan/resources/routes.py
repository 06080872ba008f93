"""Route tables of a planned region, their routes and NAT gateways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posture_cli.plan.rows import PlannedRegion, Row
from posture_cli.plan.values import Unknown


def add_route_table(region: PlannedRegion, table_id: str, vpc_id: str) -> None:
    """Add a route table, with a local route for each CIDR block of its VPC."""
    row: Row = {"RouteTableId": table_id, "VpcId": vpc_id, "OwnerId": region.account}
    if region.find("DescribeRouteTables", "RouteTableId", table_id) is None:
        routes = [build_local_route(cidr) for cidr in region.list_cidrs(vpc_id)]
        row |= {"Associations": [], "PropagatingVgws": [], "Routes": routes}
    region.put("DescribeRouteTables", "RouteTableId", row)


def associate_route_table(  # noqa: PLR0913 - what an association has
    region: PlannedRegion,
    table_id: str,
    association_id: str,
    *,
    subnet_id: str | None = None,
    gateway_id: str | None = None,
    main: bool = False,
) -> None:
    """Associate a route table with a subnet or gateway, instead of the one it had, or as main.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateRouteTable.html
    """
    table = region.find("DescribeRouteTables", "RouteTableId", table_id)
    if table is None:
        return
    link: Row = {"SubnetId": subnet_id} if subnet_id else {"GatewayId": gateway_id}
    if main:
        link = {}
    for other in region.select("DescribeRouteTables", table["VpcId"]):
        other["Associations"] = [
            each
            for each in other["Associations"]
            if (not each.get("Main") if main else not link.items() <= each.items())
        ]
    table["Associations"].append(
        {
            "RouteTableAssociationId": association_id,
            "RouteTableId": table_id,
            "Main": main,
            "AssociationState": {"State": "associated"},
            **link,
        }
    )


def add_route(
    region: PlannedRegion,
    table_id: str,
    destination: Mapping[str, str | Unknown],
    target: Mapping[str, str | Unknown],
    *,
    propagated: bool = False,
) -> None:
    """Add a route, or replace the one to the same destination.

    Args:
        region: The planned region.
        table_id: The route table; one that is not among the rows is ignored.
        destination: One of `DESTINATIONS` with its value.
        target: The member that names the target, such as `NatGatewayId`, with its value. A
            route with an unknown target or destination stays one whose end is not known.
        propagated: Whether a virtual private gateway propagates it.
    """
    table = region.find("DescribeRouteTables", "RouteTableId", table_id)
    if table is None:
        return
    known = {name: it for name, it in destination.items() if not isinstance(it, Unknown)}
    origin = "EnableVgwRoutePropagation" if propagated else "CreateRoute"
    row: Row = {**known, "State": "active", "Origin": origin}
    for name, value in target.items():
        row["GatewayId" if isinstance(value, Unknown) else name] = str(value)
    if known:
        remove_route(region, table_id, known)
    table["Routes"].append(row)


def remove_route(region: PlannedRegion, table_id: str, destination: Mapping[str, Any]) -> None:
    """Remove the route to a destination."""
    if table := region.find("DescribeRouteTables", "RouteTableId", table_id):
        kept = (it for it in table["Routes"] if not destination.items() <= it.items())
        table["Routes"] = list(kept)


def propagate_routes(region: PlannedRegion, table_id: str, gateway_id: str) -> None:
    """Let a virtual private gateway propagate its routes, which are not known, to a table."""
    if table := region.find("DescribeRouteTables", "RouteTableId", table_id):
        table.setdefault("PropagatingVgws", []).append({"GatewayId": gateway_id})


def add_nat_gateway(
    region: PlannedRegion, nat_id: str, vpc_id: str, subnet_id: str | None, *, public: bool = True
) -> None:
    """Add a NAT gateway; a regional one has no subnet."""
    row = {
        "NatGatewayId": nat_id,
        "VpcId": vpc_id,
        "State": "available",
        "ConnectivityType": "public" if public else "private",
        **({"SubnetId": subnet_id} if subnet_id else {}),
    }
    region.put("DescribeNatGateways", "NatGatewayId", row)


def build_local_route(cidr: str) -> Row:
    """Build the route to a CIDR block of the VPC itself."""
    name = "DestinationIpv6CidrBlock" if ":" in cidr else "DestinationCidrBlock"
    return {name: cidr, "GatewayId": "local", "State": "active", "Origin": "CreateRouteTable"}
