"""Endpoint services of a planned region and who may connect to them."""

from __future__ import annotations

from collections.abc import Iterable

from posture_cli.plan.rows import PlannedRegion, Row
from posture_cli.plan.values import find_unknown


def add_endpoint_service(region: PlannedRegion, service_id: str, row: Row) -> None:
    """Add an endpoint service, by the members of DescribeVpcEndpointServiceConfigurations."""
    name = f"com.amazonaws.vpce.{region.region}.{service_id}"
    known = {key: it for key, it in row.items() if not find_unknown(it)}
    fresh: Row = {"ServiceName": name, "ServiceState": "Available"}
    fresh |= {"SupportedRegions": [{"Region": region.region}]}
    operation = "DescribeVpcEndpointServiceConfigurations"
    if region.find(operation, "ServiceId", service_id):
        fresh = {}
    else:
        allow_principals(region, service_id, ())
    region.put(operation, "ServiceId", {**fresh, "ServiceId": service_id, **known})


def allow_principals(region: PlannedRegion, service_id: str, principals: Iterable[str]) -> None:
    """Let these principals, and no others, connect to an endpoint service."""
    operation = "DescribeVpcEndpointServicePermissions"
    allowed = [{"Principal": it} for it in dict.fromkeys(principals)]
    region.put(operation, "ServiceId", {"ServiceId": service_id, "AllowedPrincipals": allowed})


def list_principals(region: PlannedRegion, service_id: str) -> list[str]:
    """List the principals that may connect to an endpoint service."""
    row = region.find("DescribeVpcEndpointServicePermissions", "ServiceId", service_id) or {}
    return [each["Principal"] for each in row.get("AllowedPrincipals", ())]
