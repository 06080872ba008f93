"""What a region's catalogue tells of AWS's services, by the names people use.

https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
"""

from __future__ import annotations

from collections.abc import Iterable

from posture.analysis.paths import list_gateway_services
from posture.model.network import Endpoint, EndpointType, Service, Snapshot
from posture.model.service_names import short_name


def find_service(snapshot: Snapshot, short: str) -> Service | None:
    """Give the service of a short name, as `kms` or `ecr.dkr`; None where the region has none.

    Names begin with `com.amazonaws.REGION.`, in China with `cn.` before, newer ones with
    `aws.` and something.
    """
    found = (
        service
        for name, service in sorted(snapshot.services.items())
        if short_name(name) == short or name == short
    )
    return next(found, None)


def list_covered_services(snapshot: Snapshot, required: Iterable[str] = ()) -> tuple[Service, ...]:
    """Give the services that a VPC's matrix has columns for.

    Those that have a gateway endpoint in the region, those of the VPC's interface endpoints, and
    the required ones; every other service takes the ways of the public addresses.
    """
    found = {service.name: service for service in list_gateway_services(snapshot)}
    for endpoint in snapshot.endpoints.values():
        if endpoint.type is EndpointType.INTERFACE and not endpoint.deleted:
            found[endpoint.service_name] = service_of(snapshot, endpoint)
    for short in required:
        if service := find_service(snapshot, short):
            found[service.name] = service
    return tuple(service for _, service in sorted(found.items()))


def service_of(snapshot: Snapshot, endpoint: Endpoint) -> Service:
    """Give an endpoint's service; one that the region's catalogue does not list is a bare name."""
    bare = Service(endpoint.service_name, frozenset({endpoint.type}), owner="")
    return snapshot.services.get(endpoint.service_name, bare)
