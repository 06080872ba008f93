"""A scope's network at one instant, as EC2's Describe calls tell it. All times are UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from posture.model.scope import Scope

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Tags = Mapping[str, str]


class Facet(StrEnum):
    """One kind of fact that is read by one kind of request, and can be denied by itself."""

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


@dataclass(frozen=True, slots=True)
class Vpc:
    """The VPC itself. A DNS attribute is None where it could not be read."""

    id: str
    owner: str
    cidrs: tuple[IPv4Network, ...]
    ipv6_cidrs: tuple[IPv6Network, ...] = ()
    dns_support: bool | None = None
    dns_hostnames: bool | None = None
    default: bool = False
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet; an IPv6-only one has no `cidr`."""

    id: str
    vpc_id: str
    owner: str
    zone: str  # availability zone name, as in eu-west-1a
    zone_id: str  # availability zone id, as in euw1-az1, the same in every account
    cidr: IPv4Network | None
    ipv6_cidrs: tuple[IPv6Network, ...] = ()
    tags: Tags = field(default_factory=dict)

    @property
    def blocks(self) -> tuple[Network, ...]:
        """Its addresses of both families."""
        return (self.cidr, *self.ipv6_cidrs) if self.cidr else self.ipv6_cidrs


class TargetKind(StrEnum):
    """What a route points to."""

    LOCAL = "local"
    VPC_ENDPOINT = "vpc-endpoint"  # gateway or Gateway Load Balancer: the endpoint's type tells
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
    UNKNOWN = "unknown"  # a kind this version does not know: never taken for safe


@dataclass(frozen=True, slots=True)
class Target:
    """What a route points to, and its id (`local` for the VPC itself)."""

    kind: TargetKind
    id: str


class RouteOrigin(StrEnum):
    """How a route came into its table."""

    TABLE = "CreateRouteTable"  # the local routes that come with the table
    STATIC = "CreateRoute"
    PROPAGATED = "EnableVgwRoutePropagation"
    ADVERTISED = "Advertisement"  # by a route server
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Route:
    """One route: either a `cidr` or a `prefix_list_id` is its destination.

    A route with neither is one whose destination EC2 did not tell.
    """

    cidr: Network | None
    prefix_list_id: str | None
    target: Target
    blackhole: bool = False
    origin: RouteOrigin = RouteOrigin.STATIC

    @property
    def destination(self) -> str:
        """The destination in words."""
        return str(self.cidr) if self.cidr else self.prefix_list_id or "unknown destination"


@dataclass(frozen=True, slots=True)
class RouteTable:
    """A route table. `gateway_ids` are edge associations: such a table routes incoming traffic."""

    id: str
    vpc_id: str
    owner: str
    main: bool
    subnet_ids: tuple[str, ...]  # explicit associations only
    gateway_ids: tuple[str, ...]
    association_ids: tuple[str, ...]
    routes: tuple[Route, ...]
    propagating_gateway_ids: tuple[str, ...] = ()
    tags: Tags = field(default_factory=dict)


class EndpointType(StrEnum):
    """The types of VPC endpoint, spelt as EC2 does."""

    GATEWAY = "Gateway"
    INTERFACE = "Interface"
    GATEWAY_LOAD_BALANCER = "GatewayLoadBalancer"
    RESOURCE = "Resource"
    SERVICE_NETWORK = "ServiceNetwork"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class DnsEntry:
    """A name that resolves to the endpoint's interfaces."""

    name: str
    zone_id: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A VPC endpoint, as DescribeVpcEndpoints gives it.

    `policy` is the document as text; None where EC2 gave none. `state` is in lower case
    (`available`, `pending`, `pendingacceptance`, `failed`, `rejected`, `expired`, `deleting` …).
    `private_dns` is None where EC2 did not tell.
    """

    id: str
    type: EndpointType
    vpc_id: str
    owner: str
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
    dns_entries: tuple[DnsEntry, ...] = ()
    service_region: str | None = None
    requester_managed: bool = False
    created_at: datetime | None = None
    last_error: str | None = None
    tags: Tags = field(default_factory=dict)

    @property
    def deleted(self) -> bool:
        """EC2 shows an endpoint for a while after it is gone."""
        return self.state in {"deleting", "deleted"}


@dataclass(frozen=True, slots=True)
class GroupReference:
    """A security group named as a peer by a rule; `vpc_id` and `peering_id` when it lies abroad."""

    group_id: str
    owner: str = ""
    vpc_id: str | None = None
    peering_id: str | None = None


@dataclass(frozen=True, slots=True)
class SecurityGroupRule:
    """One permission towards one peer: exactly one of the three peer fields is set.

    `protocol` is `-1` (all), `tcp`, `udp`, `icmp`, `icmpv6` or a protocol number as text;
    ports are None where the protocol has none or all are meant.
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
    """A security group; the default one of a VPC is named `default`."""

    id: str
    name: str
    vpc_id: str
    owner: str
    ingress: tuple[SecurityGroupRule, ...]
    egress: tuple[SecurityGroupRule, ...]
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AclEntry:
    """One entry of a network ACL; entries apply in order of `number`, 32767 is the final deny.

    `protocol` is a number as text, `-1` for all; ports are None where they do not apply.
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
    """A network ACL with the subnets it guards."""

    id: str
    vpc_id: str
    default: bool
    subnet_ids: tuple[str, ...]
    association_ids: tuple[str, ...]
    entries: tuple[AclEntry, ...]
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NatGateway:
    """A NAT gateway; a regional one has no `subnet_id`."""

    id: str
    vpc_id: str
    subnet_id: str | None
    state: str  # pending, failed, available, deleting, deleted
    public: bool  # False: a private NAT, which reaches no internet gateway


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """A network interface of a VPC endpoint, with its private addresses."""

    id: str
    subnet_id: str
    zone: str
    addresses: tuple[Address, ...]
    security_group_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PrefixList:
    """A prefix list; `cidrs` is None where the entries could not be read.

    AWS's own are named after their service, as in `com.amazonaws.eu-west-1.s3`.
    """

    id: str
    name: str
    owner: str  # "AWS" or an account
    cidrs: tuple[Network, ...] | None
    version: int | None = None

    @property
    def aws_managed(self) -> bool:
        """Whether AWS keeps its entries."""
        return self.owner == "AWS"


@dataclass(frozen=True, slots=True)
class Service:
    """An endpoint service of the region's catalogue, AWS's or somebody's.

    `policy_supported` is None where EC2 did not tell. `private_dns_names` is empty for a service
    that offers none.
    """

    name: str  # com.amazonaws.eu-west-1.sns, com.amazonaws.vpce.eu-west-1.vpce-svc-…
    types: frozenset[EndpointType]
    owner: str  # "amazon" or an account
    private_dns_names: tuple[str, ...] = ()
    policy_supported: bool | None = None
    zones: tuple[str, ...] = ()
    acceptance_required: bool | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A frozen picture of one VPC's network. Mappings are keyed by id, services by full name.

    `observed_at` was taken before the first read, so nothing here is older than it. A facet that
    could not be read is empty here and stands in `unreadable` with the reason; whoever reads a
    facet asks there first.
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
