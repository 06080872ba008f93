"""Find traffic inside a VPC that a route table does not deliver locally.

The local route delivers traffic inside the VPC, unless a more specific route for a whole subnet, or
a route that replaces the local one, sends it to a middlebox.
https://docs.aws.amazon.com/vpc/latest/userguide/route-table-options.html#route-tables-middlebox-routing
"""

from __future__ import annotations

from dataclasses import replace

from posture.analysis.addresses import IPV4, IPV6, NAT64, AddressSet
from posture.analysis.routing import Leg, Router, Routing
from posture.lean_dataclass import dataclass
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
    """Addresses of the VPC to which a route table does not deliver traffic locally.

    `description` is the reason if the traffic is `dropped`, or else what is not known about it.
    """

    addresses: AddressSet
    table_id: str
    description: str
    dropped: bool


def find_detours(snapshot: Snapshot, table: RouteTable | None) -> tuple[Detour, ...]:
    """Find the addresses of the VPC to which a table does not deliver traffic locally."""
    if table is None:
        return (Detour(IPV4 | IPV6, "", "the route table of the subnet", dropped=False),)
    inside = AddressSet.of(list_vpc_blocks(snapshot))
    if not _may_override_local(snapshot, table, inside):
        return ()
    routing = route_inside_vpc(snapshot, table, inside)
    found = [_describe_detour(table, leg) for leg in routing.legs if not _is_local(leg)]
    if routing.unread:
        lists = ", ".join(route.destination for route in routing.unread)
        unknown = f"the entries of {lists}, a destination in {table.id}"
        found.append(Detour(IPV4 | IPV6, table.id, unknown, dropped=False))
    return tuple(found)


def have_same_detours(before: Snapshot, after: Snapshot) -> bool:
    """Return whether a change of routes only concerns no traffic inside the VPC, nor to NAT64."""
    was, now = before.route_tables, after.route_tables
    if was.keys() != now.keys():
        return False
    return all(
        table is was[name] or _delivers_alike(after, was[name], table)
        for name, table in now.items()
    )


def _delivers_alike(snapshot: Snapshot, was: RouteTable, now: RouteTable) -> bool:
    kept = {*map(id, was.routes)} & {*map(id, now.routes)}  # most, and quicker than their values
    gone, added = ([it for it in table.routes if id(it) not in kept] for table in (was, now))
    changed = {*gone} ^ {*added}
    rest, rest_before = (
        [each for each in table.routes if id(each) in kept or each not in changed]
        for table in (now, was)
    )
    inside = AddressSet.of(list_vpc_blocks(snapshot)) | NAT64
    return (now.main, now.subnet_ids, rest) == (was.main, was.subnet_ids, rest_before) and all(
        _is_outside(snapshot, each, inside) for each in changed
    )


def _is_outside(snapshot: Snapshot, route: Route, inside: AddressSet) -> bool:
    named = snapshot.prefix_lists.get(route.prefix_list_id or "")
    listed = named.cidrs if named else None
    blocks = (route.cidr,) if route.cidr else listed
    return blocks is not None and AddressSet.of(blocks).isdisjoint(inside)


def _may_override_local(snapshot: Snapshot, table: RouteTable, inside: AddressSet) -> bool:
    """Return quickly whether a route may take precedence over a local one, or replaces it."""
    shortest = min((block.prefixlen for block in list_vpc_blocks(snapshot)), default=0)
    rivals: list[Network] = []
    for route in table.routes:
        if route.target.kind is TargetKind.LOCAL and not route.blackhole:
            continue
        named = snapshot.prefix_lists.get(route.prefix_list_id or "")
        listed = named.cidrs if named else None
        if route.cidr is None and listed is None:
            return True
        rivals += (route.cidr,) if route.cidr else listed or ()
    specific = AddressSet.of(cidr for cidr in rivals if cidr.prefixlen >= shortest)
    return not specific.isdisjoint(inside)


def route_inside_vpc(snapshot: Snapshot, table: RouteTable, destination: AddressSet) -> Routing:
    """Divide addresses inside the VPC by the route that a table sends their traffic to.

    Every table has a local route for each block of the VPC, listed or not, unless it was replaced.
    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-route-tables.html
    """
    listed = {route.cidr for route in table.routes}
    local = Target(TargetKind.LOCAL, "local")
    implied = (
        Route(block, None, local, origin=RouteOrigin.TABLE)
        for block in list_vpc_blocks(snapshot)
        if block not in listed
    )
    whole = replace(table, routes=(*table.routes, *implied))
    return Router(whole, snapshot.prefix_lists).route(destination)


def list_vpc_blocks(snapshot: Snapshot) -> tuple[Network, ...]:
    """Return the VPC's CIDR blocks; if they are not known, those of its subnets."""
    blocks: tuple[Network, ...] = (*snapshot.vpc.cidrs, *snapshot.vpc.ipv6_cidrs)
    return blocks or tuple(block for subnet in snapshot.subnets.values() for block in subnet.blocks)


def _is_local(leg: Leg) -> bool:
    return all(each.target.kind is TargetKind.LOCAL and not each.blackhole for each in leg.routes)


def _describe_detour(table: RouteTable, leg: Leg) -> Detour:
    if all(each.blackhole for each in leg.routes):
        routes = " or ".join(f"{each.destination} to {each.target.id}" for each in leg.routes)
        return Detour(leg.addresses, table.id, f"route {routes} is a blackhole", dropped=True)
    targets = " or ".join(f"{each.target.id} (route {each.destination})" for each in leg.routes)
    unknown = f"whether {targets} of {table.id} forwards the traffic"
    return Detour(leg.addresses, table.id, unknown, dropped=False)
