"""Which calls change the shared network, and which calls of the same services do not.

A survey reads again what these calls may have changed. With the parameter `SharedNetwork` off there
is no survey, and nothing listens to them.
Route 53 is global: its events are in us-east-1 only, and Network Manager's in us-west-2. Stacks of
`shared-events.yaml` forward them.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/logging-using-cloudtrail.html
https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-networkmanager.html
"""

from __future__ import annotations

from functools import partial

from posture.changes.event_groups import NO_FACTS, SurveyedFacts, build_group
from posture.model.shared_kind import SharedKind

ROUTE53 = "route53.amazonaws.com"
RESOLVER = "route53resolver.amazonaws.com"
PROFILES = "route53profiles.amazonaws.com"
RAM = "ram.amazonaws.com"
NETWORK_MANAGER = "networkmanager.amazonaws.com"
SERVICES = (ROUTE53, RESOLVER, PROFILES, RAM, NETWORK_MANAGER)

_ZONES = frozenset({SharedKind.ZONES})
_RULES = frozenset({SharedKind.RESOLVER})
_PROFILES = frozenset({SharedKind.PROFILES})
_TRANSIT = frozenset({SharedKind.TRANSIT})
_PEERINGS = frozenset({SharedKind.PEERINGS})
_CORE = frozenset({SharedKind.CORE})
_SHARED = _RULES | _PROFILES | _TRANSIT | _CORE  # what AWS RAM shares with other accounts

_zones = partial(build_group, source=ROUTE53)
_resolver = partial(build_group, source=RESOLVER)
_profiles = partial(build_group, source=PROFILES)
_ram = partial(build_group, source=RAM)
_core = partial(build_group, source=NETWORK_MANAGER)

# Calls that concern VPCs as well: they are handled for these, whether there is a survey or not.
OF_VPCS = (
    build_group(
        "VPCs and subnets",
        "A VPC has its own zones and rules, and its CIDR blocks are propagated to transit gateway "
        "route tables and listed with its peering connections.",
        "CreateVpc CreateDefaultVpc DeleteVpc AssociateVpcCidrBlock DisassociateVpcCidrBlock",
        survey=SurveyedFacts(_ZONES | _TRANSIT | _PEERINGS),
    ),
    build_group(
        "Prefix lists",
        "Transit gateway route tables refer to prefix lists.",
        "ModifyManagedPrefixList RestoreManagedPrefixListVersion",
        survey=SurveyedFacts(_TRANSIT, spreads=True),
    ),
    build_group(
        "VPC peering",
        "Activates or removes a peering connection, over which a central endpoint is reached.",
        "AcceptVpcPeeringConnection DeleteVpcPeeringConnection",
        survey=SurveyedFacts(_PEERINGS, spreads=True),
    ),
    build_group(
        "Transit gateway attachments",
        "Attaches a VPC to a transit gateway or detaches it. The gateway's owner sees the "
        "attachment, too.",
        "CreateTransitGatewayVpcAttachment AcceptTransitGatewayVpcAttachment "
        "DeleteTransitGatewayVpcAttachment",
        survey=SurveyedFacts(_TRANSIT, spreads=True),
    ),
)

# A baseline selects central VPCs and their users by tags, which a pattern of its own selects.
VPC_TAGS = build_group(
    "Tags",
    "Tags of a VPC select it as a central one, or as a user of one. Other tags lead to no survey.",
    "CreateTags DeleteTags",
    survey=SurveyedFacts(_ZONES),
)

