"""Rules about how traffic reaches the services that have gateway endpoints.

A gateway endpoint is free, and works where a subnet's route table holds its route; it does not
reach beyond its VPC.
https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from posture.model.network import (
    Endpoint,
    EndpointType,
    Facet,
    Route,
    RouteTable,
    Subnet,
    TargetKind,
)
from posture.model.service_names import short_name
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import BOUNDARY, LEAST_PATH
from posture.rules.evidence import endpoint_evidence, format_endpoint, join_names, route_evidence
from posture.rules.remediation_commands import (
    EndpointsByService,
    associate_route_table_command,
    delete_routes_command,
    describe_missing_route,
    find_gateway_endpoints,
    has_route_to,
)
from posture.rules.rule import Family, Rule, RuleResult, VpcContext

NOT_TRANSITIVE = {
    TargetKind.PEERING: "peering connection",
    TargetKind.TRANSIT_GATEWAY: "transit gateway",
    TargetKind.VIRTUAL_PRIVATE_GATEWAY: "virtual private gateway",
    TargetKind.CORE_NETWORK: "core network",
}
GATEWAY_GUIDE = "https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html"
ROUTE_PRIORITY = "https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html"

NEEDED = frozenset({Facet.SUBNETS, Facet.ROUTE_TABLES, Facet.ENDPOINTS})


# --- a gateway endpoint that no subnet uses ------------------------------------------------------


def _unused(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints_of(EndpointType.GATEWAY):
        if not vpc.subnets:
            yield RuleResult(
                endpoint.id,
                Status.NOT_APPLICABLE,
                f"{endpoint.id} is in a VPC without subnets",
            )
            continue
        yield _use_of(vpc, endpoint)


def _use_of(vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    used = {table.id for table in vpc.tables.values() if table}
    find_gateway_endpoints = sorted(used & set(endpoint.route_table_ids))
    concerns = frozenset({endpoint.id, *endpoint.route_table_ids, *used})
    if find_gateway_endpoints:
        summary = f"{endpoint.id} serves the subnets of {join_names(find_gateway_endpoints)}"
        return RuleResult(endpoint.id, Status.PASS, summary, concerns=concerns)
    tables = endpoint.route_table_ids
    what = f"only {join_names(tables)}, which no subnet uses" if tables else "no route table"
    add = " ".join(sorted(used))
    return RuleResult(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{format_endpoint(endpoint)} is associated with {what}",
        evidence=(
            endpoint_evidence(endpoint),
            Evidence(
                f"Subnets of the VPC use {join_names(sorted(used)) if used else 'no route table'}.",
                {"associated": ", ".join(tables), "used": ", ".join(sorted(used))},
            ),
        ),
        remediation=Remediation(
            "Associate the endpoint with the route tables of the subnets that should use it, or "
            "delete it.",
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} "
            f"--add-route-table-ids {add}"
            if add
            else "",
        ),
        concerns=concerns,
    )


# --- a subnet whose route table lacks the route of an endpoint that the VPC has ------------------


def _missing_route(vpc: VpcContext) -> Iterator[RuleResult]:
    endpoints = find_gateway_endpoints(vpc)
    if endpoints:
        yield from (_routes_of(vpc, subnet, endpoints) for subnet in vpc.subnets)


def _routes_of(vpc: VpcContext, subnet: Subnet, endpoints: EndpointsByService) -> RuleResult:
    table = vpc.tables[subnet.id]
    if table is None:
        return RuleResult(
            subnet.id,
            Status.UNKNOWN,
            f"{subnet.id}: the route table it uses could not be found",
            concerns=frozenset({subnet.id}),
        )
    lacking = {name: each for name, each in endpoints.items() if not has_route_to(table, each)}
    concerns = frozenset(
        {subnet.id, table.id, *table.association_ids}
        | {endpoint.id for of_one in endpoints.values() for endpoint in of_one}
    )
    names = join_names(map(short_name, sorted(lacking or endpoints)))
    if not lacking:
        summary = f"{subnet.id} has the routes to {names}"
        return RuleResult(subnet.id, Status.PASS, summary, concerns=concerns)
    how = "the main route table" if subnet.id not in table.subnet_ids else "its route table"
    return RuleResult(
        resource=subnet.id,
        status=Status.FAIL,
        summary=f"{subnet.id}: {how} {table.id} has no route to the gateway endpoint of {names}",
        evidence=tuple(_lack(table, lacking[name]) for name in sorted(lacking)),
        remediation=Remediation(
            "Associate the endpoint with the route table.",
            " && ".join(
                associate_route_table_command(lacking[name][0], table) for name in sorted(lacking)
            ),
        ),
        concerns=concerns,
        root=describe_missing_route(table, lacking),
    )


def _counted(routes: Sequence[Route]) -> str:
    return f"{len(routes)} routes, none of them" if len(routes) > 1 else "no route"


def _lack(table: RouteTable, endpoints: Sequence[Endpoint]) -> Evidence:
    ids = join_names(endpoint.id for endpoint in endpoints)
    return Evidence(
        f"{table.id} has {_counted(table.routes)} to {ids} ({endpoints[0].service_name}).",
        {
            "route_table": table.id,
            "endpoint": ids,
            "service": endpoints[0].service_name,
            "routes": ", ".join(f"{each.destination} to {each.target.id}" for each in table.routes),
        },
    )


# --- a route that drops what should reach an endpoint --------------------------------------------


def _blackholed(vpc: VpcContext) -> Iterator[RuleResult]:
    lists = _gateway_lists(vpc)
    for _, table in sorted(vpc.snapshot.route_tables.items()):
        meant = [route for route in table.routes if _is_endpoint_route(route, lists)]
        if not meant:
            continue
        dropping = [route for route in meant if route.blackhole]
        concerns = frozenset({table.id, *(route.target.id for route in meant)})
        if not dropping:
            summary = f"the endpoint routes of {table.id} are active"
            yield RuleResult(table.id, Status.PASS, summary, concerns=concerns)
            continue
        used_by = [subnet.id for subnet in vpc.users.get(table.id, ())]
        yield RuleResult(
            resource=table.id,
            status=Status.FAIL,
            severity=None if used_by else Severity.LOW,
            summary=f"{table.id} drops what it should send to "
            f"{join_names(sorted({route.target.id for route in dropping}))}"
            + (f", for {join_names(used_by)}" if used_by else "; no subnet uses it"),
            evidence=tuple(route_evidence(table, route) for route in dropping),
            remediation=Remediation(
                "Make the endpoint anew, or take the route away so that another one holds.",
                delete_routes_command(table, dropping),
            ),
            concerns=concerns,
        )


def _gateway_lists(vpc: VpcContext) -> frozenset[str]:
    """Give the ids of the prefix lists that AWS keeps for gateway services."""
    names = {service.name for service in vpc.gateway_services}
    return frozenset(
        each.id
        for each in vpc.snapshot.prefix_lists.values()
        if each.aws_managed and each.name.replace(".ipv6.", ".") in names
    )


def _is_endpoint_route(route: Route, lists: frozenset[str]) -> bool:
    return route.target.kind is TargetKind.VPC_ENDPOINT or route.prefix_list_id in lists


# --- a service's prefix list sent to another network ---------------------------------------------


def _transitive(vpc: VpcContext) -> Iterator[RuleResult]:
    lists = _gateway_lists(vpc)
    for _, table in sorted(vpc.snapshot.route_tables.items()):
        named = [route for route in table.routes if route.prefix_list_id in lists]
        if not named:
            continue
        away = [route for route in named if route.target.kind in NOT_TRANSITIVE]
        concerns = frozenset({table.id, *(route.target.id for route in named)})
        if not away:
            summary = f"{table.id} sends no service's prefix list to another network"
            yield RuleResult(table.id, Status.PASS, summary, concerns=concerns)
            continue
        targets = join_names(
            f"{NOT_TRANSITIVE[route.target.kind]} {route.target.id}" for route in away
        )
        yield RuleResult(
            resource=table.id,
            status=Status.FAIL,
            summary=f"{table.id} sends a service's prefix list to {targets}, behind which no "
            "gateway endpoint can be used",
            evidence=tuple(route_evidence(table, route) for route in away),
            remediation=Remediation(
                "Make a gateway endpoint in this VPC, and delete the route.",
                delete_routes_command(table, away),
            ),
            concerns=concerns,
        )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="subnet-without-gateway-endpoint-route",
        title="subnet lacks the gateway endpoint's route",
        requirement="Every subnet's route table leads to the VPC's gateway endpoints",
        family=Family.PATHS,
        severity=Severity.MEDIUM,
        rationale=(
            "The VPC has a gateway endpoint, but the route table that a subnet uses, its own or "
            "the main one, has no route to it: what the subnet sends takes another way, or none."
        ),
        remediation="Associate the endpoint with the route table.",
        evaluate=_missing_route,
        reads=NEEDED,
        controls=BOUNDARY,
        references=(GATEWAY_GUIDE,),
    ),
    Rule(
        id="gateway-endpoint-route-blackholed",
        title="endpoint route is a blackhole",
        requirement="No route to an endpoint is a blackhole",
        family=Family.PATHS,
        severity=Severity.HIGH,
        rationale=(
            "A route whose target is gone drops what it matches: the subnets of its table are cut "
            "off from the service."
        ),
        remediation="Make the endpoint anew, or take the route away.",
        evaluate=_blackholed,
        reads=NEEDED | {Facet.SERVICES, Facet.AWS_PREFIX_LISTS},
        controls=LEAST_PATH,
        references=(ROUTE_PRIORITY,),
    ),
    Rule(
        id="prefix-list-routed-to-other-network",
        title="service's prefix list sent to another network",
        requirement="A gateway service's prefix list is not routed to another network",
        family=Family.PATHS,
        severity=Severity.MEDIUM,
        rationale=(
            "Gateway endpoints are not transitive: what reaches another VPC by peering or a "
            "transit gateway cannot use the endpoint there. The traffic is dropped, or leaves by "
            "that network's internet gateway."
        ),
        remediation="Make a gateway endpoint in this VPC, and delete the route.",
        evaluate=_transitive,
        reads=frozenset({Facet.ROUTE_TABLES, Facet.SERVICES, Facet.AWS_PREFIX_LISTS}),
        controls=BOUNDARY,
        references=(GATEWAY_GUIDE,),
    ),
    Rule(
        id="gateway-endpoint-unused",
        title="gateway endpoint serves no subnet",
        requirement="Every gateway endpoint is associated with a route table that a subnet uses",
        family=Family.PATHS,
        severity=Severity.LOW,
        rationale=(
            "A gateway endpoint works by its routes. One without a route table, or with tables "
            "that no subnet uses, looks like protection and is none."
        ),
        remediation="Associate the endpoint with the route tables in use, or delete it.",
        evaluate=_unused,
        reads=NEEDED,
        controls=LEAST_PATH,
        references=(GATEWAY_GUIDE,),
    ),
)
