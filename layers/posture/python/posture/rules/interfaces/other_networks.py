"""Endpoints that hosts of other networks can use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_network

from posture.analysis.addresses import IPV4, IPV6, NOTHING, AddressSet
from posture.analysis.admission import find_allowed_peers
from posture.analysis.gates import find_acl_obstacles
from posture.analysis.groups import covers_port
from posture.analysis.openness import find_open_access
from posture.analysis.routing import find_route_table, route_to
from posture.model.network import (
    Endpoint,
    Facet,
    NetworkInterface,
    Route,
    SecurityGroup,
    TargetKind,
)
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import INBOUND
from posture.rules.evidence import (
    format_addresses,
    format_endpoint,
    join_names,
    route_evidence,
    summarise_addresses,
)
from posture.rules.remediation_commands import find_interface_endpoints
from posture.rules.rule import Family, Rule, RuleResult, VpcContext

# By these another network's hosts send to the VPC's own addresses.
NEIGHBOURS = frozenset(
    {
        TargetKind.PEERING,
        TargetKind.TRANSIT_GATEWAY,
        TargetKind.VIRTUAL_PRIVATE_GATEWAY,
        TargetKind.CORE_NETWORK,
        TargetKind.LOCAL_GATEWAY,
        TargetKind.ODB_NETWORK,
    }
)
FAMILIES = (IPV4, IPV6)
# https://www.rfc-editor.org/rfc/rfc1918, rfc6598 and rfc4193
PRIVATE_USE = AddressSet.of(
    map(ip_network, ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"])
)

ACCESS = "https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html"
WHITEPAPER = (
    "https://docs.aws.amazon.com/whitepapers/latest/building-scalable-secure-multi-vpc-network-"
    "infrastructure/centralized-access-to-vpc-private-endpoints.html"
)


def _shared(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in find_interface_endpoints(vpc):
        interfaces, missing = vpc.analysis.resolve_interfaces(endpoint)
        known = vpc.snapshot.security_groups
        groups = [known[each] for each in endpoint.security_group_ids if each in known]
        if find_open_access(groups, vpc.snapshot.prefix_lists).open_to:
            summary = f"{format_endpoint(endpoint)}: told by endpoint-security-group-open"
            yield RuleResult(endpoint.id, Status.NOT_APPLICABLE, summary)
            continue
        lost = [each for each in endpoint.security_group_ids if each not in known]
        facts: list[Evidence] = []
        allowed = NOTHING
        for interface in interfaces:
            addresses, evidence = _from_abroad(vpc, interface, groups)
            allowed |= addresses
            facts += evidence
        facts += _groups_abroad(vpc, groups)
        concerns = frozenset(
            {endpoint.id, *endpoint.subnet_ids, *endpoint.security_group_ids}
            | {fact.record["target"] for fact in facts if "target" in fact.record}
        )
        unread = (*lost, *missing, *find_allowed_peers(groups, vpc.snapshot.prefix_lists).unread)
        yield _use(endpoint, allowed, tuple(dict.fromkeys(map(_key, facts))), unread, concerns)


def _key(fact: Evidence) -> tuple[str, tuple[tuple[str, str], ...]]:
    return fact.text, tuple(sorted(fact.record.items()))


def _use(
    endpoint: Endpoint,
    allowed: AddressSet,
    facts: Sequence[tuple[str, tuple[tuple[str, str], ...]]],
    unread: Sequence[str],
    concerns: frozenset[str],
) -> RuleResult:
    name = format_endpoint(endpoint)
    if facts:
        whom = summarise_addresses(allowed) if allowed else "groups of other VPCs"
        return RuleResult(
            resource=endpoint.id,
            status=Status.FAIL,
            summary=f"{name} can be used from other networks: {whom}",
            evidence=tuple(Evidence(text, dict(record)) for text, record in facts),
            remediation=Remediation(
                "Admit just this VPC's own addresses on 443, unless the endpoint is meant to be "
                "shared: then let its policy say with whom.",
            ),
            concerns=concerns,
        )
    if unread:
        summary = f"{name}: whether other networks can use it is not known ({join_names(unread)})"
        return RuleResult(endpoint.id, Status.UNKNOWN, summary, concerns=concerns)
    summary = f"{name} can be used from this VPC only"
    return RuleResult(endpoint.id, Status.PASS, summary, concerns=concerns)


def _from_abroad(
    vpc: VpcContext, interface: NetworkInterface, groups: Sequence[SecurityGroup]
) -> tuple[AddressSet, list[Evidence]]:
    """Give which addresses of other networks reach an interface and are answered."""
    table = find_route_table(vpc.snapshot, interface.subnet_id)
    if table is None:
        return NOTHING, []
    versions = {address.version for address in interface.addresses}
    spoken = AddressSet.union(
        family for family, version in zip(FAMILIES, (4, 6), strict=True) if version in versions
    )
    admitted = find_allowed_peers(groups, vpc.snapshot.prefix_lists).addresses & spoken
    network = vpc.snapshot.vpc
    abroad = admitted - AddressSet.of((*network.cidrs, *network.ipv6_cidrs))
    allowed, facts = NOTHING, []
    for leg in route_to(table, abroad, vpc.snapshot.prefix_lists).legs:
        route = leg.route
        if route is None or route.blackhole or route.target.kind not in NEIGHBOURS:
            continue
        let = _past_acl(vpc, interface, _likely(route, leg.addresses))
        if let:
            allowed |= let
            facts += [route_evidence(table, route), _admission(groups, route, let)]
    return allowed, facts


def _likely(route: Route, addresses: AddressSet) -> AddressSet:
    """Of a default route take the addresses for private use: no others are a neighbour's own."""
    default = route.cidr is not None and route.cidr.prefixlen == 0
    return addresses & PRIVATE_USE if default else addresses


