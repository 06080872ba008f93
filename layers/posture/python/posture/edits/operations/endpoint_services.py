"""Endpoint services and the connections to them."""

from __future__ import annotations

from posture.edits.operations import Ids
from posture.lean_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyVpcEndpointServicePermissions:
    """Add or remove principals that may connect to an endpoint service."""

    service_id: str
    add_allowed_principals: Ids = ()
    remove_allowed_principals: Ids = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyVpcEndpointServiceConfiguration:
    """Change what is given of an endpoint service."""

    service_id: str
    private_dns_name: str | None = None
    remove_private_dns_name: bool | None = None
    acceptance_required: bool | None = None
    add_network_load_balancer_arns: Ids = ()
    remove_network_load_balancer_arns: Ids = ()
    add_gateway_load_balancer_arns: Ids = ()
    remove_gateway_load_balancer_arns: Ids = ()
    add_supported_ip_address_types: Ids = ()
    remove_supported_ip_address_types: Ids = ()
    add_supported_regions: Ids = ()
    remove_supported_regions: Ids = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptVpcEndpointConnections:
    """Accept endpoints that ask to connect to an endpoint service."""

    service_id: str
    vpc_endpoint_ids: Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectVpcEndpointConnections:
    """Reject endpoints that ask to connect, or are connected, to an endpoint service."""

    service_id: str
    vpc_endpoint_ids: Ids
