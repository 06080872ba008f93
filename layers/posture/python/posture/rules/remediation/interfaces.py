"""Edits of interface endpoints: their creation, their subnets, and who reaches them.

https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import product

from posture.analysis.acls import EPHEMERAL_PORTS, find_unrestricted_versions
from posture.analysis.addresses import NOTHING, AddressSet
from posture.analysis.gates import Gate
from posture.analysis.services import list_ports as list_service_ports
from posture.edits.edit import Edit
from posture.edits.operations.endpoints import CreateVpcEndpoint, ModifyVpcEndpoint
from posture.edits.operations.security_groups import AuthorizeSecurityGroupIngress
from posture.edits.operations.vpcs import ModifyVpcAttribute
from posture.model.network import (
    Endpoint,
    EndpointType,
    Network,
    SecurityGroup,
    Service,
    Subnet,
)
from posture.model.service_names import short_name
from posture.rules.contexts import VpcContext
from posture.rules.remediation.acls import Opening, open_acls
from posture.rules.remediation.groups import (
    ANY_TCP,
    DEFAULT,
    NEW_GROUP,
    Ports,
    allow_networks,
    create_group,
    list_fitting_groups,
    list_networks,
    list_ports,
)
from posture.rules.remediation.policies import generate_least_policy


def create_interface_endpoint(
    vpc: VpcContext, service: Service, *, new_group: bool, open_network_acls: bool = False
) -> tuple[Edit, ...] | None:
    """Return the creation of an endpoint in each zone, with a group that allows all subnets.

    None if no subnet is in a zone of the service, if no group that exists is fitting and none is
    to be created, or if network ACLs are to be opened and need not be.
    """
    subnets = choose_subnets(vpc, service, {each.zone for each in vpc.subnets})
    numbers = list_service_ports(service.name)
    ports: Ports = tuple((each, each) for each in numbers) or ANY_TCP
    networks = list_networks(vpc)
    if not subnets:
        return None
    if new_group:
        edits = create_group(vpc, f"vpc-endpoint-{short_name(service.name)}", networks, ports)
        group_id = NEW_GROUP
    else:
        edits = []
        fitting = list_fitting_groups(vpc, ports, networks)
        if not fitting:
            return None
        group_id = fitting[0].id
    entries: tuple[Edit, ...] | None = ()
    if open_network_acls:
        entries = open_acls(vpc.snapshot, list_new_openings(vpc, subnets, ports))
        if not entries:
            return None
    with_names = bool(service.private_dns_names)
    endpoint = Endpoint(
        id="vpce-new-1",
        type=EndpointType.INTERFACE,
        vpc_id=vpc.snapshot.vpc.id,
        service_name=service.name,
        state="available",
    )
    return (
        *edits,
        *(entries or ()),
        *(enable_dns_attributes(vpc) if with_names else ()),
        CreateVpcEndpoint(
            vpc_id=vpc.snapshot.vpc.id,
            vpc_endpoint_type=EndpointType.INTERFACE,
            service_name=service.name,
            policy_document=generate_least_policy(vpc, endpoint),
            subnet_ids=tuple(each.id for each in subnets),
            security_group_ids=(group_id,),
            private_dns_enabled=with_names,
        ),
    )


def recreate_endpoint(vpc: VpcContext, endpoint: Endpoint) -> tuple[Edit, ...] | None:
    """Return the creation of an endpoint as another one is; None if its type is another one.

    Its policy is the least one that keeps needs working.
    """
    if endpoint.type not in {EndpointType.GATEWAY, EndpointType.INTERFACE}:
        return None
    gateway = endpoint.type is EndpointType.GATEWAY
    return (
        CreateVpcEndpoint(
            vpc_id=endpoint.vpc_id,
            vpc_endpoint_type=endpoint.type,
            service_name=endpoint.service_name,
            policy_document=generate_least_policy(vpc, endpoint) or endpoint.policy,
            route_table_ids=endpoint.route_table_ids,
            subnet_ids=endpoint.subnet_ids,
            security_group_ids=endpoint.security_group_ids,
            ip_address_type=endpoint.ip_address_type,
            private_dns_enabled=None if gateway else bool(endpoint.private_dns),
        ),
    )


def enable_dns_attributes(vpc: VpcContext) -> tuple[Edit, ...]:
    """Return the edits that enable the DNS attributes of the VPC that are disabled.

    DNS host names need DNS support:
    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-dns-updating.html
    """
    network = vpc.snapshot.vpc
    found: list[Edit] = []
    if network.dns_support is False:
        found.append(ModifyVpcAttribute(vpc_id=network.id, enable_dns_support=True))
    if network.dns_hostnames is False:
        found.append(ModifyVpcAttribute(vpc_id=network.id, enable_dns_hostnames=True))
    return tuple(found)


def choose_subnets(
    vpc: VpcContext, service: Service | None, zones: Iterable[str], address_type: str | None = None
) -> tuple[Subnet, ...]:
    """Return one subnet in each zone that the service is in, sorted by zone.

    Subnets whose network ACL lets all traffic through are preferred.
    """
    offered = service.zones if service else ()
    versions = {"ipv6": {6}, "dualstack": {4, 6}}.get(address_type or "", {4})
    chosen: dict[str, Subnet] = {}
    wanted = {*zones}
    for subnet in sorted(vpc.subnets, key=lambda each: (_is_restricted(vpc, each), each.id)):
        known = {block.version for block in subnet.blocks} >= versions
        if subnet.zone in wanted and known and (not offered or subnet.zone in offered):
            chosen.setdefault(subnet.zone, subnet)
    return tuple(subnet for _, subnet in sorted(chosen.items()))


def _is_restricted(vpc: VpcContext, subnet: Subnet) -> bool:
    acl = vpc.analysis.reachability.find_acl(subnet.id)
    return acl is not None and not find_unrestricted_versions(acl)


def allow_subnets(
    vpc: VpcContext, endpoints: Iterable[Endpoint], *, whole_vpc: bool = False
) -> tuple[Edit, ...] | None:
    """Return the rules that let every subnet reach endpoints through their security groups.

    Each endpoint's first group of its own gets the rules, the default one only if it has no other.
    None if a group is not known.

    Args:
        vpc: The VPC.
        endpoints: The endpoints.
        whole_vpc: Allow the CIDR blocks of the VPC instead of those of the subnets.
    """
    added: dict[str, SecurityGroup] = {}
    for endpoint in endpoints:
        networks = list_networks(vpc, endpoint.ip_address_type)
        blocked = list_blocked_networks(vpc, endpoint)
        if not blocked:
            continue
        known = vpc.snapshot.security_groups
        groups = [known[each] for each in endpoint.security_group_ids if each in known]
        if not groups:
            return None
        own = min(groups, key=lambda each: (each.name == DEFAULT, each.id))
        current = added.get(own.id, own)
        wanted = networks if whole_vpc else blocked
        for edit in allow_networks(current, wanted, list_ports([endpoint])):
            rules = edit.ip_permissions  # type: ignore[union-attr]
            added[own.id] = SecurityGroup(
                own.id, own.name, own.vpc_id, (*current.ingress, *rules), own.egress
            )
    return tuple(
        edit
        for group_id, group in sorted(added.items())
        for edit in _authorize_new(vpc.snapshot.security_groups[group_id], group)
    )


def _authorize_new(before: SecurityGroup, after: SecurityGroup) -> Iterator[Edit]:
    new = after.ingress[len(before.ingress) :]
    if new:
        yield AuthorizeSecurityGroupIngress(group_id=after.id, ip_permissions=new)


def list_blocked_networks(vpc: VpcContext, endpoint: Endpoint) -> tuple[Network, ...]:
    """Return the CIDR blocks of the subnets that the groups of an endpoint block."""
    key = "blocked networks", endpoint.id
    return vpc.remember(key, partial(_find_blocked_networks, vpc, endpoint))


def _find_blocked_networks(vpc: VpcContext, endpoint: Endpoint) -> tuple[Network, ...]:
    found: dict[Network, None] = {}
    for subnet in vpc.subnets:
        if vpc.analysis.is_unobstructed(subnet, endpoint):
            continue
        for reach in vpc.analysis.evaluate_reaches(subnet, endpoint):
            stopped = any(each.gate is Gate.GROUP for each in reach.obstacles) or reach.groups
            versions = {address.version for address in reach.interface.addresses} or {4}
            if stopped:
                found |= {each: None for each in subnet.blocks if each.version in versions}
    return tuple(found)


def list_openings(vpc: VpcContext, endpoints: Iterable[Endpoint]) -> dict[Opening, AddressSet]:
    """Return what network ACLs must let through so that subnets reach endpoints, there and back."""
    found: dict[Opening, AddressSet] = {}
    for endpoint in endpoints:
        key = "openings", endpoint.id
        for opening, peers in vpc.remember(key, partial(_find_openings, vpc, endpoint)):
            found[opening] = found.get(opening, NOTHING) | peers
    return found


def _find_openings(vpc: VpcContext, endpoint: Endpoint) -> tuple[tuple[Opening, AddressSet], ...]:
    return tuple(
        opened
        for subnet in vpc.subnets
        if not vpc.analysis.is_unobstructed(subnet, endpoint)
        for reach in vpc.analysis.evaluate_reaches(subnet, endpoint)
        if (held := vpc.snapshot.subnets.get(reach.interface.subnet_id))
        for each in reach.obstacles
        for opened in _open_gate(each.gate, each.by, endpoint, subnet, held)
    )


def list_new_openings(
    vpc: VpcContext, subnets: Iterable[Subnet], ports: Ports
) -> dict[Opening, AddressSet]:
    """Return what network ACLs must let through so that all subnets reach new interfaces in some.

    Traffic inside a subnet passes no network ACL.
    """
    found: dict[Opening, AddressSet] = {}
    find_acl = vpc.analysis.reachability.find_acl
    for held, client in product(subnets, vpc.subnets):
        if held.id == client.id:
            continue
        for acl, here, peers in (
            (find_acl(client.id), True, AddressSet.of(held.blocks)),
            (find_acl(held.id), False, AddressSet.of(client.blocks)),
        ):
            for opening in _list_both_ways(acl.id, ports, client=here) if acl else ():
                found[opening] = found.get(opening, NOTHING) | peers
    return found


def _list_both_ways(acl_id: str, ports: Ports, *, client: bool) -> Iterator[Opening]:
    for each in ports:
        yield Opening(acl_id, egress=client, ports=each)
    yield Opening(acl_id, egress=not client, ports=EPHEMERAL_PORTS)


def _open_gate(
    gate: Gate, acl_id: str, endpoint: Endpoint, subnet: Subnet, held: Subnet
) -> Iterator[tuple[Opening, AddressSet]]:
    clients, interfaces = AddressSet.of(subnet.blocks), AddressSet.of(held.blocks)
    ports = list_ports([endpoint])
    if gate in {Gate.OUT, Gate.IN}:
        peers = interfaces if gate is Gate.OUT else clients
        for each in ports:
            yield Opening(acl_id, gate is Gate.OUT, each), peers
    elif gate in {Gate.BACK_OUT, Gate.BACK_IN}:
        peers = clients if gate is Gate.BACK_OUT else interfaces
        yield Opening(acl_id, gate is Gate.BACK_OUT, EPHEMERAL_PORTS), peers


def let_subnets_in(
    vpc: VpcContext, endpoints: Sequence[Endpoint]
) -> Iterator[tuple[Edit, ...] | None]:
    """Yield what lets every subnet reach endpoints: nothing, rules of groups, entries of ACLs too.

    The rules name the blocked subnets, or else the CIDR blocks of the VPC.
    """
    entries = open_acls(vpc.snapshot, list_openings(vpc, endpoints))
    for whole_vpc in (False, True):
        rules = allow_subnets(vpc, endpoints, whole_vpc=whole_vpc)
        yield rules
        yield None if rules is None or entries is None else (*rules, *entries)


def add_subnets(endpoint: Endpoint, subnets: Sequence[Subnet]) -> tuple[Edit, ...]:
    """Return the addition of subnets to an endpoint."""
    if not subnets:
        return ()
    ids = tuple(each.id for each in subnets)
    return (ModifyVpcEndpoint(vpc_endpoint_id=endpoint.id, add_subnet_ids=ids),)
