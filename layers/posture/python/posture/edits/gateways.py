"""Applies edits of gateways and connections to other networks: the targets of routes.

A route whose target is gone stays in its table as a blackhole:
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html
"""

from __future__ import annotations

from posture.edits.draft import Draft, Handlers, refuse
from posture.edits.operations.gateways import (
    AcceptVpcPeeringConnection,
    AttachInternetGateway,
    CreateEgressOnlyInternetGateway,
    CreateInternetGateway,
    CreateNatGateway,
    CreateTransitGatewayVpcAttachment,
    CreateVpcPeeringConnection,
    DeleteEgressOnlyInternetGateway,
    DeleteNatGateway,
    DeleteTransitGatewayVpcAttachment,
    DeleteVpcPeeringConnection,
    DetachInternetGateway,
)
from posture.edits.targets import find_gateways
from posture.errors import UndecidedEditError
from posture.model.network import Facet, NatGateway, Target, TargetKind

GONE = ""  # the transit gateway of an attachment that is deleted


def _create_nat(draft: Draft, edit: CreateNatGateway) -> None:
    draft.require(Facet.NAT_GATEWAYS)
    regional = edit.availability_mode == "regional"
    if regional:
        draft.require_vpc(edit.vpc_id or "")
    elif edit.subnet_id is None:
        raise refuse("MissingParameter", "The request must contain the parameter subnetId")
    else:
        draft.get_subnet(edit.subnet_id)
    public = edit.connectivity_type != "private"
    if public and not regional and edit.allocation_id is None:
        raise refuse("MissingParameter", "The request must contain the parameter AllocationId")
    if public:
        _require_internet_gateway(draft)
    nat_id = draft.create_id("nat")
    subnet_id = None if regional else edit.subnet_id
    draft.nat_gateways[nat_id] = NatGateway(nat_id, draft.vpc.id, subnet_id, "available", public)


def _require_internet_gateway(draft: Draft) -> None:
    """Refuse a public NAT gateway in a VPC without an internet gateway.

    EC2 creates it and reports that it failed:
    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
    """
    known = find_gateways(draft, TargetKind.INTERNET_GATEWAY)
    if not any(known.values()):
        if known:
            raise refuse("Gateway.NotAttached", f"{draft.vpc.id} has no internet gateway attached")
        draft.assume(f"an internet gateway is attached to {draft.vpc.id}")


def _delete_nat(draft: Draft, edit: DeleteNatGateway) -> None:
    nat = draft.get_nat_gateway(edit.nat_gateway_id)
    del draft.nat_gateways[nat.id]
    _lose(draft, TargetKind.NAT_GATEWAY, nat.id)


def _create_internet_gateway(draft: Draft, _: CreateInternetGateway) -> None:
    gateway = Target(TargetKind.INTERNET_GATEWAY, draft.create_id("igw"))
    draft.gateways[gateway] = False


def _attach_internet_gateway(draft: Draft, edit: AttachInternetGateway) -> None:
    draft.require_vpc(edit.vpc_id)
    kind = TargetKind.INTERNET_GATEWAY
    known = find_gateways(draft, kind)
    if attached := next((each for each in known if known[each]), None):
        raise refuse(
            "Resource.AlreadyAssociated"
            if attached == edit.internet_gateway_id
            else "InvalidParameterValue",
            f"Network {edit.vpc_id} already has an internet gateway attached: {attached}",
        )
    if edit.internet_gateway_id not in known:
        draft.assume(f"{edit.internet_gateway_id} exists and is not attached to a VPC")
        draft.assume(f"{edit.vpc_id} has no internet gateway attached")
    _gain(draft, kind, edit.internet_gateway_id)


def _detach_internet_gateway(draft: Draft, edit: DetachInternetGateway) -> None:
    draft.require_vpc(edit.vpc_id)
    kind, gateway_id = TargetKind.INTERNET_GATEWAY, edit.internet_gateway_id
    _require_known(draft, kind, gateway_id, "Gateway.NotAttached")
    draft.require(Facet.NAT_GATEWAYS)
    if any(
        each.public and each.state in {"available", "pending"}
        for each in draft.nat_gateways.values()
    ):
        raise refuse(
            "DependencyViolation",
            f"Network {edit.vpc_id} has some mapped public address(es). Please unmap those public "
            "address(es) before detaching the gateway.",
        )
    draft.assume(f"no network interface of {edit.vpc_id} has a public address")
    _lose(draft, kind, gateway_id)


def _create_egress_only(draft: Draft, edit: CreateEgressOnlyInternetGateway) -> None:
    draft.require_vpc(edit.vpc_id)
    draft.gateways[Target(TargetKind.EGRESS_ONLY_GATEWAY, draft.create_id("eigw"))] = True


def _delete_egress_only(draft: Draft, edit: DeleteEgressOnlyInternetGateway) -> None:
    kind, gateway_id = TargetKind.EGRESS_ONLY_GATEWAY, edit.egress_only_internet_gateway_id
    _require_known(draft, kind, gateway_id, "InvalidGatewayID.NotFound")
    _lose(draft, kind, gateway_id)


