"""Maps Terraform's VPCs, subnets, route tables and gateways to rows of EC2's answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posture.model.network import Facet
from posture_cli.plan.ipv6_blocks import choose_stand_in, choose_subnet_stand_in
from posture_cli.plan.resources import prefix_lists, routes, subnets, vpcs
from posture_cli.plan.terraform_ids import GATEWAY
from posture_cli.plan.terraform_values import Values
from posture_cli.plan.values import Unknown, make_symbol

# The attribute of each target of a route: its kind of id, and EC2's member.
TARGETS: Mapping[str, tuple[str, str]] = {
    "gateway_id": (GATEWAY, "GatewayId"),
    "vpc_endpoint_id": ("vpc-endpoint", "GatewayId"),
    "nat_gateway_id": ("nat-gateway", "NatGatewayId"),
    "transit_gateway_id": ("transit-gateway", "TransitGatewayId"),
    "vpc_peering_connection_id": ("peering-connection", "VpcPeeringConnectionId"),
    "egress_only_gateway_id": ("egress-only-internet-gateway", "EgressOnlyInternetGatewayId"),
    "egress_only_internet_gateway_id": (
        "egress-only-internet-gateway",
        "EgressOnlyInternetGatewayId",
    ),
    "network_interface_id": ("network-interface", "NetworkInterfaceId"),
    "instance_id": ("instance", "InstanceId"),
    "carrier_gateway_id": ("carrier-gateway", "CarrierGatewayId"),
    "local_gateway_id": ("local-gateway", "LocalGatewayId"),
    "core_network_arn": ("core-network", "CoreNetworkArn"),
    "odb_network_arn": ("odb-network", "OdbNetworkArn"),
}
DESTINATIONS: Mapping[str, str] = {
    "destination_cidr_block": "DestinationCidrBlock",
    "cidr_block": "DestinationCidrBlock",
    "destination_ipv_6_cidr_block": "DestinationIpv6CidrBlock",
    "destination_ipv6_cidr_block": "DestinationIpv6CidrBlock",
    "ipv6_cidr_block": "DestinationIpv6CidrBlock",
}


def add_vpc(values: Values) -> None:
    """Add a VPC; of one that exists, EC2's defaults are known as far as the plan has them."""
    region, vpc_id = values.region, values.id
    if not values.instance.new and region.find("DescribeVpcs", "VpcId", vpc_id) is None:
        _add_existing(values)
    ipv6 = values.get("ipv6_cidr_block")
    if values.get("assign_generated_ipv6_cidr_block") is True and not isinstance(ipv6, str):
        ipv6 = choose_stand_in(region) if values.instance.new else Unknown("assigned by EC2")
    vpcs.add_vpc(
        region,
        vpc_id,
        values.address,
        values.get("cidr_block", Unknown("assigned by IPAM") if values.instance.new else None),
        ipv6_cidrs=[ipv6] if ipv6 else [],
        dns_support=values.get("enable_dns_support", True),
        dns_hostnames=values.get("enable_dns_hostnames", False),
        tags=values.tags(),
    )
    if isinstance(options := values.raw("dhcp_options_id"), str) and options:
        vpcs.associate_dhcp_options(region, options, vpc_id)


def _add_existing(values: Values) -> None:
    """Add the row of a VPC that exists, without what EC2 once created with it."""
    owner = values.raw("owner_id")
    values.region.put(
        "DescribeVpcs",
        "VpcId",
        {
            "VpcId": values.id,
            "State": "available",
            "OwnerId": owner if isinstance(owner, str) and owner else values.region.account,
            "IsDefault": values.instance.type == "aws_default_vpc",
            "CidrBlockAssociationSet": [],
            "Ipv6CidrBlockAssociationSet": [],
            "Tags": [],
        },
    )


def add_vpc_cidr(values: Values) -> None:
    """Associate another CIDR block with a VPC."""
    unknown = Unknown("assigned by IPAM or EC2")
    cidr = values.get("cidr_block") or values.get("ipv6_cidr_block") or unknown
    if vpc_id := values.vpc():
        vpcs.add_cidr(values.region, vpc_id, cidr, values.address)


def add_subnet(values: Values) -> None:
    """Add a subnet."""
    if not (vpc_id := values.vpc()):
        return
    zone = values.get("availability_zone") or values.raw("availability_zone")
    chosen = zone if isinstance(zone, str) else f"zone of {values.address}"
    ipv6 = values.get("ipv6_cidr_block") or values.get("ipv_6_cidr_block")
    if values.instance.new and values.get("assign_ipv6_address_on_creation") is True and not ipv6:
        ipv6 = Unknown("assigned by EC2")
    if isinstance(ipv6, Unknown):
        ipv6 = choose_subnet_stand_in(values.region, vpc_id) or ipv6
    subnets.add_subnet(
        values.region,
        values.id,
        vpc_id,
        values.address,
        values.get("cidr_block"),
        chosen,
        ipv6_cidr=ipv6,
        dns64=values.get("enable_dns64", values.get("enable_dns_64", False)),
        tags=values.tags(),
    )


