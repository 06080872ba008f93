"""Reads the rules that a request adds to a security group or removes from it.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from posture.ec2.parse.security_groups import parse_rules
from posture.errors import MalformedRequestError
from posture.model.network import SecurityGroupRule

# The member of a permission that lists each kind of peer, and the peer's own member.
PEERS = {
    "IpRanges": "CidrIp",
    "Ipv6Ranges": "CidrIpv6",
    "PrefixListIds": "PrefixListId",
    "UserIdGroupPairs": "GroupId",
}
PORTS = ("FromPort", "ToPort")
# A single rule may also be given by parameters of the request itself.
SINGLE_RULE = ("IpProtocol", *PORTS, "CidrIp")
NAMES = ("GroupName", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId")
PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}


def normalize_rules(operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Move a single rule that is given by parameters of the request itself to `IpPermissions`."""
    for name in NAMES:
        if name in params:
            raise MalformedRequestError(
                f"{operation}: {name}: expected security groups by id, as names are not unique"
            )
    moved = {name: params[name] for name in SINGLE_RULE if name in params}
    rest = {name: value for name, value in params.items() if name not in SINGLE_RULE}
    if not moved:
        return rest
    if rest.get("IpPermissions"):
        raise MalformedRequestError(
            f"{operation}: {', '.join(moved)}: expected no such parameter beside IpPermissions"
        )
    if "CidrIp" not in moved:
        raise MalformedRequestError(f"{operation}: CidrIp is missing")
    cidr = moved.pop("CidrIp")
    return {**rest, "IpPermissions": [{**moved, "IpRanges": [{"CidrIp": cidr}]}]}


def read_permissions(rows: Iterable[Any], place: str) -> tuple[SecurityGroupRule, ...]:
    """Read permissions as one rule for each peer; `place` is where they are, for errors."""
    return parse_rules([_check(row, f"{place}[{number}]") for number, row in enumerate(rows)])


def _check(row: Any, place: str) -> Mapping[str, Any]:
    """Check a permission, and name its protocol as EC2 does."""
    if not isinstance(row, Mapping):
        raise MalformedRequestError(f"{place}: expected a structure, not {row!r}")
    known = ("IpProtocol", *PORTS, *PEERS)
    for name in row:
        if name not in known:
            raise MalformedRequestError(f"{place}: {name}: expected one of {', '.join(known)}")
    protocol = row.get("IpProtocol")
    if not isinstance(protocol, str) or not protocol:
        raise MalformedRequestError(f"{place}: IpProtocol: expected text such as tcp or -1")
    for name in PORTS:
        if name in row and type(row[name]) is not int:
            raise MalformedRequestError(f"{place}: {name}: expected a whole number")
    peers = [
        peer
        for name in PEERS
        for number, each in enumerate(row.get(name) or ())
        if (peer := _check_peer(name, each, f"{place}: {name}[{number}]"))
    ]
    if not peers:
        raise MalformedRequestError(f"{place}: expected a peer in one of {', '.join(PEERS)}")
    protocol = protocol.lower()
    checked = {**row, "IpProtocol": PROTOCOLS.get(protocol, protocol)}
    return {name: checked[name] for name in checked if name not in PORTS or protocol != "-1"}


def _check_peer(member: str, peer: Any, place: str) -> Mapping[str, Any]:
    key = PEERS[member]
    if not isinstance(peer, Mapping) or not isinstance(peer.get(key), str) or not peer[key]:
        raise MalformedRequestError(f"{place}: {key} is missing")
    if key in {"CidrIp", "CidrIpv6"}:
        try:
            version = ip_network(peer[key], strict=False).version
        except ValueError:
            version = None
        expected = 6 if key == "CidrIpv6" else 4
        if version != expected:
            raise MalformedRequestError(
                f"{place}: {key}: expected an IPv{expected} CIDR block, not {peer[key]!r}"
            )
    return peer
