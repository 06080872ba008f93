"""Look-ups and AWS CLI commands that several rules share for their remediation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from posture.model.network import Endpoint, EndpointType, Route, RouteTable, TargetKind
from posture.model.service_names import short_name
from posture.rules.evidence import join_names
from posture.rules.rule import VpcContext

WORKING = frozenset({"available", "pending"})
# Endpoint types that have security groups; Gateway Load Balancer endpoints have none.
GROUPED = (EndpointType.INTERFACE, EndpointType.RESOURCE, EndpointType.SERVICE_NETWORK)

# Working gateway endpoints by service name.
EndpointsByService = Mapping[str, tuple[Endpoint, ...]]


def find_gateway_endpoints(vpc: VpcContext) -> EndpointsByService:
    """Return the working gateway endpoints by service name."""
    found: dict[str, tuple[Endpoint, ...]] = {}
    for endpoint in vpc.endpoints_of(EndpointType.GATEWAY):
        if endpoint.state in WORKING:
            name = endpoint.service_name
            found[name] = (*found.get(name, ()), endpoint)
    return found


def find_interface_endpoints(vpc: VpcContext) -> tuple[Endpoint, ...]:
    """Return the working endpoints that are network interfaces with security groups in subnets."""
    found = vpc.endpoints_of(*GROUPED)
    return tuple(each for each in found if each.state in WORKING)


def has_route_to(table: RouteTable, endpoints: Iterable[Endpoint]) -> bool:
    """Return whether a route table has a route to one of these endpoints."""
    targets = {route.target.id for route in table.routes}
    return any(endpoint.id in targets for endpoint in endpoints)


def delete_routes_command(table: RouteTable, routes: Sequence[Route]) -> str:
    """Build the commands that delete routes, except an endpoint's own, which EC2 manages."""
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


def describe_missing_route(table: RouteTable, services: Iterable[str]) -> str:
    """Name the root cause of a missing endpoint route, in the same words for every rule."""
    names = join_names(map(short_name, sorted(services)))
    return f"route table {table.id} has no route to the gateway endpoint for {names}"


def describe_bypassing_routes(table: RouteTable, routes: Iterable[Route | None]) -> str:
    """Name the root cause of routes that bypass an endpoint, in the same words for every rule."""
    named = join_names(sorted({route.destination for route in routes if route}))
    return f"routes in route table {table.id} bypass the gateway endpoint ({named})"


def create_gateway_endpoint_command(vpc: VpcContext, service_name: str, table: RouteTable) -> str:
    """Build the command that creates a gateway endpoint for a route table."""
    return (
        f"aws ec2 create-vpc-endpoint --vpc-id {vpc.snapshot.vpc.id} "
        f"--vpc-endpoint-type Gateway --service-name {service_name} --route-table-ids {table.id}"
    )


def dual_stack_command(endpoint: Endpoint) -> str:
    """Build the command that lets an endpoint carry IPv6 traffic, too."""
    return (
        f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} --ip-address-type dualstack"
    )


def associate_route_table_command(endpoint: Endpoint, table: RouteTable) -> str:
    """Build the command that associates a gateway endpoint with a route table."""
    return (
        f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} "
        f"--add-route-table-ids {table.id}"
    )
