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

import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter

from posture.analysis.addresses import (
    END,
    IPV4,
    IPV6,
    NAT64,
    NOTHING,
    AddressSet,
    Span,
    merge_spans,
    to_span,
)
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

# Candidates and their order among those of a table, by rank: the most specific first.
_Match = tuple[int, tuple[Route, ...]]
UNMATCHED: _Match = (sys.maxsize, ())


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


def count_entries(snapshot: Snapshot) -> int:
    """Count the blocks that the routes of a VPC match, those of prefix lists for each route."""
    lists = snapshot.prefix_lists
    routes = (each for table in snapshot.route_tables.values() for each in table.routes)
    named = (lists.get(each.prefix_list_id or "") for each in routes)
    return sum(len(each.cidrs or ()) if each else 1 for each in named)


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

    The line of all addresses is divided once, at the ends of all blocks that routes match, so that
    a destination costs no more than the parts that it consists of.

    Args:
        table: The route table of a subnet.
        prefix_lists: The prefix lists that the table's routes name, by id, including AWS's own.
    """

    def __init__(self, table: RouteTable, prefix_lists: Mapping[str, PrefixList]) -> None:
        self.table_id = table.id
        entries, self._unread = _expand_routes(table.routes, prefix_lists)
        blocks = _build_blocks(entries)
        self._parts = list(_divide(sorted(blocks, key=lambda each: (each.first, -each.last))))
        self._starts = [each.first for each in self._parts]

    def route(self, destination: AddressSet) -> Routing:
        """Divide a destination by the route that each part of it matches.

        Returns:
            The legs, the most specific first; the part that no route matches comes last.
        """
        found: dict[tuple[int, ...], tuple[int, tuple[Route, ...], list[Span]]] = {}
        for first, last in destination.spans:
            at = bisect_right(self._starts, first) - 1
            while at < len(self._parts) and self._parts[at].first <= last:
                part = self._parts[at]
                span = max(first, part.first), min(last, part.last)
                key = tuple(map(id, part.routes))
                order, routes, spans = found.get(key, (part.order, part.routes, []))
                spans.append(span)
                found[key] = min(order, part.order), routes, spans
                at += 1
        legs = (
            Leg(AddressSet(tuple(merge_spans(spans))), routes)
            for _, routes, spans in sorted(found.values(), key=itemgetter(0))
        )
        return Routing(tuple(legs), tuple(self._unread))


@dataclass(frozen=True, slots=True)
class _Entry:
    span: Span
    rank: tuple[int, int]
    route: Route
    is_local: bool


@dataclass(frozen=True, slots=True)
class _Block:
    """A block that routes match: the candidates of each priority, the preferred ones first.

    `is_local` where it is a block of the VPC. The order of candidates is that of their rank.
    """

    first: int
    last: int
    candidates: Sequence[_Match]
    is_local: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """Addresses that match the same routes, and the order of these among a destination's."""

    first: int
    last: int
    order: int
    routes: tuple[Route, ...]


def _build_blocks(entries: Iterable[_Entry]) -> Iterator[_Block]:
    """Group entries by block; blocks of one length are equal or disjoint."""
    by_rank: dict[tuple[Span, tuple[int, int]], list[Route]] = {}
    local: set[Span] = set()
    for entry in sorted(entries, key=attrgetter("rank")):
        by_rank.setdefault((entry.span, entry.rank), []).append(entry.route)
        if entry.is_local:
            local.add(entry.span)
    by_block: dict[Span, list[_Match]] = {}
    orders: dict[tuple[object, ...], int] = {}
    for (span, rank), routes in by_rank.items():
        chosen = _select_candidates(routes)
        order = orders.setdefault((rank, *map(id, chosen)), 2 * len(orders))
        by_block.setdefault(span, []).append((order, chosen))
    for (first, last), candidates in by_block.items():
        yield _Block(first, last, candidates, (first, last) in local)


@dataclass(frozen=True, slots=True)
class _Outer:
    """A block around the present address, and what is matched in it, outside or inside the VPC."""

    last: int
    is_local: bool
    outside: _Match
    inside: _Match

    @property
    def matched(self) -> _Match:
        """What addresses of the block match that are in no smaller one."""
        return self.inside if self.is_local else self.outside

    def enter(self, block: _Block) -> _Outer:
        """Return a block in this one."""
        inside = next(filter(None, map(_prefer_local, block.candidates)), self.inside)
        return _Outer(block.last, self.is_local or block.is_local, block.candidates[0], inside)


def _divide(blocks: Iterable[_Block]) -> Iterator[_Part]:
    """Divide all addresses by the most specific block that holds them.

    Args:
        blocks: The blocks, each before those that it contains.
    """
    outer = [_Outer(END - 1, False, UNMATCHED, UNMATCHED)]
    at = 0
    for block in blocks:
        while outer[-1].last < block.first:
            ended = outer.pop()
            if at <= ended.last:
                yield _Part(at, ended.last, *ended.matched)
                at = ended.last + 1
        if at < block.first:
            yield _Part(at, block.first - 1, *outer[-1].matched)
            at = block.first
        outer.append(outer[-1].enter(block))
    for ended in reversed(outer):
        if at <= ended.last:
            yield _Part(at, ended.last, *ended.matched)
            at = ended.last + 1


def _expand_routes(
    routes: Iterable[Route], prefix_lists: Mapping[str, PrefixList]
) -> tuple[list[_Entry], list[Route]]:
    """Return every block that a route matches, and the routes whose blocks are not known."""
    entries: list[_Entry] = []
    unread: list[Route] = []
    for route in routes:
        if route.cidr is not None:
            priority = PROPAGATED if route.origin in PROPAGATING else STATIC
            entries.append(_build_entry(route.cidr, priority, route, is_local=_is_local(route)))
            continue
        named = prefix_lists.get(route.prefix_list_id or "")
        if named is None or named.cidrs is None:
            unread.append(route)
            continue
        entries += [_build_entry(cidr, BY_LIST, route) for cidr in named.cidrs]
    return entries, unread


def _build_entry(
    network: Network, priority: int, route: Route, *, is_local: bool = False
) -> _Entry:
    """Rank by prefix length, then priority; entries of different IP versions never compete."""
    return _Entry(to_span(network), (-network.prefixlen, priority), route, is_local)


def _is_local(route: Route) -> bool:
    """Return whether a route is the local one or replaces it: it was created with the table."""
    return route.target.kind is TargetKind.LOCAL or route.origin is RouteOrigin.TABLE


def _select_candidates(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Return the candidates: of several routes to one target one, if possible not propagated."""
    if len(routes) == 1:
        return tuple(routes)
    targets = {(route.target, route.blackhole) for route in routes}
    return tuple(routes) if len(targets) > 1 else (min(routes, key=_is_propagated),)


def _is_propagated(route: Route) -> bool:
    return route.origin is RouteOrigin.PROPAGATED


def _prefer_local(match: _Match) -> _Match | None:
    """Return what is matched inside the VPC, where no propagated route overrides the local one."""
    order, routes = match
    if not any(map(_is_propagated, routes)):
        return match
    others = [route for route in routes if not _is_propagated(route)]
    return (order + 1, _select_candidates(others)) if others else None
