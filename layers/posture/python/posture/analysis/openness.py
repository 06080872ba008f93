"""Whether security groups admit the whole of IPv4 or IPv6, in one rule or in pieces.

Rules only allow, and those of all groups on an interface add up.
https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from posture.analysis.addresses import IPV4, IPV6, NOTHING, AddressSet
from posture.analysis.groups import covers_port, get_port_range, resolve_peers
from posture.model.network import PrefixList, SecurityGroup, SecurityGroupRule

TRANSPORTS = ("tcp", "udp")  # what an endpoint can carry
HTTPS = 443


@dataclass(frozen=True, slots=True)
class InboundRule:
    """One rule of one group, and the addresses it admits; None where its list is unreadable."""

    group_id: str
    rule: SecurityGroupRule
    addresses: AddressSet | None


@dataclass(frozen=True, slots=True)
class OpenAccess:
    """What the groups of an interface come to.

    `open_to` is `0.0.0.0/0` or `::/0` or both; `by` are the rules that make it up. `unread` are
    the rules that may open it, too, if only one could read their lists.
    """

    open_to: tuple[str, ...] = ()
    port: int = HTTPS
    protocol: str = "tcp"
    by: tuple[InboundRule, ...] = ()
    unread: tuple[InboundRule, ...] = ()


def find_open_access(
    groups: Iterable[SecurityGroup], prefix_lists: Mapping[str, PrefixList]
) -> OpenAccess:
    """Tell whether groups together admit everybody on any port of TCP or UDP, HTTPS first."""
    admissions = [
        InboundRule(group.id, rule, resolve_peers(rule, prefix_lists))
        for group in groups
        for rule in group.ingress
        if rule.group is None
    ]
    unread = tuple(each for each in admissions if each.addresses is None)
    for protocol, port in _doors(admissions):
        letting = [each for each in admissions if covers_port(each.rule, protocol, port)]
        if found := _wide_open(letting, protocol, port):
            return found
    return OpenAccess(unread=unread)


def _doors(admissions: Iterable[InboundRule]) -> list[tuple[str, int]]:
    """Give the protocol and port pairs to try: where a rule begins, something may open."""
    ports = {HTTPS, *(get_port_range(each.rule)[0] for each in admissions)}
    ordered = sorted(ports, key=lambda port: (port != HTTPS, port))
    return [(protocol, port) for port in ordered for protocol in TRANSPORTS]


def _wide_open(letting: Sequence[InboundRule], protocol: str, port: int) -> OpenAccess | None:
    admitted = NOTHING
    for each in letting:
        admitted |= each.addresses or NOTHING
    families = {"0.0.0.0/0": IPV4, "::/0": IPV6}
    open_to = {name: all_of for name, all_of in families.items() if admitted >= all_of}
    if not open_to:
        return None
    by = tuple(
        each
        for each in letting
        if each.addresses and any(each.addresses & all_of for all_of in open_to.values())
    )
    return OpenAccess(tuple(open_to), port, protocol, _needed(by, tuple(open_to.values())))


def _needed(by: Sequence[InboundRule], families: Sequence[AddressSet]) -> tuple[InboundRule, ...]:
    """Leave out the rules that do not matter, when one by itself admits everybody."""
    alone = tuple(
        each
        for each in by
        if each.addresses and any(each.addresses >= all_of for all_of in families)
    )
    return alone or tuple(by)
