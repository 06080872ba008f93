"""What operations create: the symbol of its id, and where the AWS CLI's output has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from posture.edits import edit
from posture.edits.edit import Edit


@dataclass(frozen=True, slots=True)
class Created:
    """What an operation creates.

    Attributes:
        prefix: The prefix of its id, such as `sg`: the first one's symbol is `sg-new-1`.
        query: The path to the id in the operation's output.
        variable: The shell variable for the id in a printed command.
    """

    prefix: str
    query: str
    variable: str


CREATED: Mapping[type[Edit], Created] = {
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
    edit.ReplaceNetworkAclAssociation: Created("aclassoc", "NewAssociationId", "ASSOCIATION"),
    edit.ReplaceRouteTableAssociation: Created("rtbassoc", "NewAssociationId", "ASSOCIATION"),
}
