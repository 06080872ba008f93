"""Security groups of a planned region and their rules."""

from __future__ import annotations

from posture.model.network import Facet
from posture_cli.plan.rows import ANY_IPV4, ANY_IPV6, PlannedRegion, Row
from posture_cli.plan.values import find_unknown


def add_security_group(region: PlannedRegion, group_id: str, vpc_id: str, name: str) -> None:
    """Add a security group; a new one allows all outbound traffic.

    https://docs.aws.amazon.com/vpc/latest/userguide/creating-security-groups.html
    """
    exists = region.find("DescribeSecurityGroups", "GroupId", group_id) is not None
    row: Row = {"GroupId": group_id, "VpcId": vpc_id, "GroupName": name}
    row["OwnerId"] = region.account
    if not exists:
        row |= {"IpPermissions": [], "IpPermissionsEgress": []}
    region.put("DescribeSecurityGroups", "GroupId", row)
    if not exists:
        set_default_egress(region, group_id)


def set_default_egress(region: PlannedRegion, group_id: str) -> None:
    """Let a group's outbound rules be those of a new one."""
    clear_group_rules(region, group_id, egress=True)
    everything: Row = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANY_IPV4}]}
    vpc_id = region.find_vpc_id("DescribeSecurityGroups", "GroupId", group_id)
    if any(":" in cidr for cidr in region.list_cidrs(vpc_id)):
        everything["Ipv6Ranges"] = [{"CidrIpv6": ANY_IPV6}]
    add_group_rule(region, group_id, everything, egress=True)


def clear_group_rules(region: PlannedRegion, group_id: str, *, egress: bool) -> None:
    """Remove all rules of one direction."""
    if group := region.find("DescribeSecurityGroups", "GroupId", group_id):
        group[_get_direction(egress=egress)] = []


def add_group_rule(region: PlannedRegion, group_id: str, permission: Row, *, egress: bool) -> None:
    """Add one permission, as AuthorizeSecurityGroupIngress takes it, once.

    With an unknown value in it, the VPC's groups are unknown.
    """
    group = region.find("DescribeSecurityGroups", "GroupId", group_id)
    if group is None:
        return
    if unknown := find_unknown(permission):
        why = f"a rule of {group_id} has a value that is {unknown.what}"
        region.mark_unknown(group["VpcId"], Facet.SECURITY_GROUPS, why)
        return
    rules = group[_get_direction(egress=egress)]
    if permission not in rules:
        rules.append(permission)


def remove_group_rule(
    region: PlannedRegion, group_id: str, permission: Row, *, egress: bool
) -> None:
    """Remove one permission that was added in the same form."""
    if group := region.find("DescribeSecurityGroups", "GroupId", group_id):
        name = _get_direction(egress=egress)
        group[name] = [each for each in group[name] if each != permission]


def _get_direction(*, egress: bool) -> str:
    return "IpPermissionsEgress" if egress else "IpPermissions"
