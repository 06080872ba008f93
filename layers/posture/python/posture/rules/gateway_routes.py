"""Rules about the routes to gateway endpoints.

A gateway endpoint is free of charge. It serves the subnets whose route table has its route, and
only resources in its own VPC.
https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from posture.analysis.endpoint_dns import WORKING
from posture.analysis.region_offers import list_service_prefix_lists
from posture.analysis.services import get_service
from posture.edits.operations.endpoints import DeleteVpcEndpoints
from posture.model.network import (
    Endpoint,
    EndpointType,
    Facet,
    Route,
    RouteTable,
    Service,
    Subnet,
    TargetKind,
)
from posture.model.service_names import short_name
from posture.model.verdict import Evidence, Remediation, Severity
from posture.rules.contexts import VpcContext
from posture.rules.controls import BOUNDARY, UNNEEDED
from posture.rules.endpoint_lookups import (
    EndpointsByService,
    describe_missing_route,
    find_gateway_endpoints,
    has_route_to,
    list_associations,
)
from posture.rules.evidence import endpoint_evidence, format_endpoint, join_names, route_evidence
from posture.rules.remediation import list_remediations
from posture.rules.remediation.gateways import (
    delete_specific_routes,
    list_tables,
    remove_route,
    route_services,
)
from posture.rules.result import RuleResult, failed, not_applicable, passed, undecided
from posture.rules.rule import Family, Rule

NOT_TRANSITIVE = {
    TargetKind.PEERING: "peering connection",
    TargetKind.TRANSIT_GATEWAY: "transit gateway",
    TargetKind.VIRTUAL_PRIVATE_GATEWAY: "virtual private gateway",
    TargetKind.CORE_NETWORK: "core network",
}
GATEWAY_GUIDE = "https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html"
ROUTE_PRIORITY = "https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html"

NEEDED = frozenset({Facet.SUBNETS, Facet.ROUTE_TABLES, Facet.ENDPOINTS})


def _unused(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints_of(EndpointType.GATEWAY):
        if not vpc.tables:
            yield not_applicable(endpoint.id, f"{endpoint.id} is in a VPC that has no subnets")
            continue
        yield _use_of(vpc, endpoint)


def _use_of(vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    used = {table.id for table in vpc.tables.values() if table}
    serving = sorted(used & set(endpoint.route_table_ids))
    concerns = frozenset({endpoint.id, *endpoint.route_table_ids, *used})
    if serving:
        summary = f"{endpoint.id} serves the subnets that use {join_names(serving)}"
        return passed(endpoint.id, summary, concerns=concerns)
    tables = endpoint.route_table_ids
    what = f"{join_names(tables)} only, which no subnet uses" if tables else "no route table"
    return failed(
        resource=endpoint.id,
        summary=f"{format_endpoint(endpoint)} is associated with {what}",
        evidence=(
            endpoint_evidence(endpoint),
            Evidence(
                f"The VPC's subnets use {join_names(sorted(used)) if used else 'no route table'}.",
                {"associated": ", ".join(tables), "used": ", ".join(sorted(used))},
            ),
        ),
        propose=partial(_use_or_delete, vpc, endpoint),
        concerns=concerns,
    )


def _use_or_delete(vpc: VpcContext, endpoint: Endpoint) -> tuple[Remediation, ...]:
    service = get_service(vpc.snapshot, endpoint)
    routed = route_services(vpc, [service], create=False) if endpoint.state in WORKING else None
    own = [each for each in routed or () if getattr(each, "vpc_endpoint_id", "") == endpoint.id]
    return list_remediations(
        (
            "Associate the endpoint with the route tables of the subnets.",
            routed if own else None,
        ),
        (
            "Delete the endpoint, which has no effect.",
            [DeleteVpcEndpoints(vpc_endpoint_ids=(endpoint.id,))],
        ),
        otherwise="",
    )


def _missing_route(vpc: VpcContext) -> Iterator[RuleResult]:
    endpoints = find_gateway_endpoints(vpc)
    if endpoints:
        yield from (_routes_of(vpc, subnet, endpoints) for subnet in vpc.subnets)


def _routes_of(vpc: VpcContext, subnet: Subnet, endpoints: EndpointsByService) -> RuleResult:
    table = vpc.tables[subnet.id]
    if table is None:
        return undecided(
            subnet.id,
            f"the route table of {subnet.id} could not be found",
            concerns=frozenset({subnet.id}),
        )
    lacking = {name: each for name, each in endpoints.items() if not has_route_to(table, each)}
    concerns = frozenset(
        {subnet.id, table.id, *list_associations(vpc, table, subnet.id)}
        | {endpoint.id for of_one in endpoints.values() for endpoint in of_one}
    )
    names = join_names(map(short_name, sorted(lacking or endpoints)))
    if not lacking:
        summary = f"{subnet.id} has routes to the gateway endpoint for {names}"
        return passed(subnet.id, summary, concerns=concerns)
    if why := vpc.explain_doubtful_subnet(subnet):
        return undecided(subnet.id, why, concerns=concerns)
    kind = "main route table" if subnet.id not in table.subnet_ids else "route table"
    return failed(
        resource=subnet.id,
        summary=f"{subnet.id} uses {kind} {table.id}, which has no route to the gateway endpoint "
        f"for {names}",
        evidence=tuple(_lack(table, lacking[name]) for name in sorted(lacking)),
        propose=partial(_associate, vpc, table, lacking),
        concerns=concerns,
        root=describe_missing_route(table, lacking),
    )


def _associate(
    vpc: VpcContext, table: RouteTable, lacking: EndpointsByService
) -> tuple[Remediation, ...]:
    services = [get_service(vpc.snapshot, lacking[name][0]) for name in sorted(lacking)]
    what = "Associate the endpoint with the route table"
    alone = route_services(vpc, services, [table], create=False)
    specific = delete_specific_routes(vpc, services, [table])
    return list_remediations(
        (f"{what} of each subnet.", route_services(vpc, services, create=False)),
        (f"{what}.", alone),
        (
            f"{what}, and delete the routes that take precedence over the endpoint's.",
            (*specific, *alone) if specific and alone else None,
        ),
        otherwise=f"{what}. Remove the route to the service's prefix list first, which another "
        "service manages.",
    )


def _counted(routes: Sequence[Route]) -> str:
    return f"{len(routes)} routes, but none" if len(routes) > 1 else "no route"


def _lack(table: RouteTable, endpoints: Sequence[Endpoint]) -> Evidence:
    ids = join_names(endpoint.id for endpoint in endpoints)
    return Evidence(
        f"Route table {table.id} has {_counted(table.routes)} to {ids} "
        f"({endpoints[0].service_name}).",
        {
            "route_table": table.id,
            "endpoint": ids,
            "service": endpoints[0].service_name,
            "routes": ", ".join(f"{each.destination} to {each.target.id}" for each in table.routes),
        },
    )


def _blackholed(vpc: VpcContext) -> Iterator[RuleResult]:
    lists = _gateway_lists(vpc)
    for _, table in sorted(vpc.snapshot.route_tables.items()):
        meant = [route for route in table.routes if _is_endpoint_route(route, lists)]
        if not meant:
            continue
        dropping = [route for route in meant if route.blackhole]
        concerns = frozenset({table.id, *(route.target.id for route in meant)})
        if not dropping:
            summary = f"the endpoint routes in {table.id} are active"
            yield passed(table.id, summary, concerns=concerns)
            continue
        used_by = [subnet.id for subnet in vpc.users.get(table.id, ())]
        yield failed(
            resource=table.id,
            severity=None if used_by else Severity.LOW,
            summary=f"{table.id} drops traffic to "
            f"{join_names(sorted({route.target.id for route in dropping}))} "
            + (f"from {join_names(used_by)}" if used_by else "(no subnet uses this route table)"),
            evidence=tuple(route_evidence(table, route) for route in dropping),
            propose=partial(_replace_blackholes, vpc, table, dropping),
            concerns=concerns,
        )


def _replace_blackholes(
    vpc: VpcContext, table: RouteTable, dropping: Sequence[Route]
) -> tuple[Remediation, ...]:
    """Replace the routes by routes to an endpoint where subnets use the table, or delete them."""
    removed = [remove_route(vpc, table, each) for each in dropping]
    deleted = [each for each in removed if each]
    complete = len(deleted) == len(removed)
    lists = {each.prefix_list_id for each in dropping}
    services = [
        each
        for each in vpc.gateway_services
        if any(it.id in lists for it in list_service_prefix_lists(vpc.snapshot, each))
    ]
    # What routes the services removes their blackhole routes; the others are deleted here.
    others = [
        edit
        for route, edit in zip(dropping, removed, strict=True)
        if edit and not _leads_to(vpc, route, services)
    ]
    routed = route_services(vpc, services) if services and complete else None
    in_use = table.id in vpc.users
    replaced = (
        "Replace the blackhole route by a route to a gateway endpoint.",
        (*others, *routed) if routed and in_use else None,
    )
    gone = (
        "Delete the blackhole route, so that another one applies.",
        deleted if complete else None,
    )
    return list_remediations(
        *((gone, replaced) if not services else (replaced, gone)),
        otherwise="Recreate the endpoint. EC2 manages its route, which no request can delete.",
    )


def _leads_to(vpc: VpcContext, route: Route, services: Sequence[Service]) -> bool:
    lists = (it for each in services for it in list_service_prefix_lists(vpc.snapshot, each))
    return route.prefix_list_id in {each.id for each in lists}


def _gateway_lists(vpc: VpcContext) -> frozenset[str]:
    """Return the ids of the AWS-managed prefix lists of gateway endpoint services."""
    names = {service.name for service in vpc.gateway_services}
    return frozenset(
        each.id
        for each in vpc.snapshot.prefix_lists.values()
        if each.aws_managed and each.name.replace(".ipv6.", ".") in names
    )


def _is_endpoint_route(route: Route, lists: frozenset[str]) -> bool:
    return route.target.kind is TargetKind.VPC_ENDPOINT or route.prefix_list_id in lists


def _transitive(vpc: VpcContext) -> Iterator[RuleResult]:
    lists = _gateway_lists(vpc)
    for _, table in sorted(vpc.snapshot.route_tables.items()):
        named = [route for route in table.routes if route.prefix_list_id in lists]
        if not named:
            continue
        away = [route for route in named if route.target.kind in NOT_TRANSITIVE]
        concerns = frozenset({table.id, *(route.target.id for route in named)})
        if not away:
            summary = f"{table.id} routes no gateway service's prefix list to another network"
            yield passed(table.id, summary, concerns=concerns)
            continue
        targets = join_names(
            f"{NOT_TRANSITIVE[route.target.kind]} {route.target.id}" for route in away
        )
        yield failed(
            resource=table.id,
            summary=f"{table.id} routes a gateway service's prefix list to {targets}; gateway "
            "endpoints of other networks cannot be used",
            evidence=tuple(route_evidence(table, route) for route in away),
            propose=partial(_route_here, vpc, table, away),
            concerns=concerns,
        )


def _route_here(
    vpc: VpcContext, table: RouteTable, away: Sequence[Route]
) -> tuple[Remediation, ...]:
    services = [
        each
        for each in vpc.gateway_services
        if any(_leads_to(vpc, route, [each]) for route in away)
    ]
    removed = [remove_route(vpc, table, each) for each in away]
    deleted = [each for each in removed if each]
    used = [each for each in list_tables(vpc) if each.id == table.id]
    return list_remediations(
        (
            "Delete the route, and route the prefix list to a gateway endpoint of this VPC.",
            route_services(vpc, services) if used else None,
        ),
        (
            "Delete the route.",
            deleted if len(deleted) == len(removed) else None,
        ),
        otherwise="Stop the propagation of the route, and create a gateway endpoint in this VPC.",
    )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="subnet-without-gateway-endpoint-route",
        title="Subnet has no route to the gateway endpoint",
        requirement="Every subnet's route table has routes to the VPC's gateway endpoints",
        family=Family.PATHS,
        severity=Severity.MEDIUM,
        rationale=(
            "The VPC has a gateway endpoint, but the subnet's route table has no route to it. "
            "Traffic from the subnet to the service takes another path or is dropped."
        ),
        remediation="Associate the endpoint with the route table.",
        evaluate=_missing_route,
        reads=NEEDED,
        controls=BOUNDARY,
        references=(GATEWAY_GUIDE,),
    ),
    Rule(
        id="gateway-endpoint-route-blackholed",
        title="Route to the endpoint is a blackhole",
        requirement="No route to an endpoint is a blackhole route",
        family=Family.PATHS,
        severity=Severity.HIGH,
        rationale=(
            "A route whose target no longer exists drops the traffic that it matches: subnets "
            "that use the route table cannot reach the service."
        ),
        remediation="Recreate the endpoint, or delete the route.",
        evaluate=_blackholed,
        reads=NEEDED | {Facet.SERVICES, Facet.AWS_PREFIX_LISTS},
        references=(ROUTE_PRIORITY,),
    ),
    Rule(
        id="prefix-list-routed-to-other-network",
        title="Service prefix list is routed elsewhere",
        requirement="No prefix list of a gateway endpoint service is routed to another network",
        family=Family.PATHS,
        severity=Severity.MEDIUM,
        rationale=(
            "Gateway endpoints are not transitive: traffic that reaches another VPC over peering "
            "or a transit gateway cannot use the endpoint there. The traffic is dropped, or uses "
            "that network's internet gateway."
        ),
        remediation="Create a gateway endpoint in this VPC, and delete the route.",
        evaluate=_transitive,
        reads=frozenset({Facet.ROUTE_TABLES, Facet.SERVICES, Facet.AWS_PREFIX_LISTS}),
        controls=BOUNDARY,
        references=(GATEWAY_GUIDE,),
    ),
    Rule(
        id="gateway-endpoint-unused",
        title="Gateway endpoint serves no subnet",
        requirement="Every gateway endpoint is associated with a route table that a subnet uses",
        family=Family.PATHS,
        severity=Severity.LOW,
        rationale=(
            "Traffic reaches a gateway endpoint only through routes. Without a route table that a "
            "subnet uses, the endpoint has no effect."
        ),
        remediation="Associate the endpoint with the route tables in use, or delete it.",
        evaluate=_unused,
        reads=NEEDED,
        controls=UNNEEDED,
        references=(GATEWAY_GUIDE,),
    ),
)