def _past_acl(vpc: VpcContext, interface: NetworkInterface, sources: AddressSet) -> AddressSet:
    acl = vpc.analysis.reachability.find_acl(interface.subnet_id)
    if acl is None:
        return sources
    target = vpc.analysis.reachability.find_addresses(interface)
    let = sources
    for family in FAMILIES:
        if sources & family and target & family:
            for stop in find_acl_obstacles(None, acl, sources & family, target & family):
                if stop.ports is None:
                    let -= stop.addresses
    return let


def _admission(groups: Sequence[SecurityGroup], route: Route, let: AddressSet) -> Evidence:
    ids = join_names(group.id for group in groups)
    return Evidence(
        f"{ids} admits {summarise_addresses(let)} on 443, from where {route.target.id} leads to the VPC.",
        {"security_groups": ids, "addresses": format_addresses(let), "target": route.target.id},
    )


def _groups_abroad(vpc: VpcContext, groups: Sequence[SecurityGroup]) -> Iterator[Evidence]:
    """Give the rules that admit a group of another VPC, by peering."""
    for group in groups:
        for rule in group.ingress:
            peer = rule.group
            if peer is None or not covers_port(rule, "tcp", 443):
                continue
            if peer.peering_id or peer.vpc_id not in {None, vpc.snapshot.vpc.id}:
                where = f"{peer.vpc_id or 'another VPC'} by {peer.peering_id or 'peering'}"
                yield Evidence(
                    f"{group.id} admits workloads in {peer.group_id} of {where} on 443.",
                    {"security_group": group.id, "peer": peer.group_id, "vpc": peer.vpc_id or ""}
                    | ({"target": peer.peering_id} if peer.peering_id else {}),
                )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="endpoint-open-to-other-networks",
        title="endpoint can be used from other networks",
        requirement="Interface endpoints are used from their own VPC only",
        family=Family.INTERFACES,
        severity=Severity.LOW,
        rationale=(
            "Unlike a gateway endpoint, an interface endpoint is reached from peered VPCs, transit "
            "gateways and data centres where a route leads back to them and its security group "
            "admits them. Whoever is there uses it with this VPC's policy."
        ),
        remediation="Admit just this VPC's own addresses.",
        evaluate=_shared,
        reads=frozenset(
            {
                Facet.VPC,
                Facet.ENDPOINTS,
                Facet.SUBNETS,
                Facet.ROUTE_TABLES,
                Facet.NETWORK_ACLS,
                Facet.NETWORK_INTERFACES,
                Facet.SECURITY_GROUPS,
            }
        ),
        controls=INBOUND,
        references=(ACCESS, WHITEPAPER),
    ),
)
