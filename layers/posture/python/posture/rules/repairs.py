"""The working endpoints and the routes that rules speak of, and the commands that mend them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from posture.model.network import Endpoint, EndpointType, Route, RouteTable, TargetKind
from posture.model.service_names import short_name
from posture.rules.facts import listed
from posture.rules.rule import VpcCase

WORKING = frozenset({"available", "pending"})

Serving = Mapping[str, tuple[Endpoint, ...]]  # working gateway endpoints by name of their service


def serving(case: VpcCase) -> Serving:
    """Give the working gateway endpoints by the name of their service."""
    found: dict[str, tuple[Endpoint, ...]] = {}
    for endpoint in case.endpoints_of(EndpointType.GATEWAY):
        if endpoint.state in WORKING:
            name = endpoint.service_name
            found[name] = (*found.get(name, ()), endpoint)
    return found


def working_interfaces(case: VpcCase) -> tuple[Endpoint, ...]:
    """Give the working interface endpoints."""
    found = case.endpoints_of(EndpointType.INTERFACE)
    return tuple(each for each in found if each.state in WORKING)


def has_route(table: RouteTable, endpoints: Iterable[Endpoint]) -> bool:
    """Tell whether a table has a route to one of these endpoints."""
    targets = {route.target.id for route in table.routes}
    return any(endpoint.id in targets for endpoint in endpoints)


def delete_routes(table: RouteTable, routes: Sequence[Route]) -> str:
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


def no_route(table: RouteTable, services: Iterable[str]) -> str:
    """Say what is wrong with a table that lacks an endpoint's route, alike in every rule."""
    names = listed(map(short_name, sorted(services)))
    return f"route table {table.id} has no route to the gateway endpoint of {names}"


def past_the_endpoint(table: RouteTable, routes: Iterable[Route | None]) -> str:
    """Say what is wrong with a table whose routes go before its endpoint's, alike in every rule."""
    named = listed(sorted({route.destination for route in routes if route}))
    return f"route table {table.id} has routes past the gateway endpoint ({named})"


def create_gateway(case: VpcCase, service_name: str, table: RouteTable) -> str:
    """Give the command that makes a gateway endpoint for a table."""
    return (
        f"aws ec2 create-vpc-endpoint --vpc-id {case.snapshot.vpc.id} "
        f"--vpc-endpoint-type Gateway --service-name {service_name} --route-table-ids {table.id}"
    )


def add_table(endpoint: Endpoint, table: RouteTable) -> str:
    """Give the command that associates a gateway endpoint with a table."""
    return (
        f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} "
        f"--add-route-table-ids {table.id}"
    )
