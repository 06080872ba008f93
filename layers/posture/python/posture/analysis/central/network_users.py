"""Finds which VPCs are central, and which VPCs use the endpoints of a central one. Pure."""

from __future__ import annotations

from dataclasses import field

from posture.analysis.central.network_index import Named, NetworkIndex, index_network
from posture.analysis.central.view_names import list_associated
from posture.lean_dataclass import dataclass
from posture.model.network import Network, Snapshot, Tags
from posture.model.shared_network import ResolverRule, SharedNetwork, SharedVpc


@dataclass(frozen=True, slots=True)
class NetworkUser:
    """A VPC that uses the endpoints of a central one: names lead there, or routes do.

    It `resolves` if its names may lead to one of the endpoints, and is `routed` if routes of
    transit gateways or a peering connection lead to the central VPC.
    """

    vpc_id: str
    account: str
    cidrs: tuple[Network, ...]
    resolves: bool
    routed: bool
    tags: Tags = field(default_factory=dict, hash=False)


def list_users(shared: SharedNetwork, vpc_id: str) -> tuple[NetworkUser, ...]:
    """List the VPCs that use the endpoints of a central VPC by name or route, sorted by id."""
    if vpc_id not in shared.central_vpcs:
        return ()
    index = index_network(shared)
    resolving = _find_resolving(index, vpc_id)
    users = []
    for name, vpc in sorted(shared.vpcs.items()):
        routed = index.reaches(name, vpc_id)
        if name != vpc_id and (routed or name in resolving):
            resolves = name in resolving
            users.append(NetworkUser(name, vpc.account, vpc.cidrs, resolves, routed, vpc.tags))
    return tuple(users)


def is_central(shared: SharedNetwork, snapshot: Snapshot) -> bool:
    """Return whether shared facts name an endpoint, an address or a Resolver endpoint of a VPC.

    A VPC that was central stays so: what names its former endpoints leads nowhere since.
    """
    vpc_id = snapshot.vpc.id
    if vpc_id in shared.central_vpcs:
        return True
    named = index_network(shared).named
    interfaces = snapshot.network_interfaces
    return (
        not named.endpoint_ids.isdisjoint(snapshot.endpoints)
        or any(
            not named.addresses.isdisjoint(interfaces[name].addresses)
            for each in snapshot.endpoints.values()
            for name in each.network_interface_ids
            if name in interfaces
        )
        or any(each.vpc_id == vpc_id for each in shared.resolvers.values())
    )


def _find_resolving(index: NetworkIndex, vpc_id: str) -> frozenset[str]:
    """Return the VPCs whose names may lead to an endpoint of a central VPC.

    Names that are forwarded to an inbound Resolver endpoint are resolved as in its VPC.
    """
    shared = index.shared
    zones = {
        name for name, named in index.named_by_zone.items() if vpc_id in index.find_owners(named)
    }
    profiles = {
        name
        for name, each in shared.profiles.items()
        if vpc_id in index.find_owners(Named(frozenset(each.endpoint_ids)))
    }
    resolving = {vpc_id}
    while True:
        answering = {it.id for it in shared.resolvers.values() if it.vpc_id in resolving}
        more = {
            name
            for name, vpc in shared.vpcs.items()
            if name not in resolving and _resolves(index, vpc, zones, profiles, answering)
        }
        if not more:
            return frozenset(resolving - {vpc_id})
        resolving |= more


def _resolves(
    index: NetworkIndex, vpc: SharedVpc, zones: set[str], profiles: set[str], answering: set[str]
) -> bool:
    own_zones, own_rules = list_associated(index.shared, vpc)
    if not zones.isdisjoint(own_zones):
        return True
    if any(each.profile_id in profiles for each in vpc.profiles):
        return True
    rules = (index.shared.rules.get(name) for name in own_rules)
    return any(_asks(index, rule, answering) for rule in rules if rule)


def _asks(index: NetworkIndex, rule: ResolverRule, answering: set[str]) -> bool:
    resolvers = (it for target in rule.targets for it in index.resolvers_at.get(target, ()))
    return any(each.id in answering for each in resolvers)
