"""Find AWS services in the region's catalogue.

https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
"""

from __future__ import annotations

from collections.abc import Iterable

from posture.analysis.paths import list_gateway_services
from posture.model.network import Endpoint, EndpointType, Service, Snapshot
from posture.model.service_names import find_region, short_name


def find_service(snapshot: Snapshot, short: str) -> Service | None:
    """Find a service by its short name, such as `kms` or `ecr.dkr`, or by its full name.

    A short name means the service of the VPC's region, or a global one, such as
    `com.amazonaws.iam`.
    """
    own = {None, snapshot.scope.region}
    found = (
        service
        for name, service in sorted(snapshot.services.items())
        if name == short or (short_name(name) == short and find_region(name) in own)
    )
    return next(found, None)


def list_covered_services(snapshot: Snapshot, required: Iterable[str] = ()) -> tuple[Service, ...]:
    """List the services that a VPC's coverage matrix has columns for, sorted by name.

    These are the services with gateway endpoints in the region, those of the VPC's interface
    endpoints, and the required ones. Every other service takes the paths of public addresses.

    Args:
        snapshot: The snapshot of the VPC.
        required: Short names of required services; those that the region lacks are left out.
    """
    found = {service.name: service for service in list_gateway_services(snapshot)}
    for endpoint in snapshot.endpoints.values():
        if endpoint.type is EndpointType.INTERFACE and not endpoint.deleted:
            found[endpoint.service_name] = get_service(snapshot, endpoint)
    for short in required:
        if service := find_service(snapshot, short):
            found[service.name] = service
    return tuple(service for _, service in sorted(found.items()))


def get_service(snapshot: Snapshot, endpoint: Endpoint) -> Service:
    """Return the service of an endpoint, with only its name if the catalogue does not list it."""
    bare = Service(endpoint.service_name, frozenset({endpoint.type}), owner="", listed=False)
    return snapshot.services.get(endpoint.service_name, bare)