def add_dhcp_options(values: Values) -> None:
    """Add a DHCP option set."""
    vpcs.add_dhcp_options(values.region, values.id, values.texts("domain_name_servers"))


def associate_dhcp_options(values: Values) -> None:
    """Associate a DHCP option set with a VPC."""
    options = values.ref("dhcp_options_id", "dhcp-options")
    if not (vpc_id := values.vpc()):
        return
    if isinstance(options, str):
        vpcs.associate_dhcp_options(values.region, options, vpc_id)
    else:
        values.region.mark_unknown(vpc_id, Facet.DHCP_OPTIONS, f"{values.address} is not known")


def add_prefix_list(values: Values) -> None:
    """Add a customer-managed prefix list."""
    blocks = values.blocks("entry") if values.raw("entry") is not None else values.blocks("entries")
    cidrs = blocks if isinstance(blocks, Unknown) else [each.get("cidr") for each in blocks]
    prefix_lists.add_prefix_list(values.region, values.id, cidrs)


def add_prefix_list_entry(values: Values) -> None:
    """Add an entry to a prefix list."""
    cidr = values.get("cidr")
    list_id = values.ref("prefix_list_id", "prefix-list")
    if isinstance(list_id, str):
        prefix_lists.add_prefix_list_entry(values.region, list_id, cidr)


def add_route_table(values: Values) -> None:
    """Add a route table with its inline routes."""
    if not (vpc_id := values.vpc()):
        return
    routes.add_route_table(values.region, values.id, vpc_id)
    _add_inline_routes(values, values.id)


def adopt_main_table(values: Values) -> None:
    """Let a VPC's first route table have the inline routes of `aws_default_route_table`."""
    table_id = values.ref("default_route_table_id", "route-table")
    table_id = table_id if isinstance(table_id, str) else values.id
    vpc_id = values.vpc() or values.region.find_vpc_id(
        "DescribeRouteTables", "RouteTableId", table_id
    )
    if not vpc_id:
        return
    if values.region.find("DescribeRouteTables", "RouteTableId", table_id) is None:
        routes.add_route_table(values.region, table_id, vpc_id)
        routes.associate_route_table(
            values.region, table_id, f"rtbassoc-{table_id}-main", main=True
        )
    _add_inline_routes(values, table_id)


def _add_inline_routes(values: Values, table_id: str) -> None:
    blocks = values.blocks("route")
    if isinstance(blocks, Unknown):
        routes.add_route(
            values.region, table_id, {"DestinationCidrBlock": blocks}, {"GatewayId": blocks}
        )
    else:
        for route in blocks:
            _add_route(route, table_id)
    gateways = values.refs("propagating_vgws", "virtual-private-gateway")
    for gateway in gateways if isinstance(gateways, list) else ():
        routes.propagate_routes(values.region, table_id, gateway)


def add_route(values: Values) -> None:
    """Add a route of its own resource."""
    table_id = values.ref("route_table_id", "route-table")
    if isinstance(table_id, str):
        _add_route(values, table_id)
    else:
        _doubt_tables(values)


def remove_route(values: Values) -> None:
    """Remove the route of a resource that the plan destroys or replaces."""
    table_id = values.ref("route_table_id", "route-table")
    destination = read_destination(values)
    if isinstance(table_id, str) and not any(
        isinstance(it, Unknown) for it in destination.values()
    ):
        routes.remove_route(values.region, table_id, destination)


def _add_route(values: Values, table_id: str) -> None:
    routes.add_route(values.region, table_id, read_destination(values), _read_target(values))


def read_destination(values: Values) -> Mapping[str, str | Unknown]:
    """Read the destination of a route."""
    for name, member in DESTINATIONS.items():
        if cidr := values.get(name):
            return {member: cidr}
    found = values.ref("destination_prefix_list_id", "prefix-list")
    return {"DestinationPrefixListId": found or Unknown("not in the plan")}


def _read_target(values: Values) -> Mapping[str, str | Unknown]:
    for name, (kind, member) in TARGETS.items():
        raw = values.raw(name)
        if raw in (None, "") or (isinstance(raw, object) and not values.is_set(name)):
            continue
        if target := values.ref(name, kind):
            return {member: target}
    for name, (_, member) in TARGETS.items():  # of the prior state, which has every attribute
        if isinstance(raw := values.raw(name), str) and raw:
            return {member: raw}
    return {"GatewayId": Unknown("not in the plan")}


