"""The central endpoints that a VPC could use, and what the baseline says of it as a hub."""

from __future__ import annotations

from collections.abc import Iterator

from posture.analysis.central.network_index import index_network
from posture.lean_dataclass import dataclass
from posture.model.baseline import CentralEndpoints
from posture.model.network import Endpoint, EndpointType, Service
from posture.rules.contexts import VpcContext
from posture.rules.endpoint_lookups import AVAILABLE


@dataclass(frozen=True, slots=True)
class Offer:
    """An endpoint in another VPC."""

    endpoint: Endpoint
    vpc_id: str


def list_offers(vpc: VpcContext, service: Service) -> tuple[Offer, ...]:
    """List the available endpoints for a service that the VPC could use.

    They are in central VPCs that routes lead to, and their private DNS is disabled: one that is
    enabled is likely to be for the endpoint's own VPC.
    """
    if vpc.shared is None:
        return ()
    central, index = vpc.shared.central_vpcs, index_network(vpc.shared)
    return tuple(
        Offer(endpoint, vpc_id)
        for vpc_id, snapshot in sorted(central.items())
        if vpc_id != vpc.snapshot.vpc.id
        for _, endpoint in sorted(snapshot.endpoints.items())
        if endpoint.type is EndpointType.INTERFACE
        and endpoint.service_name == service.name
        and endpoint.state == AVAILABLE
        and endpoint.private_dns is False
        and index.reaches(vpc.snapshot.vpc.id, vpc_id)
    )


def list_own_entries(vpc: VpcContext) -> Iterator[CentralEndpoints]:
    """List the entries of the baseline of which a VPC is a hub."""
    network, account = vpc.snapshot.vpc, vpc.snapshot.scope.account
    for each in vpc.baseline.central_endpoints:
        if each.hubs.selects(network.id, account, network.tags, ""):
            yield each
