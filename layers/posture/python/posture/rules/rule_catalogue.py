"""Every rule there is, in the order of the page about them."""

from __future__ import annotations

from collections.abc import Mapping

from posture.rules import (
    costs,
    endpoint_policies,
    endpoint_services,
    endpoints,
    gateway_bypass,
    gateway_routes,
    interfaces,
    shadowed_routes,
    trust,
)
from posture.rules.interfaces import network_acls
from posture.rules.rule import EndpointServiceContext, Rule, VpcContext

VPC_RULES: tuple[Rule[VpcContext], ...] = (
    *gateway_bypass.RULES,
    *gateway_routes.RULES,
    *shadowed_routes.RULES,
    network_acls.REQUESTS,
    *endpoints.RULES,
    *interfaces.RULES,
    *costs.RULES,
    *trust.RULES,
    *endpoint_policies.RULES,
)
SERVICE_RULES: tuple[Rule[EndpointServiceContext], ...] = endpoint_services.RULES
RULES: tuple[Rule[VpcContext] | Rule[EndpointServiceContext], ...] = (*VPC_RULES, *SERVICE_RULES)
RULES_BY_ID: Mapping[str, Rule[VpcContext] | Rule[EndpointServiceContext]] = {
    rule.id: rule for rule in RULES
}
