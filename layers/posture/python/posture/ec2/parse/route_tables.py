"""Parses route tables and their routes.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html
"""

from __future__ import annotations

from collections.abc import Iterable

from posture.ec2.parse.fields import (
    Row,
    list_active_associations,
    parse_network,
    parse_pairs,
    parse_values,
)
from posture.model.network import Route, RouteOrigin, RouteTable, Target, TargetKind

# The order matters: a route to an instance also names the instance's network interface.
TARGET_MEMBERS = (
    ("NatGatewayId", TargetKind.NAT_GATEWAY),
    ("TransitGatewayId", TargetKind.TRANSIT_GATEWAY),
    ("VpcPeeringConnectionId", TargetKind.PEERING),
    ("EgressOnlyInternetGatewayId", TargetKind.EGRESS_ONLY_GATEWAY),
    ("CarrierGatewayId", TargetKind.CARRIER_GATEWAY),
    ("LocalGatewayId", TargetKind.LOCAL_GATEWAY),
    ("CoreNetworkArn", TargetKind.CORE_NETWORK),
    ("OdbNetworkArn", TargetKind.ODB_NETWORK),
    ("InstanceId", TargetKind.INSTANCE),
    ("NetworkInterfaceId", TargetKind.NETWORK_INTERFACE),
)

# GatewayId holds several kinds of gateway, which the prefix of the id distinguishes.
GATEWAY_PREFIXES = (
    ("local", TargetKind.LOCAL),
    ("vpce-", TargetKind.VPC_ENDPOINT),
    ("igw-", TargetKind.INTERNET_GATEWAY),
    ("vgw-", TargetKind.VIRTUAL_PRIVATE_GATEWAY),
    ("eigw-", TargetKind.EGRESS_ONLY_GATEWAY),
    ("cagw-", TargetKind.CARRIER_GATEWAY),
    ("lgw-", TargetKind.LOCAL_GATEWAY),
    ("nat-", TargetKind.NAT_GATEWAY),
    ("tgw-", TargetKind.TRANSIT_GATEWAY),
    ("pcx-", TargetKind.PEERING),
)

FILTERED = "filtered"  # a route that is listed in the table and carries no traffic


def parse_route_table(row: Row) -> RouteTable:
    """Parse a route table with its active associations; filtered routes are left out."""
    active = list_active_associations(row, "Associations", "AssociationState")
    routes = (parse_route(each) for each in row.get("Routes", ()) if each.get("State") != FILTERED)
    return RouteTable(
        id=row.get("RouteTableId", ""),
        vpc_id=row.get("VpcId", ""),
        main=any(association.get("Main") for association in active),
        subnet_ids=parse_values(active, "SubnetId"),
        gateway_ids=parse_values(active, "GatewayId"),
        associations=_parse_associations(row, active),
        routes=sort_routes(routes),
        propagating_gateway_ids=parse_values(row.get("PropagatingVgws"), "GatewayId"),
    )


def _parse_associations(row: Row, active: list[Row]) -> dict[str, str]:
    pairs = parse_pairs(active, "RouteTableAssociationId", ("SubnetId", "GatewayId"))
    return {name: associated or row.get("VpcId", "") for name, associated in pairs.items()}


def parse_route(row: Row) -> Route:
    """Parse one route."""
    return Route(
        cidr=parse_network(row.get("DestinationCidrBlock") or row.get("DestinationIpv6CidrBlock")),
        prefix_list_id=row.get("DestinationPrefixListId") or None,
        target=parse_target(row),
        blackhole=row.get("State") == "blackhole",
        origin=parse_origin(row.get("Origin")),
    )


def sort_routes(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Sort routes, local ones first, as EC2 promises no order."""
    return tuple(sorted(routes, key=_route_order))


def _route_order(route: Route) -> tuple[bool, str, str]:
    return route.target.kind is not TargetKind.LOCAL, route.destination, route.target.id


def parse_target(row: Row) -> Target:
    """Parse the target of a route; one of an unknown kind is UNKNOWN, with its id if it has one."""
    for member, kind in TARGET_MEMBERS:
        if row.get(member):
            return Target(kind, row[member])
    gateway = row.get("GatewayId") or ""
    for prefix, kind in GATEWAY_PREFIXES:
        if gateway.startswith(prefix):
            return Target(kind, gateway)
    return Target(TargetKind.UNKNOWN, gateway)


def parse_origin(text: str | None) -> RouteOrigin:
    """Parse how a route was created."""
    try:
        return RouteOrigin(text or "unknown")
    except ValueError:
        return RouteOrigin.UNKNOWN
