"""Finds out what an edit concerns: the networks that hold what it names, and the account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from posture.edits.draft import Draft, ServiceDraft
from posture.edits.edit import Edit
from posture.edits.shared_draft import SharedDraft
from posture.edits.shared_edit import (
    AcceptTransitGatewayVpcAttachment,
    AssociateProfile,
    AssociateResolverRule,
    AssociateResourceToProfile,
    AssociateTransitGatewayRouteTable,
    AssociateVPCWithHostedZone,
    ChangeResourceRecordSets,
    CreateHostedZone,
    CreateTransitGatewayRoute,
    CreateVPCAssociationAuthorization,
    DeleteTransitGatewayRoute,
    DisableTransitGatewayRouteTablePropagation,
    DisassociateProfile,
    DisassociateResolverRule,
    DisassociateResourceFromProfile,
    DisassociateTransitGatewayRouteTable,
    DisassociateVPCFromHostedZone,
    EnableTransitGatewayRouteTablePropagation,
    ModifyTransitGatewayVpcAttachment,
    ReplaceTransitGatewayRoute,
)

# The fields of edits that say which VPC or endpoint service changes; the first that is given does.
OWNERS = (
    ("service_id",),
    ("vpc_id", "peer_vpc_id"),
    ("route_table_id",),
    ("association_id",),
    ("network_acl_id",),
    ("group_id",),
    ("vpc_endpoint_id",),
    ("vpc_endpoint_ids",),
    ("nat_gateway_id",),
    ("subnet_id",),
    ("prefix_list_id",),
    ("vpc_peering_connection_id",),
    ("egress_only_internet_gateway_id",),
    ("transit_gateway_id",),
    ("transit_gateway_attachment_id",),
)
# What several VPCs may share.
SHARED = frozenset({"prefix_list_id", "vpc_peering_connection_id"})


def find_owner_ids(edit: Edit) -> tuple[str, tuple[str, ...]]:
    """Return the field that says what an edit changes, and the ids that it holds."""
    for names in OWNERS:
        values = [value for name in names if (value := getattr(edit, name, None))]
        if values:
            ids = (each if isinstance(each, tuple) else (each,) for each in values)
            return names[0], tuple(text for each in ids for text in each)
    return "", ()


def holds(draft: Draft | ServiceDraft, resource_id: str) -> bool:
    """Return whether a network is or has what an id names, or a route to it."""
    if resource_id == draft.snapshot.scope.subject:
        return True
    if isinstance(draft, ServiceDraft):
        return False
    if resource_id.startswith(("rtbassoc-", "aclassoc-")):
        tables = (each.associations for each in draft.route_tables.values())
        acls = (each.associations for each in draft.network_acls.values())
        return any(resource_id in each for each in (*tables, *acls))
    parts: tuple[Mapping[str, object], ...] = (
        draft.subnets,
        draft.endpoints,
        draft.security_groups,
        draft.nat_gateways,
        draft.prefix_lists,
        draft.route_tables,
        draft.network_acls,
        draft.attachments,
    )
    return any(resource_id in part for part in parts) or _is_linked(draft, resource_id)


def _is_linked(draft: Draft, gateway_id: str) -> bool:
    """Return whether a VPC has a gateway or attachment, or a route to it."""
    attachment = draft.shared.attachments.get(gateway_id) if draft.shared else None
    if attachment:
        return attachment.resource_id == draft.vpc.id
    routes = (route for table in draft.route_tables.values() for route in table.routes)
    return any(
        target.id == gateway_id for target in (*draft.gateways, *(each.target for each in routes))
    )


def _of_zone(draft: SharedDraft, edit: Any) -> str:
    return draft.get_zone(edit.hosted_zone_id).owner


def _of_vpc(draft: SharedDraft, edit: Any) -> str:
    return draft.find_account(edit.vpc.vpc_id if edit.vpc else "")


def _of_rule(draft: SharedDraft, edit: Any) -> str:
    return draft.find_account(edit.vpc_id)


def _of_profile_use(draft: SharedDraft, edit: Any) -> str:
    return draft.find_account(edit.resource_id.rpartition("/")[2])


def _of_profile(draft: SharedDraft, edit: Any) -> str:
    return draft.get_profile(edit.profile_id).owner


def _of_table(draft: SharedDraft, edit: Any) -> str:
    table = draft.get_table(edit.transit_gateway_route_table_id)
    return _get_gateway_owner(draft, table.gateway_id)


def _of_gateway(draft: SharedDraft, edit: Any) -> str:
    attachment = draft.get_attachment(edit.transit_gateway_attachment_id)
    return _get_gateway_owner(draft, attachment.gateway_id)


def _get_gateway_owner(draft: SharedDraft, gateway_id: str) -> str:
    gateway = draft.shared.gateways.get(gateway_id)
    return gateway.owner if gateway else ""


def _of_attachment(draft: SharedDraft, edit: Any) -> str:
    return draft.get_attachment(edit.transit_gateway_attachment_id).resource_owner


# A transit gateway's route tables can be changed in its own account only, an attachment in that of
# its VPC: https://docs.aws.amazon.com/vpc/latest/tgw/transit-gateway-share.html
_OWNERS: Mapping[type, Callable[[SharedDraft, Any], str]] = {
    ChangeResourceRecordSets: _of_zone,
    CreateVPCAssociationAuthorization: _of_zone,
    CreateHostedZone: _of_vpc,
    AssociateVPCWithHostedZone: _of_vpc,
    DisassociateVPCFromHostedZone: _of_vpc,
    AssociateResolverRule: _of_rule,
    DisassociateResolverRule: _of_rule,
    AssociateProfile: _of_profile_use,
    DisassociateProfile: _of_profile_use,
    AssociateResourceToProfile: _of_profile,
    DisassociateResourceFromProfile: _of_profile,
    CreateTransitGatewayRoute: _of_table,
    ReplaceTransitGatewayRoute: _of_table,
    DeleteTransitGatewayRoute: _of_table,
    AssociateTransitGatewayRouteTable: _of_table,
    DisassociateTransitGatewayRouteTable: _of_table,
    EnableTransitGatewayRouteTablePropagation: _of_table,
    DisableTransitGatewayRouteTablePropagation: _of_table,
    AcceptTransitGatewayVpcAttachment: _of_gateway,
    ModifyTransitGatewayVpcAttachment: _of_attachment,
}


def find_owner(draft: SharedDraft, edit: Edit) -> str:
    """Return the account in which an edit of the shared network is made; "" if not known."""
    return _OWNERS[type(edit)](draft, edit)
