"""VPCs of a planned region, with what EC2 creates with them, and their DHCP options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from posture.model.network import Facet
from posture_cli.plan.resources import network_acls, routes, security_groups
from posture_cli.plan.rows import ANY_IPV4, ANY_IPV6, PlannedRegion, Row, list_tags
from posture_cli.plan.values import Unknown, find_unknown, make_symbol


def add_vpc(  # noqa: PLR0913 - what CreateVpc and ModifyVpcAttribute take
    region: PlannedRegion,
    vpc_id: str,
    address: str,
    cidr: str | Unknown | None,
    *,
    ipv6_cidrs: Sequence[str | Unknown] = (),
    dns_support: bool | Unknown = True,
    dns_hostnames: bool | Unknown = False,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Add a VPC with its main route table, default security group and default network ACL.

    A VPC that exists keeps those. DNS support is on and DNS host names are off by default, and
    the VPC uses the region's default DHCP options, which name the Resolver.
    https://docs.aws.amazon.com/vpc/latest/userguide/create-vpc.html
    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-dns.html
    """
    exists = region.find("DescribeVpcs", "VpcId", vpc_id) is not None
    fresh: Row = {
        "State": "available",
        "OwnerId": region.account,
        "IsDefault": False,
        "DhcpOptionsId": "default",
        # Of a new VPC in an account that does not use VPC Block Public Access.
        "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
        "CidrBlockAssociationSet": [],
        "Ipv6CidrBlockAssociationSet": [],
    }
    known = region.keep_known(vpc_id, Facet.VPC, address, CidrBlock=cidr)
    row = {"VpcId": vpc_id, **({} if exists else fresh), **known, "Tags": list_tags(tags)}
    region.put("DescribeVpcs", "VpcId", row)
    if not exists:
        _add_default_resources(region, vpc_id, address)
    for block in (cidr, *ipv6_cidrs):
        if block is not None:
            add_cidr(region, vpc_id, block, address)
    set_dns(region, vpc_id, dns_support, dns_hostnames)


def set_dns(
    region: PlannedRegion,
    vpc_id: str,
    support: bool | Unknown | None = None,
    hostnames: bool | Unknown | None = None,
) -> None:
    """Set the DNS attributes of a VPC; None leaves one as it is."""
    attributes = {"EnableDnsSupport": support, "EnableDnsHostnames": hostnames}
    row: Row = {"VpcId": vpc_id}
    for name, value in attributes.items():
        if isinstance(value, Unknown):
            region.mark_unknown(vpc_id, Facet.DNS_ATTRIBUTES, f"{name} is {value.what}")
        elif value is not None:
            row[name] = {"Value": value}
    region.put("DescribeVpcAttribute", "VpcId", row)


def add_cidr(region: PlannedRegion, vpc_id: str, cidr: str | Unknown, address: str) -> None:
    """Add a CIDR block to a VPC, and its local route to each route table.

    https://docs.aws.amazon.com/vpc/latest/userguide/RouteTables.html
    """
    if isinstance(cidr, Unknown):
        region.mark_unknown(vpc_id, Facet.VPC, f"a CIDR block of {address} is {cidr.what}")
        region.mark_unknown(vpc_id, Facet.SUBNETS, f"a CIDR block of {address} is {cidr.what}")
        return
    version = "Ipv6CidrBlock" if ":" in cidr else "CidrBlock"
    vpc = region.put("DescribeVpcs", "VpcId", {"VpcId": vpc_id})
    blocks = vpc.setdefault(f"{version}AssociationSet", [])
    if any(each[version] == cidr for each in blocks):
        return
    blocks.append({version: cidr, f"{version}State": {"State": "associated"}})
    for table in region.select("DescribeRouteTables", vpc_id):
        table["Routes"].append(routes.build_local_route(cidr))
    if ":" in cidr:
        _open_defaults_to_ipv6(region, vpc_id)


def _add_default_resources(region: PlannedRegion, vpc_id: str, address: str) -> None:
    """Add what EC2 creates with a VPC, unless rows that were read have it."""
    tables = region.select("DescribeRouteTables", vpc_id)
    if not any(link.get("Main") for table in tables for link in table["Associations"]):
        table_id = make_symbol("route-table", f"{address}-main")
        routes.add_route_table(region, table_id, vpc_id)
        routes.associate_route_table(region, table_id, f"{table_id}-assoc", main=True)
    # https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html
    if not any(it.get("IsDefault") for it in region.select("DescribeNetworkAcls", vpc_id)):
        symbol = make_symbol("network-acl", f"{address}-default")
        acl = network_acls.add_network_acl(region, symbol, vpc_id, default=True)
        for egress in (False, True):
            entry = network_acls.build_acl_entry(100, ANY_IPV4, egress=egress, action="allow")
            acl["Entries"].append(entry)
    # https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
    groups = region.select("DescribeSecurityGroups", vpc_id)
    if not any(it.get("GroupName") == "default" for it in groups):
        group = make_symbol("security-group", f"{address}-default")
        security_groups.add_security_group(region, group, vpc_id, "default")
        own = {"UserId": region.account, "GroupId": group}
        itself: Row = {"IpProtocol": "-1", "UserIdGroupPairs": [own]}
        security_groups.add_group_rule(region, group, itself, egress=False)


def _open_defaults_to_ipv6(region: PlannedRegion, vpc_id: str) -> None:
    """Allow IPv6 in the default ACL and outbound in groups, as EC2 does for an IPv6 block."""
    for acl in region.select("DescribeNetworkAcls", vpc_id):
        numbers = {entry["RuleNumber"] for entry in acl["Entries"]}
        for egress in (False, True):
            if acl.get("IsDefault") and 101 not in numbers:  # noqa: PLR2004 - EC2's number
                entry = network_acls.build_acl_entry(101, ANY_IPV6, egress=egress, action="allow")
                acl["Entries"].append(entry)


def add_dhcp_options(
    region: PlannedRegion, options_id: str, servers: Sequence[str | Unknown] | Unknown
) -> None:
    """Add a DHCP option set; with an unknown server, the set is not read."""
    if isinstance(servers, Unknown) or find_unknown(list(servers)):
        return
    values = [{"Value": each} for each in servers]
    option = {"Key": "domain-name-servers", "Values": values}
    row = {"DhcpOptionsId": options_id, "DhcpConfigurations": [option] if values else []}
    region.put("DescribeDhcpOptions", "DhcpOptionsId", row)


def associate_dhcp_options(region: PlannedRegion, options_id: str, vpc_id: str) -> None:
    """Associate a DHCP option set, or `default`, with a VPC."""
    if vpc := region.find("DescribeVpcs", "VpcId", vpc_id):
        vpc["DhcpOptionsId"] = options_id
