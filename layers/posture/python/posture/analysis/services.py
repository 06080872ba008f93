"""Find AWS services in the region's catalogue.

https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from posture.analysis.region_offers import (
    get_region_offers,
    list_gateway_services,
    list_service_prefix_lists,
)
from posture.model.network import Endpoint, EndpointType, Service, Snapshot
from posture.model.service_names import CUSTOM_SERVICE_NAME, short_name

HTTPS = 443
# Services of AWS that do not answer on 443. Clients of Amazon SES choose one of its ports.
# https://docs.aws.amazon.com/keyspaces/latest/devguide/vpc-endpoints.html
# https://docs.aws.amazon.com/ses/latest/dg/send-email-set-up-vpc-endpoints.html
SMTP = (25, 465, 587, 2465, 2587)
OTHER_PORTS: Mapping[str, tuple[int, ...]] = {
    "cassandra": (9142,),
    "cassandra-fips": (9142,),
    "email-smtp": SMTP,
    "email-smtp-fips": SMTP,
}
COMMON = frozenset({"s3", "dynamodb"})  # gateway services that every VPC uses


def find_service(snapshot: Snapshot, short: str) -> Service | None:
    """Find a service by its short name, such as `kms` or `ecr.dkr`, or by its full name."""
    return next(iter(list_service_forms(snapshot, short)), None)


def list_service_forms(
    snapshot: Snapshot, short: str, *, fips: bool = False
) -> tuple[Service, ...]:
    """List the services that a short or full name stands for, the Region's own first.

    A short name means the service of the VPC's region, or a global one, such as
    `com.amazonaws.iam`. With `fips`, the service with FIPS endpoints counts, too: its name ends in
    `-fips`, and so do its DNS names, so it serves only clients that are configured for it.
    https://docs.aws.amazon.com/kms/latest/developerguide/vpce-create-endpoint.html
    """
    return get_region_offers(snapshot).list_forms(short, snapshot.scope.region, fips=fips)


def list_relevant_gateway_services(
    snapshot: Snapshot, required: Iterable[str] = ()
) -> tuple[Service, ...]:
    """List the services with gateway endpoints that concern the VPC, sorted by name.

    Every VPC uses S3 and DynamoDB. Another service, such as S3 Express One Zone, concerns a VPC
    that has an endpoint for it or a route to its prefix list, or that it is required of.
    """
    wanted = {*COMMON, *required}
    used = {each.service_name for each in snapshot.endpoints.values() if not each.deleted}
    routed = {
        route.prefix_list_id for table in snapshot.route_tables.values() for route in table.routes
    }
    return tuple(
        each
        for each in list_gateway_services(snapshot)
        if not wanted.isdisjoint({each.name, short_name(each.name)})
        or each.name in used
        or any(listed.id in routed for listed in list_service_prefix_lists(snapshot, each))
    )


def list_covered_services(snapshot: Snapshot, required: Iterable[str] = ()) -> tuple[Service, ...]:
    """List the services that a VPC's coverage matrix has columns for, sorted by name.

    These are the services with gateway endpoints that concern the VPC, those of its interface
    endpoints, and the required ones. Every other service takes the paths of public addresses.

    Args:
        snapshot: The snapshot of the VPC.
        required: Short names of required services; those that the region lacks are left out.
    """
    found = {each.name: each for each in list_relevant_gateway_services(snapshot, required)}
    for endpoint in snapshot.endpoints.values():
        if endpoint.type is EndpointType.INTERFACE and not endpoint.deleted:
            found[endpoint.service_name] = get_service(snapshot, endpoint)
    for short in required:
        if service := find_service(snapshot, short):
            found[service.name] = service
    return tuple(service for _, service in sorted(found.items()))


@lru_cache(maxsize=1024)
def list_ports(service_name: str) -> tuple[int, ...]:
    """List the ports that a service answers on; none if they are not known.

    The ports of customers' services, resource configurations and service networks are not read.
    """
    if CUSTOM_SERVICE_NAME.fullmatch(service_name):
        return ()
    return OTHER_PORTS.get(short_name(service_name), (HTTPS,))


def list_endpoint_ports(endpoint: Endpoint) -> tuple[int, ...]:
    """List the ports that an endpoint's service answers on; none if they are not known."""
    return list_ports(endpoint.service_name) if endpoint.type is EndpointType.INTERFACE else ()


def find_port(endpoint: Endpoint) -> int | None:
    """Find the only port that an endpoint's service answers on; None if it is not known."""
    ports = list_endpoint_ports(endpoint)
    return ports[0] if len(ports) == 1 else None


def get_service(snapshot: Snapshot, endpoint: Endpoint) -> Service:
    """Return the service of an endpoint, with only its name if the catalogue does not list it."""
    bare = Service(endpoint.service_name, frozenset({endpoint.type}), owner="", listed=False)
    return snapshot.services.get(endpoint.service_name, bare)
