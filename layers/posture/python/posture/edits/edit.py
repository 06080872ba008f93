"""An edit: an operation with its parameters that changes a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from posture.edits.operations.endpoint_services import (
    AcceptVpcEndpointConnections,
    ModifyVpcEndpointServiceConfiguration,
    ModifyVpcEndpointServicePermissions,
    RejectVpcEndpointConnections,
)
from posture.edits.operations.endpoints import (
    CreateVpcEndpoint,
    DeleteVpcEndpoints,
    DescribeVpcEndpoints,
    ModifyVpcEndpoint,
)
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
from posture.edits.operations.network_acls import (
    CreateNetworkAcl,
    CreateNetworkAclEntry,
    DeleteNetworkAcl,
    DeleteNetworkAclEntry,
    ReplaceNetworkAclAssociation,
    ReplaceNetworkAclEntry,
)
from posture.edits.operations.routes import (
    AssociateRouteTable,
    CreateRoute,
    CreateRouteTable,
    DeleteRoute,
    DeleteRouteTable,
    DisassociateRouteTable,
    ReplaceRoute,
    ReplaceRouteTableAssociation,
)
from posture.edits.operations.security_groups import (
    AuthorizeSecurityGroupEgress,
    AuthorizeSecurityGroupIngress,
    CreateSecurityGroup,
    DeleteSecurityGroup,
    RevokeSecurityGroupEgress,
    RevokeSecurityGroupIngress,
)
from posture.edits.operations.vpcs import (
    AssociateDhcpOptions,
    CreateDhcpOptions,
    ModifyManagedPrefixList,
    ModifySubnetAttribute,
    ModifyVpcAttribute,
)

if TYPE_CHECKING:  # few changes are of the shared network, and its classes take time to load
    from posture.edits.shared_edit import SharedEdit

VpcEdit = (
    CreateRoute
    | ReplaceRoute
    | DeleteRoute
    | CreateRouteTable
    | DeleteRouteTable
    | AssociateRouteTable
    | DisassociateRouteTable
    | ReplaceRouteTableAssociation
    | CreateVpcEndpoint
    | ModifyVpcEndpoint
    | DeleteVpcEndpoints
    | DescribeVpcEndpoints
    | CreateSecurityGroup
    | DeleteSecurityGroup
    | AuthorizeSecurityGroupIngress
    | AuthorizeSecurityGroupEgress
    | RevokeSecurityGroupIngress
    | RevokeSecurityGroupEgress
    | CreateNetworkAcl
    | DeleteNetworkAcl
    | CreateNetworkAclEntry
    | ReplaceNetworkAclEntry
    | DeleteNetworkAclEntry
    | ReplaceNetworkAclAssociation
    | ModifyVpcAttribute
    | ModifySubnetAttribute
    | CreateDhcpOptions
    | AssociateDhcpOptions
    | CreateNatGateway
    | DeleteNatGateway
    | CreateInternetGateway
    | AttachInternetGateway
    | DetachInternetGateway
    | CreateEgressOnlyInternetGateway
    | DeleteEgressOnlyInternetGateway
    | CreateVpcPeeringConnection
    | AcceptVpcPeeringConnection
    | DeleteVpcPeeringConnection
    | CreateTransitGatewayVpcAttachment
    | DeleteTransitGatewayVpcAttachment
    | ModifyManagedPrefixList
    | ModifyVpcEndpointServicePermissions
    | ModifyVpcEndpointServiceConfiguration
    | AcceptVpcEndpointConnections
    | RejectVpcEndpointConnections
)
Edit: TypeAlias = "VpcEdit | SharedEdit"
