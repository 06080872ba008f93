"""Maps the resources of a Terraform plan, one after the other, to the rows of a region.

A type that is not among `ADD` and begins like those of networks is named in the output.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from posture_cli.plan import terraform_awscc as awscc
from posture_cli.plan import terraform_endpoints as endpoints
from posture_cli.plan import terraform_routes as routes
from posture_cli.plan import terraform_security as security
from posture_cli.plan.rows import PlannedRegion
from posture_cli.plan.terraform_plan import Instance
from posture_cli.plan.terraform_resolver import Resolver
from posture_cli.plan.terraform_values import Values

Step = Callable[[Values], None]

# In the order in which they need each other.
ADD: Mapping[str, Step] = {
    "aws_default_vpc": routes.add_vpc,
    "aws_vpc": routes.add_vpc,
    "awscc_ec2_vpc": routes.add_vpc,
    "awscc_ec2_vpc_cidr_block": routes.add_vpc_cidr,
    "aws_vpc_ipv4_cidr_block_association": routes.add_vpc_cidr,
    "aws_vpc_ipv6_cidr_block_association": routes.add_vpc_cidr,
    "aws_default_subnet": routes.add_subnet,
    "aws_subnet": routes.add_subnet,
    "awscc_ec2_subnet": routes.add_subnet,
    "aws_vpc_dhcp_options": routes.add_dhcp_options,
    "aws_default_vpc_dhcp_options": routes.add_dhcp_options,
    "awscc_ec2_dhcp_options": routes.add_dhcp_options,
    "awscc_ec2_vpcdhcp_options_association": routes.associate_dhcp_options,
    "aws_vpc_dhcp_options_association": routes.associate_dhcp_options,
    "awscc_ec2_prefix_list": routes.add_prefix_list,
    "aws_ec2_managed_prefix_list": routes.add_prefix_list,
    "aws_network_acl": security.add_acl,
    "aws_default_network_acl": security.adopt_default_acl,
    "aws_security_group": security.add_group,
    "aws_default_security_group": security.adopt_default_group,
    "awscc_ec2_security_group": awscc.add_group,
    "awscc_ec2_nat_gateway": routes.add_nat_gateway,
    "aws_nat_gateway": routes.add_nat_gateway,
    "aws_network_interface": routes.add_network_interface,
    "aws_instance": routes.add_instance,
    "awscc_ec2_route_table": routes.add_route_table,
    "aws_route_table": routes.add_route_table,
    "aws_default_route_table": routes.adopt_main_table,
    "awscc_ec2_vpc_endpoint_service": endpoints.add_service,
    "aws_vpc_endpoint_service": endpoints.add_service,
    "awscc_ec2_vpc_endpoint": awscc.add_vpc_endpoint,
    "aws_vpc_endpoint": endpoints.add_endpoint,
    # These belong to one of the above.
    "aws_ec2_managed_prefix_list_entry": routes.add_prefix_list_entry,
    "aws_main_route_table_association": routes.associate_main_table,
    "aws_route_table_association": routes.associate_route_table,
    "awscc_ec2_subnet_route_table_association": routes.associate_route_table,
    "aws_route": routes.add_route,
    "awscc_ec2_route": routes.add_route,
    "awscc_ec2_security_group_ingress": security.add_rule,
    "awscc_ec2_security_group_egress": security.add_rule,
    "awscc_ec2_vpc_endpoint_service_permissions": awscc.set_permissions,
    "aws_vpn_gateway_route_propagation": routes.propagate_routes,
    "aws_security_group_rule": security.add_rule,
    "aws_vpc_security_group_ingress_rule": security.add_rule,
    "aws_vpc_security_group_egress_rule": security.add_rule,
    "aws_network_acl_rule": security.add_entry,
    "aws_network_acl_association": security.associate_acl,
    "aws_vpc_endpoint_route_table_association": endpoints.link_endpoint,
    "aws_vpc_endpoint_subnet_association": endpoints.link_endpoint,
    "aws_vpc_endpoint_security_group_association": endpoints.link_endpoint,
    "aws_vpc_endpoint_policy": endpoints.set_policy,
    "aws_vpc_endpoint_private_dns": endpoints.set_private_dns,
    "aws_vpc_endpoint_service_allowed_principal": endpoints.allow_principal,
}
# What the state of the resource that they belong to still shows, although the plan removes it.
REMOVE: Mapping[str, Step] = {
    "aws_main_route_table_association": routes.restore_main_table,
    "aws_ec2_managed_prefix_list_entry": routes.remove_prefix_list_entry,
    "aws_route": routes.remove_route,
    "awscc_ec2_route": routes.remove_route,
    "awscc_ec2_security_group_ingress": security.remove_rule,
    "awscc_ec2_security_group_egress": security.remove_rule,
    "aws_security_group_rule": security.remove_rule,
    "aws_vpc_security_group_ingress_rule": security.remove_rule,
    "aws_vpc_security_group_egress_rule": security.remove_rule,
    "aws_network_acl_rule": security.remove_entry,
    "aws_vpc_endpoint_route_table_association": endpoints.unlink_endpoint,
    "aws_vpc_endpoint_subnet_association": endpoints.unlink_endpoint,
    "aws_vpc_endpoint_security_group_association": endpoints.unlink_endpoint,
    "aws_vpc_endpoint_service_allowed_principal": endpoints.disallow_principal,
}
# Known, and without a part in the paths of a VPC, except as a target that routes name.
NO_PART = re.compile(
    r"aws_(internet_gateway(_attachment)?|egress_only_internet_gateway|vpc_peering_connection\w*|"
    r"vpn_gateway(_attachment)?|vpn_connection\w*|vpc_ipam\w*|vpc_network_performance\w*|"
    r"vpc_endpoint_connection_notification|network_interface_(attachment|permission)|"
    r"networkfirewall_(firewall_policy|rule_group|logging_configuration|resource_policy|tls\w*)|"
    r"ec2_(transit_gateway\w*|carrier_gateway|tag|fleet|host|capacity\w*|serial\w*|image\w*|"
    r"instance_\w*|availability_zone_group|network_insights\w*|traffic_mirror\w*|"
    r"client_vpn_authorization_rule)|route53(?!_resolver_endpoint)\w*)"
    r"|awscc_ec2_(internet_gateway|egress_only_internet_gateway|vpc_gateway_attachment|vpn_gateway|"
    r"transit_gateway\w*|vpc_peering_connection|carrier_gateway|eip\w*|flow_log|ipam\w*|instance|"
    r"key_pair|launch_template|network_interface\w*|volume\w*)"
)
NETWORK = re.compile(
    r"aws_(vpc|subnet|route|main_route|default_(vpc|subnet|route|security|network)|security_group|"
    r"network_acl|network_interface|networkfirewall|networkmanager|nat_|internet_gateway|vpn|ec2_|"
    r"egress_only|vpclattice_(service_network|resource)|cloudformation_stack|dx_gateway|odb_)"
    r"|awscc_(ec2_|networkfirewall_|networkmanager_|cloudformation_stack|vpclattice_)"
)


def is_unknown_type(type_: str) -> bool:
    """Return whether a type touches networks and is not understood."""
    return type_ not in ADD and not NO_PART.fullmatch(type_) and bool(NETWORK.match(type_))


def add_instances(
    region: PlannedRegion,
    resolver: Resolver,
    instances: Sequence[Instance],
    removed: Iterable[Instance] = (),
) -> None:
    """Add instances to the rows of a region.

    Args:
        region: The rows.
        resolver: Resolves references, in one reading of the plan.
        instances: All that exist.
        removed: Those that the plan destroys or changes, as they were: what they belong to may
            still show them.
    """
    managed = [each for each in instances if each.mode == "managed"]
    by_type: dict[str, list[Instance]] = {}
    for each in managed:
        by_type.setdefault(each.type, []).append(each)
    started = False
    for type_, step in ADD.items():
        if type_ == LINKS_FROM and not started:
            started = True
            for each in removed:
                if remove := REMOVE.get(each.type):
                    remove(Values(resolver, each, region))
        for each in by_type.get(type_, ()):
            step(Values(resolver, each, region))


LINKS_FROM = "aws_ec2_managed_prefix_list_entry"  # the first type that belongs to another
