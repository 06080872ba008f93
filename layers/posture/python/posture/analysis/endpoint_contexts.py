"""Build the context in which the policy of an endpoint is evaluated."""

from __future__ import annotations

from posture.model.network import Endpoint, EndpointType, Snapshot
from posture.policy import EndpointContext
from posture.policy.service_actions import is_customer_service

TYPES_WITH_POLICY = (EndpointType.GATEWAY, EndpointType.INTERFACE)


def build_endpoint_context(snapshot: Snapshot, endpoint: Endpoint) -> EndpointContext:
    """Build the context of an endpoint's policy: its account, service, VPC and endpoint."""
    return EndpointContext(
        account=snapshot.scope.account,
        service=endpoint.service_name,
        gateway=endpoint.type is EndpointType.GATEWAY,
        vpc_id=endpoint.vpc_id,
        endpoint_id=endpoint.id,
    )


def supports_policy(snapshot: Snapshot, endpoint: Endpoint) -> bool | None:
    """Return whether an endpoint's service supports policies; None if EC2 does not report it."""
    if is_customer_service(endpoint.service_name):
        return False
    service = snapshot.services.get(endpoint.service_name)
    return service.policy_supported if service else None