def _doubt_tables(values: Values) -> None:
    """Leave the routes of all VPCs unknown: the route may belong into any of their tables."""
    for vpc in values.region.rows["DescribeVpcs"]:
        why = f"the route table of {values.address} is not known"
        values.region.mark_unknown(vpc["VpcId"], Facet.ROUTE_TABLES, why)


def associate_route_table(values: Values) -> None:
    """Associate a route table with a subnet or a gateway."""
    table_id = values.ref("route_table_id", "route-table")
    subnet_id = values.ref("subnet_id", "subnet")
    gateway_id = values.ref("gateway_id", GATEWAY) if subnet_id is None else None
    if not isinstance(table_id, str) or isinstance(subnet_id, Unknown):
        _doubt_tables(values)
        return
    link = make_symbol("route-table", f"{values.address}").replace("rtb-", "rtbassoc-", 1)
    own = values.raw("id")
    routes.associate_route_table(
        values.region,
        table_id,
        own if isinstance(own, str) and own else link,
        subnet_id=subnet_id,
        gateway_id=gateway_id if isinstance(gateway_id, str) else None,
    )


def associate_main_table(values: Values) -> None:
    """Make a route table the main one of a VPC."""
    table_id = values.ref("route_table_id", "route-table")
    if isinstance(table_id, str):
        routes.associate_route_table(
            values.region, table_id, f"rtbassoc-{table_id}-main", main=True
        )
    else:
        _doubt_tables(values)


def add_nat_gateway(values: Values) -> None:
    """Add a NAT gateway; a regional one has a VPC instead of a subnet."""
    subnet_id = values.ref("subnet_id", "subnet")
    vpc_id = values.region.find_vpc_id("DescribeSubnets", "SubnetId", subnet_id) or values.vpc()
    if not vpc_id:
        return
    kind = values.get("connectivity_type", "public")
    routes.add_nat_gateway(
        values.region,
        values.id,
        vpc_id,
        subnet_id if isinstance(subnet_id, str) else None,
        public=kind != "private",
    )


def propagate_routes(values: Values) -> None:
    """Let a virtual private gateway propagate routes to a table."""
    table_id = values.ref("route_table_id", "route-table")
    gateway = values.ref("vpn_gateway_id", "virtual-private-gateway")
    if isinstance(table_id, str) and isinstance(gateway, str):
        routes.propagate_routes(values.region, table_id, gateway)


def add_network_interface(values: Values) -> None:
    """Add a network interface, which a route may target."""
    subnet_id = values.ref("subnet_id", "subnet")
    groups = values.refs("security_groups", "security-group")
    addresses = [each for each in values.texts("private_ips") if isinstance(each, str)]
    if isinstance(subnet_id, str):
        settings: dict[str, Any] = {"addresses": addresses} if addresses else {}
        subnets.add_network_interface(
            values.region,
            values.id,
            subnet_id,
            groups if isinstance(groups, list) else (),
            **settings,
        )


def add_instance(values: Values) -> None:
    """Add the primary interface of an instance, which a route may target."""
    subnet_id = values.ref("subnet_id", "subnet")
    groups = values.refs("vpc_security_group_ids", "security-group")
    known = values.raw("primary_network_interface_id")
    if not isinstance(subnet_id, str):
        return
    address = values.raw("private_ip")
    settings: dict[str, Any] = {"addresses": [address]} if isinstance(address, str) else {}
    subnets.add_network_interface(
        values.region,
        known if isinstance(known, str) else make_symbol("network-interface", values.address),
        subnet_id,
        groups if isinstance(groups, list) else (),
        instance_id=values.id,
        **settings,
    )


def ignore(_: Values) -> None:
    """Add nothing: the resource changes no path, or only those that others name."""


def remove_prefix_list_entry(values: Values) -> None:
    """Remove an entry that the plan destroys or replaces."""
    list_id, cidr = values.ref("prefix_list_id", "prefix-list"), values.get("cidr")
    if isinstance(list_id, str) and isinstance(cidr, str):
        prefix_lists.remove_prefix_list_entry(values.region, list_id, cidr)


def restore_main_table(values: Values) -> None:
    """Make the former main table main again, as the provider does when it destroys."""
    former = values.raw("original_route_table_id")
    if isinstance(former, str) and former:
        routes.associate_route_table(values.region, former, f"rtbassoc-{former}-main", main=True)
