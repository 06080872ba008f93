"""Where a service's own names lead from inside a VPC: to an endpoint, or to public addresses.

https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html#interface-endpoint-private-dns
https://docs.aws.amazon.com/vpc/latest/privatelink/interface-endpoints.html#dns-name-resolution
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from posture.model.network import Endpoint, EndpointType, Service, Snapshot

WORKING = frozenset({"available", "pending"})
IPV4_ONLY, IPV6_ONLY, DUAL_STACK = "ipv4", "ipv6", "dualstack"


class ResolvesTo(StrEnum):
    """Where names lead."""

    ENDPOINT = "endpoint"
    PUBLIC = "public addresses"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NameResolution:
    """Where a service's own names lead from this VPC, and what decides it.

    `endpoints` are those the names lead to. `ip_versions` are the IP versions the names answer with
    there. `but` is what nobody here can see and could make it otherwise.
    """

    resolves_to: ResolvesTo
    why: str
    endpoints: tuple[Endpoint, ...] = ()
    ip_versions: frozenset[int] = frozenset()
    but: str = ""


def resolve_names(snapshot: Snapshot, service: Service) -> NameResolution:
    """Tell where the service's own names lead.

    A private hosted zone of the customer's with the same name would win over public DNS. Zones are
    Route 53's and are not read here, so they are named as what is not known; where an endpoint of
    the service stands without private DNS, which is how such zones are used, the answer itself is
    unknown. A service that offers no private DNS is reached by its endpoints' own names, which
    lead nowhere else.
    """
    endpoints = _interface_endpoints(snapshot, service)
    named = [each for each in endpoints if each.private_dns]
    if named:
        return _by_private_dns(snapshot, service, named)
    if endpoints and not service.private_dns_names:
        why = f"{service.name} offers no private DNS: only the endpoint's own names lead to it"
        return _to_endpoints(endpoints, why)
    if any(each.private_dns is None for each in endpoints):
        ids = ", ".join(each.id for each in endpoints)
        return NameResolution(
            ResolvesTo.UNKNOWN, f"EC2 does not tell whether {ids} has private DNS on"
        )
    if endpoints and EndpointType.GATEWAY not in service.types:
        ids = ", ".join(each.id for each in endpoints)
        return NameResolution(
            ResolvesTo.UNKNOWN,
            f"{ids} has private DNS off: the names lead to public addresses, unless a private "
            "hosted zone takes them to the endpoint",
            but="private hosted zones are not read",
        )
    return NameResolution(
        ResolvesTo.PUBLIC,
        "no endpoint of the VPC takes the service's names",
        but="a private hosted zone of the same name would win; zones are not read",
    )


def _interface_endpoints(snapshot: Snapshot, service: Service) -> Sequence[Endpoint]:
    return [
        endpoint
        for _, endpoint in sorted(snapshot.endpoints.items())
        if endpoint.type is EndpointType.INTERFACE
        and endpoint.service_name == service.name
        and endpoint.state in WORKING
    ]


def _by_private_dns(
    snapshot: Snapshot, service: Service, named: Sequence[Endpoint]
) -> NameResolution:
    vpc = snapshot.vpc
    attributes = {"enableDnsSupport": vpc.dns_support, "enableDnsHostnames": vpc.dns_hostnames}
    off = [name for name, value in attributes.items() if value is False]
    if off:
        return NameResolution(
            ResolvesTo.PUBLIC, f"{' and '.join(off)} of {vpc.id} off: private DNS needs both"
        )
    unread = [name for name, value in attributes.items() if value is None]
    if unread:
        return NameResolution(
            ResolvesTo.UNKNOWN, f"{' and '.join(unread)} of {vpc.id} could not be read"
        )
    inside = [each for each in named if not _for_outside_only(each, service)]
    if not inside:
        return NameResolution(
            ResolvesTo.PUBLIC,
            f"{named[0].id} takes the names only for what comes by inbound resolver endpoints, "
            "that is from outside the VPC",
        )
    ids = ", ".join(each.id for each in inside)
    why = f"private DNS of {ids} is on, and so are both DNS attributes of {vpc.id}"
    return _to_endpoints(inside, why)


def _to_endpoints(endpoints: Sequence[Endpoint], why: str) -> NameResolution:
    versions = frozenset(version for each in endpoints for version in list_ip_versions(each))
    return NameResolution(ResolvesTo.ENDPOINT, why, tuple(endpoints), versions)


def _for_outside_only(endpoint: Endpoint, service: Service) -> bool:
    """Tell whether only names asked for from outside the VPC lead to the endpoint.

    An option of services that have a gateway endpoint, too: inside, their names go by that one.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html#private-dns-s3
    """
    gateway_too = EndpointType.GATEWAY in service.types
    return gateway_too and endpoint.private_dns_only_for_inbound_resolver is True


def list_ip_versions(endpoint: Endpoint) -> Iterator[int]:
    """Give the IP versions that the endpoint's names answer with.

    `service-defined` and what EC2 does not tell follow the endpoint's own address type.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DnsOptionsSpecification.html
    """
    told = endpoint.dns_record_ip_type
    kind = told if told in {IPV4_ONLY, IPV6_ONLY, DUAL_STACK} else endpoint.ip_address_type
    if kind != IPV6_ONLY:
        yield 4
    if kind in {IPV6_ONLY, DUAL_STACK}:
        yield 6
