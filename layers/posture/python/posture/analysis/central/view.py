"""What the answers of a VPC can depend on in the shared network. Pure.

The view of a VPC holds just the facts that lead from it: the zones, rules and Profiles that its
names are resolved by, the central VPCs that they name or that it can reach, and the routes between.
Its digest is part of the digest of the scope, so that a changed fact concerns a scope if and only
if its view changed (docs/decisions/0098-dependents-from-views.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar

from posture.analysis.central.central_snapshot import digest_central
from posture.analysis.central.network_index import NetworkIndex, index_network
from posture.analysis.central.network_users import NetworkUser, list_users
from posture.analysis.central.view_names import ViewNames
from posture.lean_dataclass import dataclass
from posture.model.fingerprint import fingerprint
from posture.model.network import Network, Snapshot, TargetKind
from posture.model.shared_network import (
    AttachmentKind,
    SharedFacet,
    SharedNetwork,
    TransitAttachment,
)

EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
# What says to which endpoints names of a VPC lead.
NAME_FACETS = frozenset(
    {
        SharedFacet.ZONES,
        SharedFacet.ZONES_OF_VPC,
        SharedFacet.RECORDS,
        SharedFacet.PROFILES,
        SharedFacet.PROFILE_RESOURCES,
    }
)
GATEWAYS = frozenset({TargetKind.TRANSIT_GATEWAY, TargetKind.CORE_NETWORK, TargetKind.PEERING})

Fact = TypeVar("Fact")


@dataclass(frozen=True, slots=True)
class VpcLinks:
    """What a VPC's snapshot says of where its view begins.

    `target_ids` are the transit gateways, core networks and peering connections of its routes.
    """

    vpc_id: str
    account: str
    dns_servers: tuple[str, ...] = ()
    target_ids: tuple[str, ...] = ()
    cidrs: tuple[Network, ...] = ()


def find_links(snapshot: Snapshot) -> VpcLinks:
    """Find where the view of a VPC begins."""
    targets = {
        route.target.id.rpartition("/")[2]  # of a core network, a route holds the ARN
        for table in snapshot.route_tables.values()
        for route in table.routes
        if route.target.kind in GATEWAYS
    }
    vpc = snapshot.vpc
    return VpcLinks(
        vpc.id,
        snapshot.scope.account,
        vpc.dns_servers or (),
        tuple(sorted(targets)),
        (*vpc.cidrs, *vpc.ipv6_cidrs),
    )


def restrict_network(shared: SharedNetwork, snapshot: Snapshot) -> SharedNetwork:
    """Return just the facts that the verdicts on a VPC can depend on.

    Remediations may use further ones, such as a zone that the VPC is not associated with.
    """
    return build_view(shared, find_links(snapshot)).network


def build_view(shared: SharedNetwork, links: VpcLinks) -> View:
    """Return the view of the VPC with these links."""
    return View(index_network(shared), links)


class View:
    """The part of a shared network that the answers of one VPC can depend on."""

    def __init__(self, index: NetworkIndex, links: VpcLinks) -> None:
        self._index = index
        self._shared = index.shared
        self._links = links

    @cached_property
    def digest(self) -> str:
        """The digest of the facts, whenever they were read.

        That of the VPC itself, if it is central, is part of its own snapshot.
        """
        network, digests = self.network, self._index.digests
        facts: dict[str, Any] = {
            name: {key: _digest_once(each, digests) for key, each in sorted(mapping.items())}
            for name, mapping in _list_mappings(network)
        }
        facts["tables"] = network.tables  # each view has other routes of them
        facts["central_vpcs"] = {
            name: _digest_central(snapshot, digests)
            for name, snapshot in sorted(network.central_vpcs.items())
            if name != self._links.vpc_id
        }
        return fingerprint({**facts, "accounts": network.accounts, "unread": network.unread})

    @cached_property
    def network(self) -> SharedNetwork:
        """The facts."""
        shared, links = self._shared, self._links
        users = self._users
        names = self._names
        attachments, blocks = self._attachments, self._blocks
        central = self._central_ids
        tables = {each.table_id for each in attachments.values() if each.table_id}
        kept: dict[str, Any] = {
            "zones": _select(shared.zones, names.zone_ids),
            "rules": _select(shared.rules, names.rule_ids | self._inward_rules),
            "resolvers": {
                each.id: each
                for each in shared.resolvers.values()
                if each.id in names.resolver_ids or each.vpc_id == links.vpc_id
            },
            "profiles": _select(shared.profiles, names.profile_ids),
            "gateways": _select(
                shared.gateways,
                {each.gateway_id for each in attachments.values()} | {*links.target_ids},
            ),
            "attachments": attachments,
            "tables": {
                name: table
                if name in self._outward_tables
                else self._index.select_routes(table, blocks)
                for name, table in _select(shared.tables, tables).items()
            },
            "peerings": self._peerings,
            "vpcs": _select(
                shared.vpcs,
                {links.vpc_id, *names.vpc_ids, *central, *users, *self._passed[0]},
            ),
            "central_vpcs": _select(shared.central_vpcs, central),
        }
        lists = {
            route.prefix_list_id
            for table in kept["tables"].values()
            for route in table.routes or ()
            if route.prefix_list_id
        }
        kept["prefix_lists"] = _select(shared.prefix_lists, lists)
        accounts = frozenset(_list_accounts(links, kept))
        # Zones that may be associated with the VPC, since their VPCs could not be read.
        unsure = {
            each.subject
            for each in shared.unread
            if each.facet is SharedFacet.ZONE and each.account in accounts
        }
        # Zones for further names of the endpoints that the VPC uses, which it may miss.
        beside = self._index.list_naming_zones(names.named.endpoint_ids)
        kept["zones"] = {**kept["zones"], **_select(shared.zones, {*unsure, *beside})}
        ids = {links.vpc_id, *(name for mapping in kept.values() for name in mapping)}
        return replace(
            shared,
            **kept,
            accounts=shared.accounts & accounts,
            unread=tuple(
                each
                for each in shared.unread
                if (self._is_central and each.facet in NAME_FACETS)
                or (
                    each.account in {"", *accounts}
                    and (each.subject in ids or each.subject not in self._index.known_ids)
                )
            ),
        )

    @property
    def _is_central(self) -> bool:
        """Whether others may use the VPC, so that it needs what shows who can."""
        return self._links.vpc_id in self._shared.central_vpcs

    @cached_property
    def _inward_rules(self) -> frozenset[str]:
        """The rules of any VPC that forward to an address of this one, if it is central."""
        blocks = self._links.cidrs if self._is_central else ()
        return frozenset(
            name
            for name, rule in self._shared.rules.items()
            if any(target in block for target in rule.targets for block in blocks)
        )

    @cached_property
    def _outward(self) -> tuple[TransitAttachment, ...]:
        """All that the VPC's gateways route to, if it is central: what can use its endpoints."""
        own = self._index.attachments_of.get(self._links.vpc_id, ()) if self._is_central else ()
        tables = [each.table_id for each in own if each.table_id]
        return (*own, *self._index.walk(tables, EVERYWHERE))

    @cached_property
    def _outward_tables(self) -> frozenset[str]:
        """The tables of which a central VPC needs every route."""
        own = self._links.vpc_id
        return frozenset(
            each.table_id
            for each in self._outward
            if each.table_id and (each.kind is AttachmentKind.PEERING or each.resource_id == own)
        )

    @cached_property
    def _users(self) -> Mapping[str, NetworkUser]:
        """The VPCs that use this one, if it is central."""
        vpc_id = self._links.vpc_id
        if not self._is_central:
            return {}
        return {each.vpc_id: each for each in list_users(self._shared, vpc_id)}

    @cached_property
    def _names(self) -> ViewNames:
        """What names may be resolved by: in the VPC, in those it forwards to, and in its users."""
        addresses = [ip_address(each) for each in self._links.dns_servers if _is_address(each)]
        names = ViewNames(self._index)
        names.follow([self._links.vpc_id], addresses)
        names.follow([each.vpc_id for each in self._users.values() if each.resolves])
        return names

    @cached_property
    def _central_ids(self) -> frozenset[str]:
        """The central VPCs that names or routes lead to."""
        shared, index, vpc_id = self._shared, self._index, self._links.vpc_id
        found = index.find_owners(self._names.named) | self._names.vpc_ids | {vpc_id}
        lost = self._names.named.endpoint_ids - index.vpc_of_endpoint.keys()
        owners = {shared.zones[each].owner for each in self._names.zone_ids if lost}
        owners |= {shared.profiles[each].owner for each in self._names.profile_ids if lost}
        return frozenset(
            name
            for name, snapshot in shared.central_vpcs.items()
            if name in found or snapshot.scope.account in owners or index.reaches(vpc_id, name)
        )

    @cached_property
    def _blocks(self) -> tuple[Network, ...]:
        """The addresses at both ends of all paths: of the central VPCs, the VPC and its users."""
        blocks = list(self._links.cidrs)
        for name in sorted(self._central_ids):
            blocks += self._index.central_blocks[name]
        for user in self._users.values():
            blocks += user.cidrs
        return tuple(dict.fromkeys(blocks))

    @cached_property
    def _ends(self) -> dict[str, TransitAttachment]:
        """The attachments of the VPCs at both ends of all paths."""
        ends = {self._links.vpc_id, *self._central_ids, *self._users}
        return {it.id: it for name in ends for it in self._index.attachments_of.get(name, ())}

    @cached_property
    def _between(self) -> dict[str, TransitAttachment]:
        """The attachments that routes between the ends lead to."""
        tables = [each.table_id for each in self._ends.values() if each.table_id]
        return {each.id: each for each in self._index.walk(tables, self._blocks)}

    @cached_property
    def _passed(self) -> tuple[frozenset[str], dict[str, TransitAttachment]]:
        """The VPCs on the way, such as those that inspect traffic, and what they forward by."""
        ends = {self._links.vpc_id, *self._central_ids, *self._users}
        return self._index.pass_vpcs(ends, self._between.values(), self._blocks)

    @cached_property
    def _attachments(self) -> dict[str, TransitAttachment]:
        """The attachments at both ends of all paths, and all that routes between them lead to."""
        outward = {each.id: each for each in self._outward}
        found = {**self._ends, **self._between, **self._passed[1], **outward}
        return dict(sorted(found.items()))

    @cached_property
    def _peerings(self) -> dict[str, Any]:
        """The peering connections of the VPC, and those that routes back to it name."""
        links, shared = self._links, self._shared
        named = {*links.target_ids} | {
            each.id for each in self._index.peerings_of.get(links.vpc_id, ())
        }
        back = links.cidrs + tuple(it for each in self._users.values() for it in each.cidrs)
        for name in self._central_ids:
            named |= self._index.list_targets(name, back)
        ends = {links.vpc_id, *self._central_ids}
        for name in self._passed[0]:
            named |= {
                each.id
                for each in self._index.peerings_of.get(name, ())
                if not ends.isdisjoint({each.requester.vpc_id, each.accepter.vpc_id})
            }
        return _select(shared.peerings, named)


