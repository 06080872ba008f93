"""Which calls the monitor handles, and why.

Some of EC2's operations might change the posture of an endpoint, and some of other services. A call
is ignored if it cannot change a verdict or if the scheduled sweep finds its effect. Those that
change the shared network are in `posture.changes.shared_events`. An event
pattern is limited to 2,048 characters:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from posture.changes.event_groups import EC2, OMITTED, EventGroup
from posture.changes.event_groups import build_group as _group
from posture.changes.shared_events import (
    NETWORK_EVENTS,
    NOT_SURVEYED,
    OF_VPCS,
    SURVEYED,
    VPC_TAGS,
)

SOURCE = "aws.ec2"
EVENT_SOURCE = EC2
DETAIL_TYPE = "AWS API Call via CloudTrail"
PATTERN_LIMIT = 2048


HANDLED_BY_NAME = (
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
    # The record names neither a VPC nor a gateway.
    _group(
        "VPN connections",
        "A virtual private gateway propagates the static routes of its VPN connections to route "
        "tables. The record does not say which, so the Region of the account is swept.",
        "CreateVpnConnectionRoute DeleteVpnConnectionRoute ModifyVpnConnection DeleteVpnConnection",
    ),
)

# Tags are set on every kind of resource; only those of these resources are read. A pattern of its
# own selects them, so that no other call invokes a function.
TAGS = _group(
    "Tags",
    "Baseline overrides may select VPCs and endpoint services by tag, and subnets for "
    "infrastructure. Tags of other resources are ignored.",
    "CreateTags DeleteTags",
)
TAGGED = ("vpc-", "subnet-", "vpce-svc-")
HANDLED = (*HANDLED_BY_NAME, TAGS)

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
        "Instances",
        "What a NAT instance or another appliance forwards is unknown in any state. When it is "
        "stopped or terminated, the route to it becomes a blackhole route, which the sweep finds. "
        "Auto Scaling causes thousands of these calls for other instances.",
        "RunInstances StartInstances StopInstances RebootInstances TerminateInstances "
        "ModifyInstanceAttribute ResetInstanceAttribute",
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
        "VPN connections",
        "A new connection has no route yet. Static routes are added by CreateVpnConnectionRoute; "
        "routes that BGP propagates to a route table cause no event, and the sweep finds them.",
        "CreateVpnConnection",
    ),
    _group(
        "Other networks",
        "Changes routing on an Outpost or for clients outside AWS, which is not evaluated; the "
        "sweep finds routes that are withdrawn from a route table.",
        "CreateLocalGatewayRoute ModifyLocalGatewayRoute DeleteLocalGatewayRoute "
        "CreateLocalGatewayRouteTableVpcAssociation "
        "DeleteLocalGatewayRouteTableVpcAssociation CreateClientVpnRoute DeleteClientVpnRoute "
        "ApplySecurityGroupsToClientVpnTargetNetwork",
    ),
    _group(
        "Account",
        "Requires encryption independently of routes, or hides resources of AWS services.",
        "CreateVpcEncryptionControl ModifyVpcEncryptionControl DeleteVpcEncryptionControl "
        "ModifyAccountVpcEncryptionControl ModifyManagedResourceVisibility",
    ),
    _group("Flow logs", "Logs traffic and does not change it.", "CreateFlowLogs DeleteFlowLogs"),
)

# Calls of services that hold no facts of the shared network.
IGNORED_ELSEWHERE = (
    _group(
        "Firewalls",
        "What a firewall forwards is not evaluated. Its endpoints and the routes to them are, and "
        "their changes are events of EC2.",
        "CreateFirewall DeleteFirewall AssociateSubnets DisassociateSubnets "
        "AssociateFirewallPolicy UpdateFirewallPolicy UpdateRuleGroup",
        "network-firewall.amazonaws.com",
    ),
    _group(
        "Load balancers",
        "Decides what answers behind an endpoint service, and not who may connect to it.",
        "DeleteLoadBalancer CreateListener ModifyListener DeleteListener RegisterTargets "
        "DeregisterTargets SetSecurityGroups SetSubnets",
        "elasticloadbalancing.amazonaws.com",
    ),
    _group(
        "VPC Lattice",
        "Endpoints of resources and service networks are evaluated by their own attributes.",
        "CreateServiceNetworkVpcAssociation UpdateServiceNetworkVpcAssociation "
        "DeleteServiceNetworkVpcAssociation CreateServiceNetworkResourceAssociation "
        "DeleteServiceNetworkResourceAssociation UpdateResourceConfiguration "
        "DeleteResourceConfiguration PutResourcePolicy PutAuthPolicy",
        "vpc-lattice.amazonaws.com",
    ),
    _group(
        "Other networks",
        "Announces routes by BGP, which causes no event; the sweep finds those that are propagated "
        "to a route table.",
        "CreatePrivateVirtualInterface DeleteVirtualInterface CreateBGPPeer DeleteBGPPeer "
        "CreateDirectConnectGatewayAssociation UpdateDirectConnectGatewayAssociation "
        "DeleteDirectConnectGatewayAssociation",
        "directconnect.amazonaws.com",
    ),
    _group(
        "Trails",
        "Can blind the monitor, but changes no network. Rules of their own report these calls to "
        "the topic for alarms without the monitor's functions.",
        "StopLogging DeleteTrail UpdateTrail PutEventSelectors",
        "cloudtrail.amazonaws.com",
    ),
)

EVENT_NAMES = frozenset(name for group in HANDLED for name in group.names)

# Calls whose scope is an endpoint service; the scope of all others is a VPC.
SERVICE_EVENTS = frozenset(
    name for group in HANDLED if group.family == "Endpoint services" for name in group.names
)


_REASONS = {
    (group.source, name): group.reason
    for group in (*IGNORED, *NOT_SURVEYED, *IGNORED_ELSEWHERE)
    for name in group.names
}
_SURVEYED = {(group.source, name) for group in SURVEYED for name in group.names}


def is_handled(source: str, name: str) -> bool:
    """Whether a call may change the posture of the scopes that it concerns by itself."""
    return source == EVENT_SOURCE and name in EVENT_NAMES


def explain_left_out(source: str, name: str) -> str:
    """Explain why a call is neither handled nor leads to a survey; "" if it is or does.

    Args:
        source: The `eventSource` of the record, as in `ec2.amazonaws.com`.
        name: Its `eventName`.
    """
    if is_handled(source, name) or (source, name) in _SURVEYED:
        return ""
    return _REASONS.get((source, name)) or f"the monitor does not handle {name} of {source}"


def build_event_patterns() -> tuple[dict[str, Any], ...]:
    """Return the EventBridge patterns that match the handled calls, each within the limit.

    They do not match a call that failed, which has an `errorCode`. The source `aws.ec2` implies
    the event source, which would only use up characters.
    """
    return (*map(_pattern, _split_names()), _build_tag_pattern())


def format_markdown() -> str:
    """Format the page docs/events.md."""
    lines = [
        "# Events",
        "",
        "The calls that might change the posture of an endpoint: which the monitor handles and",
        "which it ignores, and why. `make docs` generates this page from",
        "`posture.changes.event_names`; the rules in `template.yaml` match the same names.",
        "",
        "A call concerns the VPCs and endpoint services that it names, or that use a resource",
        "that it names, in every account that the monitor watches: a shared prefix list or subnet,",
        "the other side of a peering connection or transit gateway attachment, or an endpoint",
        "service that a consumer connects to. Those of other accounts are found in the monitor's",
        "own index. A call for which none is found sweeps the Region of its own account, and no",
        "other.",
        "",
        *_table(f"Handled ({len(EVENT_NAMES)})", HANDLED),
        *_table(f"Ignored ({sum(len(group.names) for group in IGNORED)})", IGNORED),
        "## The shared network",
        "",
        "With the stack's parameter `SharedNetwork` set to `on`, these calls lead to a survey,",
        "which reads the facts again that they may have changed: in the account of the call, or",
        "in all accounts if others see the change as well. Events of Route 53 are in us-east-1",
        "only, and those of Network Manager in us-west-2: `shared-events.yaml` forwards them. With",
        "`off` there is no survey, and an answer that would need its facts is unknown and names",
        "the parameter. The calls of the first table are handled for their VPCs in either case.",
        "",
        *_table("Surveyed, and handled", (*OF_VPCS, VPC_TAGS)),
        *_table(f"Surveyed ({sum(len(group.names) for group in SURVEYED)})", SURVEYED),
        "Network Manager sends events of its own about gateways of a global network, also about",
        "propagated routes, which no call shows: "
        + ", ".join(f"`{each}`" for each in NETWORK_EVENTS)
        + ".",
        "",
        *_table(f"Not surveyed ({sum(len(g.names) for g in NOT_SURVEYED)})", NOT_SURVEYED),
        *_table("Ignored, of other services", IGNORED_ELSEWHERE),
    ]
    return "\n".join(lines)


def _build_tag_pattern() -> dict[str, Any]:
    """Build the pattern that selects the calls by the prefixes of the ids of what is tagged.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    """
    pattern = _pattern(list(TAGS.names))
    ids = {"resourceId": [{"prefix": each} for each in TAGGED]}
    requests = ({"resourcesSet": {"items": ids}}, OMITTED)
    pattern["detail"]["$or"] = [{"requestParameters": each} for each in requests]
    return pattern


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
    for group in HANDLED_BY_NAME:
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
        family = group.family
        if group.source != EVENT_SOURCE:
            family += f" (`{group.source}`)"
        yield f"| {family} | {names} | {group.reason} |"
    yield ""
