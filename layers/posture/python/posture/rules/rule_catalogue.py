"""Every rule there is, in the order of the page about them."""

from __future__ import annotations

from collections.abc import Mapping

from posture.rules import (
    central,
    costs,
    default_vpcs,
    endpoint_policies,
    endpoint_services,
    endpoints,
    gateway_bypass,
    gateway_routes,
    interfaces,
    record,
    region_access,
    shadowed_routes,
    tampering,
    trust,
)
from posture.rules.contexts import EndpointServiceContext, RegionAccessContext, VpcContext
from posture.rules.interfaces import network_acls
from posture.rules.rule import Rule

VPC_RULES: tuple[Rule[VpcContext], ...] = (
    *gateway_bypass.RULES,
    *gateway_routes.RULES,
    *shadowed_routes.RULES,
    network_acls.REQUESTS,
    *default_vpcs.RULES,
    *endpoints.RULES,
    *interfaces.RULES,
    *central.RULES,
    *costs.RULES,
    *central.COST_RULES,
    *trust.RULES,
    *endpoint_policies.RULES,
)
SERVICE_RULES: tuple[Rule[EndpointServiceContext], ...] = endpoint_services.RULES
ACCESS_RULES: tuple[Rule[RegionAccessContext], ...] = region_access.RULES
AnyRule = Rule[VpcContext] | Rule[EndpointServiceContext] | Rule[RegionAccessContext]
RULES: tuple[AnyRule, ...] = (
    *VPC_RULES,
    *SERVICE_RULES,
    *ACCESS_RULES,
    *record.RULES,
    *tampering.RULES,
)
RULES_BY_ID: Mapping[str, AnyRule] = {rule.id: rule for rule in RULES}
