"""Parses transit gateways, their attachments and routes, and VPC peering connections.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from posture.model.network import Network
from posture.model.shared_network import (
    AttachmentKind,
    PeeredVpc,
    TransitAttachment,
    TransitGateway,
    TransitPeer,
    TransitRoute,
    VpcPeering,
)
from posture.organization.parse.fields import (
    Row,
    get_flag,
    get_network,
    get_row,
    get_text,
    list_members,
)

BLACKHOLE = "blackhole"
STATIC = "static"
ASSOCIATED = frozenset({"", "associated"})
ACTIVE = "active"
# Of peering connections that never carry traffic again.
ENDED = frozenset({"deleted", "deleting", "expired", "failed", "rejected"})
KINDS = {
    **{each.value: each for each in AttachmentKind},
    "vpn-concentrator": AttachmentKind.VPN,
    "tgw-peering": AttachmentKind.PEERING,
}


def parse_gateway(row: Row) -> TransitGateway:
    """Parse a row of DescribeTransitGateways."""
    support = get_text(get_row(row, "Options"), "SecurityGroupReferencingSupport", "")
    return TransitGateway(
        id=get_text(row, "TransitGatewayId"),
        owner=get_text(row, "OwnerId"),
        references_groups=support == "enable" if support else None,
    )


def parse_attachment(row: Row, account: str) -> TransitAttachment:
    """Parse a row of DescribeTransitGatewayAttachments.

    Only the owner of the gateway sees for certain that an attachment has no route table.
    https://docs.aws.amazon.com/vpc/latest/tgw/transit-gateway-share.html
    """
    association = get_row(row, "Association")
    table = get_text(association, "TransitGatewayRouteTableId", "")
    if table and get_text(association, "State", "") not in ASSOCIATED:
        table = ""
    owned = get_text(row, "TransitGatewayOwnerId") == account
    return TransitAttachment(
        id=get_text(row, "TransitGatewayAttachmentId"),
        gateway_id=get_text(row, "TransitGatewayId"),
        kind=KINDS.get(get_text(row, "ResourceType"), AttachmentKind.UNKNOWN),
        resource_id=get_text(row, "ResourceId", ""),
        resource_owner=get_text(row, "ResourceOwnerId", ""),
        state=get_text(row, "State"),
        table_id=table or ("" if owned else None),
    )


def complete_vpc_attachment(attachment: TransitAttachment, row: Row) -> TransitAttachment:
    """Complete the attachment of a VPC by its row of DescribeTransitGatewayVpcAttachments."""
    options = get_row(row, "Options")
    mode = get_text(options, "ApplianceModeSupport", "disable")
    ipv6 = get_text(options, "Ipv6Support", "")
    return replace(
        attachment,
        subnet_ids=tuple(sorted(map(str, list_members(row, "SubnetIds")))),
        appliance_mode=mode == "enable",
        carries_ipv6=ipv6 == "enable" if ipv6 else None,
    )


def list_peers(row: Row) -> Mapping[tuple[str, str], TransitPeer]:
    """List the other end of both attachments of a peering, by gateway and attachment.

    Two gateways of one Region have an attachment each; else both ends have the same id.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TransitGatewayPeeringAttachment.html
    """
    requester, accepter = get_row(row, "RequesterTgwInfo"), get_row(row, "AccepterTgwInfo")
    first = get_text(row, "TransitGatewayAttachmentId")
    second = get_text(row, "AccepterTransitGatewayAttachmentId", "") or first
    return {
        (_get_gateway(requester), first): _parse_peer(accepter, second),
        (_get_gateway(accepter), second): _parse_peer(requester, first),
    }


def _get_gateway(row: Row) -> str:
    return get_text(row, "TransitGatewayId", "") or get_text(row, "CoreNetworkId", "")


def _parse_peer(row: Row, attachment_id: str) -> TransitPeer:
    return TransitPeer(
        gateway_id=_get_gateway(row),
        attachment_id=attachment_id,
        region=get_text(row, "Region", ""),
        owner=get_text(row, "OwnerId", ""),
    )


def parse_route(row: Row) -> TransitRoute:
    """Parse a route of SearchTransitGatewayRoutes; several attachments share the traffic."""
    cidr = get_network(row, "DestinationCidrBlock")
    return TransitRoute(
        cidr=cidr,
        prefix_list_id=get_text(row, "PrefixListId") if cidr is None else None,
        attachment_ids=_list_attachments(list_members(row, "TransitGatewayAttachments")),
        blackhole=get_text(row, "State") == BLACKHOLE,
        static=get_text(row, "Type") == STATIC,
    )


def parse_reference(row: Row) -> TransitRoute:
    """Parse a prefix list reference, which is a route to each block of the list.

    https://docs.aws.amazon.com/vpc/latest/tgw/tgw-prefix-lists.html
    """
    attachment = get_row(row, "TransitGatewayAttachment")
    return TransitRoute(
        cidr=None,
        prefix_list_id=get_text(row, "PrefixListId"),
        attachment_ids=_list_attachments([attachment] if attachment else []),
        blackhole=get_flag(row, "Blackhole"),
    )


def sort_routes(routes: Iterable[TransitRoute]) -> tuple[TransitRoute, ...]:
    """Sort routes, as AWS promises no order."""
    return tuple(
        sorted(
            set(routes),
            key=lambda it: (str(it.cidr), it.prefix_list_id or "", it.attachment_ids, it.static),
        )
    )


def _list_attachments(rows: Iterable[Row]) -> tuple[str, ...]:
    return tuple(sorted(get_text(each, "TransitGatewayAttachmentId") for each in rows))


def parse_peering(row: Row) -> VpcPeering | None:
    """Parse a row of DescribeVpcPeeringConnections; None if the connection has ended."""
    status = get_text(get_row(row, "Status"), "Code")
    if status in ENDED:
        return None
    return VpcPeering(
        id=get_text(row, "VpcPeeringConnectionId"),
        requester=_parse_side(get_row(row, "RequesterVpcInfo")),
        accepter=_parse_side(get_row(row, "AccepterVpcInfo")),
        active=status == ACTIVE,
    )


def _parse_side(row: Row) -> PeeredVpc:
    """Parse a side. Its blocks are not returned until the connection is accepted."""
    own = get_network(row, "CidrBlock")
    blocks = [get_network(each, "CidrBlock") for each in list_members(row, "CidrBlockSet")]
    blocks += [get_network(each, "Ipv6CidrBlock") for each in list_members(row, "Ipv6CidrBlockSet")]
    return PeeredVpc(
        vpc_id=get_text(row, "VpcId"),
        account=get_text(row, "OwnerId", ""),
        region=get_text(row, "Region", ""),
        cidrs=sort_networks(filter(None, (own, *blocks))),
    )


def sort_networks(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Sort CIDR blocks without duplicates, IPv4 first."""
    return tuple(
        sorted(set(networks), key=lambda it: (it.version, int(it.network_address), it.prefixlen))
    )
