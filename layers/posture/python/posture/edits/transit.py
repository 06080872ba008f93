"""Applies edits of transit gateways: routes, associations, propagations and attachments.

https://docs.aws.amazon.com/vpc/latest/tgw/how-transit-gateways-work.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from posture.edits.draft import Handlers, refuse
from posture.edits.shared_draft import SharedDraft
from posture.edits.shared_edit import (
    AcceptTransitGatewayVpcAttachment,
    AssociateTransitGatewayRouteTable,
    CreateTransitGatewayRoute,
    DeleteTransitGatewayRoute,
    DisableTransitGatewayRouteTablePropagation,
    DisassociateTransitGatewayRouteTable,
    EnableTransitGatewayRouteTablePropagation,
    ModifyTransitGatewayVpcAttachment,
    ReplaceTransitGatewayRoute,
)
from posture.errors import UndecidedEditError
from posture.model.network import Network
from posture.model.shared_network import (
    AttachmentKind,
    TransitAttachment,
    TransitRoute,
    TransitRouteTable,
)

SWITCHES = {"enable": True, "disable": False}


def _create_route(draft: SharedDraft, edit: CreateTransitGatewayRoute) -> None:
    table, routes = _get_routes(draft, edit.transit_gateway_route_table_id)
    cidr = edit.destination_cidr_block
    if _find_static(routes, cidr):
        raise refuse(
            "RouteAlreadyExists",
            f"Route {cidr} already exists in Transit Gateway Route Table {table.id}.",
        )
    _set_routes(draft, table, (*routes, _build_route(draft, table, edit)))


def _replace_route(draft: SharedDraft, edit: ReplaceTransitGatewayRoute) -> None:
    table, routes = _get_routes(draft, edit.transit_gateway_route_table_id)
    old = _require_static(table, routes, edit.destination_cidr_block)
    new = _build_route(draft, table, edit)
    _set_routes(draft, table, (*(each for each in routes if each is not old), new))


def _delete_route(draft: SharedDraft, edit: DeleteTransitGatewayRoute) -> None:
    table, routes = _get_routes(draft, edit.transit_gateway_route_table_id)
    old = _require_static(table, routes, edit.destination_cidr_block)
    if _could_propagate(draft, table, edit.destination_cidr_block):
        draft.assume(
            f"no propagated route of {table.id} to {edit.destination_cidr_block} takes the place "
            "of the static one"
        )
    _set_routes(draft, table, (each for each in routes if each is not old))


def _could_propagate(draft: SharedDraft, table: TransitRouteTable, cidr: Network) -> bool:
    """Return whether a VPC of the transit gateway has a block; the API hides what it propagates."""
    return any(
        cidr in draft.list_known_cidrs(each.resource_id)
        for each in draft.attachments.values()
        if each.gateway_id == table.gateway_id and each.kind is AttachmentKind.VPC
    )


def _build_route(
    draft: SharedDraft,
    table: TransitRouteTable,
    edit: CreateTransitGatewayRoute | ReplaceTransitGatewayRoute,
) -> TransitRoute:
    target = edit.transit_gateway_attachment_id
    if bool(target) is bool(edit.blackhole):
        raise refuse(
            "MissingParameter" if not target else "InvalidParameterCombination",
            "The request must contain exactly one of TransitGatewayAttachmentId and Blackhole",
        )
    if target is None:
        return TransitRoute(edit.destination_cidr_block, None, (), blackhole=True)
    _get_attachment_of(draft, table, target)
    return TransitRoute(edit.destination_cidr_block, None, (target,))


def _get_routes(
    draft: SharedDraft, table_id: str
) -> tuple[TransitRouteTable, tuple[TransitRoute, ...]]:
    table = draft.get_table(table_id)
    if table.routes is None:
        raise UndecidedEditError(f"the routes of {table.id} could not be read")
    return table, table.routes


def _get_attachment_of(
    draft: SharedDraft, table: TransitRouteTable, attachment_id: str
) -> TransitAttachment:
    """Look up an attachment of the transit gateway that a route table belongs to."""
    attachment = draft.get_attachment(attachment_id)
    if attachment.gateway_id != table.gateway_id:
        raise refuse(
            "InvalidParameterValue",
            f"{attachment.id} belongs to {attachment.gateway_id} and {table.id} to "
            f"{table.gateway_id}.",
        )
    if attachment.state != "available":
        raise refuse("IncorrectState", f"{attachment.id} is in the state {attachment.state}.")
    return attachment


def _find_static(routes: Iterable[TransitRoute], cidr: Network) -> TransitRoute | None:
    return next((each for each in routes if each.static and each.cidr == cidr), None)


def _require_static(
    table: TransitRouteTable, routes: Iterable[TransitRoute], cidr: Network
) -> TransitRoute:
    found = _find_static(routes, cidr)
    if found is None:
        raise refuse(
            "InvalidRoute.NotFound",
            f"There is no static route {cidr} in Transit Gateway Route Table {table.id}.",
        )
    return found


def _set_routes(
    draft: SharedDraft, table: TransitRouteTable, routes: Iterable[TransitRoute]
) -> None:
    """Set the routes of a table, without the propagated ones that a static one hides.

    The API shows only the preferred route to a destination.
    """
    found = tuple(routes)
    static = {each.cidr for each in found if each.static and each.cidr}
    kept = (each for each in found if each.static or each.cidr not in static)
    draft.tables[table.id] = replace(table, routes=tuple(sorted(kept, key=_order)))


def _order(route: TransitRoute) -> tuple[str, str, bool]:
    return str(route.cidr or ""), route.prefix_list_id or "", not route.static


def _propagates(routes: Iterable[TransitRoute], attachment: TransitAttachment) -> bool:
    """Return whether routes of an attachment are propagated to these."""
    return any(not each.static and attachment.id in each.attachment_ids for each in routes)


def _associate(draft: SharedDraft, edit: AssociateTransitGatewayRouteTable) -> None:
    table = draft.get_table(edit.transit_gateway_route_table_id)
    attachment = _get_attachment_of(draft, table, edit.transit_gateway_attachment_id)
    if attachment.table_id is None:
        raise UndecidedEditError(f"the route table of {attachment.id} could not be read")
    if attachment.table_id:
        raise refuse(
            "Resource.AlreadyAssociated",
            f"Transit Gateway Attachment {attachment.id} is already associated to a route table: "
            f"{attachment.table_id}.",
        )
    draft.attachments[attachment.id] = replace(attachment, table_id=table.id)


def _disassociate(draft: SharedDraft, edit: DisassociateTransitGatewayRouteTable) -> None:
    table = draft.get_table(edit.transit_gateway_route_table_id)
    attachment = _get_attachment_of(draft, table, edit.transit_gateway_attachment_id)
    if attachment.table_id is None:
        raise UndecidedEditError(f"the route table of {attachment.id} could not be read")
    if attachment.table_id != table.id:
        raise refuse(
            "InvalidAssociation.NotFound", f"{attachment.id} is not associated with {table.id}."
        )
    draft.attachments[attachment.id] = replace(attachment, table_id="")


def _enable(draft: SharedDraft, edit: EnableTransitGatewayRouteTablePropagation) -> None:
    """Propagate all CIDR blocks of a VPC, except those that another VPC's overlap.

    https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html
    """
    table, routes = _get_routes(draft, edit.transit_gateway_route_table_id)
    attachment = _get_attachment_of(draft, table, edit.transit_gateway_attachment_id)
    if attachment.kind is not AttachmentKind.VPC:
        raise UndecidedEditError(f"which routes {attachment.id} propagates is not known")
    if _propagates(routes, attachment):
        raise refuse(
            "TransitGatewayRouteTablePropagation.Duplicate",
            f"Propagation from attachment {attachment.id} to route table {table.id} is already "
            "enabled.",
        )
    routes = tuple(each for each in routes if each.static or not _is_stale(draft, each))
    propagated = [each.cidr for each in routes if not each.static and each.cidr]
    new = (
        TransitRoute(cidr, None, (attachment.id,), static=False)
        for cidr in draft.list_cidrs(attachment.resource_id)
        if not any(cidr.version == it.version and cidr.overlaps(it) for it in propagated)
    )
    _set_routes(draft, table, (*routes, *new))


def _is_stale(draft: SharedDraft, route: TransitRoute) -> bool:
    """Return whether a route was propagated by attachments that are gone."""
    return draft.attachments.keys().isdisjoint(route.attachment_ids)


def _disable(draft: SharedDraft, edit: DisableTransitGatewayRouteTablePropagation) -> None:
    table, routes = _get_routes(draft, edit.transit_gateway_route_table_id)
    attachment = draft.get_attachment(edit.transit_gateway_attachment_id)
    if not _propagates(routes, attachment):
        raise refuse(
            "TransitGatewayRouteTablePropagation.NotFound",
            f"Propagation from attachment {attachment.id} to route table {table.id} is not "
            "enabled.",
        )
    kept = (each for each in routes if each.static or attachment.id not in each.attachment_ids)
    _set_routes(draft, table, kept)


def _accept(draft: SharedDraft, edit: AcceptTransitGatewayVpcAttachment) -> None:
    attachment = draft.get_attachment(edit.transit_gateway_attachment_id)
    if attachment.state != "pendingAcceptance":
        raise refuse("IncorrectState", f"{attachment.id} is in the state {attachment.state}.")
    draft.attachments[attachment.id] = replace(attachment, state="available")


def _modify(draft: SharedDraft, edit: ModifyTransitGatewayVpcAttachment) -> None:
    attachment = draft.get_attachment(edit.transit_gateway_attachment_id)
    if attachment.kind is not AttachmentKind.VPC:
        raise refuse(
            "InvalidTransitGatewayAttachmentID.NotFound", f"{attachment.id} is not one of a VPC."
        )
    held = [each for each in attachment.subnet_ids if each not in edit.remove_subnet_ids]
    if unknown := {*edit.remove_subnet_ids} - {*attachment.subnet_ids}:
        raise refuse("InvalidSubnetID.NotFound", f"{min(unknown)} is not in {attachment.id}.")
    subnet_ids = (*held, *(each for each in edit.add_subnet_ids if each not in held))
    if not subnet_ids:
        raise refuse("InvalidParameterValue", f"{attachment.id} needs at least one subnet.")
    if edit.add_subnet_ids:
        _require_zones(draft, attachment, subnet_ids)
    changed = replace(attachment, subnet_ids=tuple(sorted(subnet_ids)))
    mode = SWITCHES.get((edit.options and edit.options.appliance_mode_support) or "")
    if mode is not None:
        changed = replace(changed, appliance_mode=mode)
    ipv6 = SWITCHES.get((edit.options and edit.options.ipv6_support) or "")
    if ipv6 is not None:
        changed = replace(changed, carries_ipv6=ipv6)
    draft.attachments[attachment.id] = changed


def _require_zones(
    draft: SharedDraft, attachment: TransitAttachment, subnet_ids: Iterable[str]
) -> None:
    """Require one subnet in a zone."""
    network = draft.drafts.get(attachment.resource_id)
    if network is None:
        raise UndecidedEditError(f"the subnets of {attachment.resource_id} are not known")
    zones: set[str] = set()
    for subnet in map(network.get_subnet, subnet_ids):
        if subnet.zone in zones:
            raise refuse("DuplicateSubnetsInSameZone", f"More than one subnet is in {subnet.zone}")
        zones.add(subnet.zone)


HANDLERS: Handlers = {
    CreateTransitGatewayRoute: _create_route,
    ReplaceTransitGatewayRoute: _replace_route,
    DeleteTransitGatewayRoute: _delete_route,
    AssociateTransitGatewayRouteTable: _associate,
    DisassociateTransitGatewayRouteTable: _disassociate,
    EnableTransitGatewayRouteTablePropagation: _enable,
    DisableTransitGatewayRouteTablePropagation: _disable,
    AcceptTransitGatewayVpcAttachment: _accept,
    ModifyTransitGatewayVpcAttachment: _modify,
}
