"""Rules about what gateway services' traffic leaves the VPC past a gateway endpoint.

https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from posture.analysis.addresses import AddressSet
from posture.analysis.path import OTHER_NETWORKS, Path
from posture.model.network import Facet, RouteTable, Subnet
from posture.model.verdict import Remediation, Severity, Status
from posture.rules.bypasses import (
    Bypass,
    SubnetBypasses,
    describe_root,
    describe_shares,
    find_bypasses,
    list_endpoint_ids,
)
from posture.rules.controls import BOUNDARY
from posture.rules.evidence import join_names, path_evidence
from posture.rules.remediation_commands import (
    associate_route_table_command,
    create_gateway_endpoint_command,
    delete_routes_command,
    find_gateway_endpoints,
    has_route_to,
)
from posture.rules.rule import Family, Rule, RuleResult, VpcContext

GATEWAY_GUIDE = "https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html"
ROUTE_PRIORITY = "https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html"
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


# --- by the internet -----------------------------------------------------------------------------


def _leaving(vpc: VpcContext) -> Iterator[RuleResult]:
    endpoints = find_gateway_endpoints(vpc)
    for subnet in vpc.subnets:
        ways = find_bypasses(vpc, subnet, endpoints, lambda path: bool(path.to_internet))
        if ways.leaks:
            yield _leaves(vpc, subnet, ways)
        elif ways.unknown:
            summary = f"{subnet.id}: the way of some traffic to gateway services is not known"
            yield RuleResult(
                subnet.id, Status.UNKNOWN, summary, ways.unknown, concerns=ways.concerns
            )
        else:
            summary = (
                f"nothing {subnet.id} sends to S3 or DynamoDB leaves by a NAT or internet gateway"
            )
            yield RuleResult(subnet.id, Status.PASS, summary, concerns=ways.concerns)


def _leaves(vpc: VpcContext, subnet: Subnet, ways: SubnetBypasses) -> RuleResult:
    leaks = ways.leaks
    past = [leak for leak in leaks if leak.endpoints]
    free = [leak for leak in leaks if not leak.endpoints]
    clauses = [
        *(
            (f"{describe_shares(past)} out by {_by(past)} past {list_endpoint_ids(past)}",)
            if past
            else ()
        ),
        *(
            (f"{describe_shares(free)} out by {_by(free)}, though a gateway endpoint is free",)
            if free
            else ()
        ),
    ]
    return RuleResult(
        resource=subnet.id,
        status=Status.FAIL,
        severity=Severity.HIGH if past else None,
        summary=f"{subnet.id} sends {'; and '.join(clauses)}",
        evidence=tuple(path_evidence(leak.service, path) for leak in leaks for path in leak.paths),
        remediation=Remediation(_advice(leaks), _command(vpc, subnet, leaks)),
        concerns=ways.concerns,
        root=describe_root(vpc, subnet, leaks),
    )


def _by(leaks: Sequence[Bypass]) -> str:
    return join_names(sorted({path.kind.value for leak in leaks for path in leak.paths}))


def _advice(leaks: Sequence[Bypass]) -> str:
    by_nat = any(leak.by_nat for leak in leaks)
    cost = " What passes a NAT gateway is charged by the gigabyte." if by_nat else ""
    if all(leak.endpoints and not leak.whole for leak in leaks):
        return f"Delete the routes that are more specific than the endpoint's.{cost}"
    return f"Send the traffic by a gateway endpoint, which costs nothing.{cost}"


def _command(vpc: VpcContext, subnet: Subnet, leaks: Sequence[Bypass]) -> str:
    table = vpc.tables[subnet.id]
    if table is None:
        return ""
    steps = [step for leak in leaks for step in _steps(vpc, table, leak)]
    return " && ".join(dict.fromkeys(steps))


def _steps(vpc: VpcContext, table: RouteTable, leak: Bypass) -> Iterator[str]:
    if not leak.endpoints:
        yield create_gateway_endpoint_command(vpc, leak.service.name, table)
    elif not has_route_to(table, leak.endpoints):
        yield associate_route_table_command(leak.endpoints[0], table)
    else:
        specific = [path.route for path in leak.paths if path.route and _within(path, leak)]
        yield from filter(None, [delete_routes_command(table, specific)])


def _within(path: Path, leak: Bypass) -> bool:
    """Tell whether a route serves nothing but the service: a default route is not to be deleted."""
    route = path.route
    if route is None or route.cidr is None or leak.whole:
        return False
    return path.addresses >= AddressSet.of([route.cidr])


# --- by another network --------------------------------------------------------------------------


def _elsewhere(path: Path) -> bool:
    return any(way.kind in OTHER_NETWORKS for way in (path, *path.onward))


def _by_other_network(vpc: VpcContext) -> Iterator[RuleResult]:
    endpoints = find_gateway_endpoints(vpc)
    for subnet in vpc.subnets:
        ways = find_bypasses(vpc, subnet, endpoints, _elsewhere)
        leaks = ways.leaks
        if not leaks:
            summary = f"{subnet.id} sends nothing of S3 or DynamoDB to another network"
            yield RuleResult(subnet.id, Status.PASS, summary, concerns=ways.concerns)
            continue
        targets = join_names(
            sorted({path.target for leak in leaks for path in leak.paths if path.target})
        )
        past = f" past {list_endpoint_ids(leaks)}" if any(leak.endpoints for leak in leaks) else ""
        yield RuleResult(
            resource=subnet.id,
            status=Status.FAIL,
            severity=Severity.MEDIUM if past else None,
            summary=f"{subnet.id} sends {describe_shares(leaks)} to another network by {targets}{past}; no "
            "gateway endpoint there can be used",
            evidence=tuple(
                path_evidence(leak.service, path) for leak in leaks for path in leak.paths
            ),
            remediation=Remediation(
                "Send the traffic by a gateway endpoint of this VPC, which costs nothing.",
                _command(vpc, subnet, leaks),
            ),
            concerns=ways.concerns,
            root=describe_root(vpc, subnet, leaks),
        )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="gateway-service-bypasses-endpoint",
        title="S3/DynamoDB leaves by internet",
        requirement="S3 and DynamoDB are reached by their gateway endpoints, not by the internet",
        family=Family.PATHS,
        severity=Severity.MEDIUM,
        rationale=(
            "Traffic to S3 or DynamoDB that takes a NAT or internet gateway leaves past the "
            "endpoint's policy, and by NAT it is charged by the gigabyte. A gateway endpoint "
            "costs nothing. A route that is more specific than the endpoint's takes part of the "
            "traffic away although the endpoint stands."
        ),
        remediation="Send the traffic by a gateway endpoint.",
        evaluate=_leaving,
        reads=NEEDED,
        controls=BOUNDARY,
        references=(GATEWAY_GUIDE, ROUTE_PRIORITY, NAT_PRICES),
    ),
    Rule(
        id="gateway-service-uses-other-network",
        title="S3 or DynamoDB sent to another network",
        requirement="S3 and DynamoDB are reached from the VPC itself, not by another network",
        family=Family.PATHS,
        severity=Severity.LOW,
        rationale=(
            "Gateway endpoints are not transitive: what goes to another VPC or a data centre by a "
            "transit gateway, peering or VPN cannot use a gateway endpoint there. It leaves by "
            "that network's internet gateway, is charged on the way, or goes nowhere."
        ),
        remediation="Make a gateway endpoint in this VPC.",
        evaluate=_by_other_network,
        reads=NEEDED,
        controls=BOUNDARY,
        references=(GATEWAY_GUIDE,),
    ),
)
