"""What operations create or look up: the symbol of its id, and where the output has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, cast

from posture.edits import edit
from posture.edits.edit import Edit
from posture.lean_dataclass import dataclass

Renamed = TypeVar("Renamed")


@dataclass(frozen=True, slots=True)
class Created:
    """What an operation creates or looks up.

    Attributes:
        prefix: The prefix of its id, such as `sg`: the first one's symbol is `sg-new-1`.
        query: The path to the id in the operation's output.
        variable: The shell variable for the id in a printed command.
    """

    prefix: str
    query: str
    variable: str


CREATED: dict[type[Edit], Created] = {
    edit.AssociateRouteTable: Created("rtbassoc", "AssociationId", "ASSOCIATION"),
    edit.CreateDhcpOptions: Created("dopt", "DhcpOptions.DhcpOptionsId", "OPTIONS"),
    edit.CreateEgressOnlyInternetGateway: Created(
        "eigw", "EgressOnlyInternetGateway.EgressOnlyInternetGatewayId", "EGRESS_GATEWAY"
    ),
    edit.CreateInternetGateway: Created("igw", "InternetGateway.InternetGatewayId", "GATEWAY"),
    edit.CreateNatGateway: Created("nat", "NatGateway.NatGatewayId", "NAT"),
    edit.CreateNetworkAcl: Created("acl", "NetworkAcl.NetworkAclId", "ACL"),
    edit.CreateRouteTable: Created("rtb", "RouteTable.RouteTableId", "TABLE"),
    edit.CreateSecurityGroup: Created("sg", "GroupId", "GROUP"),
    edit.CreateTransitGatewayVpcAttachment: Created(
        "tgw-attach", "TransitGatewayVpcAttachment.TransitGatewayAttachmentId", "ATTACHMENT"
    ),
    edit.CreateVpcEndpoint: Created("vpce", "VpcEndpoint.VpcEndpointId", "ENDPOINT"),
    edit.CreateVpcPeeringConnection: Created(
        "pcx", "VpcPeeringConnection.VpcPeeringConnectionId", "PEERING"
    ),
    edit.DescribeVpcEndpoints: Created(
        "dns-zone", "VpcEndpoints[0].DnsEntries[0].HostedZoneId", "DNS_ZONE"
    ),
    edit.ReplaceNetworkAclAssociation: Created("aclassoc", "NewAssociationId", "ASSOCIATION"),
    edit.ReplaceRouteTableAssociation: Created("rtbassoc", "NewAssociationId", "ASSOCIATION"),
}


def rename_symbols(value: Renamed, names: Mapping[str, str]) -> Renamed:
    """Return an edit, or a value of one, that names other symbols or ids instead of symbols."""
    renamed: object = value
    if isinstance(value, str):
        renamed = names.get(value, value)
    elif isinstance(value, tuple):
        renamed = tuple(rename_symbols(each, names) for each in value)
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
        changed = {name: rename_symbols(each, names) for name, each in parts.items()}
        renamed = value if changed == parts else replace(value, **changed)
    return cast("Renamed", renamed)
