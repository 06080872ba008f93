"""Rules about how traffic reaches the services that have gateway endpoints.

A gateway endpoint is free, and works where a subnet's route table holds its route; it does not
reach beyond its VPC.
https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from posture.analysis.addresses import AddressSet
from posture.analysis.paths import Path, PathKind
from posture.analysis.routing import subnets_of
from posture.analysis.services import short_name
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
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import BOUNDARY, LEAST_PATH
from posture.rules.facts import endpoint_fact, listed, path_fact, route_fact
from posture.rules.rule import Family, Judgement, Rule, VpcCase

NOT_TRANSITIVE = {
    TargetKind.PEERING: "peering connection",
    TargetKind.TRANSIT_GATEWAY: "transit gateway",
    TargetKind.VIRTUAL_PRIVATE_GATEWAY: "virtual private gateway",
    TargetKind.CORE_NETWORK: "core network",
}
WORKING = frozenset({"available", "pending"})

GATEWAY_GUIDE = "https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html"
ROUTE_PRIORITY = "https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html"
NAT_PRICES = "https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-pricing.html"

NEEDED = frozenset({Facet.SUBNETS, Facet.ROUTE_TABLES, Facet.ENDPOINTS})
WITH_ADDRESSES = NEEDED | {Facet.SERVICES, Facet.AWS_PREFIX_LISTS}


# --- a gateway endpoint that no subnet uses ------------------------------------------------------


def _unused(case: VpcCase) -> Iterator[Judgement]:
    for endpoint in case.endpoints_of(EndpointType.GATEWAY):
        if not case.subnets:
            yield Judgement(
                endpoint.id,
                Status.NOT_APPLICABLE,
                f"{endpoint.id} is in a VPC without subnets",
            )
            continue
        yield _use_of(case, endpoint)


def _use_of(case: VpcCase, endpoint: Endpoint) -> Judgement:
    used = {table.id for table in case.tables.values() if table}
    serving = sorted(used & set(endpoint.route_table_ids))
    concerns = frozenset({endpoint.id, *endpoint.route_table_ids, *used})
    if serving:
        summary = f"{endpoint.id} serves the subnets of {listed(serving)}"
        return Judgement(endpoint.id, Status.PASS, summary, concerns=concerns)
    tables = endpoint.route_table_ids
    what = f"only {listed(tables)}, which no subnet uses" if tables else "no route table"
    add = " ".join(sorted(used))
    return Judgement(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{endpoint.id} ({short_name(endpoint.service_name)}) is associated with {what}",
        evidence=(
            endpoint_fact(endpoint),
            Evidence(
                f"Subnets of the VPC use {listed(sorted(used)) if used else 'no route table'}.",
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


def _missing_route(case: VpcCase) -> Iterator[Judgement]:
    serving = _gateways(case)
    if serving:
        yield from (_routes_of(case, subnet, serving) for subnet in case.subnets)


def _gateways(case: VpcCase) -> dict[str, tuple[Endpoint, ...]]:
    """Give the working gateway endpoints by the name of their service."""
    found: dict[str, tuple[Endpoint, ...]] = {}
    for endpoint in case.endpoints_of(EndpointType.GATEWAY):
        if endpoint.state in WORKING:
            name = endpoint.service_name
            found[name] = (*found.get(name, ()), endpoint)
    return found


def _routes_of(
    case: VpcCase, subnet: Subnet, serving: dict[str, tuple[Endpoint, ...]]
) -> Judgement:
    table = case.tables[subnet.id]
    if table is None:
        return Judgement(
            subnet.id,
            Status.UNKNOWN,
            f"{subnet.id}: the route table it uses could not be found",
            concerns=frozenset({subnet.id}),
        )
    lacking = {
        name: endpoints for name, endpoints in serving.items() if not _has_route(table, endpoints)
    }
    concerns = frozenset(
        {subnet.id, table.id, *table.association_ids}
        | {endpoint.id for endpoints in serving.values() for endpoint in endpoints}
    )
    names = listed(map(short_name, sorted(lacking or serving)))
    if not lacking:
        summary = f"{subnet.id} has the routes to {names}"
        return Judgement(subnet.id, Status.PASS, summary, concerns=concerns)
    how = "the main route table" if subnet.id not in table.subnet_ids else "its route table"
    return Judgement(
        resource=subnet.id,
        status=Status.FAIL,
        summary=f"{subnet.id}: {how} {table.id} has no route to the gateway endpoint of {names}",
        evidence=tuple(_lack(table, lacking[name]) for name in sorted(lacking)),
        remediation=Remediation(
            "Associate the endpoint with the route table.",
            " && ".join(
                f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {lacking[name][0].id} "
                f"--add-route-table-ids {table.id}"
                for name in sorted(lacking)
            ),
        ),
        concerns=concerns,
    )


def _has_route(table: RouteTable, endpoints: Iterable[Endpoint]) -> bool:
    targets = {route.target.id for route in table.routes}
    return any(endpoint.id in targets for endpoint in endpoints)


def _lack(table: RouteTable, endpoints: Sequence[Endpoint]) -> Evidence:
    ids = listed(endpoint.id for endpoint in endpoints)
    return Evidence(
        f"None of the {len(table.routes)} routes of {table.id} leads to {ids} "
        f"({endpoints[0].service_name}).",
        {
            "route_table": table.id,
            "endpoint": ids,
            "service": endpoints[0].service_name,
            "routes": ", ".join(f"{each.destination} to {each.target.id}" for each in table.routes),
        },
    )


# --- a route that drops what should reach an endpoint --------------------------------------------


def _blackholed(case: VpcCase) -> Iterator[Judgement]:
    lists = _gateway_lists(case)
    for _, table in sorted(case.snapshot.route_tables.items()):
        meant = [route for route in table.routes if _is_endpoint_route(route, lists)]
        if not meant:
            continue
        dropping = [route for route in meant if route.blackhole]
        concerns = frozenset({table.id, *(route.target.id for route in meant)})
        if not dropping:
            summary = f"the endpoint routes of {table.id} are active"
            yield Judgement(table.id, Status.PASS, summary, concerns=concerns)
            continue
        used_by = [subnet.id for subnet in subnets_of(case.snapshot, table)]
        yield Judgement(
            resource=table.id,
            status=Status.FAIL,
            severity=None if used_by else Severity.LOW,
            summary=f"{table.id} drops what it should send to "
            f"{listed(sorted({route.target.id for route in dropping}))}"
            + (f", for {listed(used_by)}" if used_by else "; no subnet uses it"),
            evidence=tuple(route_fact(table, route) for route in dropping),
            remediation=Remediation(
                "Make the endpoint anew, or take the route away so that another one holds.",
                _delete_routes(table, dropping),
            ),
            concerns=concerns,
        )


def _gateway_lists(case: VpcCase) -> frozenset[str]:
    """Give the ids of the prefix lists that AWS keeps for gateway services."""
    names = {service.name for service in case.gateway_services}
    return frozenset(
        each.id
        for each in case.snapshot.prefix_lists.values()
        if each.aws_managed and each.name.replace(".ipv6.", ".") in names
    )


def _is_endpoint_route(route: Route, lists: frozenset[str]) -> bool:
    return route.target.kind is TargetKind.VPC_ENDPOINT or route.prefix_list_id in lists


def _delete_routes(table: RouteTable, routes: Sequence[Route]) -> str:
    """Give the commands that delete routes; an endpoint's own routes cannot be deleted so."""
    return " && ".join(
        f"aws ec2 delete-route --route-table-id {table.id} {_option(route)}"
        for route in routes
        if not (route.prefix_list_id and route.target.kind is TargetKind.VPC_ENDPOINT)
    )


