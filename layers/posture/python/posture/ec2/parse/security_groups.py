"""Security groups, from boto3's answers to the model.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from posture.ec2.parse.fields import network, tags
from posture.model.network import GroupReference, SecurityGroup, SecurityGroupRule

if TYPE_CHECKING:
    from posture.ec2.parse.fields import Row

EVERY = -1  # ICMP's "all types" and "all codes"


def parse_security_group(row: Row) -> SecurityGroup:
    """Read a security group, each permission split into one rule a peer."""
    return SecurityGroup(
        id=row.get("GroupId", ""),
        name=row.get("GroupName", ""),
        vpc_id=row.get("VpcId", ""),
        owner=row.get("OwnerId", ""),
        ingress=rules(row.get("IpPermissions", ())),
        egress=rules(row.get("IpPermissionsEgress", ())),
        tags=tags(row.get("Tags")),
    )


def rules(permissions: Iterable[Row]) -> tuple[SecurityGroupRule, ...]:
    """Read the rules of one direction, in an order of their own: EC2 promises none."""
    return tuple(sorted((rule for line in permissions for rule in split(line)), key=in_order))


def in_order(rule: SecurityGroupRule) -> tuple[str, ...]:
    """Order rules by what they admit to whom."""
    peer = rule.group.group_id if rule.group else rule.prefix_list_id or ""
    ports = f"{rule.from_port} {rule.to_port}"
    return rule.protocol, ports, str(rule.cidr or ""), peer, rule.description


def split(row: Row) -> Iterator[SecurityGroupRule]:
    """Split one permission by its peers: CIDR blocks, prefix lists, groups."""
    for member, key in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")):
        for peer in row.get(member, ()):
            if (cidr := network(peer.get(key))) is not None:
                yield rule(row, peer, cidr=cidr)
    for peer in row.get("PrefixListIds", ()):
        yield rule(row, peer, prefix_list_id=peer.get("PrefixListId", ""))
    for peer in row.get("UserIdGroupPairs", ()):
        yield rule(row, peer, group=group_reference(peer))


def rule(row: Row, peer: Row, **peer_field: object) -> SecurityGroupRule:
    """Read what all peers of a permission share, and add the peer."""
    return SecurityGroupRule(
        protocol=str(row.get("IpProtocol", "-1")),
        from_port=port(row.get("FromPort")),
        to_port=port(row.get("ToPort")),
        description=peer.get("Description", ""),
        **peer_field,  # type: ignore[arg-type]
    )


def port(number: int | None) -> int | None:
    """Read a port or ICMP type; None where all are meant."""
    return None if number == EVERY else number


def group_reference(row: Row) -> GroupReference:
    """Read a group that is named as a peer, in this VPC or abroad."""
    return GroupReference(
        group_id=row.get("GroupId", ""),
        owner=row.get("UserId", ""),
        vpc_id=row.get("VpcId") or None,
        peering_id=row.get("VpcPeeringConnectionId") or None,
    )
