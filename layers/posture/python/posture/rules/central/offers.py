"""The central endpoints that a VPC could use, and what the baseline says of it as a hub."""

from __future__ import annotations

from collections.abc import Iterator

from posture.analysis.central.network_index import index_network
from posture.lean_dataclass import dataclass
from posture.model.baseline import CentralEndpoints
from posture.model.network import Endpoint, Service
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
    own, index = vpc.snapshot.vpc.id, index_network(vpc.shared)
    found = (
        Offer(endpoint, index.vpc_of_endpoint[endpoint.id])
        for endpoint in index.interface_endpoints.get(service.name, ())
        if endpoint.state == AVAILABLE and endpoint.private_dns is False
    )
    return tuple(
        each
        for each in sorted(found, key=lambda each: (each.vpc_id, each.endpoint.id))
        if each.vpc_id != own and index.reaches(own, each.vpc_id)
    )


def list_own_entries(vpc: VpcContext) -> Iterator[CentralEndpoints]:
    """List the entries of the baseline of which a VPC is a hub."""
    network, account = vpc.snapshot.vpc, vpc.snapshot.scope.account
    for each in vpc.baseline.central_endpoints:
        if each.hubs.selects(network.id, account, network.tags, ""):
            yield each
