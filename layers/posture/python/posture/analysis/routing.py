"""Which route each address of a destination takes out of a subnet, exactly.

The most specific route wins. Between equally specific ones:
- a static route (the local ones included) before one by a prefix list,
- one by a prefix list before a propagated one,
- between two prefix lists, or two propagated routes, AWS does not tell which: then all of them
  stand as candidates.
https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html

Of what lies inside the VPC a virtual private gateway takes nothing away, however specific the
routes are that it propagates; a static route for a whole subnet does, to a middlebox.
https://docs.aws.amazon.com/vpn/latest/s2svpn/vpn-route-priority.html
https://docs.aws.amazon.com/vpc/latest/userguide/route-table-options.html#route-tables-middlebox-routing
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from posture.analysis.addresses import IPV4, IPV6, NOTHING, AddressSet
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
    """Part of a destination and the route it takes.

    `routes` are the candidates: none where no route leads there, several where AWS does not tell
    which of equally specific ones it takes.
    """

    addresses: AddressSet
    routes: tuple[Route, ...]

    @property
    def route(self) -> Route | None:
        """The one route, or nothing where there is none or nobody knows which."""
        return self.routes[0] if len(self.routes) == 1 else None


@dataclass(frozen=True, slots=True)
class Routing:
    """The partition of a destination by route: the legs are disjoint and make up the whole.

    `unread` are routes whose destination could not be read: each may take any part away from the
    legs.
    """

    legs: tuple[Leg, ...]
    unread: tuple[Route, ...] = ()


def find_route_table(snapshot: Snapshot, subnet_id: str) -> RouteTable | None:
    """Give the table a subnet uses: the one it is associated with, else the VPC's main one."""
    tables = snapshot.route_tables.values()
    explicit = (table for table in tables if subnet_id in table.subnet_ids)
    return next(explicit, None) or next((table for table in tables if table.main), None)


def find_sendable_addresses(subnet: Subnet) -> AddressSet:
    """Give the addresses that a subnet's hosts can send to: those of the families it has."""
    return (IPV4 if subnet.cidr else NOTHING) | (IPV6 if subnet.ipv6_cidrs else NOTHING)


def route_to(
    table: RouteTable, destination: AddressSet, prefix_lists: Mapping[str, PrefixList]
) -> Routing:
    """Divide a destination by the route each part of it takes.

    Args:
        table: The route table of a subnet.
        destination: Any addresses.
        prefix_lists: Every list that the table's routes name, by id, AWS's own included.

    Returns:
        The legs, the most specific first; what no route leads to comes last, with no route.
    """
    return Router(table, prefix_lists).to(destination)


class Router:
    """A route table made ready to be asked for many destinations, as `route_to` is for one."""

    def __init__(self, table: RouteTable, prefix_lists: Mapping[str, PrefixList]) -> None:
        self.table_id = table.id
        entries, self._unread = _entries(table.routes, prefix_lists)
        self._local = AddressSet.of(
            each.cidr for each in table.routes if each.cidr and _is_local(each)
        )
        self._ranked = [
            (routes, AddressSet.of(blocks))
            for _, equals in groupby(sorted(entries, key=_rank), key=_rank)
            for routes, blocks in _apart(equals).items()
        ]

    def to(self, destination: AddressSet) -> Routing:
        """Divide a destination by the route each part of it takes."""
        parts: dict[tuple[Route, ...], AddressSet] = {}
        left = destination
        for routes, blocks in self._ranked:
            if not left:
                break
            if blocks.isdisjoint(left):
                continue
            for chosen, part in _not_past_local(routes, blocks & left, self._local):
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


def _rank(entry: _Entry) -> tuple[int, int]:
    """Order by length, then by priority. Lengths of the two families never meet."""
    return -entry.network.prefixlen, entry.priority


def _entries(
    routes: Iterable[Route], prefix_lists: Mapping[str, PrefixList]
) -> tuple[list[_Entry], list[Route]]:
    """Give every block that a route leads to, and the routes whose blocks are not known."""
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
    """Tell whether a route keeps what it matches inside the VPC: it came with the table."""
    return route.target.kind is TargetKind.LOCAL or route.origin is RouteOrigin.TABLE


def _apart(entries: Iterable[_Entry]) -> dict[tuple[Route, ...], list[Network]]:
    """Give the blocks of one rank by their routes; blocks of one length are equal or disjoint."""
    by_block: dict[Network, list[Route]] = {}
    for entry in entries:
        by_block.setdefault(entry.network, []).append(entry.route)
    found: dict[tuple[Route, ...], list[Network]] = {}
    for block, routes in by_block.items():
        found.setdefault(_deciding(routes), []).append(block)
    return found


def _deciding(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Give the candidates; several routes to one target are one way, told by one not propagated."""
    targets = {(route.target, route.blackhole) for route in routes}
    return tuple(routes) if len(targets) > 1 else (min(routes, key=_propagated),)


def _propagated(route: Route) -> bool:
    return route.origin is RouteOrigin.PROPAGATED


def _not_past_local(
    routes: tuple[Route, ...], taken: AddressSet, local: AddressSet
) -> Iterator[tuple[tuple[Route, ...], AddressSet]]:
    """Give what the candidates take; a gateway's propagated route takes nothing local."""
    if not any(map(_propagated, routes)):
        if taken:
            yield routes, taken
        return
    if outside := taken - local:
        yield routes, outside
    others = [route for route in routes if not _propagated(route)]
    if others and (inside := taken & local):
        yield _deciding(others), inside
