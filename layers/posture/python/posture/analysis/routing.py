"""Decide which route of a route table each address of a destination matches.

The most specific route wins. Of equally specific routes:
- a static route (or the local one) takes precedence over a route to a prefix list,
- a route to a prefix list takes precedence over a propagated route,
- of two prefix lists, or two propagated routes, AWS does not document which one wins: all of them
  are candidates.
https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html

The local route takes precedence over any route that a virtual private gateway propagates, however
specific. A static route for a whole subnet, to a middlebox, takes precedence over the local route.
https://docs.aws.amazon.com/vpn/latest/s2svpn/vpn-route-priority.html
https://docs.aws.amazon.com/vpc/latest/userguide/route-table-options.html#route-tables-middlebox-routing
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from posture.analysis.addresses import IPV4, IPV6, NAT64, NOTHING, AddressSet
from posture.lean_dataclass import dataclass
from posture.model.network import (
    Network,
    PrefixList,
    Route,
    RouteOrigin,
    RouteTable,
    Snapshot,
    Subnet,
    TargetKind,
)

STATIC, BY_LIST, PROPAGATED = range(3)
PROPAGATING = frozenset({RouteOrigin.PROPAGATED, RouteOrigin.ADVERTISED})


@dataclass(frozen=True, slots=True)
class Leg:
    """Part of a destination and the route it matches.

    `routes` are the candidates: none if no route matches, several if AWS does not document which
    of equally specific routes wins.
    """

    addresses: AddressSet
    routes: tuple[Route, ...]

    @property
    def route(self) -> Route | None:
        """The route; None if there is none, or if there are several candidates."""
        return self.routes[0] if len(self.routes) == 1 else None


@dataclass(frozen=True, slots=True)
class Routing:
    """A destination divided by route: the legs are disjoint and together the whole destination.

    `unread` are routes whose destination could not be read: each may match any part of the legs.
    """

    legs: tuple[Leg, ...]
    unread: tuple[Route, ...] = ()


def find_route_table(snapshot: Snapshot, subnet_id: str) -> RouteTable | None:
    """Find the route table of a subnet: the associated one, or else the VPC's main one."""
    tables = snapshot.route_tables.values()
    explicit = (table for table in tables if subnet_id in table.subnet_ids)
    return next(explicit, None) or next((table for table in tables if table.main), None)


def find_sendable_addresses(subnet: Subnet) -> AddressSet:
    """Return all addresses of the subnet's IP versions: its hosts can send to no others."""
    return (IPV4 if subnet.cidr else NOTHING) | (IPV6 if subnet.ipv6_cidrs else NOTHING)


def may_use_nat64(subnet: Subnet) -> bool:
    """Return whether hosts of a subnet may send to IPv4 addresses by IPv6, through NAT64.

    DNS64, or a DNS server of one's own, turns an IPv4-only name into IPv6 addresses. A dual-stack
    subnet without DNS64 uses IPv4.
    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-nat64-dns64.html
    """
    return bool(subnet.ipv6_cidrs) and not (subnet.cidr and subnet.dns64 is False)


def find_nat64_routes(table: RouteTable, prefix_lists: Mapping[str, PrefixList]) -> AddressSet:
    """Return the part of 64:ff9b::/96 for which a table has routes that may lead to NAT64."""
    found = []
    for route in table.routes:
        named = prefix_lists.get(route.prefix_list_id or "")
        blocks = [route.cidr] if route.cidr else (named.cidrs or () if named else ())
        ipv6 = AddressSet.of(blocks) & IPV6
        meant = route.target.kind is TargetKind.NAT_GATEWAY or not ipv6 - NAT64
        found.append(ipv6 & NAT64 if meant else NOTHING)
    return AddressSet.union(found)


