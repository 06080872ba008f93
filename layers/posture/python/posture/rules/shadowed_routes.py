"""The rule about routes that take precedence over a gateway endpoint's route."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from posture.analysis.addresses import AddressSet
from posture.analysis.routing import Leg, Routing
from posture.edits.edit import Edit
from posture.lean_dataclass import dataclass
from posture.model.network import Endpoint, EndpointType, Facet, Route, RouteTable, TargetKind
from posture.model.service_names import short_name
from posture.model.verdict import Evidence, Remediation, Severity
from posture.rules.contexts import VpcContext
from posture.rules.controls import BOUNDARY
from posture.rules.endpoint_lookups import describe_bypassing_routes
from posture.rules.evidence import format_addresses, join_names, route_evidence, summarize_addresses
from posture.rules.gateway_routes import ROUTE_PRIORITY
from posture.rules.remediation import list_remediations
from posture.rules.remediation.gateways import find_destination, remove_route
from posture.rules.result import RuleResult, failed, passed, undecided
from posture.rules.rule import Family, Rule

GATEWAY_GUIDE = (
    "https://docs.aws.amazon.com/vpc/latest/privatelink/"
    "gateway-endpoints.html#gateway-endpoint-routing"
)


@dataclass(frozen=True, slots=True)
class _Shadow:
    """The traffic that other routes divert from one endpoint's route."""

    route: Route
    endpoint: Endpoint
    diverted: tuple[Leg, ...]
    whole: bool


def _shadowed(vpc: VpcContext) -> Iterator[RuleResult]:
    for _, table in sorted(vpc.snapshot.route_tables.items()):
        meant = [(route, end) for route in table.routes if (end := _gateway(vpc, route))]
        if meant:
            yield _table(vpc, table, meant)


def _gateway(vpc: VpcContext, route: Route) -> Endpoint | None:
    """Return the gateway endpoint that is the target of an active route."""
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
            text = f"The entries of prefix list {route.destination} could not be read."
            unknown.append(Evidence(text, {"prefix_list": route.destination}))
            continue
        router = vpc.analysis.paths.prepare_router(table)
        routing = router.route(AddressSet.of(named.cidrs))
        unknown += _uncertainties(table, routing)
        diverted = tuple(
            leg for leg in routing.legs if leg.route and leg.route.target != route.target
        )
        if diverted:
            whole = len(diverted) == len(routing.legs)
            shadows.append(_Shadow(route, endpoint, diverted, whole))
    concerns = frozenset(
        {table.id, *(endpoint.id for _, endpoint in meant)}
        | {leg.route.target.id for it in shadows for leg in it.diverted if leg.route}
    ) - {"local"}
    if shadows:
        return _failure(vpc, table, shadows, concerns)
    if unknown:
        summary = f"{table.id}: precedence of the endpoint routes is not known"
        return undecided(table.id, summary, tuple(unknown), concerns=concerns)
    summary = f"no route in {table.id} takes precedence over an endpoint route"
    return passed(table.id, summary, concerns=concerns)


def _uncertainties(table: RouteTable, routing: Routing) -> Iterator[Evidence]:
    for route in routing.unread:
        yield Evidence(
            f"Route table {table.id} routes prefix list {route.destination}, whose entries could "
            "not be read.",
            {"route_table": table.id, "prefix_list": route.destination},
        )
    for leg in routing.legs:
        if len(leg.routes) > 1:
            routes = " or ".join(f"{each.destination} to {each.target.id}" for each in leg.routes)
            addresses = format_addresses(leg.addresses)
            yield Evidence(
                f"Routes of equal precedence in {table.id} match "
                f"{summarize_addresses(leg.addresses)}, and AWS does not document which one "
                f"applies: {routes}.",
                {"route_table": table.id, "addresses": addresses, "routes": routes},
            )


def _failure(
    vpc: VpcContext, table: RouteTable, shadows: Sequence[_Shadow], concerns: frozenset[str]
) -> RuleResult:
    used_by = [subnet.id for subnet in vpc.users.get(table.id, ())]
    parts = join_names(map(_part, shadows))
    targets = join_names(
        sorted({leg.route.target.id for it in shadows for leg in it.diverted if leg.route})
    )
    return failed(
        resource=table.id,
        severity=None if used_by else Severity.LOW,
        summary=f"{table.id} routes {parts} to {targets}, bypassing "
        f"{join_names(sorted({shadow.endpoint.id for shadow in shadows}))} "
        + (f"for {join_names(used_by)}" if used_by else "(no subnet uses this route table)"),
        evidence=tuple(fact for shadow in shadows for fact in _evidence(table, shadow)),
        propose=partial(_delete_shadowing, vpc, table, shadows),
        concerns=concerns,
        root=describe_bypassing_routes(table, (leg.route for it in shadows for leg in it.diverted)),
    )


def _part(shadow: _Shadow) -> str:
    service = short_name(shadow.endpoint.service_name)
    if shadow.whole:
        return f"all {service} traffic"
    diverted = AddressSet.union(leg.addresses for leg in shadow.diverted)
    return f"{service} traffic ({summarize_addresses(diverted)})"


def _evidence(table: RouteTable, shadow: _Shadow) -> Iterator[Evidence]:
    yield route_evidence(table, shadow.route)
    for leg in shadow.diverted:
        if leg.route:
            yield route_evidence(table, leg.route)
            yield Evidence(
                f"{leg.route.destination} takes precedence over {shadow.route.destination} for "
                f"{summarize_addresses(leg.addresses)}: it is more specific, or as specific and "
                "preferred.",
                {"route": leg.route.destination, "addresses": format_addresses(leg.addresses)},
            )


def _delete_shadowing(
    vpc: VpcContext, table: RouteTable, shadows: Sequence[_Shadow]
) -> tuple[Remediation, ...]:
    """Delete the routes that take precedence and lead to the service's addresses only."""
    found: dict[Route, Edit | None] = {}
    for shadow in shadows:
        for leg in shadow.diverted:
            if leg.route is None or leg.route.target.kind is TargetKind.LOCAL:
                continue
            covered = find_destination(vpc, leg.route)
            if covered and leg.addresses >= covered:
                found[leg.route] = remove_route(vpc, table, leg.route)
    what = "Delete the routes that take precedence over the endpoint route"
    deleted = [each for each in found.values() if each]
    return list_remediations(
        (f"{what}, unless they are intended.", deleted if len(deleted) == len(found) else None),
        otherwise=f"{what}, or stop their propagation, unless they are intended.",
    )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="gateway-endpoint-route-shadowed",
        title="Route takes precedence over endpoint route",
        requirement="No route takes precedence over a gateway endpoint's route",
        family=Family.PATHS,
        severity=Severity.MEDIUM,
        rationale=(
            "The route to a gateway endpoint covers the CIDR blocks of a prefix list. A route in "
            "the same route table that is more specific, or a static route that is as specific, "
            "diverts that part of the traffic from the endpoint and its policy. The endpoint "
            "remains available and looks healthy."
        ),
        remediation="Delete the routes that take precedence over the endpoint route.",
        evaluate=_shadowed,
        reads=frozenset(
            {Facet.ROUTE_TABLES, Facet.ENDPOINTS, Facet.SUBNETS, Facet.AWS_PREFIX_LISTS}
        ),
        controls=BOUNDARY,
        references=(ROUTE_PRIORITY, GATEWAY_GUIDE),
    ),
)