def _option(route: Route) -> str:
    if route.cidr is None:
        return f"--destination-prefix-list-id {route.prefix_list_id}"
    family = "ipv6-" if route.cidr.version == 6 else ""  # noqa: PLR2004 - the family's number
    return f"--destination-{family}cidr-block {route.cidr}"


# --- a service's prefix list sent to another network ---------------------------------------------


def _transitive(case: VpcCase) -> Iterator[Judgement]:
    lists = _gateway_lists(case)
    for _, table in sorted(case.snapshot.route_tables.items()):
        named = [route for route in table.routes if route.prefix_list_id in lists]
        if not named:
            continue
        away = [route for route in named if route.target.kind in NOT_TRANSITIVE]
        concerns = frozenset({table.id, *(route.target.id for route in named)})
        if not away:
            summary = f"{table.id} sends no service's prefix list to another network"
            yield Judgement(table.id, Status.PASS, summary, concerns=concerns)
            continue
        targets = listed(f"{NOT_TRANSITIVE[route.target.kind]} {route.target.id}" for route in away)
        yield Judgement(
            resource=table.id,
            status=Status.FAIL,
            summary=f"{table.id} sends a service's prefix list to {targets}, behind which no "
            "gateway endpoint can be used",
            evidence=tuple(route_fact(table, route) for route in away),
            remediation=Remediation(
                "Make a gateway endpoint in this VPC, and delete the route.",
                _delete_routes(table, away),
            ),
            concerns=concerns,
        )


