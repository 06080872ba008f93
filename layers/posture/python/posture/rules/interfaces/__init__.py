"""Rules about endpoints that are network interfaces in subnets."""

from __future__ import annotations

from posture.rules.contexts import VpcContext
from posture.rules.interfaces import (
    duplicates,
    network_acls,
    other_networks,
    private_dns,
    reachability,
    security_groups,
    zones,
)
from posture.rules.rule import Rule

RULES: tuple[Rule[VpcContext], ...] = (
    *security_groups.RULES,
    *private_dns.RULES,
    zones.ONE_ZONE,
    *reachability.RULES,
    network_acls.RETURN_TRAFFIC,
    *other_networks.RULES,
    *duplicates.RULES,
    zones.ZONE_WITHOUT,
)
