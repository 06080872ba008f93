"""Assembles what was read of a VPC, or of many, into snapshots. Makes no calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, fields, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

from posture.ec2.describe import VPC_RESOURCES, Reading, VpcResources
from posture.ec2.prefix_lists import Blocks, get_blocks
from posture.lean_dataclass import dataclass
from posture.model.network import (
    DhcpOptions,
    EndpointType,
    Facet,
    NetworkInterface,
    PrefixList,
    SecurityGroup,
    Service,
    Snapshot,
    TargetKind,
    Vpc,
)
from posture.model.service_names import find_region

if TYPE_CHECKING:
    from datetime import datetime

    from posture.ec2.dns_attributes import DnsReading
    from posture.ec2.region_catalogue import RegionCatalogue
    from posture.model.scope import Scope

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RelatedResources:
    """What the resources of VPCs refer to, by id, and what their region offers."""

    catalogue: RegionCatalogue
    interfaces: Mapping[str, NetworkInterface] = field(default_factory=dict)
    interface_reading: Reading[NetworkInterface] = field(default_factory=Reading)
    prefix_lists: Mapping[str, Reading[Blocks]] = field(default_factory=dict)
    dns: Mapping[str, DnsReading] = field(default_factory=dict)
    dhcp: Reading[DhcpOptions] = field(default_factory=Reading)
    security_groups: Mapping[str, SecurityGroup] = field(default_factory=dict)
    other_services: Mapping[str, Service] = field(default_factory=dict)
    default_vpcs: Mapping[str, Reading[NetworkInterface]] = field(default_factory=dict)


def group_by_vpc(resources: VpcResources, known: Iterable[str]) -> dict[str, VpcResources]:
    """Group resources by the VPCs that exist; an operation that is denied is denied for each.

    If DescribeVpcs is denied, the VPCs are the known ones and those that other resources name. A
    row that is malformed makes its VPC unreadable, and no other.
    """
    grouped: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for kind in fields(VpcResources):
        for item in getattr(resources, kind.name).items:
            vpc_id = item.id if isinstance(item, Vpc) else item.vpc_id
            grouped[vpc_id][kind.name].append(item)
    ids = list_vpc_ids(resources.vpcs)
    if resources.vpcs.why_incomplete(""):
        ids = tuple(dict.fromkeys((*ids, *known, *grouped)))
    return {vpc_id: _select(resources, vpc_id, grouped[vpc_id]) for vpc_id in ids}


def list_vpc_ids(vpcs: Reading[Vpc]) -> tuple[str, ...]:
    """List the ids of the VPCs that exist, those of malformed rows included."""
    return (*(vpc.id for vpc in vpcs.items), *filter(None, vpcs.malformed))


def _select(
    resources: VpcResources, vpc_id: str, items: Mapping[str, Iterable[Any]]
) -> VpcResources:
    readings = {
        kind.name: Reading(
            tuple(items.get(kind.name, ())),
            (whole := getattr(resources, kind.name)).why_incomplete(vpc_id),
            whole.denied,
        )
        for kind in fields(VpcResources)
    }
    return VpcResources(**readings)


def assemble_snapshot(
    scope: Scope, observed_at: datetime, resources: VpcResources, related: RelatedResources
) -> Snapshot:
    """Assemble the snapshot of a VPC from its own resources and those they refer to."""
    dns = related.dns.get(scope.subject)
    return Snapshot(
        scope=scope,
        observed_at=observed_at,
        vpc=_get_vpc(scope, resources, related, dns),
        subnets=index_by_id(resources.subnets.items),
        route_tables=index_by_id(resources.route_tables.items),
        endpoints=index_by_id(resources.endpoints.items),
        security_groups=_select_groups(resources, related),
        network_acls=index_by_id(resources.network_acls.items),
        nat_gateways=index_by_id(resources.nat_gateways.items),
        network_interfaces=_select_interfaces(resources, related),
        prefix_lists=_select_lists(resources, related),
        services=_select_services(resources, related),
        unreadable=collect_unreadable(resources, related, dns, scope.subject),
    )


def index_by_id(items: Iterable[T]) -> dict[str, T]:
    """Index resources by id, sorted by it."""
    get_id = attrgetter("id")
    return {get_id(item): item for item in sorted(items, key=get_id)}


def _get_vpc(
    scope: Scope, resources: VpcResources, related: RelatedResources, dns: DnsReading | None
) -> Vpc:
    """Get the VPC; if DescribeVpcs is denied, a VPC of which only the id is known."""
    unknown = Vpc(scope.subject, cidrs=())
    vpc = next(iter(resources.vpcs.items), unknown)
    for options in related.dhcp.items:
        if options.id == vpc.dhcp_options_id:
            vpc = replace(vpc, dns_servers=options.dns_servers)
    used = related.default_vpcs.get(vpc.id)
    if used and not used.unreadable:
        vpc = replace(vpc, has_interfaces=bool(used.items))
    if dns is None or dns.dns is None:
        return vpc
    return replace(vpc, dns_support=dns.dns.support, dns_hostnames=dns.dns.hostnames)


def _select_interfaces(
    resources: VpcResources, related: RelatedResources
) -> dict[str, NetworkInterface]:
    """Select the interfaces of endpoints and of appliances, with all of an appliance's instance."""
    ids = find_interface_ids(resources)
    found = {each: related.interfaces[each] for each in sorted(ids) if each in related.interfaces}
    if instances := find_instance_ids(resources, found.values()):
        found |= {
            each: interface
            for each, interface in related.interfaces.items()
            if interface.instance_id in instances
        }
    return dict(sorted(found.items()))


