"""Applies edits of route tables, their routes and associations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from ipaddress import ip_network

from posture.ec2.parse.route_tables import sort_routes
from posture.edits.draft import Draft, Handlers, refuse
from posture.edits.operations.routes import (
    AssociateRouteTable,
    CreateRoute,
    CreateRouteTable,
    DeleteRoute,
    DeleteRouteTable,
    DisassociateRouteTable,
    ReplaceRoute,
    ReplaceRouteTableAssociation,
)
from posture.edits.requests import name_parameter
from posture.edits.targets import INSIDE_TARGETS, find_target, is_inside, require_gateway
from posture.model.network import (
    Facet,
    Network,
    Route,
    RouteOrigin,
    RouteTable,
    Target,
    TargetKind,
)

LOCAL = Target(TargetKind.LOCAL, "local")
# No route can be created to these, which AWS's services use:
# https://docs.aws.amazon.com/vpc/latest/userguide/RouteTables.html
RESERVED = (ip_network("169.254.168.0/22"), ip_network("fd00:ec2::/32"))
DESTINATIONS = ("destination_cidr_block", "destination_ipv6_cidr_block")
DESTINATIONS_AND_LIST = (*DESTINATIONS, "destination_prefix_list_id")
NO_TARGETS = frozenset({"route_table_id", "local_target", *DESTINATIONS_AND_LIST})
OWN_ORIGINS = {RouteOrigin.TABLE, RouteOrigin.STATIC}


def _create_route(draft: Draft, edit: CreateRoute) -> None:
    table = draft.get_route_table(edit.route_table_id)
    _check_destination(draft, edit)
    target = find_target(draft, _list_targets(edit))
    if _find_own(table, edit):
        raise refuse("RouteAlreadyExists", f"The route identified by {_name(edit)} already exists")
    _check_route(draft, edit, target)
    blackhole = target in draft.pending
    route = Route(edit.cidr, edit.destination_prefix_list_id, target, blackhole)
    set_routes(draft, table, (*table.routes, route))


def _replace_route(draft: Draft, edit: ReplaceRoute) -> None:
    table = draft.get_route_table(edit.route_table_id)
    _check_destination(draft, edit)
    given = _list_targets(edit)
    if edit.local_target and any(given.values()):
        raise refuse("InvalidParameterCombination", "The request names several targets")
    target = LOCAL if edit.local_target else find_target(draft, given)
    route = _find_own(table, edit)
    if route is None:
        raise refuse(
            "InvalidParameterValue",
            f"There is no route defined for '{_name(edit)}' in the route table. "
            "Use CreateRoute instead.",
        )
    _refuse_endpoint_route(route)
    if target == LOCAL and route.origin is not RouteOrigin.TABLE:
        raise refuse("InvalidParameterValue", f"{route.destination} is not a local route")
    _check_route(draft, edit, target)
    _swap_route(
        draft, table, route, replace(route, target=target, blackhole=target in draft.pending)
    )


def _delete_route(draft: Draft, edit: DeleteRoute) -> None:
    table = draft.get_route_table(edit.route_table_id)
    _check_destination(draft, edit)
    route = _find_own(table, edit)
    if route is None:
        raise refuse(
            "InvalidRoute.NotFound",
            f"no route with destination {_name(edit)} in route table {table.id}",
        )
    _refuse_endpoint_route(route)
    if route.origin is RouteOrigin.TABLE:
        raise refuse(
            "InvalidParameterValue",
            f"cannot remove local route {route.destination} in route table {table.id}",
        )
    _swap_route(draft, table, route)


def _list_targets(edit: CreateRoute | ReplaceRoute) -> dict[str, str | None]:
    """Return the targets of a request by the name of the parameter."""
    names = (each.name for each in fields(edit) if each.name not in NO_TARGETS)
    return {name_parameter(name): getattr(edit, name) for name in names}


def _check_destination(draft: Draft, edit: CreateRoute | ReplaceRoute | DeleteRoute) -> None:
    given = [name for name in DESTINATIONS_AND_LIST if getattr(edit, name) is not None]
    if not given:
        raise refuse(
            "MissingParameter", "The request must contain the parameter destinationCidrBlock"
        )
    if len(given) > 1:
        names = ", ".join(map(name_parameter, given))
        raise refuse("InvalidParameterCombination", f"The request names several: {names}")
    if edit.destination_prefix_list_id and not isinstance(edit, DeleteRoute):
        draft.get_prefix_list(edit.destination_prefix_list_id)


def _name(edit: CreateRoute | ReplaceRoute | DeleteRoute) -> str:
    return str(edit.cidr or edit.destination_prefix_list_id)


def _find_own(table: RouteTable, edit: CreateRoute | ReplaceRoute | DeleteRoute) -> Route | None:
    """Find the route to a destination that requests can change; propagated routes are not."""
    wanted = (edit.cidr, edit.destination_prefix_list_id)
    found = (each for each in table.routes if (each.cidr, each.prefix_list_id) == wanted)
    return next((each for each in found if each.origin in OWN_ORIGINS), None)


def _refuse_endpoint_route(route: Route) -> None:
    """Refuse to change the route of a gateway endpoint, which EC2 manages.

    https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
    """
    if route.prefix_list_id and route.target.kind is TargetKind.VPC_ENDPOINT:
        raise refuse(
            "InvalidParameterValue",
            f"the route to {route.destination} is managed by VPC endpoint {route.target.id}",
        )


def _check_route(draft: Draft, edit: CreateRoute | ReplaceRoute, target: Target) -> None:
    """Refuse a combination of destination and target that EC2 refuses.

    https://docs.aws.amazon.com/vpc/latest/userguide/route-table-options.html
    """
    cidr = edit.cidr
    if cidr is None:
        return
    if any(_contains(block, cidr) for block in RESERVED):
        raise refuse("InvalidParameterValue", f"The destination {cidr} is reserved by AWS")
    if target.kind is TargetKind.EGRESS_ONLY_GATEWAY and cidr.version == 4:  # noqa: PLR2004
        raise refuse(
            "InvalidParameterValue", f"{target.id} cannot be the target of the IPv4 route {cidr}"
        )
    if not is_inside(draft, cidr) or target.kind is TargetKind.LOCAL:
        return
    if target.kind not in INSIDE_TARGETS:
        raise refuse(
            "InvalidParameterValue",
            f"The destination {cidr} is equal to or more specific than one of this VPC's CIDR "
            "blocks. This route can target only a NAT gateway, a network interface or a Gateway "
            "Load Balancer endpoint.",
        )
    draft.require(Facet.SUBNETS)
    blocks = {block for subnet in draft.subnets.values() for block in subnet.blocks}
    if cidr not in {*blocks, *draft.vpc.cidrs, *draft.vpc.ipv6_cidrs}:
        raise refuse(
            "InvalidParameterValue",
            f"The destination {cidr} doesn't match the CIDR block of a subnet of the VPC",
        )


def _contains(block: Network, cidr: Network) -> bool:
    return block.version == cidr.version and cidr.subnet_of(block)  # type: ignore[arg-type]


def _swap_route(draft: Draft, table: RouteTable, old: Route, *new: Route) -> None:
    set_routes(draft, table, (*(each for each in table.routes if each is not old), *new))


def set_routes(draft: Draft, table: RouteTable, routes: Iterable[Route]) -> None:
    """Set the routes of a table."""
    draft.route_tables[table.id] = replace(table, routes=sort_routes(routes))


def _create_route_table(draft: Draft, edit: CreateRouteTable) -> None:
    draft.require_vpc(edit.vpc_id)
    draft.require(Facet.VPC, Facet.ROUTE_TABLES)
    table_id = draft.create_id("rtb")
    blocks: tuple[Network, ...] = (*draft.vpc.cidrs, *draft.vpc.ipv6_cidrs)
    routes = (Route(block, None, LOCAL, origin=RouteOrigin.TABLE) for block in blocks)
    table = RouteTable(
        table_id,
        draft.vpc.id,
        main=False,
        subnet_ids=(),
        gateway_ids=(),
        associations={},
        routes=(),
    )
    set_routes(draft, table, routes)


def _delete_route_table(draft: Draft, edit: DeleteRouteTable) -> None:
    table = draft.get_route_table(edit.route_table_id)
    draft.require(Facet.ENDPOINTS)
    used = any(
        table.id in each.route_table_ids for each in draft.endpoints.values() if not each.deleted
    )
    if table.main or table.associations or used:
        raise refuse(
            "DependencyViolation",
            f"The routeTable '{table.id}' has dependencies and cannot be deleted.",
        )
    del draft.route_tables[table.id]


def _associate(draft: Draft, edit: AssociateRouteTable) -> None:
    table = draft.get_route_table(edit.route_table_id)
    if (edit.subnet_id is None) is (edit.gateway_id is None):
        raise refuse(
            "InvalidParameterCombination", "Exactly one of SubnetId and GatewayId is required"
        )
    if edit.subnet_id:
        draft.get_subnet(edit.subnet_id)
    else:
        _require_edge_gateway(draft, edit.gateway_id or "")
    wanted = edit.subnet_id or edit.gateway_id or ""
    for each in draft.route_tables.values():
        if wanted in each.associations.values():
            raise refuse(
                "Resource.AlreadyAssociated",
                f"the specified association for route table {table.id} conflicts with an "
                f"existing association of {wanted} with {each.id}",
            )
    _add_association(draft, table.id, wanted)


def _require_edge_gateway(draft: Draft, gateway_id: str) -> None:
    kinds = {"igw": TargetKind.INTERNET_GATEWAY, "vgw": TargetKind.VIRTUAL_PRIVATE_GATEWAY}
    kind = kinds.get(gateway_id.partition("-")[0])
    if kind is None:
        raise refuse("InvalidGatewayID.NotFound", f"The gateway ID '{gateway_id}' does not exist")
    require_gateway(draft, Target(kind, gateway_id))


def _disassociate(draft: Draft, edit: DisassociateRouteTable) -> None:
    table = _get_by_association(draft, edit.association_id)
    if table.associations[edit.association_id] == table.vpc_id:
        raise refuse(
            "InvalidParameterValue",
            f"cannot disassociate the main route table association {edit.association_id}",
        )
    _remove_association(draft, table.id, edit.association_id)


def _replace_association(draft: Draft, edit: ReplaceRouteTableAssociation) -> None:
    new = draft.get_route_table(edit.route_table_id)
    table = _get_by_association(draft, edit.association_id)
    associated = table.associations[edit.association_id]
    if new.id == table.id:
        return
    _remove_association(draft, table.id, edit.association_id)
    _add_association(draft, new.id, associated)


def _get_by_association(draft: Draft, association_id: str) -> RouteTable:
    draft.require(Facet.ROUTE_TABLES)
    for table in draft.route_tables.values():
        if association_id in table.associations:
            return table
    raise refuse(
        "InvalidAssociationID.NotFound",
        f"The association ID '{association_id}' does not exist in {draft.vpc.id}",
    )


def _add_association(draft: Draft, table_id: str, associated: str) -> None:
    table = draft.route_tables[table_id]
    pairs = {**table.associations, draft.create_id("rtbassoc"): associated}
    draft.route_tables[table_id] = _with_associations(table, pairs)


def _remove_association(draft: Draft, table_id: str, association_id: str) -> None:
    table = draft.route_tables[table_id]
    pairs = {name: each for name, each in table.associations.items() if name != association_id}
    draft.route_tables[table_id] = _with_associations(table, pairs)


def _with_associations(table: RouteTable, associations: dict[str, str]) -> RouteTable:
    associated = sorted(associations.values())
    return replace(
        table,
        main=table.vpc_id in associated,
        subnet_ids=tuple(each for each in associated if each.startswith("subnet-")),
        gateway_ids=tuple(each for each in associated if each.startswith(("igw-", "vgw-"))),
        associations=dict(sorted(associations.items())),
    )


HANDLERS: Handlers = {
    CreateRoute: _create_route,
    ReplaceRoute: _replace_route,
    DeleteRoute: _delete_route,
    CreateRouteTable: _create_route_table,
    DeleteRouteTable: _delete_route_table,
    AssociateRouteTable: _associate,
    DisassociateRouteTable: _disassociate,
    ReplaceRouteTableAssociation: _replace_association,
}