def _create_peering(draft: Draft, edit: CreateVpcPeeringConnection) -> None:
    """Request a peering connection; routes to it are blackholes until it is accepted.

    https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-routing.html
    """
    if draft.vpc.id not in {edit.vpc_id, edit.peer_vpc_id}:
        draft.require_vpc(edit.vpc_id)
    peering = Target(TargetKind.PEERING, draft.create_id("pcx"))
    draft.gateways[peering] = True
    draft.pending.add(peering)


def _accept_peering(draft: Draft, edit: AcceptVpcPeeringConnection) -> None:
    kind, peering_id = TargetKind.PEERING, edit.vpc_peering_connection_id
    if Target(kind, peering_id) not in draft.pending:
        draft.assume(f"{peering_id} connects {draft.vpc.id} and waits for acceptance")
    draft.pending.discard(Target(kind, peering_id))
    _gain(draft, kind, peering_id)


def _delete_peering(draft: Draft, edit: DeleteVpcPeeringConnection) -> None:
    kind, peering_id = TargetKind.PEERING, edit.vpc_peering_connection_id
    _require_known(draft, kind, peering_id, "InvalidVpcPeeringConnectionID.NotFound")
    _lose(draft, kind, peering_id)


def _create_attachment(draft: Draft, edit: CreateTransitGatewayVpcAttachment) -> None:
    draft.require_vpc(edit.vpc_id)
    gateway = Target(TargetKind.TRANSIT_GATEWAY, edit.transit_gateway_id)
    zones: set[str] = set()
    for subnet in map(draft.get_subnet, edit.subnet_ids):
        if subnet.zone in zones:
            raise refuse("DuplicateSubnetsInSameZone", f"More than one subnet is in {subnet.zone}")
        zones.add(subnet.zone)
    attached = draft.shared.is_attached(gateway, edit.vpc_id) if draft.shared else None
    if attached is None:
        attached = find_gateways(draft, gateway.kind).get(gateway.id)
    if attached:
        raise refuse(
            "DuplicateTransitGatewayAttachment",
            f"{gateway.id} has non-deleted Transit Gateway Attachments with same VPC ID.",
        )
    if gateway not in draft.gateways:
        draft.assume(f"{gateway.id} exists and accepts the attachment")
    draft.attachments[draft.create_id("tgw-attach")] = gateway.id
    _gain(draft, gateway.kind, gateway.id)


def _delete_attachment(draft: Draft, edit: DeleteTransitGatewayVpcAttachment) -> None:
    kind, attachment_id = TargetKind.TRANSIT_GATEWAY, edit.transit_gateway_attachment_id
    known = find_gateways(draft, kind)
    if draft.attachments.get(attachment_id) == GONE:
        raise refuse(
            "InvalidTransitGatewayAttachmentID.NotFound",
            f"Transit Gateway Attachment {attachment_id} was deleted or does not exist.",
        )
    gateway_id = edit.transit_gateway_id or draft.attachments.get(attachment_id)
    if gateway_id is None:
        attached = [each for each in known if known[each]]
        if len(attached) != 1:
            raise UndecidedEditError(
                f"{attachment_id}: the snapshot does not hold which transit gateway it attaches"
            )
        gateway_id = attached[0]
        draft.assume(f"{attachment_id} attaches {draft.vpc.id} to {gateway_id}")
    draft.attachments[attachment_id] = GONE
    _lose(draft, kind, gateway_id)


def _require_known(draft: Draft, kind: TargetKind, gateway_id: str, code: str) -> None:
    """Require a gateway to be attached to the VPC, or note that it is assumed."""
    known = find_gateways(draft, kind)
    if known.get(gateway_id):
        return
    if gateway_id in known or (kind is TargetKind.INTERNET_GATEWAY and any(known.values())):
        raise refuse(code, f"{gateway_id} is not attached to {draft.vpc.id}")
    draft.assume(f"{gateway_id} exists and is attached to {draft.vpc.id}")


def _gain(draft: Draft, kind: TargetKind, gateway_id: str) -> None:
    draft.gateways[Target(kind, gateway_id)] = True
    draft.mark_routes(Target(kind, gateway_id), blackhole=False)


def _lose(draft: Draft, kind: TargetKind, gateway_id: str) -> None:
    draft.require(Facet.ROUTE_TABLES)
    draft.gateways[Target(kind, gateway_id)] = False
    draft.mark_routes(Target(kind, gateway_id), blackhole=True)


HANDLERS: Handlers = {
    CreateNatGateway: _create_nat,
    DeleteNatGateway: _delete_nat,
    CreateInternetGateway: _create_internet_gateway,
    AttachInternetGateway: _attach_internet_gateway,
    DetachInternetGateway: _detach_internet_gateway,
    CreateEgressOnlyInternetGateway: _create_egress_only,
    DeleteEgressOnlyInternetGateway: _delete_egress_only,
    CreateVpcPeeringConnection: _create_peering,
    AcceptVpcPeeringConnection: _accept_peering,
    DeleteVpcPeeringConnection: _delete_peering,
    CreateTransitGatewayVpcAttachment: _create_attachment,
    DeleteTransitGatewayVpcAttachment: _delete_attachment,
}
