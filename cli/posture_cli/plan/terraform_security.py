"""Maps Terraform's security groups and network ACLs to rows of EC2's answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from posture.model.network import Facet
from posture_cli.plan.resources import network_acls, security_groups
from posture_cli.plan.rows import PlannedRegion, Row
from posture_cli.plan.terraform_values import Values
from posture_cli.plan.values import Unknown

ALL = "-1"
# EC2 returns names for these protocols of security groups, and numbers for those of ACLs.
NAMES: Mapping[str, str] = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "all": ALL}
NUMBERS: Mapping[str, str] = {"icmp": "1", "tcp": "6", "udp": "17", "icmpv6": "58", "all": ALL}
DIRECTIONS: Mapping[str, bool] = {"ingress": False, "egress": True}


def add_group(values: Values) -> None:
    """Add a security group: without inline rules the provider leaves none, not even EC2's."""
    if not (vpc_id := values.vpc()):
        return
    name = values.get("name")
    shown = name if isinstance(name, str) else values.address
    security_groups.add_security_group(values.region, values.id, vpc_id, shown)
    _set_rules(values, values.id)


def adopt_default_group(values: Values) -> None:
    """Let a VPC's default group have only the inline rules of `aws_default_security_group`."""
    vpc_id = values.vpc()
    groups = values.region.rows["DescribeSecurityGroups"]
    default = (it for it in groups if it["GroupName"] == "default" and it["VpcId"] == vpc_id)
    found = next(default, None)
    group_id = found["GroupId"] if found else values.id
    if vpc_id and found is None:
        security_groups.add_security_group(values.region, group_id, vpc_id, "default")
    _set_rules(values, group_id)


def _set_rules(values: Values, group_id: str) -> None:
    for name, egress in DIRECTIONS.items():
        security_groups.clear_group_rules(values.region, group_id, egress=egress)
        rules = values.blocks(name)
        if isinstance(rules, Unknown):
            _doubt(values.region, group_id, rules)
            continue
        for rule in rules:
            for permission in _read_inline(rule, group_id):
                security_groups.add_group_rule(values.region, group_id, permission, egress=egress)


def _read_inline(rule: Values, group_id: str) -> Iterator[Row]:
    yield from _read_peers(rule, group_id, "security_groups")


def _read_peers(rule: Values, group_id: str, groups: str) -> Iterator[Row]:
    """Yield one permission for each peer of a rule."""
    shared = _read_ports(rule, rule.get("protocol", ALL))
    for cidr in rule.texts("cidr_blocks"):
        yield {**shared, "IpRanges": [{"CidrIp": cidr}]}
    for cidr in rule.texts("ipv6_cidr_blocks"):
        yield {**shared, "Ipv6Ranges": [{"CidrIpv6": cidr}]}
    for each in _each(rule.refs("prefix_list_ids", "prefix-list")):
        yield {**shared, "PrefixListIds": [{"PrefixListId": each}]}
    # A rule resource with blocks has no group: the provider refuses both.
    alone = groups == "source_security_group_id" and rule.get("cidr_blocks")
    for each in () if alone else _each(rule.refs(groups, "security-group")):
        yield {**shared, "UserIdGroupPairs": [_split_group(each)]}
    own = rule.get("self")
    if own is True:
        yield {**shared, "UserIdGroupPairs": [{"GroupId": group_id}]}
    elif isinstance(own, Unknown):
        yield {**shared, "UserIdGroupPairs": [{"GroupId": own}]}


def _each(ids: list[str] | Unknown) -> list[Any]:
    return ids if isinstance(ids, list) else [ids]


def _split_group(text: Any) -> Row:
    """Split `ACCOUNT/GROUP`, by which a rule names a group of another account."""
    if not isinstance(text, str):
        return {"GroupId": text}
    account, _, group = text.rpartition("/")
    return {"GroupId": group, **({"UserId": account} if account else {})}


def _read_ports(rule: Values, protocol: Any) -> Row:
    text = protocol if isinstance(protocol, Unknown) else str(protocol).lower()
    name = text if isinstance(text, Unknown) else NAMES.get(text, text)
    if name == ALL:
        return {"IpProtocol": ALL}
    ports = {"FromPort": rule.get("from_port"), "ToPort": rule.get("to_port")}
    return {"IpProtocol": name, **{key: it for key, it in ports.items() if it is not None}}


