"""Rules about endpoints that are network interfaces in subnets."""

from __future__ import annotations

from posture.rules.interfaces import (
    answers,
    blocked,
    duplicates,
    neighbours,
    private_dns,
    security_groups,
    zones,
)
from posture.rules.rule import Rule, VpcCase

RULES: tuple[Rule[VpcCase], ...] = (
    *security_groups.RULES,
    *private_dns.RULES,
    zones.ONE_ZONE,
    *blocked.RULES,
    *answers.RULES,
    *neighbours.RULES,
    *duplicates.RULES,
    zones.ZONE_WITHOUT,
)
