"""Which EC2 calls the monitor handles, and why.

Of EC2's operations, 158 might change the posture of an endpoint. A call is ignored if it cannot
change a verdict or if the scheduled sweep finds its effect. An event pattern is limited to 2,048
characters:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SOURCE = "aws.ec2"
EVENT_SOURCE = "ec2.amazonaws.com"
DETAIL_TYPE = "AWS API Call via CloudTrail"
PATTERN_LIMIT = 2048


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Event names of one family that are handled or ignored for the same reason."""

    family: str
    reason: str
    names: tuple[str, ...]


def _group(family: str, reason: str, names: str) -> EventGroup:
    return EventGroup(family, reason, tuple(names.split()))


HANDLED = (
    _group(
        "Endpoints",
        "Creates, modifies or deletes an endpoint.",
        "CreateVpcEndpoint ModifyVpcEndpoint DeleteVpcEndpoints",
    ),
    _group(
        "Endpoint services",
        "Changes who may connect to an endpoint service, or who is connected.",
        "CreateVpcEndpointServiceConfiguration ModifyVpcEndpointServiceConfiguration "
        "DeleteVpcEndpointServiceConfigurations ModifyVpcEndpointServicePermissions "
        "AcceptVpcEndpointConnections RejectVpcEndpointConnections "
        "StartVpcEndpointServicePrivateDnsVerification",
    ),
    _group(
        "Routes",
        "Changes the route table of a subnet or the routes in it.",
        "CreateRoute ReplaceRoute DeleteRoute CreateRouteTable DeleteRouteTable "
        "AssociateRouteTable DisassociateRouteTable ReplaceRouteTableAssociation "
        "EnableVgwRoutePropagation DisableVgwRoutePropagation "
        "AssociateRouteServer DisassociateRouteServer "
        "EnableRouteServerPropagation DisableRouteServerPropagation",
    ),
    _group(
        "Security groups",
        "Changes the traffic that security groups allow to an endpoint.",
        "AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress "
        "RevokeSecurityGroupIngress RevokeSecurityGroupEgress ModifySecurityGroupRules "
        "DeleteSecurityGroup AssociateSecurityGroupVpc DisassociateSecurityGroupVpc",
    ),
    _group(
        "Network ACLs",
        "Changes the traffic that network ACLs allow between a subnet and an endpoint.",
        "CreateNetworkAcl DeleteNetworkAcl CreateNetworkAclEntry ReplaceNetworkAclEntry "
        "DeleteNetworkAclEntry ReplaceNetworkAclAssociation",
    ),
    _group(
        "DNS",
        "Private DNS requires both DNS attributes of the VPC, and hosts that ask its own Resolver.",
        "ModifyVpcAttribute AssociateDhcpOptions",
    ),
    _group(
        "VPCs and subnets",
        "Creates or deletes a VPC or subnet, or changes its CIDR blocks.",
        "CreateVpc CreateDefaultVpc DeleteVpc AssociateVpcCidrBlock DisassociateVpcCidrBlock "
        "CreateSubnet CreateDefaultSubnet DeleteSubnet "
        "AssociateSubnetCidrBlock DisassociateSubnetCidrBlock",
    ),
    _group(
        "Prefix lists",
        "Changes the entries of a list that routes or security group rules refer to.",
        "ModifyManagedPrefixList RestoreManagedPrefixListVersion",
    ),
    _group(
        "Gateways",
        "Attaches a route's target, or removes it and leaves a blackhole route.",
        "AttachInternetGateway DetachInternetGateway DeleteEgressOnlyInternetGateway "
        "DeleteNatGateway DeleteCarrierGateway AttachVpnGateway DetachVpnGateway",
    ),
    _group(
        "Other networks",
        "Activates a route's target, or removes it and leaves a blackhole route.",
        "AcceptVpcPeeringConnection DeleteVpcPeeringConnection "
        "CreateTransitGatewayVpcAttachment AcceptTransitGatewayVpcAttachment "
        "DeleteTransitGatewayVpcAttachment",
    ),
    _group(
        "Account",
        "VPC Block Public Access decides whether internet gateways carry traffic.",
        "ModifyVpcBlockPublicAccessOptions CreateVpcBlockPublicAccessExclusion "
        "ModifyVpcBlockPublicAccessExclusion DeleteVpcBlockPublicAccessExclusion",
    ),
)