# --- traffic that leaves by the internet although a gateway endpoint is free ---------------------


@dataclass(frozen=True, slots=True)
class _Leak:
    """What of one service leaves a subnet towards the internet."""

    service: Service
    paths: tuple[Path, ...]
    endpoints: tuple[Endpoint, ...]
    whole: bool

    @property
    def by_nat(self) -> bool:
        return any(path.kind is PathKind.NAT_GATEWAY for path in self.paths)


def _leaving(case: VpcCase) -> Iterator[Judgement]:
    serving = _gateways(case)
    yield from (_ways_of(case, subnet, serving) for subnet in case.subnets)


def _ways_of(case: VpcCase, subnet: Subnet, serving: dict[str, tuple[Endpoint, ...]]) -> Judgement:
    leaks: list[_Leak] = []
    unknown: list[Evidence] = []
    for service in case.gateway_services:
        paths = case.paths[subnet.id, service.name]
        if paths is None:
            unknown.append(_no_answer(subnet, service))
            continue
        out = tuple(path for path in paths if path.to_internet)
        if out:
            whole = all(path in out for path in paths)
            leaks.append(_Leak(service, out, serving.get(service.name, ()), whole))
        unknown += [
            path_fact(service, path)
            for path in paths
            if any(way.kind is PathKind.UNKNOWN for way in (path, *path.onward))
        ]
    concerns = _path_concerns(case, subnet, serving)
    if leaks:
        return _leaves(case, subnet, leaks, concerns)
    if unknown:
        summary = f"{subnet.id}: the way of some traffic to gateway services is not known"
        return Judgement(subnet.id, Status.UNKNOWN, summary, tuple(unknown), concerns=concerns)
    summary = f"nothing {subnet.id} sends to S3 or DynamoDB leaves by a NAT or internet gateway"
    return Judgement(subnet.id, Status.PASS, summary, concerns=concerns)


def _no_answer(subnet: Subnet, service: Service) -> Evidence:
    return Evidence(
        f"The addresses of {service.name} or the route table of {subnet.id} could not be read.",
        {"service": service.name, "subnet": subnet.id},
    )


def _path_concerns(
    case: VpcCase, subnet: Subnet, serving: dict[str, tuple[Endpoint, ...]]
) -> frozenset[str]:
    """Give what the way of a subnet's traffic hangs on."""
    table = case.tables[subnet.id]
    concerns = {subnet.id, *(each.id for endpoints in serving.values() for each in endpoints)}
    if table is None:
        return frozenset(concerns)
    concerns |= {table.id, *table.association_ids}
    for service in case.gateway_services:
        for path in case.paths[subnet.id, service.name] or ():
            concerns |= {each.target for each in (path, *path.onward) if each.target}
    return frozenset(concerns - {"local"})


