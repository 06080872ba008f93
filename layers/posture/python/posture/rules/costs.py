"""Rules about charges for traffic that a gateway endpoint carries at no charge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from posture.analysis.addresses import IPV6, NOTHING
from posture.analysis.endpoint_dns import WORKING
from posture.analysis.names import ResolvesTo
from posture.analysis.path import DROPPED, Path, PathKind
from posture.analysis.region_offers import find_service_addresses
from posture.analysis.services import get_service
from posture.edits.edit import Edit
from posture.edits.operations.endpoints import DnsOptions, ModifyVpcEndpoint
from posture.model.network import Endpoint, EndpointType, Facet, TargetKind
from posture.model.service_names import short_name
from posture.model.verdict import Evidence, Remediation, Severity
from posture.rules.bypasses import find_bypasses
from posture.rules.contexts import VpcContext
from posture.rules.endpoint_lookups import list_associations
from posture.rules.evidence import join_names, path_evidence
from posture.rules.gateway_bypass import NAT_PRICES, NEEDED
from posture.rules.prices import (
    estimate_interface_data,
    estimate_interface_hours,
    estimate_nat_data,
)
from posture.rules.remediation import list_remediations
from posture.rules.remediation.gateways import (
    delete_specific_routes,
    list_tables,
    open_acls_to_gateway,
    route_services,
)
from posture.rules.result import RuleResult, failed, passed, undecided
from posture.rules.rule import Family, Rule

TYPES = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html"


WHAT = "Route the traffic to a gateway endpoint, which is free of charge"


@dataclass
class _Use:
    """The paths through one NAT gateway, by service, and the subnets that send the traffic."""

    paths: dict[str, list[Path]] = field(default_factory=dict)
    subnets: set[str] = field(default_factory=set)


def _by_nat(vpc: VpcContext) -> Iterator[RuleResult]:
    used, unknown = _find_uses(vpc)
    for nat_id, use in sorted(used.items()):
        by_service = use.paths
        if not by_service and unknown:
            summary = f"{nat_id}: the path of some S3 or DynamoDB traffic is not known"
            yield undecided(nat_id, summary, unknown)
            continue
        if not by_service:
            yield passed(nat_id, f"{nat_id} carries no S3 or DynamoDB traffic")
            continue
        names = join_names(map(short_name, sorted(by_service)))
        senders = sorted(use.subnets)
        yield failed(
            resource=nat_id,
            summary=f"{nat_id} charges for {names} traffic from {join_names(senders)}, which a "
            "gateway endpoint carries at no charge",
            evidence=(
                estimate_nat_data(),
                *(
                    path_evidence(vpc.snapshot.services[name], paths[0])
                    for name, paths in sorted(by_service.items())
                ),
            ),
            propose=partial(_route_here, vpc, sorted(by_service), senders),
            concerns=frozenset({nat_id, *_find_concerns(vpc, senders)}),
        )


def _route_here(
    vpc: VpcContext, names: Sequence[str], senders: Sequence[str]
) -> tuple[Remediation, ...]:
    """List what routes the traffic to gateway endpoints: in every route table, or in the senders'.

    Routes for part of the addresses are deleted, too, where they would still lead to the gateway.
    """
    services = [vpc.snapshot.services[name] for name in names]
    own = {table.id: table for each in senders if (table := vpc.tables[each])}
    candidates: list[tuple[str, Sequence[Edit] | None]] = []
    with_ipv6 = frozenset(
        each.name
        for each in services
        if (find_service_addresses(vpc.snapshot, each) or NOTHING) & IPV6
        and vpc.snapshot.vpc.ipv6_cidrs
    )
    more = f"{WHAT}, and delete more specific routes."
    for tables in (list_tables(vpc), tuple(own.values())):
        specific = delete_specific_routes(vpc, services, tables)
        for dual_stack in dict.fromkeys((frozenset[str](), with_ipv6)):
            routed = route_services(vpc, services, tables, dual_stack=dual_stack)
            if routed is not None:
                candidates.append((f"{WHAT}.", routed))
            if routed is not None and specific:
                candidates.append((more, (*specific, *routed)))
    return list_remediations(*candidates, otherwise=f"{WHAT}.")


def _find_uses(vpc: VpcContext) -> tuple[dict[str, _Use], tuple[Evidence, ...]]:
    """Find which NAT gateway processes S3 or DynamoDB traffic, and what is not known about it."""
    used = {nat_id: _Use() for nat_id in vpc.snapshot.nat_gateways}
    unknown: dict[str, Evidence] = {}
    if not used and not _routes_to_nat_gateway(vpc):
        return used, ()
    for subnet in vpc.subnets:
        found = find_bypasses(vpc, subnet, {}, _passes_nat_gateway)
        unknown |= {fact.text: fact for fact in found.unknown}
        for bypass in found.bypasses:
            for path in bypass.paths:
                for nat_id in {hop.target for hop in path.hops if _is_charged_for(hop)}:
                    use = used.setdefault(nat_id, _Use())
                    use.paths.setdefault(bypass.service.name, []).append(path)
                    use.subnets.add(subnet.id)
    return used, tuple(unknown.values())


def _routes_to_nat_gateway(vpc: VpcContext) -> bool:
    tables = vpc.snapshot.route_tables.values()
    return any(it.target.kind is TargetKind.NAT_GATEWAY for table in tables for it in table.routes)


def _passes_nat_gateway(path: Path) -> bool:
    return any(map(_is_charged_for, path.hops))


def _is_charged_for(hop: Path) -> bool:
    """Return whether a NAT gateway processes traffic that is not dropped behind it."""
    ends = {end.kind for end in hop.ends}
    return hop.kind is PathKind.NAT_GATEWAY and not ends <= DROPPED


def _find_concerns(vpc: VpcContext, subnets: Iterable[str]) -> Iterator[str]:
    """Return the ids of the resources that decide whether subnets use the NAT gateway."""
    for subnet_id in subnets:
        yield subnet_id
        if table := vpc.tables[subnet_id]:
            yield from (table.id, *list_associations(vpc, table, subnet_id))
    yield from (endpoint.id for endpoint in vpc.endpoints_of(EndpointType.GATEWAY))


def _by_interface(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints_of(EndpointType.INTERFACE):
        service = get_service(vpc.snapshot, endpoint)
        if EndpointType.GATEWAY not in service.types or endpoint.state not in WORKING:
            continue
        resolution = vpc.analysis.resolve_names(service)
        name = f"{endpoint.id} ({short_name(service.name)})"
        if resolution.resolves_to is ResolvesTo.UNKNOWN:
            yield undecided(endpoint.id, f"{name}: {resolution.why}")
        elif endpoint not in resolution.endpoints:
            summary = f"{name} does not carry the VPC's own traffic to the service's DNS names"
            yield passed(endpoint.id, summary)
        else:
            yield _charged(vpc, endpoint, name, resolution.why)


def _charged(vpc: VpcContext, endpoint: Endpoint, name: str, why: str) -> RuleResult:
    return failed(
        resource=endpoint.id,
        summary=f"{name} charges for the VPC's own traffic, which a gateway endpoint carries at no "
        "charge",
        evidence=(
            Evidence(
                f"The service's DNS names resolve to {endpoint.id}: {why}.",
                {"endpoint": endpoint.id},
            ),
            estimate_interface_data(),
            estimate_interface_hours(len(endpoint.network_interface_ids or endpoint.subnet_ids)),
        ),
        propose=partial(_use_gateway, vpc, endpoint),
    )


def _use_gateway(vpc: VpcContext, endpoint: Endpoint) -> tuple[Remediation, ...]:
    """List what routes the VPC's own traffic to a gateway endpoint."""
    what = (
        "Create a gateway endpoint for the VPC's own traffic, and restrict the private DNS names "
        "of this endpoint to inbound Resolver endpoints. Traffic from other networks keeps using "
        "this endpoint."
    )
    service = get_service(vpc.snapshot, endpoint)
    routed = route_services(vpc, [service])
    entries = open_acls_to_gateway(vpc, service)
    restricted = ModifyVpcEndpoint(
        vpc_endpoint_id=endpoint.id,
        dns_options=DnsOptions(private_dns_only_for_inbound_resolver_endpoint=True),
    )
    return list_remediations(
        (what, None if routed is None else (*routed, restricted)),
        (what, (*entries, *routed, restricted) if routed is not None and entries else None),
        otherwise=what,
    )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="nat-gateway-charges-avoidable",
        title="S3/DynamoDB traffic incurs NAT gateway charges",
        requirement="NAT gateways do not carry S3 or DynamoDB traffic",
        family=Family.COSTS,
        severity=Severity.LOW,
        rationale=(
            "A NAT gateway charges for each gigabyte that it processes; a gateway endpoint for S3 "
            "or DynamoDB is free of charge. The estimate assumes a traffic volume. The NAT "
            "gateway's CloudWatch metrics show the actual volume."
        ),
        remediation="Route the traffic to a gateway endpoint.",
        evaluate=_by_nat,
        reads=NEEDED,
        references=(NAT_PRICES,),
    ),
    Rule(
        id="interface-endpoint-charges-avoidable",
        title="S3/DynamoDB traffic incurs endpoint charges",
        requirement="The VPC's own S3 and DynamoDB traffic uses gateway endpoints",
        family=Family.COSTS,
        severity=Severity.LOW,
        rationale=(
            "An interface endpoint is charged for each hour and gigabyte. Other networks need it "
            "to reach S3 or DynamoDB privately, but traffic from the VPC itself can use a gateway "
            "endpoint at no charge."
        ),
        remediation="Route the VPC's own traffic to a gateway endpoint.",
        evaluate=_by_interface,
        reads=frozenset({Facet.VPC, Facet.ENDPOINTS, Facet.SERVICES, Facet.DNS_ATTRIBUTES}),
        references=(TYPES,),
    ),
)
