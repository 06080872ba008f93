"""Applies to the shared network what edits of a VPC change of it: attachments, peering, lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from posture.edits.operations.gateways import (
    AcceptVpcPeeringConnection,
    CreateTransitGatewayVpcAttachment,
    CreateVpcPeeringConnection,
    DeleteTransitGatewayVpcAttachment,
    DeleteVpcPeeringConnection,
)
from posture.edits.operations.vpcs import ModifyManagedPrefixList
from posture.edits.shared_draft import SharedDraft
from posture.model.shared_network import (
    AttachmentKind,
    PeeredVpc,
    TransitAttachment,
    TransitRoute,
    VpcPeering,
)

Effect = Callable[[SharedDraft, Any, str], None]  # with the symbol of what the edit created


def _attach(draft: SharedDraft, edit: CreateTransitGatewayVpcAttachment, created: str) -> None:
    """Add an attachment, which a transit gateway may associate with its default route table."""
    draft.assume(f"{edit.transit_gateway_id} has no default association route table")
    draft.attachments[created] = TransitAttachment(
        created,
        edit.transit_gateway_id,
        AttachmentKind.VPC,
        edit.vpc_id,
        draft.find_account(edit.vpc_id),
        "available",
        "",
        edit.subnet_ids,
        carries_ipv6=False,  # unless an option says so, which no edit has
    )


def _detach(draft: SharedDraft, edit: DeleteTransitGatewayVpcAttachment, _: str) -> None:
    """Remove an attachment: its static routes become blackholes, and the others go."""
    gone = draft.attachments.pop(edit.transit_gateway_attachment_id, None)
    for table in tuple(draft.tables.values()):
        if gone and table.routes is not None:
            routes = (_remove_target(each, gone.id) for each in table.routes)
            draft.tables[table.id] = replace(table, routes=tuple(each for each in routes if each))


def _remove_target(route: TransitRoute, attachment_id: str) -> TransitRoute | None:
    if attachment_id not in route.attachment_ids:
        return route
    rest = tuple(each for each in route.attachment_ids if each != attachment_id)
    if not rest and not route.static:
        return None
    return replace(route, attachment_ids=rest, blackhole=not rest)


def _request_peering(draft: SharedDraft, edit: CreateVpcPeeringConnection, created: str) -> None:
    region = draft.shared.region
    requester, accepter = (
        PeeredVpc(vpc_id, account or draft.find_account(vpc_id), in_region, cidrs)
        for vpc_id, account, in_region, cidrs in (
            (edit.vpc_id, "", region, draft.list_known_cidrs(edit.vpc_id)),
            (
                edit.peer_vpc_id,
                edit.peer_owner_id,
                edit.peer_region or region,
                draft.list_known_cidrs(edit.peer_vpc_id),
            ),
        )
    )
    draft.peerings[created] = VpcPeering(created, requester, accepter, active=False)


def _accept_peering(draft: SharedDraft, edit: AcceptVpcPeeringConnection, _: str) -> None:
    peering = draft.peerings.get(edit.vpc_peering_connection_id)
    if peering:
        draft.peerings[peering.id] = replace(peering, active=True)


def _delete_peering(draft: SharedDraft, edit: DeleteVpcPeeringConnection, _: str) -> None:
    draft.peerings.pop(edit.vpc_peering_connection_id, None)


def _modify_list(draft: SharedDraft, edit: ModifyManagedPrefixList, _: str) -> None:
    """Take a prefix list from a VPC that uses it, where transit gateways use it as well."""
    if edit.prefix_list_id not in draft.prefix_lists:
        return
    for network in draft.drafts.values():
        if found := network.prefix_lists.get(edit.prefix_list_id):
            draft.prefix_lists[found.id] = found


EFFECTS: Mapping[type, Effect] = {
    CreateTransitGatewayVpcAttachment: _attach,
    DeleteTransitGatewayVpcAttachment: _detach,
    CreateVpcPeeringConnection: _request_peering,
    AcceptVpcPeeringConnection: _accept_peering,
    DeleteVpcPeeringConnection: _delete_peering,
    ModifyManagedPrefixList: _modify_list,
}
