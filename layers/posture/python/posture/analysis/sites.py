"""Which endpoints have a policy, and where it stands."""

from __future__ import annotations

from posture.analysis.policy import Site
from posture.model.network import Endpoint, EndpointType, Snapshot

WITH_POLICY = (EndpointType.GATEWAY, EndpointType.INTERFACE)


def site_of(snapshot: Snapshot, endpoint: Endpoint) -> Site:
    """Give the account, service, VPC and endpoint that an endpoint's policy stands at."""
    return Site(
        account=snapshot.scope.account,
        service=endpoint.service_name,
        gateway=endpoint.type is EndpointType.GATEWAY,
        vpc=endpoint.vpc_id,
        endpoint=endpoint.id,
    )