# Calls that concern the shared network alone.
SURVEYED = (
    build_group(
        "Transit gateway routes",
        "Changes where a transit gateway sends traffic.",
        "CreateTransitGatewayRoute ReplaceTransitGatewayRoute DeleteTransitGatewayRoute "
        "AssociateTransitGatewayRouteTable DisassociateTransitGatewayRouteTable "
        "DeleteTransitGatewayRouteTable EnableTransitGatewayRouteTablePropagation "
        "DisableTransitGatewayRouteTablePropagation CreateTransitGatewayPrefixListReference "
        "ModifyTransitGatewayPrefixListReference DeleteTransitGatewayPrefixListReference",
        survey=SurveyedFacts(_TRANSIT),
    ),
    build_group(
        "Transit gateway attachments",
        "Changes the Availability Zones of an attachment, whether it may refer to security groups "
        "of other VPCs, or the peering of two transit gateways.",
        "ModifyTransitGatewayVpcAttachment ModifyTransitGateway "
        "AcceptTransitGatewayPeeringAttachment DeleteTransitGatewayPeeringAttachment",
        survey=SurveyedFacts(_TRANSIT, spreads=True),
    ),
    _zones(
        "Private hosted zones",
        "Changes a zone, its records, or whether names that it lacks are asked for in public DNS.",
        "CreateHostedZone DeleteHostedZone ChangeResourceRecordSets UpdateHostedZoneFeatures "
        "UpdateHostedZoneTier",
        survey=SurveyedFacts(_ZONES),
    ),
    _zones(
        "Private hosted zones",
        "Traffic policies create and change the records of a zone.",
        "CreateTrafficPolicyInstance UpdateTrafficPolicyInstance DeleteTrafficPolicyInstance",
        survey=SurveyedFacts(_ZONES),
    ),
    _zones(
        "Private hosted zones",
        "Associates a zone with a VPC. The zone's owner and the VPC's owner see it, and only one "
        "of them makes the call.",
        "AssociateVPCWithHostedZone DisassociateVPCFromHostedZone",
        survey=SurveyedFacts(_ZONES, spreads=True),
    ),
    _resolver(
        "Resolver rules",
        "Changes where Resolver sends the queries of VPCs. Rules are shared with other accounts.",
        "CreateResolverRule UpdateResolverRule DeleteResolverRule PutResolverRulePolicy",
        survey=SurveyedFacts(_RULES, spreads=True),
    ),
    _resolver(
        "Resolver rules",
        "Associates a rule with a VPC of the account.",
        "AssociateResolverRule DisassociateResolverRule",
        survey=SurveyedFacts(_RULES),
    ),
    _resolver(
        "Resolver endpoints",
        "Changes the addresses to which rules send queries.",
        "CreateResolverEndpoint UpdateResolverEndpoint DeleteResolverEndpoint "
        "AssociateResolverEndpointIpAddress DisassociateResolverEndpointIpAddress",
        survey=SurveyedFacts(_RULES),
    ),
    _profiles(
        "Route 53 Profiles",
        "Changes the zones, rules and endpoints that a Profile gives to VPCs. Profiles are shared "
        "with other accounts.",
        "AssociateResourceToProfile DisassociateResourceFromProfile "
        "UpdateProfileResourceAssociation DeleteProfile",
        survey=SurveyedFacts(_PROFILES, spreads=True),
    ),
    _profiles(
        "Route 53 Profiles",
        "Associates a Profile with a VPC of the account, or changes which Profile goes first.",
        "AssociateProfile DisassociateProfile UpdateProfileAssociation",
        survey=SurveyedFacts(_PROFILES),
    ),
    # https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/sharing-profiles.html
    # https://docs.aws.amazon.com/vpc/latest/tgw/transit-gateway-share.html
    _ram(
        "Resource shares",
        "VPCs lose the settings of a Profile that is no longer shared with their account. What an "
        "account sees of rules, transit gateways and core networks changes, too.",
        "AssociateResourceShare DisassociateResourceShare CreateResourceShare DeleteResourceShare "
        "AcceptResourceShareInvitation",
        survey=SurveyedFacts(_SHARED, spreads=True),
    ),
    _core(
        "Core networks",
        "Changes the attachments, segments or routes of a core network of Cloud WAN.",
        "CreateVpcAttachment UpdateVpcAttachment AcceptAttachment RejectAttachment "
        "DeleteAttachment CreateTransitGatewayRouteTableAttachment CreateTransitGatewayPeering "
        "DeletePeering ExecuteCoreNetworkChangeSet DeleteCoreNetwork PutResourcePolicy "
        "DeleteResourcePolicy CreateCoreNetworkPrefixListAssociation "
        "DeleteCoreNetworkPrefixListAssociation PutAttachmentRoutingPolicyLabel "
        "RemoveAttachmentRoutingPolicyLabel",
        survey=SurveyedFacts(_CORE, spreads=True),
    ),
    _core(
        "Core networks",
        "Routes of transit gateways are read only for gateways of a global network where Cloud WAN "
        "peers with them.",
        "RegisterTransitGateway DeregisterTransitGateway",
        survey=SurveyedFacts(_CORE),
    ),
)

