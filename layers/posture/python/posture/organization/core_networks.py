"""Reads core networks of AWS Cloud WAN: segments, attachments and routes.

Network Manager is a global service, so all Regions' attachments are among them.
https://docs.aws.amazon.com/network-manager/latest/cloudwan/what-is-cloudwan.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from posture.model.shared_network import (
    AttachmentKind,
    SharedFacet,
    SharedNetwork,
    TransitAttachment,
    TransitRoute,
    TransitRouteTable,
)
from posture.organization.parse.core_networks import (
    build_table_id,
    complete_vpc_attachment,
    list_segment_edges,
    parse_core_attachment,
    parse_core_network,
    parse_core_route,
)
from posture.organization.parse.fields import Row, get_row, get_text
from posture.organization.parse.transit import sort_routes
from posture.organization.reader import Reader

GONE = frozenset({"deleted", "deleting", "rejected", "failed"})


def read_core_networks(reader: Reader) -> SharedNetwork:
    """Read the core networks that an account sees, and the routes of its own."""
    network = SharedNetwork(region=reader.region, observed_at=reader.now)
    if not reader.offers("networkmanager"):
        return network
    facet = SharedFacet.CORE_NETWORKS
    rows = reader.read_rows(facet, "CoreNetworks")
    gateways = {each.id: each for each in reader.parse_rows(facet, rows, parse_core_network)}
    owned = [each for each, it in gateways.items() if it.owner == reader.account]
    return replace(
        network,
        gateways=gateways,
        attachments={
            each.id: each for core in gateways for each in _read_attachments(reader, core)
        },
        tables={each.id: each for core in owned for each in _read_tables(reader, core)},
    )


def _read_attachments(reader: Reader, core: str) -> Iterator[TransitAttachment]:
    facet = SharedFacet.CORE_ATTACHMENTS
    rows = reader.read_rows(facet, "Attachments", core, CoreNetworkId=core)
    for each in reader.parse_rows(facet, rows, parse_core_attachment, core):
        if each.state not in GONE:
            yield _complete(reader, each) if each.kind is AttachmentKind.VPC else each


def _complete(reader: Reader, attachment: TransitAttachment) -> TransitAttachment:
    """Complete the attachment of a VPC with its subnets and options."""
    facet = SharedFacet.CORE_VPC_ATTACHMENT
    pages = reader.read_pages(facet, "VpcAttachment", attachment.id, AttachmentId=attachment.id)
    completed = reader.parse_rows(
        facet,
        pages,
        lambda page: complete_vpc_attachment(attachment, get_row(page, "VpcAttachment")),
        attachment.id,
    )
    return next(completed, attachment)


def _read_tables(reader: Reader, core: str) -> Iterator[TransitRouteTable]:
    facet = SharedFacet.CORE_NETWORK
    pages = reader.read_pages(facet, "CoreNetwork", core, CoreNetworkId=core)
    details = [page["CoreNetwork"] for page in pages or () if page.get("CoreNetwork")]
    for row in details:
        for segment, edge in next(reader.parse_rows(facet, [row], list_segment_edges, core), ()):
            table_id = build_table_id(core, segment, edge)
            yield TransitRouteTable(
                table_id, core, _read_routes(reader, row, (segment, edge), table_id)
            )


def _read_routes(
    reader: Reader, row: Row, place: tuple[str, str], table_id: str
) -> tuple[TransitRoute, ...] | None:
    facet, before = SharedFacet.CORE_ROUTES, len(reader.unread)
    segment, edge = place
    rows = reader.read_rows(
        facet,
        "NetworkRoutes",
        table_id,
        GlobalNetworkId=get_text(row, "GlobalNetworkId"),
        RouteTableIdentifier={
            "CoreNetworkSegmentEdge": {
                "CoreNetworkId": get_text(row, "CoreNetworkId"),
                "SegmentName": segment,
                "EdgeLocation": edge,
            }
        },
    )
    routes = reader.parse_rows(facet, rows, parse_core_route, table_id)
    found = sort_routes(routes)
    return found if len(reader.unread) == before else None