def _leaves(
    case: VpcCase, subnet: Subnet, leaks: Sequence[_Leak], concerns: frozenset[str]
) -> Judgement:
    despite = any(leak.endpoints for leak in leaks)
    parts = [
        f"{'all' if leak.whole else 'part'} of {short_name(leak.service.name)}" for leak in leaks
    ]
    ways = sorted({path.kind.value for leak in leaks for path in leak.paths})
    endpoints = sorted({each.id for leak in leaks for each in leak.endpoints})
    tail = f" past {listed(endpoints)}" if despite else "; a gateway endpoint is free"
    return Judgement(
        resource=subnet.id,
        status=Status.FAIL,
        severity=Severity.HIGH if despite else None,
        summary=f"{subnet.id} sends {listed(parts)} out by {listed(ways)}{tail}",
        evidence=tuple(path_fact(leak.service, path) for leak in leaks for path in leak.paths),
        remediation=Remediation(_advice(leaks), _command(case, subnet, leaks)),
        concerns=concerns,
    )


def _advice(leaks: Sequence[_Leak]) -> str:
    cost = " What passes a NAT gateway is charged by the gigabyte." if _any_nat(leaks) else ""
    if all(leak.endpoints and not leak.whole for leak in leaks):
        return f"Delete the routes that are more specific than the endpoint's.{cost}"
    return f"Send the traffic by a gateway endpoint, which costs nothing.{cost}"


def _any_nat(leaks: Sequence[_Leak]) -> bool:
    return any(leak.by_nat for leak in leaks)


def _command(case: VpcCase, subnet: Subnet, leaks: Sequence[_Leak]) -> str:
    table = case.tables[subnet.id]
    if table is None:
        return ""
    steps = [step for leak in leaks for step in _steps(case, table, leak)]
    return " && ".join(dict.fromkeys(steps))


def _steps(case: VpcCase, table: RouteTable, leak: _Leak) -> Iterator[str]:
    if not leak.endpoints:
        yield (
            f"aws ec2 create-vpc-endpoint --vpc-id {case.snapshot.vpc.id} "
            f"--vpc-endpoint-type Gateway --service-name {leak.service.name} "
            f"--route-table-ids {table.id}"
        )
    elif not _has_route(table, leak.endpoints):
        yield (
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {leak.endpoints[0].id} "
            f"--add-route-table-ids {table.id}"
        )
    else:
        specific = [path.route for path in leak.paths if path.route and _within(path, leak)]
        yield from filter(None, [_delete_routes(table, specific)])


def _within(path: Path, leak: _Leak) -> bool:
    """Tell whether a route serves nothing but the service: a default route is not to be deleted."""
    route = path.route
    if route is None or route.cidr is None or leak.whole:
        return False
    return path.addresses >= AddressSet.of([route.cidr])


RULES: tuple[Rule[VpcCase], ...] = (
    Rule(
        id="gateway-service-leaves-by-internet",
        title="S3 or DynamoDB leaves by the internet",
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
        judge=_leaving,
        reads=WITH_ADDRESSES | {Facet.NAT_GATEWAYS},
        controls=BOUNDARY,
        references=(GATEWAY_GUIDE, ROUTE_PRIORITY, NAT_PRICES),
    ),
    Rule(
        id="subnet-lacks-gateway-route",
        title="subnet lacks the gateway endpoint's route",
        requirement="Every subnet's route table leads to the VPC's gateway endpoints",
        family=Family.PATHS,
        severity=Severity.MEDIUM,
        rationale=(
            "The VPC has a gateway endpoint, but the route table that a subnet uses, its own or "
            "the main one, has no route to it: what the subnet sends takes another way, or none."
        ),
        remediation="Associate the endpoint with the route table.",
        judge=_missing_route,
        reads=NEEDED,
        controls=BOUNDARY,
        references=(GATEWAY_GUIDE,),
    ),
    Rule(
        id="endpoint-route-blackholed",
        title="endpoint route is a blackhole",
        requirement="No route to an endpoint is a blackhole",
        family=Family.PATHS,
        severity=Severity.HIGH,
        rationale=(
            "A route whose target is gone drops what it matches: the subnets of its table are cut "
            "off from the service."
        ),
        remediation="Make the endpoint anew, or take the route away.",
        judge=_blackholed,
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
        judge=_transitive,
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
        judge=_unused,
        reads=NEEDED,
        controls=LEAST_PATH,
        references=(GATEWAY_GUIDE,),
    ),
)
