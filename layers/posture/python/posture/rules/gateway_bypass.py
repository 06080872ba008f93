"""Rules about S3 and DynamoDB traffic that does not use a gateway endpoint.

https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from posture.analysis.addresses import IPV4, IPV6, NAT64, AddressSet
from posture.analysis.path import OTHER_NETWORKS, Path
from posture.edits.edit import Edit
from posture.model.network import Facet, RouteTable, Subnet
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.bypasses import (
    Bypass,
    SubnetBypasses,
    describe_root,
    describe_shares,
    find_bypasses,
    join_endpoint_ids,
)
from posture.rules.contexts import VpcContext
from posture.rules.controls import BOUNDARY
from posture.rules.endpoint_lookups import find_gateway_endpoints
from posture.rules.evidence import join_names, path_evidence
from posture.rules.gateway_routes import GATEWAY_GUIDE, ROUTE_PRIORITY
from posture.rules.remediation import list_remediations
from posture.rules.remediation.gateways import (
    delete_specific_routes,
    list_tables,
    route_services,
)
from posture.rules.result import RuleResult, failed, not_applicable, passed, undecided
from posture.rules.rule import Family, Rule

NAT_PRICES = "https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-pricing.html"

NEEDED = frozenset(
    {
        Facet.SUBNETS,
        Facet.ROUTE_TABLES,
        Facet.ENDPOINTS,
        Facet.SERVICES,
        Facet.AWS_PREFIX_LISTS,
        Facet.NAT_GATEWAYS,
    }
)


def _over_internet(vpc: VpcContext) -> Iterator[RuleResult]:
    endpoints = find_gateway_endpoints(vpc)
    for subnet in vpc.infrastructure_subnets:
        attached = subnet.id in vpc.attachment_subnet_ids
        why = "only an attachment" if attached else "infrastructure_subnets in the baseline"
        summary = f"{subnet.id} holds no workloads ({why})"
        yield not_applicable(subnet.id, summary)
    for subnet in vpc.subnets:
        found = find_bypasses(vpc, subnet, endpoints, _enters_internet)
        if found.bypasses:
            yield _internet_failure(vpc, subnet, found)
            continue
        status = Status.UNKNOWN if found.unknown else Status.PASS
        summary = f"{subnet.id} sends no S3 or DynamoDB traffic through a NAT or internet gateway"
        if found.unknown:
            summary = (
                f"{subnet.id}: the path of some S3 or DynamoDB traffic is not known ({found.why})"
            )
        yield RuleResult(subnet.id, summary, found.unknown, status=status, concerns=found.concerns)


def _internet_failure(vpc: VpcContext, subnet: Subnet, found: SubnetBypasses) -> RuleResult:
    bypassed = [each for each in found.bypasses if each.endpoints]
    missing = [each for each in found.bypasses if not each.endpoints]
    clauses = []
    if bypassed:
        clauses.append(f"{_over(bypassed)}, bypassing {join_endpoint_ids(bypassed)}")
    if missing:
        clauses.append(f"{_over(missing)}; a gateway endpoint is available at no charge")
    return failed(
        resource=subnet.id,
        severity=Severity.HIGH if bypassed else None,
        summary=f"{subnet.id} sends {'; and '.join(clauses)}",
        evidence=_evidence(found),
        propose=partial(_list_remediations, vpc, subnet, found.bypasses),
        concerns=found.concerns,
        root=describe_root(vpc, subnet, found.bypasses),
    )


def _over(bypasses: Sequence[Bypass]) -> str:
    kinds = sorted({path.kind.value for each in bypasses for path in each.paths})
    return f"{describe_shares(bypasses)} over the internet ({join_names(kinds)})"


def _evidence(found: SubnetBypasses) -> tuple[Evidence, ...]:
    return tuple(
        path_evidence(each.service, path) for each in found.bypasses for path in each.paths
    )


def _advice(bypasses: Sequence[Bypass]) -> str:
    uses_nat = any(each.uses_nat for each in bypasses)
    cost = " NAT gateways charge for each gigabyte." if uses_nat else ""
    if any(_find_addresses(each) & NAT64 for each in bypasses):
        # DNS64 leaves names with IPv6 addresses as they are, and translates the others.
        # https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-nat64-dns64.html
        cost += (
            " NAT64 translates traffic to the service's IPv4-only names: use its dual-stack names, "
            "or turn off DNS64 in dual-stack subnets."
        )
    if all(_needs_dual_stack(each) and not _find_addresses(each) & IPV4 for each in bypasses):
        return f"Change the IP address type of the gateway endpoint to dualstack.{cost}"
    if all(each.endpoints and not each.whole for each in bypasses):
        routes = "Delete the routes that are more specific than the endpoint route."
        dual = (
            " Let the endpoint carry IPv6 traffic." if any(map(_needs_dual_stack, bypasses)) else ""
        )
        return f"{routes}{dual}{cost}"
    return f"Route the traffic to a gateway endpoint, which is free of charge.{cost}"


def _list_remediations(
    vpc: VpcContext, subnet: Subnet, bypasses: Sequence[Bypass]
) -> tuple[Remediation, ...]:
    """List what routes the traffic to gateway endpoints: in every route table, or in this one."""
    table = vpc.tables[subnet.id]
    if table is None:
        return (Remediation(_advice(bypasses)),)
    key = "route to endpoints", table.id, id(bypasses)  # subnets that are alike share these
    return vpc.remember(key, partial(_list_routings, vpc, table, bypasses))


def _list_routings(
    vpc: VpcContext, table: RouteTable, bypasses: Sequence[Bypass]
) -> tuple[Remediation, ...]:
    services = [each.service for each in bypasses]
    dual = frozenset(
        each.service.name
        for each in bypasses
        if _needs_dual_stack(each) or (not each.endpoints and _find_addresses(each) & IPV6)
    )
    routed = route_services(vpc, services, dual_stack=dual)
    alone = route_services(vpc, services, [table], dual_stack=dual)
    advice = _advice(bypasses)
    candidates: list[tuple[str, Sequence[Edit] | None]] = [(advice, routed)]
    for edits, tables in ((routed, list_tables(vpc)), (alone, (table,))):
        specific = delete_specific_routes(vpc, services, tables)
        if edits is not None and specific:
            candidates.append((advice, (*specific, *edits)))
    return list_remediations(
        *candidates,
        (advice, alone),
        otherwise=advice,
    )


def _needs_dual_stack(bypass: Bypass) -> bool:
    """Return whether IPv6 traffic bypasses endpoints that carry none.

    https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html#gateway-endpoint-ip-address-type
    """
    carried = {each.ip_address_type for each in bypass.endpoints}
    return bool(carried) and carried <= {"ipv4", None} and bool(_find_addresses(bypass) & IPV6)


def _find_addresses(bypass: Bypass) -> AddressSet:
    return AddressSet.union(path.addresses for path in bypass.paths)


def _through_other_network(vpc: VpcContext) -> Iterator[RuleResult]:
    endpoints = find_gateway_endpoints(vpc)
    for subnet in vpc.subnets:
        found = find_bypasses(vpc, subnet, endpoints, _enters_other_network)
        bypasses = found.bypasses
        if not bypasses and found.unknown:
            summary = (
                f"{subnet.id}: the path of some S3 or DynamoDB traffic is not known ({found.why})"
            )
            yield undecided(subnet.id, summary, found.unknown, concerns=found.concerns)
            continue
        if not bypasses:
            summary = f"{subnet.id} sends no S3 or DynamoDB traffic to another network"
            yield passed(subnet.id, summary, concerns=found.concerns)
            continue
        targets = sorted({path.target for each in bypasses for path in each.paths if path.target})
        ids = join_endpoint_ids(bypasses) if any(each.endpoints for each in bypasses) else ""
        yield failed(
            resource=subnet.id,
            severity=Severity.MEDIUM if ids else None,
            summary=f"{subnet.id} sends {describe_shares(bypasses)} to another network through "
            f"{join_names(targets)}{f', bypassing {ids}' if ids else ''}; gateway endpoints of "
            "other networks cannot be used",
            evidence=_evidence(found),
            propose=partial(_list_remediations, vpc, subnet, bypasses),
            concerns=found.concerns,
            root=describe_root(vpc, subnet, bypasses),
        )


def _enters_internet(path: Path) -> bool:
    return bool(path.to_internet)


def _enters_other_network(path: Path) -> bool:
    return any(hop.kind in OTHER_NETWORKS for hop in path.hops)


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="gateway-service-bypasses-endpoint",
        title="S3/DynamoDB traffic bypasses the endpoint",
        requirement="S3 and DynamoDB traffic uses gateway endpoints and not the internet",
        family=Family.PATHS,
        severity=Severity.MEDIUM,
        rationale=(
            "S3 or DynamoDB traffic through a NAT or internet gateway is not subject to an "
            "endpoint policy, and a NAT gateway charges for each gigabyte. A gateway endpoint is "
            "free of charge. A route that is more specific than the endpoint route diverts part "
            "of the traffic even though the endpoint is available."
        ),
        remediation="Route the traffic to a gateway endpoint.",
        evaluate=_over_internet,
        reads=NEEDED,
        controls=BOUNDARY,
        references=(GATEWAY_GUIDE, ROUTE_PRIORITY, NAT_PRICES),
    ),
    Rule(
        id="gateway-service-uses-other-network",
        title="S3/DynamoDB traffic is sent to another network",
        requirement="S3 and DynamoDB traffic does not pass through another network",
        family=Family.PATHS,
        severity=Severity.LOW,
        rationale=(
            "Gateway endpoints are not transitive: traffic that arrives in another VPC or a data "
            "center over a transit gateway, VPC peering or a VPN cannot use a gateway endpoint "
            "there. It uses that network's internet gateway, incurs data charges, or is dropped."
        ),
        remediation="Create a gateway endpoint in this VPC.",
        evaluate=_through_other_network,
        reads=NEEDED,
        controls=BOUNDARY,
        references=(GATEWAY_GUIDE,),
    ),
)
