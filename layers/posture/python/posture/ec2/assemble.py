"""Rows of many kinds joined into one snapshot a VPC, in one pass over each kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from posture.ec2.describe import FIRST_ROUND, Facts, Reading
from posture.ec2.prefix_lists import Blocks, blocks_of, customer_list, named_by
from posture.model.network import Facet, NetworkInterface, PrefixList, Snapshot, Vpc

if TYPE_CHECKING:
    from datetime import datetime

    from posture.ec2.dns_attributes import DnsReading
    from posture.ec2.region_catalogue import RegionCatalogue
    from posture.model.scope import Scope


class Identified(Protocol):
    """Anything that has an id."""

    @property
    def id(self) -> str:
        """The id EC2 gave it."""


Part = TypeVar("Part", bound=Identified)


@dataclass(frozen=True, slots=True)
class SecondRound:
    """What could be asked only once the first round was known, each by id."""

    catalogue: RegionCatalogue
    interfaces: Mapping[str, NetworkInterface] = field(default_factory=dict)
    interfaces_unreadable: str | None = None
    prefix_lists: Mapping[str, Reading[Blocks]] = field(default_factory=dict)
    dns: Mapping[str, DnsReading] = field(default_factory=dict)


def by_vpc(facts: Facts) -> dict[str, Facts]:
    """Deal the facts of a region out to its VPCs; an unreadable kind is so for every VPC."""
    dealt: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for kind in fields(Facts):
        for item in getattr(facts, kind.name).items:
            dealt[item.id if isinstance(item, Vpc) else item.vpc_id][kind.name].append(item)
    return {vpc_id: dealt_facts(facts, parts) for vpc_id, parts in dealt.items()}


def dealt_facts(facts: Facts, parts: Mapping[str, Iterable[Any]]) -> Facts:
    """Give one VPC's share of the facts."""
    shares = {
        kind.name: replace(getattr(facts, kind.name), items=tuple(parts.get(kind.name, ())))
        for kind in fields(Facts)
    }
    return Facts(**shares)


def snapshot(scope: Scope, observed_at: datetime, facts: Facts, later: SecondRound) -> Snapshot:
    """Join what was read of one VPC. `facts` hold nothing of another one."""
    dns = later.dns.get(scope.subject)
    return Snapshot(
        scope=scope,
        observed_at=observed_at,
        vpc=the_vpc(scope, facts, dns),
        subnets=by_id(facts.subnets.items),
        route_tables=by_id(facts.route_tables.items),
        endpoints=by_id(facts.endpoints.items),
        security_groups=by_id(facts.security_groups.items),
        network_acls=by_id(facts.network_acls.items),
        nat_gateways=by_id(facts.nat_gateways.items),
        network_interfaces=endpoint_interfaces(facts, later),
        prefix_lists={**later.catalogue.prefix_lists, **named_lists(facts, later)},
        services=later.catalogue.services,
        unreadable=unreadable(facts, later, dns),
    )


def by_id(items: Iterable[Part]) -> dict[str, Part]:
    """Key items by their ids, in order of these."""
    return {item.id: item for item in sorted(items, key=attrgetter("id"))}


def the_vpc(scope: Scope, facts: Facts, dns: DnsReading | None) -> Vpc:
    """Give the VPC; a bare one where DescribeVpcs is denied, so that the rest can still be told."""
    bare = Vpc(scope.subject, owner=scope.account, cidrs=())
    vpc = next(iter(facts.vpcs.items), bare)
    if dns is None or dns.dns is None:
        return vpc
    return replace(vpc, dns_support=dns.dns.support, dns_hostnames=dns.dns.hostnames)


def endpoint_interfaces(facts: Facts, later: SecondRound) -> dict[str, NetworkInterface]:
    """Give the interfaces of this VPC's endpoints, as far as they were found."""
    return {
        interface_id: later.interfaces[interface_id]
        for endpoint in facts.endpoints.items
        for interface_id in endpoint.network_interface_ids
        if interface_id in later.interfaces
    }


def named_lists(facts: Facts, later: SecondRound) -> dict[str, PrefixList]:
    """Give the lists that this VPC names and whose entries had to be asked for."""
    known = later.catalogue.prefix_lists
    return {
        list_id: replace(known[list_id], cidrs=blocks_of(reading) or None)
        if list_id in known
        else customer_list(list_id, reading)
        for list_id in named_by(facts.route_tables.items, facts.security_groups.items)
        if (reading := later.prefix_lists.get(list_id)) is not None
    }


def unreadable(facts: Facts, later: SecondRound, dns: DnsReading | None) -> dict[Facet, str]:
    """Give the facets that were denied, with their reasons."""
    named = frozenset(named_by(facts.route_tables.items, facts.security_groups.items))
    lists = (
        later.prefix_lists[list_id].unreadable for list_id in named if list_id in later.prefix_lists
    )
    reasons: dict[Facet, str | None] = {
        kind.facet: getattr(facts, name).unreadable for name, kind in FIRST_ROUND.items()
    }
    reasons[Facet.NETWORK_INTERFACES] = later.interfaces_unreadable
    reasons[Facet.PREFIX_LISTS] = next(filter(None, lists), None)
    reasons[Facet.DNS_ATTRIBUTES] = dns.unreadable if dns else None
    told = {facet: reason for facet, reason in reasons.items() if reason}
    return {**later.catalogue.unreadable, **told}
