"""Edits that route the traffic of subnets to gateway endpoints.

A route table can have one route to a service's prefix list, so the endpoint that a VPC has for the
service is used wherever it can be.
https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from posture.analysis.acls import EPHEMERAL_PORTS
from posture.analysis.addresses import FAMILIES, NOTHING, AddressSet
from posture.analysis.gates import HTTPS
from posture.analysis.region_offers import find_service_addresses, list_service_prefix_lists
from posture.edits.edit import Edit
from posture.edits.operations.endpoints import CreateVpcEndpoint, ModifyVpcEndpoint
from posture.edits.operations.routes import DeleteRoute
from posture.model.network import (
    Endpoint,
    EndpointType,
    Route,
    RouteOrigin,
    RouteTable,
    Service,
    TargetKind,
)
from posture.rules.contexts import VpcContext
from posture.rules.endpoint_lookups import find_gateway_endpoints
from posture.rules.remediation.acls import Opening, open_acls
from posture.rules.remediation.policies import generate_least_policy

MAX_DELETIONS = 1_000  # of routes: the commands for more are longer than a shell accepts


def list_tables(vpc: VpcContext) -> tuple[RouteTable, ...]:
    """Return the route tables that subnets with workloads use, sorted by id."""

    def find() -> tuple[RouteTable, ...]:
        tables = {table.id: table for each in vpc.subnets if (table := vpc.tables[each.id])}
        return tuple(table for _, table in sorted(tables.items()))

    return vpc.remember(("tables",), find)


def route_services(
    vpc: VpcContext,
    services: Iterable[Service],
    tables: Sequence[RouteTable] = (),
    *,
    dual_stack: frozenset[str] = frozenset(),
    create: bool = True,
) -> tuple[Edit, ...] | None:
    """Return the edits that give route tables a route to a gateway endpoint for each service.

    Args:
        vpc: The VPC.
        services: The services with gateway endpoints.
        tables: The route tables; by default all that subnets with workloads use.
        dual_stack: The names of the services whose endpoint must carry IPv6 traffic, too.
        create: Whether endpoints may be created.

    Returns:
        The edits; None if a route table has a route that requests cannot change.
    """
    found: list[Edit] = []
    for service in services:
        dual = service.name in dual_stack
        key = "routed", service.name, tuple(each.id for each in tables), dual, create
        edits = vpc.remember(
            key,
            partial(
                _route_service,
                vpc,
                service,
                tables or list_tables(vpc),
                dual_stack=dual,
                create=create,
            ),
        )
        if edits is None:
            return None
        found += edits
    return tuple(found)


def _route_service(
    vpc: VpcContext,
    service: Service,
    tables: Sequence[RouteTable],
    *,
    dual_stack: bool,
    create: bool,
) -> list[Edit] | None:
    working = find_gateway_endpoints(vpc).get(service.name, ())
    found: list[Edit] = []
    lacking: list[str] = []
    for table in tables:
        routes = _find_list_routes(vpc, service, table)
        if any(_leads_to(route, working) for route in routes):
            continue
        lacking.append(table.id)
        for route in routes:
            edit = remove_route(vpc, table, route)
            if edit is None:
                return None
            found.append(edit)
    if working:
        endpoint = working[0]
        dual = dual_stack and endpoint.ip_address_type in {"ipv4", None}
        if lacking or dual:
            found.append(
                ModifyVpcEndpoint(
                    vpc_endpoint_id=endpoint.id,
                    add_route_table_ids=tuple(lacking),
                    ip_address_type="dualstack" if dual else None,
                )
            )
        return found
    if not create or not lacking:
        return None
    found.append(create_gateway_endpoint(vpc, service, lacking, dual_stack=dual_stack))
    return found


def create_gateway_endpoint(
    vpc: VpcContext, service: Service, table_ids: Sequence[str], *, dual_stack: bool = False
) -> CreateVpcEndpoint:
    """Return the creation of a gateway endpoint with the least policy that keeps needs working."""
    endpoint = Endpoint(
        id="vpce-new-1",
        type=EndpointType.GATEWAY,
        vpc_id=vpc.snapshot.vpc.id,
        service_name=service.name,
        state="available",
    )
    return CreateVpcEndpoint(
        vpc_id=vpc.snapshot.vpc.id,
        vpc_endpoint_type=EndpointType.GATEWAY,
        service_name=service.name,
        policy_document=generate_least_policy(vpc, endpoint),
        route_table_ids=tuple(table_ids),
        ip_address_type="dualstack" if dual_stack else None,
    )


def _find_list_routes(vpc: VpcContext, service: Service, table: RouteTable) -> list[Route]:
    def find() -> list[Route]:
        lists = {each.id for each in list_service_prefix_lists(vpc.snapshot, service)}
        return [route for route in table.routes if route.prefix_list_id in lists]

    return vpc.remember(("list routes", service.name, table.id), find)


def _leads_to(route: Route, endpoints: Iterable[Endpoint]) -> bool:
    return not route.blackhole and route.target.id in {each.id for each in endpoints}


def remove_route(vpc: VpcContext, table: RouteTable, route: Route) -> Edit | None:
    """Return the edit that removes a route; None if no request can remove it.

    EC2 manages the route of a gateway endpoint, and others propagate routes.
    """
    if route.origin not in {RouteOrigin.STATIC, RouteOrigin.UNKNOWN}:
        return None
    if route.prefix_list_id and route.target.kind is TargetKind.VPC_ENDPOINT:
        endpoint = vpc.snapshot.endpoints.get(route.target.id)
        if endpoint is None or endpoint.deleted or table.id not in endpoint.route_table_ids:
            return None
        return ModifyVpcEndpoint(vpc_endpoint_id=endpoint.id, remove_route_table_ids=(table.id,))
    return delete_route(table, route)


def delete_route(table: RouteTable, route: Route) -> DeleteRoute:
    """Return the deletion of a route."""
    v4 = route.cidr is not None and route.cidr.version == 4  # noqa: PLR2004 - the family's number
    return DeleteRoute(
        route_table_id=table.id,
        destination_cidr_block=route.cidr if v4 else None,  # type: ignore[arg-type]
        destination_ipv6_cidr_block=None if v4 else route.cidr,  # type: ignore[arg-type]
        destination_prefix_list_id=route.prefix_list_id,
    )


def delete_specific_routes(
    vpc: VpcContext, services: Iterable[Service], tables: Iterable[RouteTable]
) -> tuple[Edit, ...] | None:
    """Return the deletions of the routes for part of the addresses of a service only.

    Such a route takes precedence over the endpoint's. None if one cannot be deleted, or if they are
    too many for one command.
    """
    found: dict[Edit, None] = {}
    for table in tables:
        for service in services:
            key = "specific", service.name, table.id
            edits = vpc.remember(key, partial(_delete_specific, vpc, service, table))
            if edits is None:
                return None
            found |= dict.fromkeys(edits)
            if len(found) > MAX_DELETIONS:
                return None
    return tuple(found)


def _delete_specific(
    vpc: VpcContext, service: Service, table: RouteTable
) -> tuple[Edit, ...] | None:
    lists = list_service_prefix_lists(vpc.snapshot, service)
    addresses = AddressSet.union(AddressSet.of(each.cidrs or ()) for each in lists)
    named = {each.id for each in lists}
    found: list[Edit] = []
    for route in table.routes:
        if route.target.kind is TargetKind.LOCAL or route.prefix_list_id in named:
            continue
        covered = find_destination(vpc, route)
        if covered and addresses >= covered:
            edit = remove_route(vpc, table, route)
            if edit is None:
                return None
            found.append(edit)
    return tuple(found)


def open_acls_to_gateway(vpc: VpcContext, service: Service) -> tuple[Edit, ...] | None:
    """Return the entries that let subnets reach the addresses of a service, there and back."""
    addresses = find_service_addresses(vpc.snapshot, service)
    if addresses is None:
        return None
    found: dict[Opening, AddressSet] = {}
    for subnet in vpc.subnets:
        versions = {block.version for block in subnet.blocks}
        peers = addresses & AddressSet.union(FAMILIES[each] for each in versions)
        if acl := vpc.analysis.reachability.find_acl(subnet.id):
            for opening in (
                Opening(acl.id, egress=True, ports=(HTTPS, HTTPS)),
                Opening(acl.id, egress=False, ports=EPHEMERAL_PORTS),
            ):
                found[opening] = found.get(opening, NOTHING) | peers
    return open_acls(vpc.snapshot, found)


def find_destination(vpc: VpcContext, route: Route) -> AddressSet | None:
    """Return the addresses that a route matches; None if its prefix list is not readable."""
    if route.cidr is not None:
        return AddressSet.of([route.cidr])
    named = vpc.snapshot.prefix_lists.get(route.prefix_list_id or "")
    return AddressSet.of(named.cidrs) if named and named.cidrs else None
