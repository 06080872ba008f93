"""The changes of a network: one frozen class for each operation, and named after it.

A field is named after the parameter of the operation (`route_table_id` for `RouteTableId`), so that
requests, CloudTrail records and AWS CLI commands lead to the same edit. A parameter that was not
given is None, or empty for a list. An edit may name what an earlier edit of its sequence creates:
the first endpoint that a sequence creates is `vpce-new-1`, the second `vpce-new-2`, and so on; the
prefixes of the ids are EC2's (`sg-new-1`, `rtb-new-1`, `rtbassoc-new-1`, `nat-new-1`).

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from dataclasses import field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, TypeAlias

from posture.lean_dataclass import dataclass
from posture.model.network import EndpointType, Network, SecurityGroupRule

if TYPE_CHECKING:  # few changes are of the shared network, and its classes take time to load
    from posture.edits.shared_edit import SharedEdit

Ids = tuple[str, ...]

# A boolean parameter that EC2 wraps: EnableDnsSupport={"Value": true}.
WRAPPED = {"member": "Value"}


def _wrapped() -> bool | None:
    value: bool | None = field(default=None, metadata=WRAPPED)
    return value


# Route tables and routes


@dataclass(frozen=True, slots=True, kw_only=True)
class _RouteKey:
    route_table_id: str
    destination_cidr_block: IPv4Network | None = None
    destination_ipv6_cidr_block: IPv6Network | None = None
    destination_prefix_list_id: str | None = None

    @property
    def cidr(self) -> Network | None:
        """The destination, unless it is a prefix list."""
        return self.destination_cidr_block or self.destination_ipv6_cidr_block


@dataclass(frozen=True, slots=True, kw_only=True)
class _RouteWithTarget(_RouteKey):
    """A route with the one target that is given."""

    gateway_id: str | None = None  # internet or virtual private gateway
    vpc_endpoint_id: str | None = None  # Gateway Load Balancer endpoint
    nat_gateway_id: str | None = None
    egress_only_internet_gateway_id: str | None = None
    transit_gateway_id: str | None = None
    vpc_peering_connection_id: str | None = None
    network_interface_id: str | None = None
    instance_id: str | None = None
    carrier_gateway_id: str | None = None
    local_gateway_id: str | None = None
    core_network_arn: str | None = None
    odb_network_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRoute(_RouteWithTarget):
    """Add a route to a route table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceRoute(_RouteWithTarget):
    """Replace the target of an existing route."""

    local_target: bool | None = None  # resets a local route to its own target


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRoute(_RouteKey):
    """Delete a route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRouteTable:
    """Create a route table (`rtb-new-1`) that has the local routes only."""

    vpc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRouteTable:
    """Delete a route table without associations."""

    route_table_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateRouteTable:
    """Associate a route table with a subnet or a gateway (`rtbassoc-new-1`)."""

    route_table_id: str
    subnet_id: str | None = None
    gateway_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisassociateRouteTable:
    """End an association; the subnet uses the main route table again."""

    association_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceRouteTableAssociation:
    """Replace the route table of a subnet or VPC, under a new association id."""

    association_id: str
    route_table_id: str


# VPC endpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsOptions:
    """The DNS options of an endpoint; an option that is None stays as it is."""

    dns_record_ip_type: str | None = None
    private_dns_only_for_inbound_resolver_endpoint: bool | None = None
    private_dns_preference: str | None = None
    private_dns_specified_domains: Ids = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetConfiguration:
    """The addresses of an endpoint's network interface in a subnet."""

    subnet_id: str
    ipv4: IPv4Address | None = None
    ipv6: IPv6Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateVpcEndpoint:
    """Create an endpoint (`vpce-new-1`) with the default, full-access policy unless one is given.

    A gateway endpoint adds a route to each of its route tables. The others add a network interface
    to each of their subnets. Without security groups they have the VPC's default one.
    """

    vpc_id: str
    vpc_endpoint_type: EndpointType = EndpointType.GATEWAY
    service_name: str | None = None
    resource_configuration_arn: str | None = None
    service_network_arn: str | None = None
    service_region: str | None = None
    policy_document: str | None = None
    route_table_ids: Ids = ()
    subnet_ids: Ids = ()
    security_group_ids: Ids = ()
    subnet_configurations: tuple[SubnetConfiguration, ...] = ()
    ip_address_type: str | None = None
    dns_options: DnsOptions | None = None
    private_dns_enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyVpcEndpoint:
    """Change what is given of an endpoint; `reset_policy` restores the full-access policy."""

    vpc_endpoint_id: str
    reset_policy: bool | None = None
    policy_document: str | None = None
    add_route_table_ids: Ids = ()
    remove_route_table_ids: Ids = ()
    add_subnet_ids: Ids = ()
    remove_subnet_ids: Ids = ()
    add_security_group_ids: Ids = ()
    remove_security_group_ids: Ids = ()
    subnet_configurations: tuple[SubnetConfiguration, ...] = ()
    ip_address_type: str | None = None
    dns_options: DnsOptions | None = None
    private_dns_enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteVpcEndpoints:
    """Delete endpoints, with their routes and network interfaces."""

    vpc_endpoint_ids: Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeVpcEndpoints:
    """Look up the hosted zone of an endpoint's names (`dns-zone-new-1`), which an alias names.

    It changes nothing; which zone a Region has is not published.
    """

    vpc_endpoint_ids: Ids


