"""What one rule of a security group admits.

https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

from __future__ import annotations

from collections.abc import Mapping

from posture.analysis.addresses import AddressSet
from posture.model.network import PrefixList, SecurityGroupRule

ALL = "-1"
ANY_PORT = (0, 65535)
NUMBERS = {"6": "tcp", "17": "udp"}


def covers_port(rule: SecurityGroupRule, protocol: str, port: int) -> bool:
    """Tell whether a rule is about this port of `tcp` or `udp`."""
    if rule.protocol == ALL:
        return True
    first, last = get_port_range(rule)
    return NUMBERS.get(rule.protocol, rule.protocol) == protocol and first <= port <= last


def get_port_range(rule: SecurityGroupRule) -> tuple[int, int]:
    """Give the first and last port of a rule."""
    if rule.protocol == ALL or rule.from_port is None or rule.to_port is None:
        return ANY_PORT
    return max(rule.from_port, 0), rule.to_port if rule.to_port >= 0 else ANY_PORT[1]


def resolve_peers(
    rule: SecurityGroupRule, prefix_lists: Mapping[str, PrefixList]
) -> AddressSet | None:
    """Give the addresses a rule names by block or prefix list; None where nobody can read them."""
    if rule.cidr is not None:
        return AddressSet.of([rule.cidr])
    named = prefix_lists.get(rule.prefix_list_id or "")
    return AddressSet.of(named.cidrs) if named and named.cidrs is not None else None
