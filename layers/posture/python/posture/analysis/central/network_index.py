"""Indexes of a shared network by what its facts name: which VPC, endpoint, address or table. Pure.

They are computed once for a shared network, however many VPCs are evaluated with it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from ipaddress import ip_address
from itertools import chain

from posture.analysis.addresses import AddressSet
from posture.analysis.central.attachments import APPLIANCES
from posture.analysis.central.known_endpoints import get_endpoint_id
from posture.analysis.central.private_names import DOMAINS_OF_AWS
from posture.analysis.identity import cache_by_identity
from posture.analysis.names import group_by_service
from posture.lean_dataclass import dataclass
from posture.model.network import Address, Endpoint, EndpointType, Network
from posture.model.shared_network import (
    AttachmentKind,
    HostedZone,
    InboundResolver,
    SharedNetwork,
    TransitAttachment,
    TransitRoute,
    TransitRouteTable,
    VpcPeering,
)

NETWORKS = 4  # whose indexes are kept: the present one, and those of a trial

Block = tuple[int, int, int]  # IP version, prefix length, and the bits of the prefix


@dataclass(frozen=True, slots=True)
class Named:
    """The endpoints and addresses that zones or a Profile name."""

    endpoint_ids: frozenset[str] = frozenset()
    addresses: frozenset[Address] = frozenset()

    def __or__(self, other: Named) -> Named:
        """Return what either names."""
        return Named(self.endpoint_ids | other.endpoint_ids, self.addresses | other.addresses)


@cache_by_identity(4096)
def list_named(zone: HostedZone) -> Named:
    """List the endpoints and addresses that the records of a zone name."""
    ids: set[str] = set()
    addresses: set[Address] = set()
    for record in zone.records or ():
        for target in (record.alias, *record.values):
            if endpoint_id := get_endpoint_id(target):
                ids.add(endpoint_id)
            elif record.type in {"A", "AAAA"} and target and target != record.alias:
                with suppress(ValueError):  # the answer for the name says that it is no address
                    addresses.add(ip_address(target))
    return Named(frozenset(ids), frozenset(addresses))


class RouteIndex:
    """The routes of one transit gateway route table by the blocks that they overlap."""

    def __init__(self, table: TransitRouteTable) -> None:
        self.table = table
        self._by_block: dict[Block, list[int]] = defaultdict(list)
        self._always: list[int] = []  # routes to prefix lists, whose entries others decide
        starts: list[tuple[int, int, int]] = []
        for number, each in enumerate(table.routes or ()):
            if each.cidr is None:
                self._always.append(number)
                continue
            self._by_block[_to_block(each.cidr)].append(number)
            starts.append((each.cidr.version, int(each.cidr.network_address), number))
        self._starts = sorted(starts)
        self._lengths = sorted({block[:2] for block in self._by_block})

    def select(self, blocks: Iterable[Network]) -> tuple[TransitRoute, ...]:
        """Select the routes that overlap one of the blocks, and all to prefix lists, in order."""
        found = set(self._always)
        for block in blocks:
            found.update(self._overlapping(block))
        routes = self.table.routes or ()
        return tuple(routes[number] for number in sorted(found))

    def _overlapping(self, block: Network) -> Iterator[int]:
        version, first, size = block.version, int(block.network_address), block.max_prefixlen
        for length_version, length in self._lengths:
            if length_version == version and length <= block.prefixlen:
                yield from self._by_block.get((version, length, first >> (size - length)), ())
        last = int(block.broadcast_address)
        at = bisect_left(self._starts, (version, first, -1))
        while at < len(self._starts) and self._starts[at][:2] <= (version, last):
            yield self._starts[at][2]
            at += 1


class NetworkIndex:
    """The indexes of one shared network."""

    def __init__(self, shared: SharedNetwork) -> None:
        self.shared = shared
        self._reach: dict[tuple[str, str], bool] = {}
        self._routes: dict[str, RouteIndex] = {}
        self.digests: dict[int, str] = {}  # of its facts, by identity

    @cached_property
    def attachments_of(self) -> Mapping[str, tuple[TransitAttachment, ...]]:
        """The attachments of each VPC."""
        found: dict[str, list[TransitAttachment]] = defaultdict(list)
        for each in self.shared.attachments.values():
            if each.kind is AttachmentKind.VPC:
                found[each.resource_id].append(each)
        return {name: tuple(some) for name, some in found.items()}

    @cached_property
    def peerings_of(self) -> Mapping[str, tuple[VpcPeering, ...]]:
        """The peering connections of each VPC."""
        found: dict[str, list[VpcPeering]] = defaultdict(list)
        for each in self.shared.peerings.values():
            for vpc_id in dict.fromkeys((each.requester.vpc_id, each.accepter.vpc_id)):
                found[vpc_id].append(each)
        return {name: tuple(some) for name, some in found.items()}

    @cached_property
    def resolvers_at(self) -> Mapping[Address, tuple[InboundResolver, ...]]:
        """The inbound Resolver endpoints that have each address."""
        found: dict[Address, list[InboundResolver]] = defaultdict(list)
        for each in self.shared.resolvers.values():
            for address in each.addresses:
                found[address].append(each)
        return {name: tuple(some) for name, some in found.items()}

    @cached_property
    def vpc_of_endpoint(self) -> Mapping[str, str]:
        """The central VPC of each of their endpoints."""
        central = self.shared.central_vpcs
        return {name: vpc_id for vpc_id, vpc in central.items() for name in vpc.endpoints}

    @cached_property
    def interface_endpoints(self) -> Mapping[str, Sequence[Endpoint]]:
        """The interface endpoints by the service's name, those of each central VPC sorted by id."""
        return group_by_service(
            endpoint
            for snapshot in self.shared.central_vpcs.values()
            for _, endpoint in sorted(snapshot.endpoints.items())
            if endpoint.type is EndpointType.INTERFACE
        )

    @cached_property
    def known_ids(self) -> frozenset[str]:
        """The ids of all facts."""
        shared = self.shared
        return frozenset(
            chain(
                shared.vpcs,
                shared.zones,
                shared.rules,
                shared.resolvers,
                shared.profiles,
                shared.gateways,
                shared.attachments,
                shared.tables,
                shared.peerings,
                shared.prefix_lists,
            )
        )

    def list_targets(self, central_id: str, blocks: Iterable[Network]) -> frozenset[str]:
        """List the targets of a central VPC's routes that may match an address of the blocks."""
        wanted = AddressSet.of(blocks)
        return frozenset(
            target
            for destination, target in self._targets[central_id]
            if destination is None or not wanted.isdisjoint(destination)
        )

    @cached_property
    def _targets(self) -> Mapping[str, Sequence[tuple[AddressSet | None, str]]]:
        """The destinations, None for a prefix list, and targets of each central VPC's routes."""
        return {
            name: [
                (AddressSet.of([route.cidr]) if route.cidr else None, route.target.id)
                for table in vpc.route_tables.values()
                for route in table.routes
            ]
            for name, vpc in self.shared.central_vpcs.items()
        }

    @cached_property
    def central_blocks(self) -> Mapping[str, tuple[Network, ...]]:
        """The CIDR blocks of each central VPC."""
        central = self.shared.central_vpcs
        return {name: (*each.vpc.cidrs, *each.vpc.ipv6_cidrs) for name, each in central.items()}

    @cached_property
    def named_by_zone(self) -> Mapping[str, Named]:
        """What the records of each zone name."""
        return {name: list_named(zone) for name, zone in self.shared.zones.items()}

    def is_covered(self, domain: str, endpoint_ids: Iterable[str]) -> bool:
        """Return whether a rule, or a zone that names one of these endpoints, has this domain."""
        zones = self._zones_by_name.get(domain, ())
        named = (self.named_by_zone[each].endpoint_ids for each in zones)
        return domain in self._rule_names or not all(map(set(endpoint_ids).isdisjoint, named))

    def list_covering_zones(self, name: str) -> Iterator[str]:
        """List the ids of the zones whose domain covers a name."""
        while name:
            yield from self._zones_by_name.get(name, ())
            name = name.partition(".")[2]
        yield from self._zones_by_name.get("", ())

    @cached_property
    def _zones_by_name(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for zone_id, zone in self.shared.zones.items():
            found[zone.name].append(zone_id)
        return found

    @cached_property
    def _rule_names(self) -> frozenset[str]:
        return frozenset(each.name for each in self.shared.rules.values())

    @cached_property
    def _naming(self) -> Mapping[str, frozenset[str]]:
        """The zones of AWS's domains whose records name each endpoint."""
        found: dict[str, set[str]] = defaultdict(set)
        for zone_id, named in self.named_by_zone.items():
            if not self.shared.zones[zone_id].name.endswith(DOMAINS_OF_AWS):
                continue
            for endpoint_id in named.endpoint_ids:
                found[endpoint_id].add(zone_id)
        return {name: frozenset(zone_ids) for name, zone_ids in found.items()}

    def list_naming_zones(self, endpoint_ids: Iterable[str]) -> frozenset[str]:
        """List the zones of AWS's domains whose records name one of these endpoints."""
        return frozenset(it for each in endpoint_ids for it in self._naming.get(each, ()))

    @cached_property
    def named(self) -> Named:
        """What any zone or Profile names."""
        names = (
            *self.named_by_zone.values(),
            *(Named(frozenset(each.endpoint_ids)) for each in self.shared.profiles.values()),
        )
        ids = frozenset().union(*(each.endpoint_ids for each in names))
        return Named(ids, frozenset().union(*(each.addresses for each in names)))

    def find_owners(self, named: Named) -> frozenset[str]:
        """Return the central VPCs that have one of these endpoints or addresses."""
        found = {self.vpc_of_endpoint.get(each, "") for each in named.endpoint_ids}
        found.update(
            vpc_id
            for vpc_id, blocks in self.central_blocks.items()
            for address in named.addresses
            if any(address in block for block in blocks)
        )
        return frozenset(found - {""})

    def routes_of(self, table: TransitRouteTable) -> RouteIndex:
        """Return the routes of a table by block."""
        if table.id not in self._routes:
            self._routes[table.id] = RouteIndex(table)
        return self._routes[table.id]

    def select_routes(
        self, table: TransitRouteTable, blocks: Iterable[Network]
    ) -> TransitRouteTable:
        """Return a table with the routes that may match an address of the blocks."""
        if table.routes is None:
            return table
        return replace(table, routes=self.routes_of(table).select(blocks))

    def follow(self, table_id: str, blocks: Iterable[Network]) -> Iterator[TransitAttachment]:
        """Yield the attachments that the routes of a table to these blocks lead to."""
        table = self.shared.tables.get(table_id)
        if table is None or table.routes is None:
            return
        for route in self.routes_of(table).select(blocks):
            for name in route.attachment_ids:
                if attachment := self.shared.attachments.get(name):
                    yield attachment

    def follow_peer(self, attachment: TransitAttachment) -> TransitAttachment | None:
        """Return the other end of an attachment between transit gateways, where it is known."""
        peer = attachment.peer
        other = self.shared.attachments.get(peer.attachment_id) if peer else None
        return other if other is not attachment else None

    def reaches(self, vpc_id: str, central_id: str) -> bool:
        """Return whether routes or a peering connection lead from a VPC to a central one.

        The route tables of the VPCs themselves are not considered.
        """
        for peering in self.peerings_of.get(vpc_id, ()):
            if central_id in {peering.requester.vpc_id, peering.accepter.vpc_id}:
                return True
        return any(
            self._table_reaches(each.table_id, central_id)
            for each in self.attachments_of.get(vpc_id, ())
            if each.table_id
        )

    def _table_reaches(self, table_id: str, central_id: str) -> bool:
        """Return whether the routes of a table lead to a central VPC; each is followed once."""
        key = (table_id, central_id)
        if key not in self._reach:
            self._reach[key] = any(
                each.kind is AttachmentKind.VPC and each.resource_id == central_id
                for each in self.walk([table_id], self.central_blocks[central_id])
            )
        return self._reach[key]

    def walk(
        self, table_ids: Iterable[str], blocks: Iterable[Network]
    ) -> Iterator[TransitAttachment]:
        """Yield all attachments that routes to these blocks lead to, beginning at some tables."""
        blocks, waiting = tuple(blocks), list(table_ids)
        known, seen = set(waiting), set[str]()
        while waiting:
            for attachment in self.follow(waiting.pop(), blocks):
                if attachment.id in seen:
                    continue
                seen.add(attachment.id)
                yield attachment
                other = self.follow_peer(attachment)
                if other is None:
                    continue
                seen.add(other.id)
                yield other
                if other.table_id and other.table_id not in known:
                    known.add(other.table_id)
                    waiting.append(other.table_id)

    def pass_vpcs(
        self, ends: Collection[str], found: Iterable[TransitAttachment], blocks: Iterable[Network]
    ) -> tuple[frozenset[str], dict[str, TransitAttachment]]:
        """Follow traffic through VPCs on the way, such as those that inspect it.

        Args:
            ends: The VPCs at both ends, which forward nothing.
            found: The attachments that routes between them lead to.
            blocks: The addresses at both ends.

        Returns:
            The ids of the VPCs on the way, and all attachments that they may forward by.
        """
        blocks, waiting = tuple(blocks), list(found)
        passed: set[str] = set()
        kept: dict[str, TransitAttachment] = {}
        while waiting:
            each = waiting.pop()
            vpc_id = each.resource_id
            if each.kind is not AttachmentKind.VPC or vpc_id in ends or vpc_id in passed:
                continue
            passed.add(vpc_id)
            exits = self.attachments_of.get(vpc_id, ())
            onward = list(self.walk([it.table_id for it in exits if it.table_id], blocks))
            waiting += onward
            kept |= {it.id: it for it in (*exits, *onward)}
            gateways = {it.gateway_id for it in exits}
            kept |= {it.id: it for it in self._appliances if it.gateway_id in gateways}
        return frozenset(passed), kept

    @cached_property
    def _appliances(self) -> tuple[TransitAttachment, ...]:
        """The attachments by which an appliance in a VPC may forward traffic to a gateway."""
        return tuple(it for it in self.shared.attachments.values() if it.kind in APPLIANCES)


def _to_block(network: Network) -> Block:
    shift = network.max_prefixlen - network.prefixlen
    return network.version, network.prefixlen, int(network.network_address) >> shift


@cache_by_identity(NETWORKS)
def index_network(shared: SharedNetwork) -> NetworkIndex:
    """Return the indexes of a shared network, computed once."""
    return NetworkIndex(shared)