# Security groups


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSecurityGroup:
    """Create a security group (`sg-new-1`) that allows no inbound and all outbound traffic."""

    group_name: str
    description: str
    vpc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteSecurityGroup:
    """Delete a security group that nothing refers to."""

    group_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _GroupRules:
    """The rules of one security group that a request names, one for each peer."""

    group_id: str
    ip_permissions: tuple[SecurityGroupRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeSecurityGroupIngress(_GroupRules):
    """Add inbound rules to a security group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeSecurityGroupEgress(_GroupRules):
    """Add outbound rules to a security group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _RevokedRules(_GroupRules):
    """The rules of one security group to remove; descriptions are not compared."""

    security_group_rule_ids: Ids = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeSecurityGroupIngress(_RevokedRules):
    """Remove inbound rules from a security group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeSecurityGroupEgress(_RevokedRules):
    """Remove outbound rules from a security group."""


# Network ACLs


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRange:
    """The first and last port of a network ACL entry."""

    from_: int
    to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IcmpTypeCode:
    """The ICMP type and code of a network ACL entry; -1 is any."""

    type: int
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _AclEntryFields:
    network_acl_id: str
    rule_number: int
    egress: bool
    protocol: str  # a number, -1 for all
    rule_action: str  # allow or deny
    cidr_block: IPv4Network | None = None
    ipv6_cidr_block: IPv6Network | None = None
    port_range: PortRange | None = None
    icmp_type_code: IcmpTypeCode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNetworkAclEntry(_AclEntryFields):
    """Add an entry to a network ACL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceNetworkAclEntry(_AclEntryFields):
    """Replace the entry that has the same number and direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNetworkAclEntry:
    """Delete an entry of a network ACL."""

    network_acl_id: str
    rule_number: int
    egress: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceNetworkAclAssociation:
    """Replace the network ACL of a subnet, under a new association id."""

    association_id: str
    network_acl_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNetworkAcl:
    """Create a network ACL (`acl-new-1`) that denies all traffic."""

    vpc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNetworkAcl:
    """Delete a network ACL without associations."""

    network_acl_id: str


# The VPC itself


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyVpcAttribute:
    """Set one DNS attribute of a VPC."""

    vpc_id: str
    enable_dns_support: bool | None = _wrapped()
    enable_dns_hostnames: bool | None = _wrapped()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifySubnetAttribute:
    """Set DNS64 of a subnet."""

    subnet_id: str
    enable_dns64: bool | None = _wrapped()


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpConfiguration:
    """One option of a DHCP option set."""

    key: str
    values: Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateDhcpOptions:
    """Create a DHCP option set (`dopt-new-1`)."""

    dhcp_configurations: tuple[DhcpConfiguration, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateDhcpOptions:
    """Replace the DHCP option set of a VPC; `default` is the VPC's own Resolver."""

    dhcp_options_id: str
    vpc_id: str


# Gateways and connections


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNatGateway:
    """Create a NAT gateway (`nat-new-1`) in a subnet."""

    subnet_id: str | None = None
    allocation_id: str | None = None
    connectivity_type: str = "public"
    private_ip_address: IPv4Address | None = None
    availability_mode: str | None = None
    vpc_id: str | None = None  # of a regional NAT gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNatGateway:
    """Delete a NAT gateway; its routes become blackholes."""

    nat_gateway_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateInternetGateway:
    """Create an internet gateway (`igw-new-1`) that is not attached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachInternetGateway:
    """Attach an internet gateway to a VPC."""

    internet_gateway_id: str
    vpc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachInternetGateway:
    """Detach an internet gateway; its routes become blackholes."""

    internet_gateway_id: str
    vpc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateEgressOnlyInternetGateway:
    """Create an egress-only internet gateway (`eigw-new-1`)."""

    vpc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteEgressOnlyInternetGateway:
    """Delete an egress-only internet gateway; its routes become blackholes."""

    egress_only_internet_gateway_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateVpcPeeringConnection:
    """Request a peering connection (`pcx-new-1`) with another VPC."""

    vpc_id: str
    peer_vpc_id: str
    peer_owner_id: str | None = None
    peer_region: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptVpcPeeringConnection:
    """Accept a peering connection, which makes its routes active."""

    vpc_peering_connection_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteVpcPeeringConnection:
    """Delete a peering connection; its routes become blackholes."""

    vpc_peering_connection_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTransitGatewayVpcAttachment:
    """Attach a VPC to a transit gateway (`tgw-attach-new-1`)."""

    transit_gateway_id: str
    vpc_id: str
    subnet_ids: Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTransitGatewayVpcAttachment:
    """Detach a VPC from a transit gateway; its routes become blackholes.

    The request names the attachment only. `transit_gateway_id` is set by a caller who knows it.
    """

    transit_gateway_attachment_id: str
    transit_gateway_id: str | None = field(default=None, metadata={"parameter": False})


# Prefix lists


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixListEntry:
    """A CIDR block of a prefix list."""

    cidr: Network
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyManagedPrefixList:
    """Add or remove entries of a customer-managed prefix list."""

    prefix_list_id: str
    current_version: int | None = None
    prefix_list_name: str | None = None
    add_entries: tuple[PrefixListEntry, ...] = ()
    remove_entries: tuple[PrefixListEntry, ...] = ()
    max_entries: int | None = None


# Endpoint services


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyVpcEndpointServicePermissions:
    """Add or remove principals that may connect to an endpoint service."""

    service_id: str
    add_allowed_principals: Ids = ()
    remove_allowed_principals: Ids = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyVpcEndpointServiceConfiguration:
    """Change what is given of an endpoint service."""

    service_id: str
    private_dns_name: str | None = None
    remove_private_dns_name: bool | None = None
    acceptance_required: bool | None = None
    add_network_load_balancer_arns: Ids = ()
    remove_network_load_balancer_arns: Ids = ()
    add_gateway_load_balancer_arns: Ids = ()
    remove_gateway_load_balancer_arns: Ids = ()
    add_supported_ip_address_types: Ids = ()
    remove_supported_ip_address_types: Ids = ()
    add_supported_regions: Ids = ()
    remove_supported_regions: Ids = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptVpcEndpointConnections:
    """Accept endpoints that ask to connect to an endpoint service."""

    service_id: str
    vpc_endpoint_ids: Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectVpcEndpointConnections:
    """Reject endpoints that ask to connect, or are connected, to an endpoint service."""

    service_id: str
    vpc_endpoint_ids: Ids


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
