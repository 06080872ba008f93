"""Look-ups and words that several rules share for their results and remediation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from posture.analysis.endpoint_dns import WORKING
from posture.analysis.names import group_by_service
from posture.analysis.open_access import OpenAccess, find_open_access
from posture.model.network import (
    Endpoint,
    EndpointType,
    NetworkAcl,
    Route,
    RouteTable,
    SecurityGroup,
)
from posture.model.service_names import short_name
from posture.rules.contexts import VpcContext
from posture.rules.evidence import join_names

AVAILABLE = "available"
PENDING = frozenset({"pending", "pendingacceptance"})
AWS_SERVICE_TYPES = (EndpointType.GATEWAY, EndpointType.INTERFACE)
# Endpoint types that have security groups; Gateway Load Balancer endpoints have none.
GROUPED = (EndpointType.INTERFACE, EndpointType.RESOURCE, EndpointType.SERVICE_NETWORK)

# Working gateway endpoints by service name.
EndpointsByService = Mapping[str, tuple[Endpoint, ...]]


def find_gateway_endpoints(vpc: VpcContext) -> EndpointsByService:
    """Return the working gateway endpoints by service name."""

    def find() -> EndpointsByService:
        found = vpc.endpoints_of(EndpointType.GATEWAY)
        return group_by_service(each for each in found if each.state in WORKING)

    return vpc.remember(("gateway endpoints",), find)


def find_interface_endpoints(vpc: VpcContext) -> tuple[Endpoint, ...]:
    """Return the working endpoints that are network interfaces with security groups in subnets."""

    def find() -> tuple[Endpoint, ...]:
        return tuple(each for each in vpc.endpoints_of(*GROUPED) if each.state in WORKING)

    return vpc.remember(("interface endpoints",), find)


def list_groups(vpc: VpcContext, endpoint: Endpoint) -> tuple[list[SecurityGroup], list[str]]:
    """List an endpoint's security groups, and the ids of those that are not in the snapshot."""
    known, ids = vpc.snapshot.security_groups, endpoint.security_group_ids
    missing = [each for each in ids if each not in known]
    return [known[each] for each in ids if each in known], missing


def list_associations(
    vpc: VpcContext, held: RouteTable | NetworkAcl, subnet_id: str
) -> tuple[str, ...]:
    """List the ids of the associations that decide whether a subnet has a route table or ACL.

    These are its own and that of the main route table, not those of other subnets.
    """

    def group() -> Mapping[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for name, target in held.associations.items():
            found[target] = (*found.get(target, ()), name)
        return found

    by_target = vpc.remember(("associations", held.id), group)
    return (*by_target.get(subnet_id, ()), *by_target.get(held.vpc_id, ()))


def find_access_by_groups(vpc: VpcContext, endpoint: Endpoint) -> OpenAccess:
    """Find a port on which an endpoint's security groups allow every address, once."""
    groups, _ = list_groups(vpc, endpoint)
    key = "open access", endpoint.security_group_ids
    return vpc.remember(key, partial(find_open_access, groups, vpc.snapshot.prefix_lists))


def has_route_to(table: RouteTable, endpoints: Iterable[Endpoint]) -> bool:
    """Return whether a route table has a route to one of these endpoints."""
    targets = {route.target.id for route in table.routes}
    return any(endpoint.id in targets for endpoint in endpoints)


def describe_missing_route(table: RouteTable, services: Iterable[str]) -> str:
    """Name the root cause of a missing endpoint route, in the same words for every rule."""
    names = join_names(map(short_name, sorted(services)))
    return f"route table {table.id} has no route to the gateway endpoint for {names}"


def describe_bypassing_routes(table: RouteTable, routes: Iterable[Route | None]) -> str:
    """Name the root cause of routes that bypass an endpoint, in the same words for every rule."""
    named = join_names(sorted({route.destination for route in routes if route}))
    return f"routes in route table {table.id} bypass the gateway endpoint ({named})"
