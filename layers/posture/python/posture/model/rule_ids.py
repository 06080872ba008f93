"""Rule ids that were renamed: stored data, waivers and filters that name a former id stay valid."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Renamed once, before 1.0. No id is ever removed from here: tables and waivers may still hold it.
FORMER_RULE_IDS: Mapping[str, str] = MappingProxyType(
    {
        "gateway-service-leaves-by-internet": "gateway-service-bypasses-endpoint",
        "gateway-service-by-other-network": "gateway-service-uses-other-network",
        "subnet-lacks-gateway-route": "subnet-without-gateway-endpoint-route",
        "endpoint-route-blackholed": "gateway-endpoint-route-blackholed",
        "endpoint-route-shadowed": "gateway-endpoint-route-shadowed",
        "endpoint-open-to-everybody": "endpoint-security-group-open",
        "endpoint-with-default-group": "endpoint-default-security-group",
        "private-dns-ineffective": "endpoint-private-dns-ineffective",
        "private-dns-off": "endpoint-private-dns-disabled",
        "endpoint-in-one-zone": "endpoint-single-availability-zone",
        "zone-without-endpoint-interface": "availability-zone-without-endpoint",
        "endpoint-blocked-on-https": "endpoint-unreachable-from-subnet",
        "network-acl-stops-answers": "network-acl-blocks-return-traffic",
        "nat-cost-avoidable": "nat-gateway-charges-avoidable",
        "interface-endpoint-cost-avoidable": "interface-endpoint-charges-avoidable",
        "endpoint-to-foreign-service": "endpoint-connects-to-unlisted-service",
        "endpoint-policy-full-access": "endpoint-policy-allows-full-access",
        "endpoint-policy-untrusted-principal": "endpoint-policy-allows-untrusted-principal",
        "endpoint-policy-untrusted-resource": "endpoint-policy-allows-untrusted-resource",
        "endpoint-policy-outside-allowed-actions": "endpoint-policy-allows-unlisted-action",
        "endpoint-policy-breaks-required-service": "endpoint-policy-blocks-required-service",
        "endpoint-policy-unreadable": "endpoint-policy-malformed",
        "service-open-to-strangers": "endpoint-service-allows-untrusted-principal",
        "service-connected-to-stranger": "endpoint-service-untrusted-connection",
        "service-accepts-by-itself": "endpoint-service-acceptance-not-required",
        "service-private-dns-unverified": "endpoint-service-private-dns-unverified",
    }
)
_FIRST_RULE_IDS = {current: former for former, current in FORMER_RULE_IDS.items()}


def current_rule_id(rule_id: str) -> str:
    """Return the id that a rule has now; an id that was never renamed is returned as it is."""
    return FORMER_RULE_IDS.get(rule_id, rule_id)


def first_rule_id(rule_id: str) -> str:
    """Return the first id that a rule ever had, which finding ids are made from."""
    return _FIRST_RULE_IDS.get(rule_id, rule_id)
