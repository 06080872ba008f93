"""Edits of the attachments of VPCs to transit gateways.

https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from posture.edits.edit import Edit
from posture.edits.operations.gateways import CreateTransitGatewayVpcAttachment
from posture.edits.shared_edit import (
    AcceptTransitGatewayVpcAttachment,
    AssociateTransitGatewayRouteTable,
    EnableTransitGatewayRouteTablePropagation,
    ModifyTransitGatewayVpcAttachment,
)
from posture.model.network import Snapshot, Subnet
from posture.model.shared_network import TransitAttachment
from posture.rules.remediation.central_problem import Ends, Plan, list_attachments

NEW_ATTACHMENT = "tgw-attach-new-1"


def mend_attachment(ends: Ends, attachment: TransitAttachment) -> Iterator[Plan]:
    """Accept an attachment, give it a route table, or a subnet in an Availability Zone."""
    if attachment.state == "pendingAcceptance":
        yield (AcceptTransitGatewayVpcAttachment(transit_gateway_attachment_id=attachment.id),)
    elif attachment.table_id == "":
        for table_id in _list_tables(ends, attachment.gateway_id):
            yield (_associate(table_id, attachment.id),)
    elif added := _list_missing_subnets(ends, attachment):
        yield (
            ModifyTransitGatewayVpcAttachment(
                transit_gateway_attachment_id=attachment.id,
                add_subnet_ids=tuple(each.id for each in added),
            ),
        )


def _associate(table_id: str, attachment_id: str) -> Edit:
    return AssociateTransitGatewayRouteTable(
        transit_gateway_route_table_id=table_id, transit_gateway_attachment_id=attachment_id
    )


def propagate(table_id: str, attachment_id: str) -> Edit:
    """Propagate the routes of an attachment to a route table."""
    return EnableTransitGatewayRouteTablePropagation(
        transit_gateway_route_table_id=table_id, transit_gateway_attachment_id=attachment_id
    )


def _list_tables(ends: Ends, gateway_id: str) -> list[str]:
    """List a gateway's route tables, those first that most VPCs beside the other end use."""
    other = ends.destination.vpc.id
    used = Counter(
        each.table_id
        for each in ends.shared.attachments.values()
        if each.table_id and each.gateway_id == gateway_id and each.resource_id != other
    )
    tables = [each.id for each in ends.shared.tables.values() if each.gateway_id == gateway_id]
    return sorted(tables, key=lambda each: (-used[each], each))


def _list_missing_subnets(ends: Ends, attachment: TransitAttachment) -> tuple[Subnet, ...]:
    """List a subnet for each zone that traffic comes from and the attachment has none in."""
    known = ends.source.subnets
    covered = {known[each].zone for each in attachment.subnet_ids if each in known}
    zones = {each.zone for each in ends.subnets} - covered
    return _choose_subnets(ends.source, zones)


def _choose_subnets(snapshot: Snapshot, zones: Iterable[str]) -> tuple[Subnet, ...]:
    """Choose a subnet in each zone: the smallest, as AWS advises one of its own for attachments.

    https://docs.aws.amazon.com/vpc/latest/tgw/tgw-best-design-practices.html
    """
    ordered = sorted(
        snapshot.subnets.values(),
        key=lambda each: (-(each.cidr.prefixlen if each.cidr else 0), each.id),
    )
    chosen = {
        zone: next((each for each in ordered if each.zone == zone), None) for zone in sorted(zones)
    }
    return tuple(each for each in chosen.values() if each)


def attach(ends: Ends, gateway_id: str) -> Iterator[Plan]:
    """Attach a VPC in all zones of its subnets, as the other attachments are."""
    if not gateway_id.startswith("tgw-"):
        return
    zones = {each.zone for each in ends.source.subnets.values()}
    subnet_ids = tuple(each.id for each in _choose_subnets(ends.source, zones))
    attach = CreateTransitGatewayVpcAttachment(
        transit_gateway_id=gateway_id, vpc_id=ends.source.vpc.id, subnet_ids=subnet_ids
    )
    far = [*list_attachments(ends.shared, ends.destination.vpc.id)]
    back = dict.fromkeys(each.table_id for each in far if each.gateway_id == gateway_id)
    edits = tuple(propagate(each, NEW_ATTACHMENT) for each in back if each)
    for table_id in _list_tables(ends, gateway_id)[:1]:
        yield (attach, _associate(table_id, NEW_ATTACHMENT), *edits)
