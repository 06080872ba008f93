"""Reads transit gateways and VPC peering connections.

The owner of a gateway sees all its attachments and route tables; an account that it is shared with
sees its own attachments only.
https://docs.aws.amazon.com/vpc/latest/tgw/transit-gateway-share.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from posture.ec2.parse.fields import parse_networks, parse_values
from posture.model.network import Network, PrefixList
from posture.model.shared_network import (
    AttachmentKind,
    SharedFacet,
    SharedNetwork,
    TransitAttachment,
    TransitGateway,
    TransitRoute,
    TransitRouteTable,
)
from posture.organization.parse.fields import Row, get_text
from posture.organization.parse.transit import (
    complete_vpc_attachment,
    list_peers,
    parse_attachment,
    parse_gateway,
    parse_peering,
    parse_reference,
    parse_route,
    sort_routes,
)
from posture.organization.reader import Reader

GONE = frozenset({"deleted", "deleting", "failed", "rejected"})  # states of gateways, attachments
ROUTES = [{"Name": "state", "Values": ["active", "blackhole"]}]  # others carry no traffic


def read_transit(reader: Reader) -> SharedNetwork:
    """Read the transit gateways that an account sees, and the route tables of its own."""
    facet = SharedFacet.TRANSIT_GATEWAYS
    rows = _drop_gone(reader.read_rows(facet, "TransitGateways"))
    gateways = {each.id: each for each in reader.parse_rows(facet, rows, parse_gateway)}
    tables = {each.id: each for each in _read_tables(reader, gateways)}
    return SharedNetwork(
        region=reader.region,
        observed_at=reader.now,
        gateways=gateways,
        attachments=_read_attachments(reader),
        tables=tables,
        prefix_lists={
            each: _read_prefix_list(reader, each)
            for each in sorted(
                {
                    route.prefix_list_id
                    for table in tables.values()
                    for route in table.routes or ()
                    if route.prefix_list_id
                }
            )
        },
    )


def _drop_gone(rows: Iterable[Row] | None) -> list[Row]:
    return [row for row in rows or () if row.get("State") not in GONE]


def _read_attachments(reader: Reader) -> dict[str, TransitAttachment]:
    facet = SharedFacet.ATTACHMENTS
    rows = _drop_gone(reader.read_rows(facet, "TransitGatewayAttachments"))
    parsed = list(reader.parse_rows(facet, rows, lambda row: parse_attachment(row, reader.account)))
    if not parsed:
        return {}
    facet = SharedFacet.VPC_ATTACHMENTS
    of_vpcs = _drop_gone(reader.read_rows(facet, "TransitGatewayVpcAttachments"))
    by_id = {str(row.get("TransitGatewayAttachmentId")): row for row in of_vpcs}
    facet = SharedFacet.PEERING_ATTACHMENTS
    has_peers = any(each.kind is AttachmentKind.PEERING for each in parsed)
    peered = reader.read_rows(facet, "TransitGatewayPeeringAttachments") if has_peers else None
    of_peers = _drop_gone(peered)
    peers = {
        key: peer
        for found in reader.parse_rows(facet, of_peers, list_peers)
        for key, peer in found.items()
    }
    attachments: dict[str, TransitAttachment] = {}
    for each in parsed:
        completed = replace(each, peer=peers.get((each.gateway_id, each.id)))
        rows = [by_id[each.id]] if each.id in by_id else []
        complete = partial(complete_vpc_attachment, completed)
        found = reader.parse_rows(SharedFacet.VPC_ATTACHMENTS, rows, complete, each.id)
        attachments[each.id] = next(found, completed)
    return attachments


def _read_tables(
    reader: Reader, gateways: Mapping[str, TransitGateway]
) -> Iterable[TransitRouteTable]:
    if not any(each.owner == reader.account for each in gateways.values()):
        return
    facet = SharedFacet.TRANSIT_ROUTE_TABLES
    rows = _drop_gone(reader.read_rows(facet, "TransitGatewayRouteTables"))
    for table in reader.parse_rows(facet, rows, _parse_table):
        yield replace(table, routes=_read_routes(reader, table.id))


def _parse_table(row: Row) -> TransitRouteTable:
    return TransitRouteTable(
        get_text(row, "TransitGatewayRouteTableId"), get_text(row, "TransitGatewayId"), None
    )


def _read_routes(reader: Reader, table_id: str) -> tuple[TransitRoute, ...] | None:
    """Read the routes of a table; None if one of them is missing, since it could be any.

    A prefix list reference may be listed as a route to each block of the list, or not at all.
    """
    before, facet = len(reader.unread), SharedFacet.TRANSIT_ROUTES
    pages = reader.read_pages(
        facet, "Routes", table_id, TransitGatewayRouteTableId=table_id, Filters=ROUTES
    )
    if pages and pages[-1].get("AdditionalRoutesAvailable"):
        reader.miss(facet, "the table has more routes than EC2 returns", table_id)
    rows = [row for page in pages or () for row in page.get("Routes") or ()]
    routes = list(reader.parse_rows(facet, rows, parse_route, table_id))
    facet = SharedFacet.PREFIX_LIST_REFERENCES
    referred = reader.read_rows(
        facet, "TransitGatewayPrefixListReferences", table_id, TransitGatewayRouteTableId=table_id
    )
    listed = {row.get("PrefixListId") for row in rows if row.get("DestinationCidrBlock")}
    references = reader.parse_rows(facet, referred, parse_reference, table_id)
    routes += (each for each in references if each.prefix_list_id not in listed)
    return sort_routes(routes) if len(reader.unread) == before else None


def _read_prefix_list(reader: Reader, list_id: str) -> PrefixList:
    facet, before = SharedFacet.PREFIX_LISTS, len(reader.unread)
    rows = reader.read_rows(facet, "Entries", list_id, PrefixListId=list_id)
    blocks = reader.parse_rows(
        facet, [{"Entries": rows or ()}], lambda row: _parse_blocks(row["Entries"]), list_id
    )
    cidrs = next(blocks, None) if len(reader.unread) == before else None
    return PrefixList(list_id, "", "", cidrs)


def _parse_blocks(rows: Iterable[Row]) -> tuple[Network, ...]:
    return parse_networks(parse_values(rows, "Cidr"))


def read_peerings(reader: Reader) -> SharedNetwork:
    """Read the VPC peering connections of an account, both of whose sides see both VPCs."""
    facet = SharedFacet.PEERINGS
    rows = reader.read_rows(facet, "VpcPeeringConnections")
    parsed = reader.parse_rows(facet, rows, parse_peering)
    return SharedNetwork(
        region=reader.region, observed_at=reader.now, peerings={each.id: each for each in parsed}
    )
