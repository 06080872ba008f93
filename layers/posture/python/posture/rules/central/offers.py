"""The central endpoints that a VPC could use, and what the baseline says of it as a hub."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from posture.model.baseline import CentralEndpoints
from posture.model.network import Endpoint, EndpointType, Service, Tags
from posture.rules.rule import VpcContext

AVAILABLE = "available"


@dataclass(frozen=True, slots=True)
class Offer:
    """An endpoint in another VPC."""

    endpoint: Endpoint
    vpc_id: str
    account: str
    tags: Tags


def list_offers(vpc: VpcContext, service: Service) -> tuple[Offer, ...]:
    """List the available endpoints for a service in the central VPCs, other than the VPC itself."""
    central = vpc.shared.central_vpcs if vpc.shared else {}
    return tuple(
        Offer(endpoint, vpc_id, snapshot.scope.account, snapshot.vpc.tags)
        for vpc_id, snapshot in sorted(central.items())
        if vpc_id != vpc.snapshot.vpc.id
        for _, endpoint in sorted(snapshot.endpoints.items())
        if endpoint.type is EndpointType.INTERFACE
        and endpoint.service_name == service.name
        and endpoint.state == AVAILABLE
    )


def list_own_entries(vpc: VpcContext) -> Iterator[CentralEndpoints]:
    """List the entries of the baseline of which a VPC is a hub."""
    network, account = vpc.snapshot.vpc, vpc.snapshot.scope.account
    for each in vpc.baseline.central_endpoints:
        if each.hubs.selects(network.id, account, network.tags, ""):
            yield each
