"""Every rule there is, in the order of the page about them."""

from __future__ import annotations

from collections.abc import Mapping

from posture.rules import (
    costs,
    endpoints,
    interfaces,
    leaving,
    paths,
    policies,
    services,
    shadowing,
    trust,
)
from posture.rules.rule import Rule, ServiceCase, VpcCase

VPC_RULES: tuple[Rule[VpcCase], ...] = (
    *leaving.RULES,
    *paths.RULES,
    *shadowing.RULES,
    *endpoints.RULES,
    *interfaces.RULES,
    *costs.RULES,
    *trust.RULES,
    *policies.RULES,
)
SERVICE_RULES: tuple[Rule[ServiceCase], ...] = services.RULES
RULES: tuple[Rule[VpcCase] | Rule[ServiceCase], ...] = (*VPC_RULES, *SERVICE_RULES)
RULES_BY_ID: Mapping[str, Rule[VpcCase] | Rule[ServiceCase]] = {rule.id: rule for rule in RULES}
