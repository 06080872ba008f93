"""Evaluate security group rules: whom they allow, and whether they allow every address.

Rules only allow traffic, and the rules of all groups on an interface add up.
https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from posture.analysis.addresses import IPV4, IPV6, NOTHING, AddressSet
from posture.analysis.gates import HTTPS
from posture.model.network import PrefixList, SecurityGroup, SecurityGroupRule

ALL = "-1"
ANY_PORT = (0, 65535)
PROTOCOLS = {"6": "tcp", "17": "udp"}
TRANSPORTS = ("tcp", "udp")  # an endpoint carries no other
EVERY_ADDRESS = {"0.0.0.0/0": IPV4, "::/0": IPV6}


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
    addresses, references, unread = NOTHING, set(), []
    for group in groups:
        for rule in group.egress if egress else group.ingress:
            checked = get_port_range(rule)[0] if port is None else port
            if not covers_port(rule, "tcp", checked):
                continue
            if rule.group is not None:
                # No workload of this VPC is in a group of a peered VPC.
                if rule.group.peering_id is None:
                    references.add(rule.group.group_id)
                continue
            found = resolve_peers(rule, prefix_lists)
            if found is None:
                unread.append(f"the entries of {rule.prefix_list_id}, which {group.id} allows")
            else:
                addresses |= found
    return AllowedPeers(addresses, frozenset(references), tuple(unread))


@dataclass(frozen=True, slots=True)
class InboundRule:
    """An inbound rule of a group and the addresses it allows; None if its list is not readable."""

    group_id: str
    rule: SecurityGroupRule
    addresses: AddressSet | None


@dataclass(frozen=True, slots=True)
class OpenAccess:
    """Whether the groups of an interface allow every address.

    `open_to` is `0.0.0.0/0` or `::/0` or both, on the port; `by` are the rules that allow it.
    `unread` are the rules that may allow it, but whose prefix lists could not be read.
    """

    open_to: tuple[str, ...] = ()
    port: int = HTTPS
    protocol: str = "tcp"
    by: tuple[InboundRule, ...] = ()
    unread: tuple[InboundRule, ...] = ()


def find_open_access(
    groups: Iterable[SecurityGroup], prefix_lists: Mapping[str, PrefixList]
) -> OpenAccess:
    """Find a TCP or UDP port, 443 first, on which groups together allow every address."""
    rules = [
        InboundRule(group.id, rule, resolve_peers(rule, prefix_lists))
        for group in groups
        for rule in group.ingress
        if rule.group is None
    ]
    # Access can only begin at a port where a rule begins.
    ports = {HTTPS, *(get_port_range(each.rule)[0] for each in rules)}
    for port in sorted(ports, key=lambda port: (port != HTTPS, port)):
        for protocol in TRANSPORTS:
            allowing = [each for each in rules if covers_port(each.rule, protocol, port)]
            if found := _evaluate_port(allowing, protocol, port):
                return found
    return OpenAccess(unread=tuple(each for each in rules if each.addresses is None))


def _evaluate_port(allowing: Sequence[InboundRule], protocol: str, port: int) -> OpenAccess | None:
    allowed = AddressSet.union(each.addresses for each in allowing if each.addresses)
    open_to = {name: every for name, every in EVERY_ADDRESS.items() if allowed >= every}
    if not open_to:
        return None
    families = open_to.values()
    found = [(each, each.addresses or NOTHING) for each in allowing]
    alone = [rule for rule, addresses in found if any(addresses >= every for every in families)]
    part = [rule for rule, addresses in found if any(addresses & every for every in families)]
    return OpenAccess(tuple(open_to), port, protocol, tuple(alone or part))
