"""The network of one VPC as EC2's Describe operations return it. All times are UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from posture.lean_dataclass import dataclass
from posture.model.scope import Scope

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Tags = Mapping[str, str]


class Facet(StrEnum):
    """Part of a snapshot that one EC2 operation returns, to which access can be denied."""

    VPC = "DescribeVpcs"
    DNS_ATTRIBUTES = "DescribeVpcAttribute"
    SUBNETS = "DescribeSubnets"
    ROUTE_TABLES = "DescribeRouteTables"
    ENDPOINTS = "DescribeVpcEndpoints"
    SECURITY_GROUPS = "DescribeSecurityGroups"
    NETWORK_ACLS = "DescribeNetworkAcls"
    NAT_GATEWAYS = "DescribeNatGateways"
    NETWORK_INTERFACES = "DescribeNetworkInterfaces"
    PREFIX_LISTS = "GetManagedPrefixListEntries"
    AWS_PREFIX_LISTS = "DescribePrefixLists"
    SERVICES = "DescribeVpcEndpointServices"
    DHCP_OPTIONS = "DescribeDhcpOptions"


@dataclass(frozen=True, slots=True)
class Vpc:
    """A VPC. A DNS attribute is None if it could not be read.

    `dns_servers` are those of its DHCP option set, or None if they could not be read. `owner` is
    the account that owns the VPC, which may share its subnets with others.
    `block_public_access` is the mode of VPC Block Public Access (`off`, `block-ingress` or
    `block-bidirectional`), with exclusions applied; "" if EC2 did not return it. `has_interfaces`
    is whether any network interface is in the VPC. It is read for a default VPC without endpoints
    and NAT gateways only, and otherwise None.
    """

    id: str
    cidrs: tuple[IPv4Network, ...]
    ipv6_cidrs: tuple[IPv6Network, ...] = ()
    block_public_access: str = ""
    dns_support: bool | None = None
    dns_hostnames: bool | None = None
    dhcp_options_id: str = ""
    dns_servers: tuple[str, ...] | None = None
    owner: str = ""
    default: bool = False
    has_interfaces: bool | None = None
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DhcpOptions:
    """A DHCP option set, with the DNS servers that it names to hosts."""

    id: str
    dns_servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet; an IPv6-only subnet has no `cidr`. `block_public_access` is as for the VPC.

    `dns64` is whether the Resolver returns synthetic IPv6 addresses for IPv4-only names; None if
    EC2 did not return it.
    """

    id: str
    vpc_id: str
    zone: str  # name of the Availability Zone, such as eu-west-1a
    cidr: IPv4Network | None
    ipv6_cidrs: tuple[IPv6Network, ...] = ()
    block_public_access: str = ""
    dns64: bool | None = None
    tags: Tags = field(default_factory=dict)

    @property
    def blocks(self) -> tuple[Network, ...]:
        """The subnet's CIDR blocks, IPv4 and IPv6."""
        return (self.cidr, *self.ipv6_cidrs) if self.cidr else self.ipv6_cidrs


class TargetKind(StrEnum):
    """The kind of a route's target."""

    LOCAL = "local"
    VPC_ENDPOINT = "vpc-endpoint"  # a gateway or Gateway Load Balancer endpoint
    NAT_GATEWAY = "nat-gateway"
    INTERNET_GATEWAY = "internet-gateway"
    EGRESS_ONLY_GATEWAY = "egress-only-internet-gateway"
    TRANSIT_GATEWAY = "transit-gateway"
    VIRTUAL_PRIVATE_GATEWAY = "virtual-private-gateway"
    PEERING = "peering-connection"
    CARRIER_GATEWAY = "carrier-gateway"
    LOCAL_GATEWAY = "local-gateway"
    INSTANCE = "instance"
    NETWORK_INTERFACE = "network-interface"
    CORE_NETWORK = "core-network"
    ODB_NETWORK = "odb-network"
    UNKNOWN = "unknown"  # a kind this version does not know; never treated as safe