class Router:
    """A route table, prepared to route any destination.

    Args:
        table: The route table of a subnet.
        prefix_lists: The prefix lists that the table's routes name, by id, including AWS's own.
    """

    def __init__(self, table: RouteTable, prefix_lists: Mapping[str, PrefixList]) -> None:
        self.table_id = table.id
        entries, self._unread = _expand_routes(table.routes, prefix_lists)
        self._local = AddressSet.of(
            each.cidr for each in table.routes if each.cidr and _is_local(each)
        )
        self._ranked = [
            (routes, AddressSet.of(blocks))
            for _, equals in groupby(sorted(entries, key=_get_rank), key=_get_rank)
            for routes, blocks in _group_by_routes(equals).items()
        ]

    def route(self, destination: AddressSet) -> Routing:
        """Divide a destination by the route that each part of it matches.

        Returns:
            The legs, the most specific first; the part that no route matches comes last.
        """
        parts: dict[tuple[Route, ...], AddressSet] = {}
        left = destination
        for routes, blocks in self._ranked:
            if not left:
                break
            if blocks.isdisjoint(left):
                continue
            for chosen, part in _prefer_local(routes, blocks & left, self._local):
                parts[chosen] = parts.get(chosen, NOTHING) | part
                left -= part
        legs = [Leg(addresses, routes) for routes, addresses in parts.items()]
        if left:
            legs.append(Leg(left, ()))
        return Routing(tuple(legs), tuple(self._unread))


@dataclass(frozen=True, slots=True)
class _Entry:
    network: Network
    priority: int
    route: Route


def _get_rank(entry: _Entry) -> tuple[int, int]:
    """Order by prefix length, then priority; entries of different IP versions never compete."""
    return -entry.network.prefixlen, entry.priority


def _expand_routes(
    routes: Iterable[Route], prefix_lists: Mapping[str, PrefixList]
) -> tuple[list[_Entry], list[Route]]:
    """Return every block that a route matches, and the routes whose blocks are not known."""
    entries: list[_Entry] = []
    unread: list[Route] = []
    for route in routes:
        if route.cidr is not None:
            priority = PROPAGATED if route.origin in PROPAGATING else STATIC
            entries.append(_Entry(route.cidr, priority, route))
            continue
        named = prefix_lists.get(route.prefix_list_id or "")
        if named is None or named.cidrs is None:
            unread.append(route)
            continue
        entries += [_Entry(cidr, BY_LIST, route) for cidr in named.cidrs]
    return entries, unread


def _is_local(route: Route) -> bool:
    """Return whether a route is the local one or replaces it: it was created with the table."""
    return route.target.kind is TargetKind.LOCAL or route.origin is RouteOrigin.TABLE


def _group_by_routes(entries: Iterable[_Entry]) -> dict[tuple[Route, ...], list[Network]]:
    """Group blocks of one rank by their routes; blocks of one length are equal or disjoint."""
    by_block: dict[Network, list[Route]] = {}
    for entry in entries:
        by_block.setdefault(entry.network, []).append(entry.route)
    found: dict[tuple[Route, ...], list[Network]] = {}
    for block, routes in by_block.items():
        found.setdefault(_select_candidates(routes), []).append(block)
    return found


def _select_candidates(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Return the candidates: of several routes to one target one, if possible not propagated."""
    targets = {(route.target, route.blackhole) for route in routes}
    return tuple(routes) if len(targets) > 1 else (min(routes, key=_is_propagated),)


def _is_propagated(route: Route) -> bool:
    return route.origin is RouteOrigin.PROPAGATED


def _prefer_local(
    routes: tuple[Route, ...], taken: AddressSet, local: AddressSet
) -> Iterator[tuple[tuple[Route, ...], AddressSet]]:
    """Return what the candidates match; a propagated route never overrides the local one."""
    if not any(map(_is_propagated, routes)):
        if taken:
            yield routes, taken
        return
    if outside := taken - local:
        yield routes, outside
    others = [route for route in routes if not _is_propagated(route)]
    if others and (inside := taken & local):
        yield _select_candidates(others), inside