# Events that Network Manager itself sends: they include propagated routes, which no call shows.
# https://docs.aws.amazon.com/network-manager/latest/cloudwan/cloudwan-cloudwatch-events.html
NETWORK_EVENTS = {
    "Network Manager Routing Update": _TRANSIT | _CORE,
    "Network Manager Topology Change": _TRANSIT | _CORE,
    "Network Manager Segment Update": _CORE,
    "Network Manager Policy Update": _CORE,
}

NOT_SURVEYED = (
    build_group(
        "Transit gateways",
        "Nothing is attached to a new gateway, no attachment uses a new route table, and a gateway "
        "in use cannot be deleted.",
        "CreateTransitGateway DeleteTransitGateway CreateTransitGatewayRouteTable",
    ),
    build_group(
        "Transit gateway attachments",
        "Without acceptance no traffic flows.",
        "CreateTransitGatewayPeeringAttachment RejectTransitGatewayPeeringAttachment",
    ),
    build_group(
        "Transit gateway attachments",
        "What lies behind such an attachment is not followed, so the path is unknown in any state. "
        "Its routes are propagated by BGP, which causes no call; the scheduled survey reads them.",
        "CreateTransitGatewayConnect DeleteTransitGatewayConnect CreateTransitGatewayConnectPeer "
        "DeleteTransitGatewayConnectPeer AcceptTransitGatewayClientVpnAttachment "
        "RejectTransitGatewayClientVpnAttachment DeleteTransitGatewayClientVpnAttachment",
    ),
    build_group(
        "Transit gateway policy tables",
        "A policy table selects routes for traffic from a peered core network, whose path is "
        "unknown in any state; announcements exchange routes by BGP.",
        "CreateTransitGatewayPolicyTable DeleteTransitGatewayPolicyTable "
        "AssociateTransitGatewayPolicyTable DisassociateTransitGatewayPolicyTable "
        "CreateTransitGatewayPolicyTableEntry ModifyTransitGatewayPolicyTableEntry "
        "DeleteTransitGatewayPolicyTableEntry CreateTransitGatewayRouteTableAnnouncement "
        "DeleteTransitGatewayRouteTableAnnouncement",
    ),
    build_group(
        "Transit gateway multicast",
        "Endpoints do not use multicast.",
        "CreateTransitGatewayMulticastDomain DeleteTransitGatewayMulticastDomain "
        "AssociateTransitGatewayMulticastDomain DisassociateTransitGatewayMulticastDomain "
        "AcceptTransitGatewayMulticastDomainAssociations "
        "RejectTransitGatewayMulticastDomainAssociations "
        "RegisterTransitGatewayMulticastGroupMembers DeregisterTransitGatewayMulticastGroupMembers "
        "RegisterTransitGatewayMulticastGroupSources DeregisterTransitGatewayMulticastGroupSources",
    ),
    build_group(
        "Transit gateways",
        "Changes who pays, translates addresses of an attachment, or copies routes to a file. None "
        "of it changes a route table.",
        "CreateTransitGatewayMeteringPolicy ModifyTransitGatewayMeteringPolicy "
        "DeleteTransitGatewayMeteringPolicy CreateTransitGatewayMeteringPolicyEntry "
        "DeleteTransitGatewayMeteringPolicyEntry ModifyTransitGatewayAttachmentNatConfiguration "
        "ExportTransitGatewayRoutes",
    ),
    _zones(
        "Private hosted zones",
        "An authorization has no effect until a VPC is associated, which is an event.",
        "CreateVPCAssociationAuthorization DeleteVPCAssociationAuthorization",
    ),
    _zones(
        "Private hosted zones",
        "Selects among records that are all taken as possible answers.",
        "CreateHealthCheck UpdateHealthCheck DeleteHealthCheck CreateCidrCollection "
        "ChangeCidrCollection DeleteCidrCollection",
    ),
    _zones(
        "Private hosted zones",
        "Has no effect until an instance applies the policy to a zone, which is an event.",
        "CreateTrafficPolicy CreateTrafficPolicyVersion DeleteTrafficPolicy "
        "UpdateTrafficPolicyComment",
    ),
    _zones(
        "Private hosted zones",
        "Concerns public zones, or describes or logs a zone without changing its answers.",
        "CreateReusableDelegationSet DeleteReusableDelegationSet CreateKeySigningKey "
        "ActivateKeySigningKey DeactivateKeySigningKey DeleteKeySigningKey "
        "EnableHostedZoneDNSSEC DisableHostedZoneDNSSEC CreateQueryLoggingConfig "
        "DeleteQueryLoggingConfig UpdateHostedZoneComment ChangeTagsForResource",
    ),
    _resolver(
        "DNS Firewall",
        "Firewall rules are not read: names of AWS services are evaluated as if none blocked them.",
        "AssociateFirewallRuleGroup DisassociateFirewallRuleGroup "
        "UpdateFirewallRuleGroupAssociation CreateFirewallRuleGroup DeleteFirewallRuleGroup "
        "PutFirewallRuleGroupPolicy CreateFirewallRule UpdateFirewallRule DeleteFirewallRule "
        "BatchCreateFirewallRule BatchUpdateFirewallRule BatchDeleteFirewallRule "
        "CreateFirewallDomainList UpdateFirewallDomains ImportFirewallDomains "
        "DeleteFirewallDomainList UpdateFirewallConfig",
    ),
    _resolver(
        "Resolver",
        "Concerns reverse names, signatures, Outposts, logs or tags, and no name of a service.",
        "UpdateResolverConfig UpdateResolverDnssecConfig CreateOutpostResolver "
        "UpdateOutpostResolver DeleteOutpostResolver CreateResolverQueryLogConfig "
        "DeleteResolverQueryLogConfig AssociateResolverQueryLogConfig "
        "DisassociateResolverQueryLogConfig PutResolverQueryLogConfigPolicy TagResource "
        "UntagResource",
    ),
    _profiles(
        "Route 53 Profiles",
        "A new Profile is empty and has no effect; tags have none.",
        "CreateProfile TagResource UntagResource",
    ),
    _ram(
        "Resource shares",
        "Changes the name of a share, what its principals may do, or who administers it, and not "
        "what is shared with whom.",
        "UpdateResourceShare AssociateResourceSharePermission "
        "DisassociateResourceSharePermission ReplacePermissionAssociations CreatePermission "
        "CreatePermissionVersion DeletePermission DeletePermissionVersion "
        "SetDefaultPermissionVersion UpdatePermission PromotePermissionCreatedFromPolicy "
        "PromoteResourceShareCreatedFromPolicy EnableSharingWithAwsOrganization "
        "RejectResourceShareInvitation TagResource UntagResource",
    ),
    _core(
        "Core networks",
        "What lies behind such an attachment is not followed, so the path is unknown in any state. "
        "Its routes are propagated by BGP, which causes no call.",
        "CreateConnectAttachment CreateConnectPeer DeleteConnectPeer AssociateConnectPeer "
        "DisassociateConnectPeer CreateSiteToSiteVpnAttachment "
        "CreateDirectConnectGatewayAttachment UpdateDirectConnectGatewayAttachment "
        "AssociateTransitGatewayConnectPeer "
        "DisassociateTransitGatewayConnectPeer",
    ),
    _core(
        "Core networks",
        "A policy has no effect until its change set is executed, which is an event; a new core "
        "network has no attachments.",
        "PutCoreNetworkPolicy DeleteCoreNetworkPolicyVersion RestoreCoreNetworkPolicyVersion "
        "CreateCoreNetwork UpdateCoreNetwork",
    ),
    _core(
        "Global networks",
        "Describes the own premises, analyses routes, translates addresses or sets tags, and "
        "changes no route table.",
        "CreateGlobalNetwork UpdateGlobalNetwork DeleteGlobalNetwork CreateSite UpdateSite "
        "DeleteSite CreateDevice UpdateDevice DeleteDevice CreateLink UpdateLink DeleteLink "
        "AssociateLink DisassociateLink CreateConnection UpdateConnection DeleteConnection "
        "AssociateCustomerGateway DisassociateCustomerGateway UpdateNetworkResourceMetadata "
        "UpdateAttachmentNatConfiguration StartOrganizationServiceAccessUpdate StartRouteAnalysis "
        "TagResource UntagResource",
    ),
)

_FACTS = {
    (group.source, name): group.survey
    for group in (*OF_VPCS, VPC_TAGS, *SURVEYED)
    for name in group.names
}


def find_facts(source: str, name: str) -> SurveyedFacts:
    """Find the facts of the shared network that a call may change.

    Args:
        source: The `eventSource` of the record, as in `route53.amazonaws.com`.
        name: Its `eventName`.
    """
    return _FACTS.get((source, name), NO_FACTS)
