"""Route tables, from boto3's answers to the model.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posture.ec2.parse.fields import GONE, network, strings, tags
from posture.model.network import Route, RouteOrigin, RouteTable, Target, TargetKind

if TYPE_CHECKING:
    from posture.ec2.parse.fields import Row

# In this order: a route to an instance also names the instance's interface.
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

# GatewayId holds several kinds, told apart by the id's beginning.
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

# A filtered route stands in the table but carries nothing; only these two are in effect.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html
FILTERED = "filtered"


def parse_route_table(row: Row) -> RouteTable:
    """Read a route table; associations that are gone or failed are left out."""
    live = [
        association
        for association in row.get("Associations", ())
        if association.get("AssociationState", {}).get("State", "associated") not in GONE
    ]
    return RouteTable(
        id=row.get("RouteTableId", ""),
        vpc_id=row.get("VpcId", ""),
        owner=row.get("OwnerId", ""),
        main=any(association.get("Main") for association in live),
        subnet_ids=strings(live, "SubnetId"),
        gateway_ids=strings(live, "GatewayId"),
        association_ids=strings(live, "RouteTableAssociationId"),
        routes=tuple(
            sorted(
                (route(line) for line in row.get("Routes", ()) if line.get("State") != FILTERED),
                key=in_order,
            )
        ),
        propagating_gateway_ids=strings(row.get("PropagatingVgws"), "GatewayId"),
        tags=tags(row.get("Tags")),
    )


def route(row: Row) -> Route:
    """Read one route."""
    return Route(
        cidr=network(row.get("DestinationCidrBlock") or row.get("DestinationIpv6CidrBlock")),
        prefix_list_id=row.get("DestinationPrefixListId") or None,
        target=target(row),
        blackhole=row.get("State") == "blackhole",
        origin=origin(row.get("Origin")),
    )


def in_order(route: Route) -> tuple[bool, str, str]:
    """Order the routes of a table, in which EC2 promises none: the local ones come first."""
    return route.target.kind is not TargetKind.LOCAL, route.destination, route.target.id


def target(row: Row) -> Target:
    """Read what a route points to; a kind that is not known here is UNKNOWN, with its id if any."""
    for member, kind in TARGET_MEMBERS:
        if row.get(member):
            return Target(kind, row[member])
    gateway = row.get("GatewayId") or ""
    for prefix, kind in GATEWAY_PREFIXES:
        if gateway.startswith(prefix):
            return Target(kind, gateway)
    return Target(TargetKind.UNKNOWN, gateway)


def origin(text: str | None) -> RouteOrigin:
    """Read how a route came into its table."""
    try:
        return RouteOrigin(text or "unknown")
    except ValueError:
        return RouteOrigin.UNKNOWN