IGNORED = (
    _group(
        "Endpoints",
        "Changes who pays or is notified of connections, but neither a path nor a connection.",
        "ModifyVpcEndpointPayerResponsibility ModifyVpcEndpointServicePayerResponsibility "
        "CreateVpcEndpointConnectionNotification ModifyVpcEndpointConnectionNotification "
        "DeleteVpcEndpointConnectionNotifications",
    ),
    _group(
        "Routes",
        "Changes routes through BGP, which causes no event; the sweep finds them.",
        "CreateRouteServer ModifyRouteServer DeleteRouteServer CreateRouteServerEndpoint "
        "DeleteRouteServerEndpoint CreateRouteServerPeer DeleteRouteServerPeer",
    ),
    _group(
        "Security groups",
        "A new group has no effect until an endpoint or rule refers to it, which is an event.",
        "CreateSecurityGroup",
    ),
    _group(
        "Network interfaces",
        "Only AWS changes an endpoint's interfaces. Containers cause thousands of these calls for "
        "other interfaces; the sweep finds a route whose interface was removed.",
        "ModifyNetworkInterfaceAttribute ResetNetworkInterfaceAttribute CreateNetworkInterface "
        "DeleteNetworkInterface AttachNetworkInterface DetachNetworkInterface",
    ),
    _group(
        "DNS",
        "Without an association, which is an event, an option set has no effect.",
        "CreateDhcpOptions DeleteDhcpOptions",
    ),
    _group(
        "VPCs and subnets",
        "Changes neither addresses nor routes.",
        "ModifySubnetAttribute ModifyVpcTenancy",
    ),
    _group(
        "Prefix lists",
        "Nothing refers to a new list, and a list in use cannot be deleted.",
        "CreateManagedPrefixList DeleteManagedPrefixList",
    ),
    _group(
        "Prefix lists",
        "IPAM updates the entries later; the sweep finds them.",
        "CreateIpamPrefixListResolver ModifyIpamPrefixListResolver DeleteIpamPrefixListResolver "
        "CreateIpamPrefixListResolverTarget ModifyIpamPrefixListResolverTarget "
        "DeleteIpamPrefixListResolverTarget",
    ),
    _group(
        "Gateways",
        "Without an attachment or a route, which are events, a gateway carries no traffic.",
        "CreateInternetGateway CreateEgressOnlyInternetGateway CreateNatGateway "
        "CreateCarrierGateway CreateVpnGateway",
    ),
    _group(
        "Gateways",
        "An attached gateway cannot be deleted.",
        "DeleteInternetGateway DeleteVpnGateway",
    ),
    _group(
        "Gateways",
        "Changes the address of a gateway, not a path.",
        "AssociateNatGatewayAddress DisassociateNatGatewayAddress AssignPrivateNatGatewayAddress "
        "UnassignPrivateNatGatewayAddress AssociateAddress DisassociateAddress",
    ),
    _group(
        "Gateways",
        "Gives users access to instances and does not affect outbound traffic.",
        "CreateInstanceConnectEndpoint ModifyInstanceConnectEndpoint DeleteInstanceConnectEndpoint",
    ),
    _group(
        "Other networks",
        "Without acceptance no traffic flows; DNS over peering does not resolve endpoint names.",
        "CreateVpcPeeringConnection RejectVpcPeeringConnection ModifyVpcPeeringConnectionOptions "
        "RejectTransitGatewayVpcAttachment",
    ),
    _group(
        "Other networks",
        "Changes routing beyond the gateway, which is not evaluated; the sweep finds routes that "
        "are withdrawn from a route table.",
        "CreateVpnConnection DeleteVpnConnection CreateVpnConnectionRoute "
        "DeleteVpnConnectionRoute ModifyTransitGatewayVpcAttachment CreateTransitGatewayRoute "
        "ReplaceTransitGatewayRoute DeleteTransitGatewayRoute CreateTransitGatewayRouteTable "
        "DeleteTransitGatewayRouteTable AssociateTransitGatewayRouteTable "
        "DisassociateTransitGatewayRouteTable EnableTransitGatewayRouteTablePropagation "
        "DisableTransitGatewayRouteTablePropagation CreateTransitGatewayPrefixListReference "
        "ModifyTransitGatewayPrefixListReference DeleteTransitGatewayPrefixListReference "
        "ModifyTransitGateway CreateTransitGatewayPeeringAttachment "
        "AcceptTransitGatewayPeeringAttachment DeleteTransitGatewayPeeringAttachment "
        "RejectTransitGatewayPeeringAttachment CreateLocalGatewayRoute ModifyLocalGatewayRoute "
        "DeleteLocalGatewayRoute CreateLocalGatewayRouteTableVpcAssociation "
        "DeleteLocalGatewayRouteTableVpcAssociation CreateClientVpnRoute DeleteClientVpnRoute "
        "ApplySecurityGroupsToClientVpnTargetNetwork",
    ),
    _group(
        "Account",
        "Requires encryption independently of routes, or hides resources of AWS services.",
        "CreateVpcEncryptionControl ModifyVpcEncryptionControl DeleteVpcEncryptionControl "
        "ModifyAccountVpcEncryptionControl ModifyManagedResourceVisibility",
    ),
    _group(
        "Tags",
        "Occurs for every resource; a baseline override by tag applies from the next sweep.",
        "CreateTags DeleteTags",
    ),
    _group("Flow logs", "Logs traffic and does not change it.", "CreateFlowLogs DeleteFlowLogs"),
)

