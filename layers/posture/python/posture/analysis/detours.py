"""Where a route table does not deliver inside the VPC what is meant for the VPC.

What lies inside the VPC is reached by the local route, unless a more specific route for a whole
subnet, or one in the local route's place, sends it to a middlebox.
https://docs.aws.amazon.com/vpc/latest/userguide/route-table-options.html#route-tables-middlebox-routing
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from posture.analysis.addresses import IPV4, IPV6, AddressSet
from posture.analysis.routing import Leg, Routing, route_to
from posture.model.network import (
    Network,
    Route,
    RouteOrigin,
    RouteTable,
    Snapshot,
    Target,
    TargetKind,
)


@dataclass(frozen=True, slots=True)
class Detour:
    """Addresses of the VPC itself that a route table sends elsewhere than to where they are.

    `certain` is what is dropped; what is passed on somewhere may arrive or not.
    """

    addresses: AddressSet
    table_id: str
    words: str
    certain: bool


def find_detours(snapshot: Snapshot, table: RouteTable | None) -> tuple[Detour, ...]:
    """Give where a table does not deliver locally what is inside the VPC."""
    if table is None:
        return (Detour(IPV4 | IPV6, "", "a route table that could not be found", certain=False),)
    inside = AddressSet.of(list_vpc_blocks(snapshot))
    if not _may_divert(snapshot, table):
        return ()
    routing = route_inside_vpc(snapshot, table, inside)
    unread = ", ".join(route.destination for route in routing.unread)
    found = [_detour(table, leg) for leg in routing.legs if not _delivers(leg)]
    if unread:
        words = f"{unread}, whose entries {table.id} routes and nobody can read"
        found.append(Detour(IPV4 | IPV6, table.id, words, certain=False))
    return tuple(found)


def _may_divert(snapshot: Snapshot, table: RouteTable) -> bool:
    """Tell quickly whether some route could go before a local one, or stands in its place."""
    blocks = list_vpc_blocks(snapshot)
    shortest = min((block.prefixlen for block in blocks), default=0)
    for route in table.routes:
        if route.target.kind is TargetKind.LOCAL and not route.blackhole:
            continue
        named = snapshot.prefix_lists.get(route.prefix_list_id or "")
        listed = named.cidrs if named else None
        if route.cidr is None and listed is None:
            return True
        for cidr in (route.cidr,) if route.cidr else listed or ():
            if cidr.prefixlen >= shortest and _meet(cidr, blocks):
                return True
    return False


def _meet(cidr: Network, blocks: Iterable[Network]) -> bool:
    first, last = int(cidr.network_address), int(cidr.broadcast_address)
    return any(
        block.version == cidr.version
        and first <= int(block.broadcast_address)
        and last >= int(block.network_address)
        for block in blocks
    )


def route_inside_vpc(snapshot: Snapshot, table: RouteTable, towards: AddressSet) -> Routing:
    """Give the routes by which a table leads to addresses inside the VPC.

    Every table has a local route for each block of the VPC, told or not, unless it was replaced.
    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-route-tables.html
    """
    told = {route.cidr for route in table.routes}
    local = Target(TargetKind.LOCAL, "local")
    implied = (
        Route(block, None, local, origin=RouteOrigin.TABLE)
        for block in list_vpc_blocks(snapshot)
        if block not in told
    )
    whole = replace(table, routes=(*table.routes, *implied))
    return route_to(whole, towards, snapshot.prefix_lists)


def list_vpc_blocks(snapshot: Snapshot) -> tuple[Network, ...]:
    """Give the VPC's blocks; where nobody tells them, those of its subnets."""
    blocks: tuple[Network, ...] = (*snapshot.vpc.cidrs, *snapshot.vpc.ipv6_cidrs)
    return blocks or tuple(block for subnet in snapshot.subnets.values() for block in subnet.blocks)


def _delivers(leg: Leg) -> bool:
    return all(each.target.kind is TargetKind.LOCAL and not each.blackhole for each in leg.routes)


def _detour(table: RouteTable, leg: Leg) -> Detour:
    ways = " or ".join(f"{each.target.id} (route {each.destination})" for each in leg.routes)
    certain = all(each.blackhole for each in leg.routes)
    words = f"{table.id} drops it at {ways}" if certain else f"{ways} of {table.id}"
    return Detour(leg.addresses, table.id, words, certain)
