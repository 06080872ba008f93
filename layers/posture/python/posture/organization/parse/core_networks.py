"""Parses core networks of AWS Cloud WAN, which are modelled as transit gateways.

A core network has a route table for each segment and edge location.
https://docs.aws.amazon.com/networkmanager/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from dataclasses import replace

from posture.model.shared_network import (
    AttachmentKind,
    TransitAttachment,
    TransitGateway,
    TransitRoute,
)
from posture.organization.parse.fields import (
    Row,
    get_arn_resource,
    get_flag,
    get_network,
    get_row,
    get_text,
    list_members,
)

KINDS = {
    "VPC": AttachmentKind.VPC,
    "SITE_TO_SITE_VPN": AttachmentKind.VPN,
    "DIRECT_CONNECT_GATEWAY": AttachmentKind.DIRECT_CONNECT,
    "CONNECT": AttachmentKind.CONNECT,
    "TRANSIT_GATEWAY_ROUTE_TABLE": AttachmentKind.PEERING,
}
STATES = {"AVAILABLE": "available", "UPDATING": "available"}


def parse_core_network(row: Row) -> TransitGateway:
    """Parse a row of ListCoreNetworks."""
    return TransitGateway(id=get_text(row, "CoreNetworkId"), owner=get_text(row, "OwnerAccountId"))


def parse_core_attachment(row: Row) -> TransitAttachment:
    """Parse a row of ListAttachments; one that belongs to no segment yet has no table."""
    core, segment = get_text(row, "CoreNetworkId"), get_text(row, "SegmentName", "")
    function = get_text(row, "NetworkFunctionGroupName", "")
    kind = KINDS.get(get_text(row, "AttachmentType"), AttachmentKind.UNKNOWN)
    state = get_text(row, "State")
    return TransitAttachment(
        id=get_text(row, "AttachmentId"),
        gateway_id=core,
        kind=AttachmentKind.NETWORK_FUNCTION if function else kind,
        resource_id=get_arn_resource(get_text(row, "ResourceArn", "")),
        resource_owner=get_text(row, "OwnerAccountId", ""),
        state=STATES.get(state, state.lower()),
        table_id=build_table_id(core, segment, get_text(row, "EdgeLocation", ""))
        if segment
        else "",
    )


def complete_vpc_attachment(attachment: TransitAttachment, row: Row) -> TransitAttachment:
    """Complete the attachment of a VPC by the one that GetVpcAttachment returns."""
    subnets = sorted(get_arn_resource(str(each)) for each in list_members(row, "SubnetArns"))
    options = get_row(row, "Options")
    return replace(
        attachment,
        subnet_ids=tuple(subnets),
        appliance_mode=get_flag(options, "ApplianceModeSupport"),
        carries_ipv6=get_flag(options, "Ipv6Support") if "Ipv6Support" in options else None,
    )


def list_segment_edges(row: Row) -> tuple[tuple[str, str], ...]:
    """List the segments of GetCoreNetwork with each of their edge locations."""
    return tuple(
        sorted(
            (get_text(segment, "Name"), str(edge))
            for segment in list_members(row, "Segments")
            for edge in list_members(segment, "EdgeLocations")
        )
    )


def build_table_id(core_network: str, segment: str, edge: str) -> str:
    """Build the id of the route table of a segment at an edge location, as it has none in AWS."""
    return f"{core_network}/{segment}/{edge}"


def parse_core_route(row: Row) -> TransitRoute:
    """Parse a route of GetNetworkRoutes.

    A destination without an attachment, such as a network function group, is named instead: it is
    the id of no attachment, so the path ends there as unknown.
    """
    cidr = get_network(row, "DestinationCidrBlock")
    return TransitRoute(
        cidr=cidr,
        prefix_list_id=get_text(row, "PrefixListId") if cidr is None else None,
        attachment_ids=tuple(
            sorted(filter(None, map(_name_destination, list_members(row, "Destinations"))))
        ),
        blackhole=get_text(row, "State", "ACTIVE") == "BLACKHOLE",
        static=get_text(row, "Type", "") == "STATIC",
    )


def _name_destination(row: Row) -> str:
    members = (
        "CoreNetworkAttachmentId",
        "TransitGatewayAttachmentId",
        "NetworkFunctionGroupName",
        "SegmentName",
        "ResourceId",
    )
    return next((text for each in members if (text := get_text(row, each, ""))), "")
