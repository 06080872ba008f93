"""Parses security groups and their rules.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posture.ec2.parse.fields import Row, parse_network
from posture.model.network import GroupReference, SecurityGroup, SecurityGroupRule

ALL_TYPES = -1  # ICMP's "all types" and "all codes"


def parse_security_group(row: Row) -> SecurityGroup:
    """Parse a security group, with one rule for each peer of a permission."""
    return SecurityGroup(
        id=row.get("GroupId", ""),
        name=row.get("GroupName", ""),
        vpc_id=row.get("VpcId", ""),
        ingress=parse_rules(row.get("IpPermissions", ())),
        egress=parse_rules(row.get("IpPermissionsEgress", ())),
    )


def parse_rules(permissions: Iterable[Row]) -> tuple[SecurityGroupRule, ...]:
    """Parse the rules of one direction and sort them."""
    return sort_rules(rule for permission in permissions for rule in split_permission(permission))


def sort_rules(rules: Iterable[SecurityGroupRule]) -> tuple[SecurityGroupRule, ...]:
    """Sort rules, as EC2 promises no order."""
    return tuple(sorted(rules, key=_rule_order))


def _rule_order(rule: SecurityGroupRule) -> tuple[str, ...]:
    peer = rule.group.group_id if rule.group else rule.prefix_list_id or ""
    ports = f"{rule.from_port} {rule.to_port}"
    return rule.protocol, ports, str(rule.cidr or ""), peer, rule.description


def split_permission(row: Row) -> Iterator[SecurityGroupRule]:
    """Split one permission by its peers: CIDR blocks, prefix lists and security groups."""
    for member, key in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")):
        for peer in row.get(member, ()):
            if (cidr := parse_network(peer.get(key))) is not None:
                yield build_rule(row, peer, cidr=cidr)
    for peer in row.get("PrefixListIds", ()):
        yield build_rule(row, peer, prefix_list_id=peer.get("PrefixListId", ""))
    for peer in row.get("UserIdGroupPairs", ()):
        yield build_rule(row, peer, group=parse_group_reference(peer))


def build_rule(row: Row, peer: Row, **peer_field: object) -> SecurityGroupRule:
    """Build the rule of one peer from what all peers of a permission share."""
    return SecurityGroupRule(
        protocol=str(row.get("IpProtocol", "-1")),
        from_port=parse_port(row.get("FromPort")),
        to_port=parse_port(row.get("ToPort")),
        description=peer.get("Description", ""),
        **peer_field,  # type: ignore[arg-type]
    )


def parse_port(number: int | None) -> int | None:
    """Parse a port or ICMP type; None if all are allowed."""
    return None if number == ALL_TYPES else number


def parse_group_reference(row: Row) -> GroupReference:
    """Parse a security group that a rule names as its peer, in this VPC or a peered one."""
    return GroupReference(
        group_id=row.get("GroupId", ""),
        vpc_id=row.get("VpcId") or None,
        peering_id=row.get("VpcPeeringConnectionId") or None,
    )
