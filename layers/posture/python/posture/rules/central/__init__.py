"""Rules about endpoints in other VPCs, which names and routes lead to.

They evaluate nothing unless the shared network is read (the parameter `SharedNetwork`).
"""

from __future__ import annotations

from posture.rules.central import costs, names, paths, users, zones
from posture.rules.contexts import VpcContext
from posture.rules.rule import Rule

RULES: tuple[Rule[VpcContext], ...] = (
    *names.RULES,
    *zones.RULES,
    *paths.RULES,
    *users.RULES,
)
COST_RULES = costs.RULES
