"""What operations create or look up: the symbol of its id, and where the output has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, cast

from posture.edits.edit import Edit
from posture.edits.operations.endpoints import CreateVpcEndpoint, DescribeVpcEndpoints
from posture.edits.operations.gateways import (
    CreateEgressOnlyInternetGateway,
    CreateInternetGateway,
    CreateNatGateway,
    CreateTransitGatewayVpcAttachment,
    CreateVpcPeeringConnection,
)
from posture.edits.operations.network_acls import CreateNetworkAcl, ReplaceNetworkAclAssociation
from posture.edits.operations.routes import (
    AssociateRouteTable,
    CreateRouteTable,
    ReplaceRouteTableAssociation,
)
from posture.edits.operations.security_groups import CreateSecurityGroup
from posture.edits.operations.vpcs import CreateDhcpOptions
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
    AssociateRouteTable: Created("rtbassoc", "AssociationId", "ASSOCIATION"),
    CreateDhcpOptions: Created("dopt", "DhcpOptions.DhcpOptionsId", "OPTIONS"),
    CreateEgressOnlyInternetGateway: Created(
        "eigw", "EgressOnlyInternetGateway.EgressOnlyInternetGatewayId", "EGRESS_GATEWAY"
    ),
    CreateInternetGateway: Created("igw", "InternetGateway.InternetGatewayId", "GATEWAY"),
    CreateNatGateway: Created("nat", "NatGateway.NatGatewayId", "NAT"),
    CreateNetworkAcl: Created("acl", "NetworkAcl.NetworkAclId", "ACL"),
    CreateRouteTable: Created("rtb", "RouteTable.RouteTableId", "TABLE"),
    CreateSecurityGroup: Created("sg", "GroupId", "GROUP"),
    CreateTransitGatewayVpcAttachment: Created(
        "tgw-attach", "TransitGatewayVpcAttachment.TransitGatewayAttachmentId", "ATTACHMENT"
    ),
    CreateVpcEndpoint: Created("vpce", "VpcEndpoint.VpcEndpointId", "ENDPOINT"),
    CreateVpcPeeringConnection: Created(
        "pcx", "VpcPeeringConnection.VpcPeeringConnectionId", "PEERING"
    ),
    DescribeVpcEndpoints: Created(
        "dns-zone", "VpcEndpoints[0].DnsEntries[0].HostedZoneId", "DNS_ZONE"
    ),
    ReplaceNetworkAclAssociation: Created("aclassoc", "NewAssociationId", "ASSOCIATION"),
    ReplaceRouteTableAssociation: Created("rtbassoc", "NewAssociationId", "ASSOCIATION"),
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