def list_rules(values: Values) -> list[tuple[str | Unknown | None, Row, bool]]:
    """List the permissions of a rule resource, each with its group and direction."""
    kind = values.instance.type
    if kind == "aws_security_group_rule":
        group = values.ref("security_group_id", "security-group")
        found = list(_read_peers(values, str(group), "source_security_group_id"))
        return [(group, each, values.get("type") == "egress") for each in found]
    name = "group_id" if kind.startswith("awscc_") else "security_group_id"
    group = values.ref(name, "security-group")
    permissions = read_split(values) if name == "group_id" else _read_single(values)
    return [(group, each, "egress" in kind) for each in permissions]


def _read_single(values: Values) -> Iterator[Row]:
    """Read `aws_vpc_security_group_ingress_rule`, which has one peer."""
    shared = _read_ports(values, values.get("ip_protocol", ALL))
    for name, member, key in (
        ("cidr_ipv4", "IpRanges", "CidrIp"),
        ("cidr_ipv6", "Ipv6Ranges", "CidrIpv6"),
    ):
        if cidr := values.get(name):
            yield {**shared, member: [{key: cidr}]}
    if found := values.ref("prefix_list_id", "prefix-list"):
        yield {**shared, "PrefixListIds": [{"PrefixListId": found}]}
    if group := values.ref("referenced_security_group_id", "security-group"):
        yield {**shared, "UserIdGroupPairs": [_split_group(group)]}


def read_split(values: Values) -> Iterator[Row]:
    """Read a rule with the properties of CloudFormation, as awscc has them."""
    shared = _read_ports(values, values.get("ip_protocol", ALL))
    for name, member, key in (
        ("cidr_ip", "IpRanges", "CidrIp"),
        ("cidr_ipv_6", "Ipv6Ranges", "CidrIpv6"),
    ):
        if cidr := values.get(name):
            yield {**shared, member: [{key: cidr}]}
    for name in ("source_prefix_list_id", "destination_prefix_list_id"):
        if found := values.ref(name, "prefix-list"):
            yield {**shared, "PrefixListIds": [{"PrefixListId": found}]}
    for name in ("source_security_group_id", "destination_security_group_id"):
        if group := values.ref(name, "security-group"):
            yield {**shared, "UserIdGroupPairs": [_split_group(group)]}


def add_rule(values: Values) -> None:
    """Add the permissions of a rule resource to its group."""
    for group, permission, egress in list_rules(values):
        if isinstance(group, str):
            security_groups.add_group_rule(values.region, group, permission, egress=egress)
        else:
            _doubt_all(values, Facet.SECURITY_GROUPS, "security group")


def remove_rule(values: Values) -> None:
    """Remove the permissions of a rule resource that the plan destroys or replaces."""
    for group, permission, egress in list_rules(values):
        if isinstance(group, str):
            security_groups.remove_group_rule(values.region, group, permission, egress=egress)


def _doubt(region: PlannedRegion, group_id: str, unknown: Unknown) -> None:
    vpc_id = region.find_vpc_id("DescribeSecurityGroups", "GroupId", group_id)
    region.mark_unknown(vpc_id, Facet.SECURITY_GROUPS, f"the rules of {group_id}: {unknown.what}")


def _doubt_all(values: Values, facet: Facet, what: str) -> None:
    for vpc in values.region.rows["DescribeVpcs"]:
        why = f"the {what} of {values.address} is not known"
        values.region.mark_unknown(vpc["VpcId"], facet, why)


def add_acl(values: Values) -> None:
    """Add a network ACL with its inline entries and subnets."""
    if not (vpc_id := values.vpc()):
        return
    network_acls.add_network_acl(values.region, values.id, vpc_id)
    _set_entries(values, values.id)
    _associate_subnets(values, values.id)


