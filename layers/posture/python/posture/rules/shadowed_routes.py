"""A gateway endpoint's route that other routes of its table take traffic away from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from posture.analysis.addresses import AddressSet
from posture.analysis.routing import Leg, Routing, route_to
from posture.model.network import Endpoint, EndpointType, Facet, Route, RouteTable, TargetKind
from posture.model.service_names import short_name
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import BOUNDARY
from posture.rules.evidence import format_addresses, join_names, route_evidence, summarise_addresses
from posture.rules.remediation_commands import delete_routes_command, describe_bypassing_routes
from posture.rules.rule import Family, Rule, RuleResult, VpcContext

ROUTE_PRIORITY = "https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html"
GATEWAY_GUIDE = (
    "https://docs.aws.amazon.com/vpc/latest/privatelink/"
    "gateway-endpoints.html#gateway-endpoint-routing"
)


@dataclass(frozen=True, slots=True)
class _Shadow:
    """What other routes take away from one endpoint's route."""

    route: Route
    endpoint: Endpoint
    taken: tuple[Leg, ...]
    whole: bool


def _shadowed(vpc: VpcContext) -> Iterator[RuleResult]:
    for _, table in sorted(vpc.snapshot.route_tables.items()):
        meant = [(route, end) for route in table.routes if (end := _gateway(vpc, route))]
        if meant:
            yield _table(vpc, table, meant)


def _gateway(vpc: VpcContext, route: Route) -> Endpoint | None:
    """Give the gateway endpoint that an active route leads to."""
    if route.target.kind is not TargetKind.VPC_ENDPOINT or route.blackhole:
        return None
    endpoint = vpc.snapshot.endpoints.get(route.target.id)
    return endpoint if endpoint and endpoint.type is EndpointType.GATEWAY else None


def _table(
    vpc: VpcContext, table: RouteTable, meant: Sequence[tuple[Route, Endpoint]]
) -> RuleResult:
    shadows: list[_Shadow] = []
    unknown: list[Evidence] = []
    for route, endpoint in meant:
        named = vpc.snapshot.prefix_lists.get(route.prefix_list_id or "")
        if named is None or named.cidrs is None:
            what = f"The entries of {route.destination} could not be read."
            unknown.append(Evidence(what, {"prefix_list": route.destination}))
            continue
        routing = route_to(table, AddressSet.of(named.cidrs), vpc.snapshot.prefix_lists)
        unknown += _doubts(table, routing)
        taken = tuple(leg for leg in routing.legs if leg.route and leg.route.target != route.target)
        if taken:
            whole = len(taken) == len(routing.legs)
            shadows.append(_Shadow(route, endpoint, taken, whole))
    concerns = frozenset(
        {table.id, *(endpoint.id for _, endpoint in meant)}
        | {leg.route.target.id for it in shadows for leg in it.taken if leg.route}
    ) - {"local"}
    if shadows:
        return _told(vpc, table, shadows, concerns)
    if unknown:
        summary = f"{table.id}: whether other routes go before its endpoints' is not known"
        return RuleResult(table.id, Status.UNKNOWN, summary, tuple(unknown), concerns=concerns)
    summary = f"no route of {table.id} goes before its endpoints'"
    return RuleResult(table.id, Status.PASS, summary, concerns=concerns)


def _doubts(table: RouteTable, routing: Routing) -> Iterator[Evidence]:
    for route in routing.unread:
        yield Evidence(
            f"{table.id} routes {route.destination}, whose entries could not be read.",
            {"route_table": table.id, "prefix_list": route.destination},
        )
    for leg in routing.legs:
        if len(leg.routes) > 1:
            ways = " or ".join(f"{each.destination} to {each.target.id}" for each in leg.routes)
            yield Evidence(
                f"AWS does not tell by which of two equal routes of {table.id} "
                f"{summarise_addresses(leg.addresses)} goes: {ways}.",
                {
                    "route_table": table.id,
                    "addresses": format_addresses(leg.addresses),
                    "routes": ways,
                },
            )


def _told(
    vpc: VpcContext, table: RouteTable, shadows: Sequence[_Shadow], concerns: frozenset[str]
) -> RuleResult:
    used_by = [subnet.id for subnet in vpc.users.get(table.id, ())]
    parts = join_names(map(_part, shadows))
    targets = join_names(
        sorted({leg.route.target.id for it in shadows for leg in it.taken if leg.route})
    )
    return RuleResult(
        resource=table.id,
        status=Status.FAIL,
        severity=None if used_by else Severity.LOW,
        summary=f"{table.id} sends {parts} to {targets} past "
        f"{join_names(sorted({shadow.endpoint.id for shadow in shadows}))}"
        + (f", for {join_names(used_by)}" if used_by else "; no subnet uses it"),
        evidence=tuple(fact for shadow in shadows for fact in _facts(table, shadow)),
        remediation=Remediation(
            "Delete the routes that go before the endpoint's, unless they are meant to.",
            " && ".join(filter(None, (_deletes(table, shadow) for shadow in shadows))),
        ),
        concerns=concerns,
        root=describe_bypassing_routes(table, (leg.route for it in shadows for leg in it.taken)),
    )


def _part(shadow: _Shadow) -> str:
    what = "all" if shadow.whole else summarise_addresses(_away(shadow))
    return f"{what} of {short_name(shadow.endpoint.service_name)}"


def _away(shadow: _Shadow) -> AddressSet:
    return AddressSet.union(leg.addresses for leg in shadow.taken)


def _facts(table: RouteTable, shadow: _Shadow) -> Iterator[Evidence]:
    yield route_evidence(table, shadow.route)
    for leg in shadow.taken:
        if leg.route:
            yield route_evidence(table, leg.route)
            yield Evidence(
                f"{leg.route.destination} goes before {shadow.route.destination} for "
                f"{summarise_addresses(leg.addresses)}: it is more specific, or as specific and preferred.",
                {"route": leg.route.destination, "addresses": format_addresses(leg.addresses)},
            )


def _deletes(table: RouteTable, shadow: _Shadow) -> str:
    """Give the commands for routes that carry nothing but the service's addresses."""
    only = [
        leg.route
        for leg in shadow.taken
        if leg.route
        and leg.route.cidr is not None
        and leg.route.target.kind is not TargetKind.LOCAL
        and leg.addresses >= AddressSet.of([leg.route.cidr])
    ]
    return delete_routes_command(table, only)


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="gateway-endpoint-route-shadowed",
        title="endpoint route is shadowed",
        requirement="No route goes before a gateway endpoint's own for the service's addresses",
        family=Family.PATHS,
        severity=Severity.MEDIUM,
        rationale=(
            "A gateway endpoint is a route to a list of blocks. Any route of the same table that "
            "is more specific than one of them, or as specific and static, takes that part of the "
            "service's traffic past the endpoint and its policy, wherever it leads. The endpoint "
            "looks healthy all the while."
        ),
        remediation="Delete the routes that go before the endpoint's.",
        evaluate=_shadowed,
        reads=frozenset(
            {Facet.ROUTE_TABLES, Facet.ENDPOINTS, Facet.SUBNETS, Facet.AWS_PREFIX_LISTS}
        ),
        controls=BOUNDARY,
        references=(ROUTE_PRIORITY, GATEWAY_GUIDE),
    ),
)
