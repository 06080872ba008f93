"""Which attributes of Terraform's resources hold ids of which kind of network resource.

https://registry.terraform.io/providers/hashicorp/aws/latest/docs
https://registry.terraform.io/providers/hashicorp/awscc/latest/docs
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from posture_cli.plan.values import make_symbol

GATEWAY = "gateway"  # an internet or virtual private gateway, or another that GatewayId names
POLICY = "policy"  # the JSON of a policy document, not an id

# The kind of id that each type of resource has itself.
OWN_KINDS: Mapping[str, str] = {
    "aws_vpc": "vpc",
    "aws_default_vpc": "vpc",
    "aws_subnet": "subnet",
    "aws_default_subnet": "subnet",
    "aws_route_table": "route-table",
    "aws_default_route_table": "route-table",
    "aws_security_group": "security-group",
    "aws_default_security_group": "security-group",
    "aws_network_acl": "network-acl",
    "aws_default_network_acl": "network-acl",
    "aws_vpc_endpoint": "vpc-endpoint",
    "aws_vpc_endpoint_service": "endpoint-service",
    "aws_nat_gateway": "nat-gateway",
    "aws_internet_gateway": "internet-gateway",
    "aws_egress_only_internet_gateway": "egress-only-internet-gateway",
    "aws_vpn_gateway": "virtual-private-gateway",
    "aws_ec2_carrier_gateway": "carrier-gateway",
    "aws_ec2_transit_gateway": "transit-gateway",
    "aws_vpc_peering_connection": "peering-connection",
    "aws_vpc_peering_connection_accepter": "peering-connection",
    "aws_ec2_managed_prefix_list": "prefix-list",
    "aws_network_interface": "network-interface",
    "aws_instance": "instance",
    "aws_vpc_dhcp_options": "dhcp-options",
    "aws_default_vpc_dhcp_options": "dhcp-options",
    "awscc_ec2_vpc": "vpc",
    "awscc_ec2_subnet": "subnet",
    "awscc_ec2_route_table": "route-table",
    "awscc_ec2_security_group": "security-group",
    "awscc_ec2_network_acl": "network-acl",
    "awscc_ec2_vpc_endpoint": "vpc-endpoint",
    "awscc_ec2_vpc_endpoint_service": "endpoint-service",
    "awscc_ec2_nat_gateway": "nat-gateway",
    "awscc_ec2_internet_gateway": "internet-gateway",
    "awscc_ec2_egress_only_internet_gateway": "egress-only-internet-gateway",
    "awscc_ec2_vpn_gateway": "virtual-private-gateway",
    "awscc_ec2_transit_gateway": "transit-gateway",
    "awscc_ec2_vpc_peering_connection": "peering-connection",
    "awscc_ec2_prefix_list": "prefix-list",
    "awscc_ec2_network_interface": "network-interface",
    "awscc_ec2_instance": "instance",
    "awscc_ec2_dhcp_options": "dhcp-options",
}
# Data sources that stand for one resource have its id.
DATA_KINDS: Mapping[str, str] = {
    **{name: kind for name, kind in OWN_KINDS.items() if name.startswith("aws_")},
    "aws_prefix_list": "prefix-list",
    "aws_iam_policy_document": POLICY,
}
# The attributes that hold it.
OWN_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    POLICY: ("json", "minified_json"),
    "vpc": ("id", "vpc_id"),
    "subnet": ("id", "subnet_id"),
    "route-table": ("id", "route_table_id"),
    "security-group": ("id", "group_id"),
    "network-acl": ("id", "network_acl_id"),
    "vpc-endpoint": ("id", "vpc_endpoint_id"),
    "endpoint-service": ("id", "service_id"),
    "nat-gateway": ("id", "nat_gateway_id"),
    "internet-gateway": ("id", "internet_gateway_id"),
    "egress-only-internet-gateway": ("id", "egress_only_internet_gateway_id"),
    "virtual-private-gateway": ("id", "vpn_gateway_id"),
    "transit-gateway": ("id", "transit_gateway_id"),
    "prefix-list": ("id", "prefix_list_id"),
    "network-interface": ("id", "network_interface_id"),
    "instance": ("id", "instance_id"),
    "dhcp-options": ("id", "dhcp_options_id"),
}
DEFAULT_SUFFIXES: Mapping[str, tuple[str, str]] = {
    "main_route_table_id": ("route-table", "main"),
    "default_route_table_id": ("route-table", "main"),
    "default_security_group_id": ("security-group", "default"),
    "default_security_group": ("security-group", "default"),
    "default_network_acl_id": ("network-acl", "default"),
    "default_network_acl": ("network-acl", "default"),
}
# What any resource calls the ids that it refers to.
REFERRING: Mapping[str, str] = {
    "gateway_id": GATEWAY,
    "vpc_id": "vpc",
    "peer_vpc_id": "vpc",
    "subnet_id": "subnet",
    "subnet_ids": "subnet",
    "route_table_id": "route-table",
    "route_table_ids": "route-table",
    "security_group_id": "security-group",
    "security_group_ids": "security-group",
    "network_acl_id": "network-acl",
    "vpc_endpoint_id": "vpc-endpoint",
    "nat_gateway_id": "nat-gateway",
    "internet_gateway_id": "internet-gateway",
    "egress_only_gateway_id": "egress-only-internet-gateway",
    "egress_only_internet_gateway_id": "egress-only-internet-gateway",
    "vpn_gateway_id": "virtual-private-gateway",
    "transit_gateway_id": "transit-gateway",
    "vpc_peering_connection_id": "peering-connection",
    "prefix_list_id": "prefix-list",
    "destination_prefix_list_id": "prefix-list",
    "prefix_list_ids": "prefix-list",
    "network_interface_id": "network-interface",
    "primary_network_interface_id": "network-interface",
    "network_interface_ids": "network-interface",
    "instance_id": "instance",
    "dhcp_options_id": "dhcp-options",
    "vpc_endpoint_service_id": "endpoint-service",
    "service_id": "endpoint-service",
    "group_id": "security-group",
}
VPCS = frozenset({"aws_vpc", "aws_default_vpc", "awscc_ec2_vpc"})
# A route's `gateway_id` may be any of these.
GATEWAYS = frozenset(
    {"internet-gateway", "virtual-private-gateway", "carrier-gateway", "vpc-endpoint"}
)


def find_own_kind(mode: str, type_: str) -> str:
    """Return the kind of id that a resource or data source has itself; "" for none."""
    return (DATA_KINDS if mode == "data" else OWN_KINDS).get(type_, "")


def find_kind(mode: str, type_: str, attribute: str) -> str:
    """Return the kind of id that an attribute holds; "" for none."""
    own = find_own_kind(mode, type_)
    if attribute in OWN_ATTRIBUTES.get(own, ("id",)):
        return own
    if type_ in VPCS and attribute in DEFAULT_SUFFIXES:
        return DEFAULT_SUFFIXES[attribute][0]
    return REFERRING.get(attribute, "")


def list_attributes(mode: str, type_: str, kind: str) -> list[str]:
    """List the attributes that hold ids of a kind, the resource's own id first."""
    own = find_own_kind(mode, type_)
    if own == kind or (kind == GATEWAY and own in GATEWAYS):
        return [OWN_ATTRIBUTES.get(own, ("id",))[0]]
    names = [name for name, (each, _) in DEFAULT_SUFFIXES.items() if each == kind]
    return names[:1] if type_ in VPCS else []


def make_id(kind: str, address: str) -> str:
    """Make the id of a resource that does not exist yet.

    That of an endpoint service is part of the service's name, by whose digits names of customers'
    services are recognised.
    """
    if kind == "endpoint-service":
        return make_symbol(kind, sha256(address.encode()).hexdigest()[:17])
    return make_symbol(kind, address)
