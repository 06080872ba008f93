"""Which endpoints have a policy, whether it counts, and where it stands."""

from __future__ import annotations

from posture.model.network import Endpoint, EndpointType, Snapshot
from posture.policy import EndpointContext
from posture.policy.service_actions import is_customer_service

TYPES_WITH_POLICY = (EndpointType.GATEWAY, EndpointType.INTERFACE)


def build_endpoint_context(snapshot: Snapshot, endpoint: Endpoint) -> EndpointContext:
    """Give the account, service, VPC and endpoint that an endpoint's policy stands at."""
    return EndpointContext(
        account=snapshot.scope.account,
        service=endpoint.service_name,
        gateway=endpoint.type is EndpointType.GATEWAY,
        vpc_id=endpoint.vpc_id,
        endpoint_id=endpoint.id,
    )


def supports_policy(snapshot: Snapshot, endpoint: Endpoint) -> bool | None:
    """Tell whether an endpoint's service takes a policy; None where EC2 does not tell."""
    if is_customer_service(endpoint.service_name):
        return False
    service = snapshot.services.get(endpoint.service_name)
    return service.policy_supported if service else None
