"""Network facts that belong to an organization and a Region rather than to one VPC.

They decide how a VPC reaches endpoints in other VPCs: names by private hosted zones, Resolver rules
and Route 53 Profiles; routes by transit gateways, core networks and VPC peering. They are read
once, and the evaluation of every VPC uses them. All times are UTC.

Names are lower case, without the dot at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from posture.lean_dataclass import dataclass
from posture.model.network import Address, Network, PrefixList, Snapshot, Tags


class SharedFacet(StrEnum):
    """Part of the shared network that one operation returns, to which access can be denied."""

    ZONES = "route53:ListHostedZones"
    ZONE = "route53:GetHostedZone"
    ZONES_OF_VPC = "route53:ListHostedZonesByVPC"
    RECORDS = "route53:ListResourceRecordSets"
    RULES = "route53resolver:ListResolverRules"
    RULE_ASSOCIATIONS = "route53resolver:ListResolverRuleAssociations"
    RESOLVER_ENDPOINTS = "route53resolver:ListResolverEndpoints"
    RESOLVER_ADDRESSES = "route53resolver:ListResolverEndpointIpAddresses"
    PROFILES = "route53profiles:ListProfiles"
    PROFILE_ASSOCIATIONS = "route53profiles:ListProfileAssociations"
    PROFILE_RESOURCES = "route53profiles:ListProfileResourceAssociations"
    TRANSIT_GATEWAYS = "ec2:DescribeTransitGateways"
    ATTACHMENTS = "ec2:DescribeTransitGatewayAttachments"
    VPC_ATTACHMENTS = "ec2:DescribeTransitGatewayVpcAttachments"
    PEERING_ATTACHMENTS = "ec2:DescribeTransitGatewayPeeringAttachments"
    TRANSIT_ROUTE_TABLES = "ec2:DescribeTransitGatewayRouteTables"
    TRANSIT_ROUTES = "ec2:SearchTransitGatewayRoutes"
    PREFIX_LIST_REFERENCES = "ec2:GetTransitGatewayPrefixListReferences"
    PREFIX_LISTS = "ec2:GetManagedPrefixListEntries"
    PEERINGS = "ec2:DescribeVpcPeeringConnections"
    VPCS = "ec2:DescribeVpcs"
    SERVICE_NAMES = "ec2:DescribeVpcEndpointServices"
    CORE_NETWORKS = "networkmanager:ListCoreNetworks"
    CORE_NETWORK = "networkmanager:GetCoreNetwork"
    CORE_ATTACHMENTS = "networkmanager:ListAttachments"
    CORE_VPC_ATTACHMENT = "networkmanager:GetVpcAttachment"
    CORE_ROUTES = "networkmanager:GetNetworkRoutes"
    CENTRAL_VPC = "the VPC's own evaluation"  # of a VPC in `central_vpcs`


@dataclass(frozen=True, slots=True)
class UnreadFact:
    """What could not be read: the operation, the account that it was denied in, and the reason.

    `subject` is the id of the zone, table, Profile or VPC concerned; "" for all of the account.
    """

    facet: SharedFacet
    account: str
    why: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """A record of a private hosted zone.

    `values` are addresses, or the target of a CNAME; `alias` is the name that an alias points to.
    `policy` is the routing policy, such as `weighted`, or "" for a simple one. Several records of
    one name and type with a policy are all possible answers.
    """

    name: str  # a wildcard begins with `*.`
    type: str  # A, AAAA, CNAME; other types are kept, since they make a name exist
    values: tuple[str, ...] = ()
    alias: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True)
class HostedZone:
    """A private hosted zone. `records` is None if they could not be read.

    `public_fallback` is whether a name that the zone lacks is then asked for in public DNS; None if
    that is not known.
    """

    id: str
    name: str
    owner: str  # an account; "" if it is not known
    records: tuple[DnsRecord, ...] | None
    public_fallback: bool | None = False


class RuleKind(StrEnum):
    """The kinds of a Resolver rule, as Route 53 spells them."""

    FORWARD = "FORWARD"
    SYSTEM = "SYSTEM"
    RECURSIVE = "RECURSIVE"
    DELEGATE = "DELEGATE"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class ResolverRule:
    """A rule of the Route 53 Resolver; `targets` are the DNS servers that FORWARD sends to."""

    id: str
    name: str  # "" for the rule of all names, `.`
    kind: RuleKind
    targets: tuple[Address, ...] = ()
    owner: str = ""


@dataclass(frozen=True, slots=True)
class InboundResolver:
    """An inbound Resolver endpoint: it answers as the Resolver of its VPC does."""

    id: str
    account: str
    vpc_id: str
    addresses: tuple[Address, ...]
    security_group_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """A Route 53 Profile; `resources_read` is whether its resources could be listed."""

    id: str
    owner: str
    zone_ids: tuple[str, ...] = ()
    rule_ids: tuple[str, ...] = ()
    endpoint_ids: tuple[str, ...] = ()
    resources_read: bool = True


@dataclass(frozen=True, slots=True)
class ProfileUse:
    """The association of a Profile with a VPC; a lower `priority` goes first."""

    profile_id: str
    priority: int = 100


@dataclass(frozen=True, slots=True)
class SharedVpc:
    """A VPC of a watched account, with the DNS configuration that is associated with it.

    `zone_ids` and `rule_ids` are those associated directly, not by a Profile. What could not be
    read is named by an `UnreadFact` of the VPC or its account.
    """

    id: str
    account: str
    region: str
    cidrs: tuple[Network, ...] = ()  # IPv4 and IPv6
    zone_ids: tuple[str, ...] = ()
    rule_ids: tuple[str, ...] = ()
    profiles: tuple[ProfileUse, ...] = ()
    tags: Tags = field(default_factory=dict)


class AttachmentKind(StrEnum):
    """What a transit gateway or core network is attached to."""

    VPC = "vpc"
    PEERING = "peering"  # with another transit gateway
    VPN = "vpn"
    DIRECT_CONNECT = "direct-connect-gateway"
    CONNECT = "connect"
    NETWORK_FUNCTION = "network-function"
    CLIENT_VPN = "client-vpn"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TransitPeer:
    """The other end of an attachment between transit gateways."""

    gateway_id: str
    attachment_id: str
    region: str
    owner: str


@dataclass(frozen=True, slots=True)
class TransitAttachment:
    """An attachment of a transit gateway or core network.

    `table_id` is the route table that its traffic is routed by: "" for none, None if it could not
    be read. `subnet_ids` are those of a VPC that the attachment has a network interface in;
    `carries_ipv6` is whether IPv6 is enabled for it, None if that could not be read.
    """

    id: str
    gateway_id: str  # tgw-… or core-network-…
    kind: AttachmentKind
    resource_id: str  # the VPC, VPN connection and so on
    resource_owner: str
    state: str  # available, pending, deleted and so on
    table_id: str | None
    subnet_ids: tuple[str, ...] = ()
    appliance_mode: bool = False
    peer: TransitPeer | None = None
    carries_ipv6: bool | None = None


@dataclass(frozen=True, slots=True)
class TransitRoute:
    """A route of a transit gateway or core network, whose destination is one of the first two."""

    cidr: Network | None
    prefix_list_id: str | None
    attachment_ids: tuple[str, ...]
    blackhole: bool = False
    static: bool = True  # else propagated


@dataclass(frozen=True, slots=True)
class TransitRouteTable:
    """A route table of a transit gateway, or that of a core network's segment in one Region.

    `routes` is None if they could not be read.
    """

    id: str
    gateway_id: str
    routes: tuple[TransitRoute, ...] | None


@dataclass(frozen=True, slots=True)
class TransitGateway:
    """A transit gateway or a core network."""

    id: str
    owner: str
    references_groups: bool | None = None  # security groups of other VPCs; None if not returned


@dataclass(frozen=True, slots=True)
class PeeredVpc:
    """One side of a VPC peering connection."""

    vpc_id: str
    account: str
    region: str
    cidrs: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class VpcPeering:
    """A VPC peering connection."""

    id: str
    requester: PeeredVpc
    accepter: PeeredVpc
    active: bool = True


@dataclass(frozen=True, slots=True)
class SharedNetwork:
    """The shared network of an organization in a Region. Mappings are keyed by id.

    `observed_at` is the time before the first read, so no fact is older. `accounts` were read;
    `unread` is what could not be. `central_vpcs` are snapshots of the VPCs whose endpoints or
    inbound Resolver endpoints others may use.
    """

    region: str
    observed_at: datetime
    accounts: frozenset[str] = frozenset()
    vpcs: Mapping[str, SharedVpc] = field(default_factory=dict)
    zones: Mapping[str, HostedZone] = field(default_factory=dict)
    rules: Mapping[str, ResolverRule] = field(default_factory=dict)
    resolvers: Mapping[str, InboundResolver] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    gateways: Mapping[str, TransitGateway] = field(default_factory=dict)
    attachments: Mapping[str, TransitAttachment] = field(default_factory=dict)
    tables: Mapping[str, TransitRouteTable] = field(default_factory=dict)
    peerings: Mapping[str, VpcPeering] = field(default_factory=dict)
    prefix_lists: Mapping[str, PrefixList] = field(default_factory=dict)
    central_vpcs: Mapping[str, Snapshot] = field(default_factory=dict)
    unread: tuple[UnreadFact, ...] = ()
