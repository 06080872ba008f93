"""Decide whether hosts of a VPC may send DNS queries to an inbound Resolver endpoint."""

from __future__ import annotations

from posture.analysis.addresses import AddressSet
from posture.analysis.security_groups import covers_port, resolve_peers
from posture.model.network import SecurityGroupRule, Snapshot
from posture.model.shared_network import InboundResolver

DNS = 53
TRANSPORTS = ("udp", "tcp")


def is_closed(resolver: InboundResolver, there: Snapshot, asker: Snapshot) -> bool:
    """Return whether the security groups of an inbound endpoint certainly allow no DNS query.

    Args:
        resolver: The inbound Resolver endpoint.
        there: Its VPC.
        asker: The VPC whose hosts ask it.
    """
    known = there.security_groups
    if not resolver.security_group_ids or not known.keys() >= {*resolver.security_group_ids}:
        return False
    blocks = AddressSet.of((*asker.vpc.cidrs, *asker.vpc.ipv6_cidrs))
    return not any(
        _may_allow(rule, there, blocks)
        for each in resolver.security_group_ids
        for rule in known[each].ingress
    )


def _may_allow(rule: SecurityGroupRule, there: Snapshot, blocks: AddressSet) -> bool:
    if not any(covers_port(rule, transport, DNS) for transport in TRANSPORTS):
        return False
    peers = None if rule.group else resolve_peers(rule, there.prefix_lists)
    return peers is None or not peers.isdisjoint(blocks)
