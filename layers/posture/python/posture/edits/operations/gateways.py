"""Gateways, peering connections and attachments of transit gateways."""

from __future__ import annotations

from dataclasses import field
from ipaddress import IPv4Address

from posture.edits.operations import Ids
from posture.lean_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNatGateway:
    """Create a NAT gateway (`nat-new-1`) in a subnet."""

    subnet_id: str | None = None
    allocation_id: str | None = None
    connectivity_type: str = "public"
    private_ip_address: IPv4Address | None = None
    availability_mode: str | None = None
    vpc_id: str | None = None  # of a regional NAT gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNatGateway:
    """Delete a NAT gateway; its routes become blackholes."""

    nat_gateway_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateInternetGateway:
    """Create an internet gateway (`igw-new-1`) that is not attached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachInternetGateway:
    """Attach an internet gateway to a VPC."""

    internet_gateway_id: str
    vpc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachInternetGateway:
    """Detach an internet gateway; its routes become blackholes."""

    internet_gateway_id: str
    vpc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateEgressOnlyInternetGateway:
    """Create an egress-only internet gateway (`eigw-new-1`)."""

    vpc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteEgressOnlyInternetGateway:
    """Delete an egress-only internet gateway; its routes become blackholes."""

    egress_only_internet_gateway_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateVpcPeeringConnection:
    """Request a peering connection (`pcx-new-1`) with another VPC."""

    vpc_id: str
    peer_vpc_id: str
    peer_owner_id: str | None = None
    peer_region: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptVpcPeeringConnection:
    """Accept a peering connection, which makes its routes active."""

    vpc_peering_connection_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteVpcPeeringConnection:
    """Delete a peering connection; its routes become blackholes."""

    vpc_peering_connection_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTransitGatewayVpcAttachment:
    """Attach a VPC to a transit gateway (`tgw-attach-new-1`)."""

    transit_gateway_id: str
    vpc_id: str
    subnet_ids: Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTransitGatewayVpcAttachment:
    """Detach a VPC from a transit gateway; its routes become blackholes.

    The request names the attachment only. `transit_gateway_id` is set by a caller who knows it.
    """

    transit_gateway_attachment_id: str
    transit_gateway_id: str | None = field(default=None, metadata={"parameter": False})