def _select(facts: Mapping[str, Fact], names: Iterable[str]) -> dict[str, Fact]:
    return {name: facts[name] for name in sorted(names) if name in facts}


def _list_mappings(network: SharedNetwork) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """List the facts that are digested once for all views."""
    for name in ("vpcs", "zones", "rules", "resolvers", "profiles", "gateways", "attachments"):
        yield name, getattr(network, name)
    yield "peerings", network.peerings
    yield "prefix_lists", network.prefix_lists


def _digest_once(fact: Any, digests: dict[int, str]) -> str:
    """Digest a fact of an index's own network, which lives as long as the index."""
    known = digests.get(id(fact))
    if known is None:
        known = digests[id(fact)] = fingerprint(fact)
    return known


def _digest_central(snapshot: Snapshot, digests: dict[int, str]) -> str:
    known = digests.get(id(snapshot))
    if known is None:
        known = digests[id(snapshot)] = digest_central(snapshot)
    return known


def _list_accounts(links: VpcLinks, kept: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """List the accounts that own one of the facts, or are named by one."""
    yield links.account
    for mapping in kept.values():
        for each in mapping.values():
            for name in ("owner", "account", "resource_owner"):
                yield getattr(each, name, "")
    for attachment in kept["attachments"].values():
        if attachment.peer:
            yield attachment.peer.owner
    for peering in kept["peerings"].values():
        yield peering.requester.account
        yield peering.accepter.account
    for snapshot in kept["central_vpcs"].values():
        yield snapshot.scope.account


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:  # such as AmazonProvidedDNS
        return False
    return True
