"""Rules about endpoints that are network interfaces in subnets."""

from __future__ import annotations

from posture.rules.interfaces import (
    duplicates,
    other_networks,
    private_dns,
    reachability,
    return_traffic,
    security_groups,
    zones,
)
from posture.rules.rule import Rule, VpcContext

RULES: tuple[Rule[VpcContext], ...] = (
    *security_groups.RULES,
    *private_dns.RULES,
    zones.ONE_ZONE,
    *reachability.RULES,
    *return_traffic.RULES,
    *other_networks.RULES,
    *duplicates.RULES,
    zones.ZONE_WITHOUT,
)