@dataclass(frozen=True, slots=True)
class Target:
    """A route's target; the id of the local route's target is `local`."""

    kind: TargetKind
    id: str


class RouteOrigin(StrEnum):
    """How a route was created."""

    TABLE = "CreateRouteTable"  # a local route, created with the table
    STATIC = "CreateRoute"
    PROPAGATED = "EnableVgwRoutePropagation"
    ADVERTISED = "Advertisement"  # by a route server
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Route:
    """One route, whose destination is either `cidr` or `prefix_list_id`.

    Both are None if EC2 returned no destination.
    """

    cidr: Network | None
    prefix_list_id: str | None
    target: Target
    blackhole: bool = False
    origin: RouteOrigin = RouteOrigin.STATIC

    @property
    def destination(self) -> str:
        """The destination as text."""
        return str(self.cidr) if self.cidr else self.prefix_list_id or "unknown destination"


@dataclass(frozen=True, slots=True)
class RouteTable:
    """A route table. `gateway_ids` are edge associations, which route inbound traffic.

    `associations` are the ids of all associations, each with the id of the subnet or gateway, or of
    the VPC for the main route table.
    """

    id: str
    vpc_id: str
    main: bool
    subnet_ids: tuple[str, ...]  # explicit associations only
    gateway_ids: tuple[str, ...]
    associations: Mapping[str, str]
    routes: tuple[Route, ...]
    propagating_gateway_ids: tuple[str, ...] = ()

    @property
    def association_ids(self) -> tuple[str, ...]:
        """The ids of all associations."""
        return tuple(self.associations)


class EndpointType(StrEnum):
    """The types of VPC endpoint, as EC2 spells them."""

    GATEWAY = "Gateway"
    INTERFACE = "Interface"
    GATEWAY_LOAD_BALANCER = "GatewayLoadBalancer"
    RESOURCE = "Resource"
    SERVICE_NETWORK = "ServiceNetwork"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A VPC endpoint as DescribeVpcEndpoints returns it.

    `policy` is the policy document as text. `state` is in lower case: `available`, `pending`,
    `pendingacceptance`, `failed`, `rejected`, `expired`, `deleting` and so on. A value that EC2
    did not return is None.
    """

    id: str
    type: EndpointType
    vpc_id: str
    service_name: str
    state: str
    policy: str | None = None
    route_table_ids: tuple[str, ...] = ()
    subnet_ids: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    network_interface_ids: tuple[str, ...] = ()
    private_dns: bool | None = None
    ip_address_type: str | None = None  # ipv4, ipv6, dualstack
    dns_record_ip_type: str | None = None  # ipv4, ipv6, dualstack, service-defined
    private_dns_only_for_inbound_resolver: bool | None = None
    dns_names: tuple[str, ...] = ()
    private_dns_preference: str | None = None  # of a Resource or ServiceNetwork endpoint
    private_dns_domains: tuple[str, ...] = ()  # that the preference specifies
    service_region: str | None = None
    created_at: datetime | None = None
    last_error: str | None = None

    @property
    def deleted(self) -> bool:
        """Whether EC2 still lists the endpoint although it is deleted or being deleted."""
        return self.state in {"deleting", "deleted"}


@dataclass(frozen=True, slots=True)
class GroupReference:
    """A security group that a rule names as its peer.

    `vpc_id` and `peering_id` are set if the group belongs to a peered VPC.
    """

    group_id: str
    vpc_id: str | None = None
    peering_id: str | None = None


@dataclass(frozen=True, slots=True)
class SecurityGroupRule:
    """A rule of a security group; exactly one of `cidr`, `prefix_list_id` and `group` is set.

    `protocol` is `-1` (all), `tcp`, `udp`, `icmp`, `icmpv6` or a protocol number as text. Ports are
    None if the protocol has none or the rule allows all.
    """

    protocol: str
    from_port: int | None
    to_port: int | None
    cidr: Network | None = None
    prefix_list_id: str | None = None
    group: GroupReference | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A security group; the default security group of a VPC is named `default`."""

    id: str
    name: str
    vpc_id: str
    ingress: tuple[SecurityGroupRule, ...]
    egress: tuple[SecurityGroupRule, ...]


