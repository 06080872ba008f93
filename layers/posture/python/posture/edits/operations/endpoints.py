"""VPC endpoints."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from posture.edits.operations import Ids
from posture.lean_dataclass import dataclass
from posture.model.network import EndpointType


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