def find_interface_ids(resources: VpcResources) -> frozenset[str]:
    """Find the ids of the network interfaces of the endpoints, and of those that routes target."""
    endpoints = resources.endpoints.items
    return frozenset(
        (
            *(each for endpoint in endpoints for each in endpoint.network_interface_ids),
            *_find_targets(resources, TargetKind.NETWORK_INTERFACE),
        )
    )


def find_instance_ids(
    resources: VpcResources, interfaces: Iterable[NetworkInterface]
) -> frozenset[str]:
    """Find the ids of the instances that routes target, themselves or by one of the interfaces."""
    return frozenset(
        (
            *_find_targets(resources, TargetKind.INSTANCE),
            *(each.instance_id for each in interfaces if each.instance_id),
        )
    )


def _find_targets(resources: VpcResources, kind: TargetKind) -> Iterator[str]:
    for table in resources.route_tables.items:
        yield from (each.target.id for each in table.routes if each.target.kind is kind)


def find_list_ids(resources: VpcResources) -> Iterator[str]:
    """Find the ids of the prefix lists that routes or security group rules name."""
    for table in resources.route_tables.items:
        yield from (route.prefix_list_id for route in table.routes if route.prefix_list_id)
    for group in resources.security_groups.items:
        rules = (*group.ingress, *group.egress)
        yield from (rule.prefix_list_id for rule in rules if rule.prefix_list_id)


def find_unlisted_ids(resources: VpcResources, catalogue: RegionCatalogue) -> frozenset[str]:
    """Find the ids of prefix lists in use whose entries the region's catalogue does not hold."""
    lists = catalogue.prefix_lists
    ids = find_list_ids(resources)
    return frozenset(each for each in ids if each not in lists or lists[each].cidrs is None)


def _select_lists(resources: VpcResources, related: RelatedResources) -> Mapping[str, PrefixList]:
    """Select the region's prefix lists, and those in use whose entries were read.

    The name and owner of a customer-managed list would take another request and no rule needs them.
    """
    known = related.catalogue.prefix_lists
    read = {
        list_id: replace(known[list_id], cidrs=get_blocks(reading) or None)
        if list_id in known
        else PrefixList(list_id, name="", owner="", cidrs=get_blocks(reading))
        for list_id in find_list_ids(resources)
        if (reading := related.prefix_lists.get(list_id)) is not None
    }
    return {**known, **read} if read else known


def find_default_vpcs(resources: VpcResources) -> frozenset[str]:
    """Find the default VPCs that may be unused: those without endpoints and NAT gateways."""
    used = {each.vpc_id for each in resources.endpoints.items}
    used |= {each.vpc_id for each in resources.nat_gateways.items}
    unread = resources.endpoints.unreadable or resources.nat_gateways.unreadable
    default = {vpc.id for vpc in resources.vpcs.items if vpc.default}
    return frozenset() if unread else frozenset(default - used)


def find_foreign_groups(resources: VpcResources) -> frozenset[str]:
    """Find the endpoints' security groups that belong to another VPC than was read.

    https://docs.aws.amazon.com/vpc/latest/userguide/security-group-assoc.html
    """
    own = {each.id for each in resources.security_groups.items}
    used = {each for it in resources.endpoints.items for each in it.security_group_ids}
    return frozenset(used - own)


def _select_groups(resources: VpcResources, related: RelatedResources) -> dict[str, SecurityGroup]:
    """Select the VPC's security groups, and those of other VPCs that its endpoints have."""
    named = find_foreign_groups(resources)
    others = (related.security_groups[each] for each in named if each in related.security_groups)
    return index_by_id((*resources.security_groups.items, *others))


def find_other_regions(resources: VpcResources, region: str) -> frozenset[str]:
    """Find the other regions whose services endpoints connect to."""
    found = (
        each.service_region or find_region(each.service_name)
        for each in resources.endpoints.items
        if each.type is EndpointType.INTERFACE
    )
    return frozenset(each for each in found if each and each != region)


def _select_services(resources: VpcResources, related: RelatedResources) -> Mapping[str, Service]:
    """Select the region's services, and those of other regions that endpoints connect to."""
    own, others = related.catalogue.services, related.other_services
    names = {each.service_name for each in resources.endpoints.items} - own.keys() & others.keys()
    return {**own, **{name: others[name] for name in sorted(names)}} if names else own


def collect_unreadable(
    resources: VpcResources, related: RelatedResources, dns: DnsReading | None, vpc_id: str = ""
) -> dict[Facet, str]:
    """Collect the reason for each facet of a VPC, or of all, that could not be read."""
    read = related.prefix_lists
    lists = (read[list_id].unreadable for list_id in find_list_ids(resources) if list_id in read)
    reasons = {
        Facet(operation.facet): getattr(resources, name).why_incomplete(vpc_id)
        for name, operation in VPC_RESOURCES.items()
    }
    reasons[Facet.NETWORK_INTERFACES] = related.interface_reading.why_incomplete(vpc_id)
    reasons[Facet.PREFIX_LISTS] = next(filter(None, lists), None)
    if any(each.dns_servers is None for each in resources.vpcs.items):
        reasons[Facet.DHCP_OPTIONS] = related.dhcp.why_incomplete(vpc_id)
    reasons[Facet.DNS_ATTRIBUTES] = dns.unreadable if dns else None
    denied = {facet: reason for facet, reason in reasons.items() if reason}
    return {**related.catalogue.unreadable, **denied}