EVENT_NAMES = frozenset(name for group in HANDLED for name in group.names)

# Calls whose scope is an endpoint service; the scope of all others is a VPC.
SERVICE_EVENTS = frozenset(
    name for group in HANDLED if group.family == "Endpoint services" for name in group.names
)


def build_event_patterns() -> tuple[dict[str, Any], ...]:
    """Return the EventBridge patterns that match the handled calls, each within the limit.

    They do not match a call that failed, which has an `errorCode`. The source `aws.ec2` implies
    the event source, which would only use up characters.
    """
    return tuple(_pattern(names) for names in _split_names())


def format_markdown() -> str:
    """Format the page docs/events.md."""
    lines = [
        "# Events",
        "",
        "The EC2 calls that might change the posture of an endpoint: which the monitor handles and",
        "which it ignores, and why. `make docs` generates this page from",
        "`posture.changes.event_names`; the rules in `template.yaml` match the same names.",
        "",
        *_table(f"Handled ({len(EVENT_NAMES)})", HANDLED),
        *_table(f"Ignored ({sum(len(group.names) for group in IGNORED)})", IGNORED),
    ]
    return "\n".join(lines)


def _pattern(names: list[str]) -> dict[str, Any]:
    return {
        "source": [SOURCE],
        "detail-type": [DETAIL_TYPE],
        "detail": {
            "eventName": names,
            "errorCode": [{"exists": False}],
        },
    }


def _split_names() -> Iterator[list[str]]:
    """Split the names so that each pattern is within the limit."""
    names: list[str] = []
    for group in HANDLED:
        for name in group.names:
            if len(json.dumps(_pattern([*names, name]))) > PATTERN_LIMIT:
                yield names
                names = []
            names.append(name)
    yield names


def _table(title: str, groups: tuple[EventGroup, ...]) -> Iterator[str]:
    yield from (f"## {title}", "", "| Family | Events | Reason |", "| --- | --- | --- |")
    for group in groups:
        names = ", ".join(f"`{name}`" for name in group.names)
        yield f"| {group.family} | {names} | {group.reason} |"
    yield ""
