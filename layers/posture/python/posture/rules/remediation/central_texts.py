"""Describes edits of central endpoints and the network that leads there, for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from posture.analysis.descriptions import describe_ports
from posture.edits.edit import Edit
from posture.edits.operations.endpoints import ModifyVpcEndpoint
from posture.edits.operations.gateways import (
    AcceptVpcPeeringConnection,
    CreateTransitGatewayVpcAttachment,
)
from posture.edits.operations.network_acls import CreateNetworkAclEntry
from posture.edits.operations.routes import CreateRoute, ReplaceRoute
from posture.edits.operations.security_groups import AuthorizeSecurityGroupIngress
from posture.edits.operations.vpcs import ModifyVpcAttribute
from posture.edits.shared_edit import (
    AcceptTransitGatewayVpcAttachment,
    AssociateProfile,
    AssociateResolverRule,
    AssociateResourceToProfile,
    AssociateTransitGatewayRouteTable,
    AssociateVPCWithHostedZone,
    ChangeResourceRecordSets,
    CreateHostedZone,
    CreateTransitGatewayRoute,
    CreateVPCAssociationAuthorization,
    EnableTransitGatewayRouteTablePropagation,
    ModifyTransitGatewayVpcAttachment,
    ReplaceTransitGatewayRoute,
)
from posture.model.scope import Scope
from posture.rules.contexts import VpcContext
from posture.rules.evidence import join_names
from posture.rules.trial import get_network


def describe_plan(plan: Sequence[Edit], vpc: VpcContext) -> str:
    """Describe edits in one sentence, each kind once."""
    network = get_network(vpc)
    zones = network.zones if network else {}
    named = {key: f"{key} ({each.name})" for key, each in zones.items()}
    created = [each for each in plan if isinstance(each, CreateHostedZone)]
    named |= {f"Z-new-{number}": f"for {zone.name}" for number, zone in enumerate(created, 1)}
    for each in plan:
        if isinstance(each, CreateVPCAssociationAuthorization):
            name = named.get(each.hosted_zone_id, each.hosted_zone_id)
            named[each.hosted_zone_id] = f"{name}, which its account authorizes first"
    texts: dict[str, None] = {}
    for each in plan:
        if describe := TEXTS.get(type(each)):
            texts[describe(each, named)] = None
    sentence = join_names(texts)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def describe_accounts(accounts: Sequence[str], scope: Scope) -> str:
    """Say in which account and Region calls run, unless that is the VPC's own."""
    foreign = list(dict.fromkeys(each for each in accounts if each != scope.account))
    if not foreign:
        return ""
    if len(set(accounts)) == 1:
        return f"Run it in {_name_account(foreign[0])} ({scope.region})."
    named = join_names(map(_name_account, foreign))
    others = f", the others in account {scope.account}" if scope.account in accounts else ""
    return f"Run the calls with --profile in {named}{others} ({scope.region})."


def _name_account(account: str) -> str:
    return f"account {account}" if account else "the account that owns the resource"


def _route(edit: CreateRoute | ReplaceRoute, _: Mapping[str, str]) -> str:
    target = edit.transit_gateway_id or edit.core_network_arn or edit.vpc_peering_connection_id
    return f"route {edit.cidr} in {edit.route_table_id} to {target}"


def _route_transit(
    edit: CreateTransitGatewayRoute | ReplaceTransitGatewayRoute, _: Mapping[str, str]
) -> str:
    return (
        f"route {edit.destination_cidr_block} in {edit.transit_gateway_route_table_id} to "
        f"{edit.transit_gateway_attachment_id}"
    )


def _set_records(edit: ChangeResourceRecordSets, named: Mapping[str, str]) -> str:
    names = dict.fromkeys(it.resource_record_set.name for it in edit.change_batch.changes)
    zone = named.get(edit.hosted_zone_id, edit.hosted_zone_id)
    return f"point {join_names(names)} in the hosted zone {zone} to the endpoint"


def _allow(edit: CreateNetworkAclEntry, _: Mapping[str, str]) -> str:
    ports = edit.port_range
    on = f" on {describe_ports(((ports.from_, ports.to),))}" if ports else ""
    direction = "outbound traffic to" if edit.egress else "inbound traffic from"
    return (
        f"allow {direction} {edit.cidr_block or edit.ipv6_cidr_block}{on} in {edit.network_acl_id}"
    )


def _authorize(edit: AuthorizeSecurityGroupIngress, _: Mapping[str, str]) -> str:
    peers = join_names(dict.fromkeys(str(each.cidr) for each in edit.ip_permissions))
    return f"allow {peers}, and nothing wider, in the security group {edit.group_id}"


def _set_attribute(edit: ModifyVpcAttribute, _: Mapping[str, str]) -> str:
    name = "enableDnsSupport" if edit.enable_dns_support is not None else "enableDnsHostnames"
    return f"enable {name} of {edit.vpc_id}"


def _associate(edit: AssociateVPCWithHostedZone, named: Mapping[str, str]) -> str:
    zone = named.get(edit.hosted_zone_id, edit.hosted_zone_id)
    return f"associate {edit.vpc.vpc_id} with the hosted zone {zone}"


Describe = Callable[[Any, Mapping[str, str]], str]
TEXTS: Mapping[type, Describe] = {
    CreateRoute: _route,
    ReplaceRoute: _route,
    CreateTransitGatewayRoute: _route_transit,
    ReplaceTransitGatewayRoute: _route_transit,
    ChangeResourceRecordSets: _set_records,
    CreateNetworkAclEntry: _allow,
    AuthorizeSecurityGroupIngress: _authorize,
    ModifyVpcAttribute: _set_attribute,
    ModifyVpcEndpoint: lambda it, _: (
        f"add the account of the VPC to those that the policy of {it.vpc_endpoint_id} admits"
    ),
    AcceptVpcPeeringConnection: lambda it, _: (
        f"accept the peering connection {it.vpc_peering_connection_id}"
    ),
    CreateTransitGatewayVpcAttachment: lambda it, _: (
        f"attach {it.vpc_id} to {it.transit_gateway_id} by {join_names(it.subnet_ids)}"
    ),
    AcceptTransitGatewayVpcAttachment: lambda it, _: (
        f"accept the attachment {it.transit_gateway_attachment_id}"
    ),
    ModifyTransitGatewayVpcAttachment: lambda it, _: (
        f"add {join_names(it.add_subnet_ids)} to the attachment {it.transit_gateway_attachment_id}"
    ),
    AssociateTransitGatewayRouteTable: lambda it, _: (
        f"associate the attachment with the route table {it.transit_gateway_route_table_id}"
    ),
    EnableTransitGatewayRouteTablePropagation: lambda it, _: (
        f"propagate the routes of {it.transit_gateway_attachment_id} to "
        f"{it.transit_gateway_route_table_id}"
    ),
    CreateHostedZone: lambda it, _: f"create a private hosted zone for {it.name}",
    AssociateVPCWithHostedZone: _associate,
    AssociateResolverRule: lambda it, _: (
        f"associate {it.vpc_id} with the Resolver rule {it.resolver_rule_id}"
    ),
    AssociateProfile: lambda it, _: (
        f"associate {it.resource_id} with the Route 53 Profile {it.profile_id}"
    ),
    AssociateResourceToProfile: lambda it, _: (
        f"add {it.resource_arn.rpartition('/')[2]} to the Route 53 Profile {it.profile_id}"
    ),
}
