"""The rule about interface endpoints that hosts in other networks can use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from ipaddress import ip_network

from posture.analysis.addresses import FAMILIES, NOTHING, AddressSet
from posture.analysis.path import OTHER_NETWORKS, UNKNOWN_ENDS, Path, PathKind
from posture.analysis.security_groups import (
    covers_port,
    find_allowed_peers,
    get_port_range,
    resolve_peers,
)
from posture.analysis.services import find_port
from posture.edits.edit import Edit
from posture.lean_dataclass import dataclass
from posture.model.network import (
    Endpoint,
    Facet,
    NetworkInterface,
    Route,
    SecurityGroup,
    SecurityGroupRule,
)
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.central.doubts import find_unread_users
from posture.rules.central.outsiders import Outsiders
from posture.rules.contexts import VpcContext
from posture.rules.controls import INBOUND
from posture.rules.endpoint_lookups import (
    find_access_by_groups,
    find_interface_endpoints,
    list_groups,
)
from posture.rules.evidence import (
    format_addresses,
    format_endpoint,
    join_names,
    route_evidence,
    summarize_addresses,
)
from posture.rules.interfaces.https_endpoints import NEEDED
from posture.rules.remediation import list_remediations
from posture.rules.remediation.groups import (
    allow_networks,
    list_networks,
    list_ports,
    revoke_rules,
)
from posture.rules.result import RuleResult, failed, not_applicable, passed, undecided
from posture.rules.rule import Family, Rule

# Inbound rules of a security group, by default, for each IP version.
# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
MOST_RULES = 60
# https://www.rfc-editor.org/rfc/rfc1918, rfc6598 and rfc4193
PRIVATE_USE = AddressSet.of(
    map(ip_network, ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"])
)

ACCESS = "https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html"
WHITEPAPER = (
    "https://docs.aws.amazon.com/whitepapers/latest/building-scalable-secure-multi-vpc-network-"
    "infrastructure/centralized-access-to-vpc-private-endpoints.html"
)

# Where a path may end at clients of other networks.
CLIENTS = OTHER_NETWORKS | UNKNOWN_ENDS


@dataclass(frozen=True, slots=True)
class _Admitted:
    """What the groups of an endpoint allow on its port; None where the port is not known.

    The addresses are those outside the VPC.
    """

    groups: Sequence[SecurityGroup]
    port: int | None
    addresses: AddressSet
    unread: Sequence[str]

    @classmethod
    def of(cls, vpc: VpcContext, groups: Sequence[SecurityGroup], port: int | None) -> _Admitted:
        network = vpc.snapshot.vpc
        found = find_allowed_peers(groups, vpc.snapshot.prefix_lists, port=port)
        outside = found.addresses - AddressSet.of((*network.cidrs, *network.ipv6_cidrs))
        return cls(groups, port, outside, found.unread)


def _external_access(vpc: VpcContext) -> Iterator[RuleResult]:
    outsiders = Outsiders(vpc)
    for endpoint in find_interface_endpoints(vpc):
        interfaces, missing = vpc.analysis.resolve_interfaces(endpoint)
        port = find_port(endpoint)
        groups, unknown = list_groups(vpc, endpoint)
        if find_access_by_groups(vpc, endpoint).open_to:
            summary = f"{format_endpoint(endpoint)}: reported by endpoint-security-group-open"
            yield not_applicable(endpoint.id, summary)
            continue
        facts: list[Evidence] = []
        allowed = NOTHING
        admitted = _Admitted.of(vpc, groups, port)
        for interface in interfaces:
            addresses, evidence, unread = _find_external_sources(
                vpc, interface, admitted, outsiders
            )
            allowed |= addresses
            facts += evidence
            unknown += unread
        facts += _external_group_evidence(vpc, groups, port)
        concerns = frozenset(
            {endpoint.id, *endpoint.subnet_ids, *endpoint.security_group_ids}
            | {fact.record["target"] for fact in facts if "target" in fact.record}
        )
        unknown += (*missing, *admitted.unread)
        if facts and (doubts := find_unread_users(vpc)):
            unknown += (f"whether they are its users: {join_names(doubts)}",)
            facts.clear()
        distinct = {(fact.text, str(sorted(fact.record.items()))): fact for fact in facts}
        result = _to_result(
            endpoint, allowed, tuple(distinct.values()), tuple(dict.fromkeys(unknown)), concerns
        )
        if result.status is Status.PASS and vpc.users_of_endpoints:
            count = len(vpc.users_of_endpoints)
            summary = f"{format_endpoint(endpoint)} can be used from its own VPC and {count} users"
            result = replace(result, summary=summary)
        if result.status is Status.FAIL:
            result = replace(result, propose=partial(_keep_to_vpc, vpc, endpoint))
        yield result


def _to_result(
    endpoint: Endpoint,
    allowed: AddressSet,
    facts: tuple[Evidence, ...],
    unread: Sequence[str],
    concerns: frozenset[str],
) -> RuleResult:
    name = format_endpoint(endpoint)
    if facts:
        sources = summarize_addresses(allowed) if allowed else "security groups of other VPCs"
        return failed(
            resource=endpoint.id,
            summary=f"{name} can be used from other networks: {sources}",
            evidence=facts,
            concerns=concerns,
        )
    if unread:
        summary = f"{name}: whether other networks can use it is not known ({join_names(unread)})"
        return undecided(endpoint.id, summary, concerns=concerns)
    return passed(endpoint.id, f"{name} can be used from this VPC only", concerns=concerns)


def _keep_to_vpc(vpc: VpcContext, endpoint: Endpoint) -> tuple[Remediation, ...]:
    """List what leaves the groups of an endpoint to the VPC and its users, then to no one else."""
    users = tuple(block for each in vpc.users_of_endpoints for block in each.cidrs)
    whose = "this VPC's CIDR blocks" + (" and those of the VPCs that use it" if users else "")
    what = (
        f"Allow inbound traffic only from {whose}. If the endpoint is shared on purpose, add a "
        "waiver, and restrict the principals in its policy."
    )
    network, known = vpc.snapshot.vpc, vpc.snapshot.security_groups
    own = AddressSet.of((*network.cidrs, *network.ipv6_cidrs, *users))
    ports = list_ports([endpoint])
    edits: list[Edit] = []
    for group in (known[each] for each in endpoint.security_group_ids if each in known):
        outside = [each for each in group.ingress if _is_outside(vpc, each, own)]
        if outside:
            networks = (*list_networks(vpc, endpoint.ip_address_type), *users)
            edits += (*allow_networks(group, networks, ports), revoke_rules(group.id, outside))
    return list_remediations((what, edits if len(users) <= MOST_RULES else None), otherwise=what)


def _is_outside(vpc: VpcContext, rule: SecurityGroupRule, own: AddressSet) -> bool:
    """Return whether a rule allows addresses or groups that are not of the VPC."""
    if rule.group is not None:
        return bool(rule.group.peering_id) or rule.group.vpc_id not in {None, vpc.snapshot.vpc.id}
    allowed = resolve_peers(rule, vpc.snapshot.prefix_lists)
    return allowed is not None and not own >= allowed


def _find_external_sources(
    vpc: VpcContext,
    interface: NetworkInterface,
    admitted: _Admitted,
    outsiders: Outsiders,
) -> tuple[AddressSet, list[Evidence], list[str]]:
    """Return the addresses of other networks that reach an interface, the evidence, the unread."""
    subnet = vpc.snapshot.subnets.get(interface.subnet_id)
    if subnet is None:
        return NOTHING, [], [f"the subnet of {interface.id}"]
    versions = {address.version for address in interface.addresses}
    families = AddressSet.union(
        family for version, family in FAMILIES.items() if version in versions
    )
    external = admitted.addresses & families
    allowed, facts, unread = NOTHING, [], []
    for path in vpc.analysis.paths.trace(subnet, outsiders.select(subnet, external)):
        for end in _list_ends(path):
            route = end.route or path.route
            likely = _likely_sources(route, end.addresses)
            sources, doubt = _filter_certain(vpc, interface, likely, admitted.port)
            others, _ = _filter_certain(vpc, interface, end.addresses - likely, admitted.port)
            if doubt:
                unread.append(doubt)
            if route and others and end.kind in OTHER_NETWORKS:
                unread.append(f"whether {summarize_addresses(others)} is behind {route.target.id}")
            if not sources:
                continue
            if route is None or end.kind in UNKNOWN_ENDS:
                unread.append(f"the path back to {summarize_addresses(sources)}: {end.why}")
                continue
            allowed |= sources
            for hop in (path, end):
                if hop.route:
                    table = vpc.snapshot.route_tables[hop.table_id]
                    facts.append(route_evidence(table, hop.route))
            facts.append(_source_evidence(admitted, route, sources))
            facts += outsiders.describe(subnet, sources)
    return allowed, facts, unread


def _list_ends(path: Path) -> Iterator[Path]:
    """List where return traffic ends at clients, or may; a NAT gateway translates it."""
    if path.kind is PathKind.NAT_GATEWAY:
        return
    if not path.onward and path.kind in CLIENTS:
        yield path
    for onward in path.onward:
        yield from _list_ends(onward)


def _likely_sources(route: Route | None, addresses: AddressSet) -> AddressSet:
    """Limit a default route to private addresses; whether others are behind it is not known."""
    default = route is not None and route.cidr is not None and route.cidr.prefixlen == 0
    return addresses & PRIVATE_USE if default else addresses


def _filter_certain(
    vpc: VpcContext, interface: NetworkInterface, sources: AddressSet, port: int | None
) -> tuple[AddressSet, str]:
    """Return the sources that ACLs let through, and what is not known of it, "" if nothing."""
    candidates = vpc.analysis.reachability.list_candidates(None, interface)
    found = [_filter_by_acl(vpc, each, sources, port) for each in candidates]
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return NOTHING, vpc.analysis.reachability.describe_costly()
    certain = known[0]
    for each in known:
        certain &= each
    if all(each == certain for each in known):
        return certain, ""
    return certain, f"the address that {interface.id} gets in {interface.subnet_id}"


def _filter_by_acl(
    vpc: VpcContext, interface: NetworkInterface, sources: AddressSet, port: int | None
) -> AddressSet | None:
    """Return the sources that ACLs let through; None if that takes too much work."""
    acl = vpc.analysis.reachability.find_acl(interface.subnet_id)
    if acl is None or port is None:
        return sources
    target = vpc.analysis.reachability.find_addresses(interface)
    allowed = sources
    for version, family in FAMILIES.items():
        if vpc.analysis.reachability.is_unrestricted(acl, version):
            continue
        if sources & family and target & family:
            stops = vpc.analysis.reachability.find_acl_obstacles(
                None, acl, sources & family, target & family, port
            )
            if stops is None:
                return None
            for stop in stops:
                if stop.ports is None:
                    allowed -= stop.addresses
    return allowed


def _source_evidence(admitted: _Admitted, route: Route, sources: AddressSet) -> Evidence:
    ids, target = join_names(group.id for group in admitted.groups), route.target.id
    return Evidence(
        f"{ids} allows inbound traffic{_format_port(admitted.port)} from "
        f"{summarize_addresses(sources)}, "
        f"which reaches the VPC through {target}.",
        {"security_groups": ids, "addresses": format_addresses(sources), "target": target},
    )


def _format_port(port: int | None) -> str:
    return f" on port {port}" if port else ""


def _external_group_evidence(
    vpc: VpcContext, groups: Sequence[SecurityGroup], port: int | None
) -> Iterator[Evidence]:
    """Yield the rules that allow a security group of a peered VPC that is no user."""
    users = {each.vpc_id for each in vpc.users_of_endpoints}
    for group in groups:
        for rule in group.ingress:
            peer = rule.group
            if peer is None or not covers_port(rule, "tcp", port or get_port_range(rule)[0]):
                continue
            if peer.vpc_id in users:
                continue
            if peer.peering_id or peer.vpc_id not in {None, vpc.snapshot.vpc.id}:
                origin = f"{peer.vpc_id or 'another VPC'} over {peer.peering_id or 'peering'}"
                yield Evidence(
                    f"{group.id} allows inbound traffic{_format_port(port)} from {peer.group_id} "
                    f"of {origin}.",
                    {"security_group": group.id, "peer": peer.group_id, "vpc": peer.vpc_id or ""}
                    | ({"target": peer.peering_id} if peer.peering_id else {}),
                )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="endpoint-open-to-other-networks",
        title="Endpoint can be used from other networks",
        requirement="Interface endpoints can be used only from their own VPC and its users",
        family=Family.INTERFACES,
        severity=Severity.LOW,
        rationale=(
            "Unlike a gateway endpoint, an interface endpoint is reachable over VPC peering, "
            "transit gateways and VPNs, if a route leads back and its security group allows the "
            "source. Hosts there use the endpoint under this VPC's endpoint policy. With the "
            "shared network, VPCs that use a central endpoint are no finding, and addresses that "
            "no network has do not count; the finding names who else can use it."
        ),
        remediation="Allow inbound traffic only from this VPC's CIDR blocks.",
        evaluate=_external_access,
        reads=NEEDED | {Facet.VPC},
        controls=INBOUND,
        references=(ACCESS, WHITEPAPER),
    ),
)
