"""Evaluate security group rules: whom they allow.

Rules only allow traffic, and the rules of all groups on an interface add up.
https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from posture.analysis.addresses import AddressSet
from posture.analysis.gates import HTTPS
from posture.lean_dataclass import dataclass
from posture.model.network import Network, PrefixList, SecurityGroup, SecurityGroupRule

ALL = "-1"
ANY_PORT = (0, 65535)
PROTOCOLS = {"6": "tcp", "17": "udp"}


def covers_port(rule: SecurityGroupRule, protocol: str, port: int) -> bool:
    """Return whether a rule applies to this port of `tcp` or `udp`."""
    if rule.protocol == ALL:
        return True
    first, last = get_port_range(rule)
    return PROTOCOLS.get(rule.protocol, rule.protocol) == protocol and first <= port <= last


def get_port_range(rule: SecurityGroupRule) -> tuple[int, int]:
    """Return the first and last port of a rule."""
    if rule.protocol == ALL or rule.from_port is None or rule.to_port is None:
        return ANY_PORT
    return max(rule.from_port, 0), rule.to_port if rule.to_port >= 0 else ANY_PORT[1]


def resolve_peers(
    rule: SecurityGroupRule, prefix_lists: Mapping[str, PrefixList]
) -> AddressSet | None:
    """Return the addresses of a rule's block or prefix list; None if the list is not readable."""
    if rule.cidr is not None:
        return AddressSet.of([rule.cidr])
    named = prefix_lists.get(rule.prefix_list_id or "")
    return AddressSet.of(named.cidrs) if named and named.cidrs is not None else None


@dataclass(frozen=True, slots=True)
class AllowedPeers:
    """The peers that security groups allow on a port: addresses, and ids of security groups.

    `unread` describes what could not be read and may allow more.
    """

    addresses: AddressSet
    groups: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()


def find_allowed_peers(
    groups: Iterable[SecurityGroup],
    prefix_lists: Mapping[str, PrefixList],
    *,
    egress: bool = False,
    port: int | None = HTTPS,
) -> AllowedPeers:
    """Add up the inbound rules of security groups for a TCP port, or the outbound ones.

    Without a port, the rules for any TCP port count.
    """
    networks: list[Network] = []
    references: set[str] = set()
    lists: dict[str, str] = {}  # the first group that allows each
    for group in groups:
        for rule in group.egress if egress else group.ingress:
            checked = get_port_range(rule)[0] if port is None else port
            if not covers_port(rule, "tcp", checked):
                continue
            if rule.cidr is not None:
                networks.append(rule.cidr)
            elif rule.group is None:
                lists.setdefault(rule.prefix_list_id or "", group.id)
            elif rule.group.peering_id is None:
                # No workload of this VPC is in a group of a peered VPC.
                references.add(rule.group.group_id)
    unread: list[str] = []
    for list_id, group_id in lists.items():
        named = prefix_lists.get(list_id)
        if named is None or named.cidrs is None:
            unread.append(f"the entries of {list_id}, which {group_id} allows")
        else:
            networks += named.cidrs
    return AllowedPeers(AddressSet.of(networks), frozenset(references), tuple(unread))