@dataclass(frozen=True, slots=True)
class AclEntry:
    """One network ACL entry; entries apply in order of `number`, and 32767 is the final deny.

    `protocol` is a number as text, `-1` for all. Ports are None if the entry has none.
    """

    number: int
    egress: bool
    allow: bool
    protocol: str
    cidr: Network
    from_port: int | None = None
    to_port: int | None = None


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    """A network ACL with its associated subnets; `associations` are their ids by association id."""

    id: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    associations: Mapping[str, str]
    entries: tuple[AclEntry, ...]
    default: bool = False

    @property
    def association_ids(self) -> tuple[str, ...]:
        """The ids of all associations."""
        return tuple(self.associations)


@dataclass(frozen=True, slots=True)
class NatGateway:
    """A NAT gateway; a regional one has no `subnet_id` and may have a route table of its own."""

    id: str
    vpc_id: str
    subnet_id: str | None
    state: str  # pending, failed, available, deleting, deleted
    public: bool  # False for a private NAT gateway, which has no path to the internet
    route_table_id: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """A network interface of a VPC endpoint or of a route's target, with its private addresses.

    `instance_id` is the id of the instance that it is attached to, "" for no instance. The address
    of an IP version in `unknown_versions` stands for any usable one of the subnet: EC2 will choose
    it when the interface is created.
    """

    id: str
    subnet_id: str
    zone: str
    addresses: tuple[Address, ...]
    security_group_ids: tuple[str, ...]
    instance_id: str = ""
    unknown_versions: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class PrefixList:
    """A prefix list; `cidrs` is None if the entries could not be read.

    An AWS-managed list is named after its service, such as `com.amazonaws.eu-west-1.s3`.
    """

    id: str
    name: str
    owner: str  # `AWS` or an account id
    cidrs: tuple[Network, ...] | None

    @property
    def aws_managed(self) -> bool:
        """Whether AWS maintains the entries."""
        return self.owner == "AWS"


@dataclass(frozen=True, slots=True)
class Service:
    """An endpoint service that a region offers, of AWS or of an account.

    `policy_supported` is None if EC2 did not return it.
    """

    name: str  # com.amazonaws.eu-west-1.sns, com.amazonaws.vpce.eu-west-1.vpce-svc-…
    types: frozenset[EndpointType]
    owner: str  # `amazon` or an account id
    private_dns_names: tuple[str, ...] = ()
    policy_supported: bool | None = None
    zones: tuple[str, ...] = ()
    listed: bool = True  # False if only its name is known, from an endpoint


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The network of one VPC. Mappings are keyed by id, `services` by full name.

    `observed_at` is the time before the first read, so no part of the snapshot is older. A facet
    that could not be read is empty, and `unreadable` holds the reason: check it before relying on
    the facet.
    """

    scope: Scope
    observed_at: datetime
    vpc: Vpc
    subnets: Mapping[str, Subnet] = field(default_factory=dict)
    route_tables: Mapping[str, RouteTable] = field(default_factory=dict)
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    security_groups: Mapping[str, SecurityGroup] = field(default_factory=dict)
    network_acls: Mapping[str, NetworkAcl] = field(default_factory=dict)
    nat_gateways: Mapping[str, NatGateway] = field(default_factory=dict)
    network_interfaces: Mapping[str, NetworkInterface] = field(default_factory=dict)
    prefix_lists: Mapping[str, PrefixList] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    unreadable: Mapping[Facet, str] = field(default_factory=dict)
