"""Which EC2 calls the monitor listens to, and why each candidate is in or out.

The candidates are the 158 operations of EC2 that could conceivably move the posture of an
endpoint. What stays out is either unable to change a verdict or seen by the sweep; the reason
stands beside it. Patterns are limited to 2,048 characters:
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
    """Event names that share a family and the reason why they are in or out."""

    family: str
    reason: str
    names: tuple[str, ...]


def _group(family: str, reason: str, names: str) -> EventGroup:
    return EventGroup(family, reason, tuple(names.split()))


MONITORED = (
    _group(
        "Endpoints",
        "an endpoint comes, goes, or changes its policy, groups, subnets, tables or private DNS",
        "CreateVpcEndpoint ModifyVpcEndpoint DeleteVpcEndpoints",
    ),
    _group(
        "Endpoint services",
        "who may connect to an endpoint service of ours, and who has",
        "CreateVpcEndpointServiceConfiguration ModifyVpcEndpointServiceConfiguration "
        "DeleteVpcEndpointServiceConfigurations ModifyVpcEndpointServicePermissions "
        "AcceptVpcEndpointConnections RejectVpcEndpointConnections "
        "StartVpcEndpointServicePrivateDnsVerification",
    ),
    _group(
        "Routes",
        "the path of a subnet's traffic, or which table a subnet uses",
        "CreateRoute ReplaceRoute DeleteRoute CreateRouteTable DeleteRouteTable "
        "AssociateRouteTable DisassociateRouteTable ReplaceRouteTableAssociation "
        "EnableVgwRoutePropagation DisableVgwRoutePropagation "
        "AssociateRouteServer DisassociateRouteServer "
        "EnableRouteServerPropagation DisableRouteServerPropagation",
    ),
    _group(
        "Security groups",
        "who reaches an endpoint's interface",
        "AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress "
        "RevokeSecurityGroupIngress RevokeSecurityGroupEgress ModifySecurityGroupRules "
        "DeleteSecurityGroup AssociateSecurityGroupVpc DisassociateSecurityGroupVpc",
    ),
    _group(
        "Network ACLs",
        "what passes between a subnet and an endpoint's interface",
        "CreateNetworkAcl DeleteNetworkAcl CreateNetworkAclEntry ReplaceNetworkAclEntry "
        "DeleteNetworkAclEntry ReplaceNetworkAclAssociation",
    ),
    _group("DNS", "private DNS works only with both DNS attributes on", "ModifyVpcAttribute"),
    _group(
        "VPCs and subnets",
        "what there is to judge, and its addresses",
        "CreateVpc CreateDefaultVpc DeleteVpc AssociateVpcCidrBlock DisassociateVpcCidrBlock "
        "CreateSubnet CreateDefaultSubnet DeleteSubnet "
        "AssociateSubnetCidrBlock DisassociateSubnetCidrBlock",
    ),
    _group(
        "Prefix lists",
        "a list that a route or a group names has other entries",
        "ModifyManagedPrefixList RestoreManagedPrefixListVersion",
    ),
    _group(
        "Gateways",
        "a route's target appears, or goes and leaves a blackhole",
        "AttachInternetGateway DetachInternetGateway DeleteEgressOnlyInternetGateway "
        "DeleteNatGateway DeleteCarrierGateway AttachVpnGateway DetachVpnGateway",
    ),
    _group(
        "Other networks",
        "a route's target starts to carry traffic, or goes and leaves a blackhole",
        "AcceptVpcPeeringConnection DeleteVpcPeeringConnection "
        "CreateTransitGatewayVpcAttachment AcceptTransitGatewayVpcAttachment "
        "DeleteTransitGatewayVpcAttachment",
    ),
)

EXCLUDED = (
    _group("Endpoints", "moves who pays, not a packet", "ModifyVpcEndpointPayerResponsibility"),
    _group(
        "Endpoints",
        "changes who is told of connections, not a connection",
        "CreateVpcEndpointConnectionNotification ModifyVpcEndpointConnectionNotification "
        "DeleteVpcEndpointConnectionNotifications",
    ),
    _group(
        "Endpoint services",
        "moves who pays, not a packet",
        "ModifyVpcEndpointServicePayerResponsibility",
    ),
    _group(
        "Routes",
        "moves routes by BGP, which come and go without any event; the sweep sees them",
        "CreateRouteServer ModifyRouteServer DeleteRouteServer CreateRouteServerEndpoint "
        "DeleteRouteServerEndpoint CreateRouteServerPeer DeleteRouteServerPeer",
    ),
    _group(
        "Security groups",
        "a new group guards nothing until an endpoint or a rule names it, which is an event",
        "CreateSecurityGroup",
    ),
    _group(
        "Network interfaces",
        "an endpoint's interfaces are AWS's to change; all others come by the thousand with "
        "every container, and a route left without its interface is seen by the sweep",
        "ModifyNetworkInterfaceAttribute ResetNetworkInterfaceAttribute CreateNetworkInterface "
        "DeleteNetworkInterface AttachNetworkInterface DetachNetworkInterface",
    ),
    _group(
        "DNS",
        "which resolver a workload asks is not read, so no verdict can change",
        "AssociateDhcpOptions CreateDhcpOptions DeleteDhcpOptions",
    ),
    _group(
        "VPCs and subnets",
        "moves neither addresses nor routes",
        "ModifySubnetAttribute ModifyVpcTenancy",
    ),
    _group(
        "Prefix lists",
        "nothing names a new list yet, and a named one cannot be deleted",
        "CreateManagedPrefixList DeleteManagedPrefixList",
    ),
    _group(
        "Prefix lists",
        "IPAM writes the entries later by itself; the sweep sees them",
        "CreateIpamPrefixListResolver ModifyIpamPrefixListResolver DeleteIpamPrefixListResolver "
        "CreateIpamPrefixListResolverTarget ModifyIpamPrefixListResolverTarget "
        "DeleteIpamPrefixListResolverTarget",
    ),
    _group(
        "Gateways",
        "carries no traffic until a route names it or it is attached, which are events",
        "CreateInternetGateway CreateEgressOnlyInternetGateway CreateNatGateway "
        "CreateCarrierGateway CreateVpnGateway",
    ),
    _group("Gateways", "is refused while attached", "DeleteInternetGateway DeleteVpnGateway"),
    _group(
        "Gateways",
        "changes a gateway's address, not a path",
        "AssociateNatGatewayAddress DisassociateNatGatewayAddress AssignPrivateNatGatewayAddress "
        "UnassignPrivateNatGatewayAddress AssociateAddress DisassociateAddress",
    ),
    _group(
        "Gateways",
        "a way in for people, no way out for traffic",
        "CreateInstanceConnectEndpoint ModifyInstanceConnectEndpoint DeleteInstanceConnectEndpoint",
    ),
    _group(
        "Other networks",
        "a connection that is not accepted carries nothing; DNS over peering reaches no endpoint",
        "CreateVpcPeeringConnection RejectVpcPeeringConnection ModifyVpcPeeringConnectionOptions "
        "RejectTransitGatewayVpcAttachment",
    ),
    _group(
        "Other networks",
        "happens behind the transit gateway, local gateway or VPN, where our answer ends; what it "
        "withdraws from a route table is seen by the sweep",
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
        "blocks traffic on top of the routes; a path that is blocked today is still told as a path",
        "ModifyVpcBlockPublicAccessOptions CreateVpcBlockPublicAccessExclusion "
        "ModifyVpcBlockPublicAccessExclusion DeleteVpcBlockPublicAccessExclusion "
        "CreateVpcEncryptionControl ModifyVpcEncryptionControl DeleteVpcEncryptionControl "
        "ModifyAccountVpcEncryptionControl ModifyManagedResourceVisibility",
    ),
    _group(
        "Tags",
        "comes with every resource there is; a baseline override by tag holds from the next sweep",
        "CreateTags DeleteTags",
    ),
    _group("Flow logs", "watches traffic, moves none", "CreateFlowLogs DeleteFlowLogs"),
)

EVENT_NAMES = frozenset(name for group in MONITORED for name in group.names)

# Calls that make something in the provider's scope; all others are about a VPC.
SERVICE_EVENTS = frozenset(
    name for group in MONITORED if group.family == "Endpoint services" for name in group.names
)


def event_patterns() -> tuple[dict[str, Any], ...]:
    """Give the EventBridge patterns that select the calls, each within the limit.

    A call that failed carries an `errorCode` and is left out.
    """
    return tuple(_pattern(names) for names in _portions())


def format_markdown() -> str:
    """Give the page that tells which candidates are in and out, and why."""
    lines = [
        "# Events",
        "",
        "Which EC2 calls make the monitor look, and why. Made by `make docs` from",
        "`posture.changes.event_names`; the rules of `template.yaml` hold the same names.",
        "",
        *_table(f"Listened to ({len(EVENT_NAMES)})", MONITORED),
        *_table(f"Left out ({sum(len(group.names) for group in EXCLUDED)})", EXCLUDED),
    ]
    return "\n".join(lines)


def _pattern(names: list[str]) -> dict[str, Any]:
    return {
        "source": [SOURCE],
        "detail-type": [DETAIL_TYPE],
        "detail": {
            "eventSource": [EVENT_SOURCE],
            "eventName": names,
            "errorCode": [{"exists": False}],
        },
    }


def _portions() -> Iterator[list[str]]:
    """Fill one pattern after the other, in the order of the catalogue."""
    names: list[str] = []
    for group in MONITORED:
        for name in group.names:
            if len(json.dumps(_pattern([*names, name]))) > PATTERN_LIMIT:
                yield names
                names = []
            names.append(name)
    yield names


def _table(title: str, groups: tuple[EventGroup, ...]) -> Iterator[str]:
    yield from (f"## {title}", "", "| family | events | why |", "| --- | --- | --- |")
    for group in groups:
        names = ", ".join(f"`{name}`" for name in group.names)
        yield f"| {group.family} | {names} | {group.reason} |"
    yield ""