def adopt_default_acl(values: Values) -> None:
    """Let a VPC's default ACL have only the inline entries of `aws_default_network_acl`."""
    found = values.ref("default_network_acl_id", "network-acl")
    acl_id = found if isinstance(found, str) else values.id
    region = values.region
    vpc_id = values.vpc() or region.find_vpc_id("DescribeNetworkAcls", "NetworkAclId", acl_id)
    if not vpc_id:
        return
    known = region.find("DescribeNetworkAcls", "NetworkAclId", acl_id)
    row = known or network_acls.add_network_acl(region, acl_id, vpc_id, default=True)
    for entry in list(row["Entries"]):
        if entry["RuleNumber"] < FINAL:
            network_acls.remove_acl_entry(
                region, acl_id, entry["RuleNumber"], egress=entry["Egress"]
            )
    _set_entries(values, acl_id)
    if known is None:  # of a VPC that exists: subnets without another ACL have this one
        taken = {
            link["SubnetId"]
            for acl in region.rows["DescribeNetworkAcls"]
            for link in acl["Associations"]
        }
        for subnet in region.rows["DescribeSubnets"]:
            if subnet["VpcId"] == vpc_id and subnet["SubnetId"] not in taken:
                network_acls.associate_network_acl(region, acl_id, subnet["SubnetId"])
    _associate_subnets(values, acl_id)


FINAL = 32767


def _set_entries(values: Values, acl_id: str) -> None:
    for name, egress in DIRECTIONS.items():
        entries = values.blocks(name)
        if isinstance(entries, Unknown):
            vpc_id = values.region.find_vpc_id("DescribeNetworkAcls", "NetworkAclId", acl_id)
            why = f"the entries of {values.address}: {entries.what}"
            values.region.mark_unknown(vpc_id, Facet.NETWORK_ACLS, why)
            continue
        for each in entries:
            network_acls.add_acl_entry(
                values.region, acl_id, _read_entry(each, egress, "rule_no", "action")
            )


def _read_entry(values: Values, egress: bool, number: str, action: str) -> Row:
    protocol = values.get("protocol", ALL)
    if not isinstance(protocol, Unknown):
        protocol = NUMBERS.get(str(protocol).lower(), str(protocol))
    six = values.get("ipv6_cidr_block") or values.get("ipv_6_cidr_block")
    block = {"Ipv6CidrBlock": six} if six else {"CidrBlock": values.get("cidr_block")}
    row: Row = {
        "RuleNumber": values.get(number),
        "Egress": egress,
        "RuleAction": values.get(action),
        "Protocol": protocol,
        **block,
    }
    ports = {"From": values.get("from_port", 0), "To": values.get("to_port", 0)}
    return row if protocol == ALL else {**row, "PortRange": ports}


def _associate_subnets(values: Values, acl_id: str) -> None:
    subnets = values.refs("subnet_ids", "subnet")
    if isinstance(subnets, Unknown):
        vpc_id = values.region.find_vpc_id("DescribeNetworkAcls", "NetworkAclId", acl_id)
        why = f"the subnets of {values.address}: {subnets.what}"
        values.region.mark_unknown(vpc_id, Facet.NETWORK_ACLS, why)
        return
    for each in subnets:
        network_acls.associate_network_acl(values.region, acl_id, each)


def _read_rule(values: Values) -> Row:
    action = "rule_action"
    egress = values.get("egress", False)
    return _read_entry(values, egress, "rule_number", action)


def add_entry(values: Values) -> None:
    """Add the entry of its own resource to an ACL."""
    acl_id = values.ref("network_acl_id", "network-acl")
    if isinstance(acl_id, str):
        network_acls.add_acl_entry(values.region, acl_id, _read_rule(values))
    else:
        _doubt_all(values, Facet.NETWORK_ACLS, "network ACL")


def remove_entry(values: Values) -> None:
    """Remove an entry that the plan destroys or replaces."""
    acl_id = values.ref("network_acl_id", "network-acl")
    row = _read_rule(values)
    if isinstance(acl_id, str) and isinstance(row["RuleNumber"], int):
        network_acls.remove_acl_entry(
            values.region, acl_id, row["RuleNumber"], egress=bool(row["Egress"])
        )


def associate_acl(values: Values) -> None:
    """Associate a network ACL with a subnet."""
    acl_id = values.ref("network_acl_id", "network-acl")
    subnet_id = values.ref("subnet_id", "subnet")
    if isinstance(acl_id, str) and isinstance(subnet_id, str):
        network_acls.associate_network_acl(values.region, acl_id, subnet_id)
    else:
        _doubt_all(values, Facet.NETWORK_ACLS, "subnet or network ACL")
