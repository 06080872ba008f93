"""Decide whether a service's DNS names resolve to an endpoint or to public addresses in a VPC.

https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html#interface-endpoint-private-dns
https://docs.aws.amazon.com/vpc/latest/privatelink/interface-endpoints.html#dns-name-resolution
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from posture.analysis.central.answers import NameAnswer
from posture.model.dns import AMAZON_DNS
from posture.model.network import Endpoint, EndpointType, Service, Snapshot, Vpc
from posture.model.service_names import CUSTOM_SERVICE_NAME, get_partition, short_name

WORKING = frozenset({"available", "pending"})
# https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
# Names without a Region, which private DNS of a Region's endpoint does not cover. Older SDKs use
# those of STS and, in us-east-1, S3; clients without a Region use the others.
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-sts-regionalized-endpoints.html
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-s3-us-east-1.html
# https://docs.aws.amazon.com/general/latest/gr/rande.html#global-endpoints
GLOBAL_NAMES = {
    "autoscaling": "autoscaling.amazonaws.com",
    "ec2": "ec2.amazonaws.com",
    "elasticmapreduce": "elasticmapreduce.amazonaws.com",
    "s3": "s3.amazonaws.com",
    "sts": "sts.amazonaws.com",
}
RESOLVER_ADDRESSES = frozenset({AMAZON_DNS, "169.254.169.253", "fd00:ec2::253"})
IPV4_ONLY, IPV6_ONLY, DUAL_STACK = "ipv4", "ipv6", "dualstack"


class ResolvesTo(StrEnum):
    """What names resolve to."""

    ENDPOINT = "endpoint"
    PUBLIC = "public addresses"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NameResolution:
    """What a service's DNS names resolve to in a VPC, and why.

    `endpoints` are those the names resolve to, `ip_versions` the IP versions of the addresses they
    return. `caveat` describes what is not evaluated and could change the answer. `names` are the
    answers for each name; the whole is the one that they have in common.
    """

    resolves_to: ResolvesTo
    why: str
    endpoints: tuple[Endpoint, ...] = ()
    ip_versions: frozenset[int] = frozenset()
    caveat: str = ""
    names: tuple[NameAnswer, ...] = ()


def resolve_names(  # noqa: PLR0911 - one return for each case
    snapshot: Snapshot, service: Service
) -> NameResolution:
    """Decide what a service's DNS names resolve to in a VPC.

    A private hosted zone with the same name takes precedence over public DNS. Private hosted zones
    are not evaluated, which the answer states. It is unknown if an endpoint of the service has
    private DNS disabled, because such zones are used with such endpoints.

    A service that EC2 lists without private DNS names keeps its public names; its endpoints have
    names of their own. Only a service of another account has no other names than those.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/privatelink-interface-endpoints.html
    """
    endpoints = _list_interface_endpoints(snapshot, service)
    ids = ", ".join(each.id for each in endpoints)
    named = [each for each in endpoints if each.private_dns]
    if named:
        return _resolve_private_dns(snapshot, service, named)
    if endpoints and CUSTOM_SERVICE_NAME.fullmatch(service.name) and not service.private_dns_names:
        why = f"{service.name} has no private DNS names; clients use the names of the endpoint"
        return _resolve_to_endpoints(endpoints, why)
    if endpoints and not service.listed:
        return NameResolution(
            ResolvesTo.UNKNOWN,
            f"private DNS is disabled for {ids}, and DescribeVpcEndpointServices does not list "
            f"{service.name}: whether the service has private DNS names is not known",
        )
    if endpoints and not service.private_dns_names:
        return NameResolution(
            ResolvesTo.PUBLIC,
            f"EC2 lists no private DNS names for {service.name}; only clients that use the "
            f"endpoint-specific names of {ids} reach it",
            caveat="a private hosted zone would take precedence; such zones are not evaluated",
        )
    if any(each.private_dns is None for each in endpoints):
        why = f"EC2 does not report whether private DNS is enabled for {ids}"
        return NameResolution(ResolvesTo.UNKNOWN, why)
    if endpoints and EndpointType.GATEWAY not in service.types:
        return NameResolution(
            ResolvesTo.UNKNOWN,
            f"private DNS is disabled for {ids}, so the names resolve to public addresses unless a "
            "private hosted zone points them to the endpoint",
            caveat="such zones are not evaluated",
        )
    owner = snapshot.vpc.owner
    if owner and owner != snapshot.scope.account:
        why = f"{snapshot.vpc.id} belongs to {owner}, whose endpoints cannot be read here"
        return NameResolution(ResolvesTo.UNKNOWN, why)
    return NameResolution(
        ResolvesTo.PUBLIC,
        "the VPC has no interface endpoint with private DNS for the service",
        caveat="a private hosted zone would take precedence; such zones are not evaluated",
    )


def _list_interface_endpoints(snapshot: Snapshot, service: Service) -> Sequence[Endpoint]:
    return [
        endpoint
        for _, endpoint in sorted(snapshot.endpoints.items())
        if endpoint.type is EndpointType.INTERFACE
        and endpoint.service_name == service.name
        and endpoint.state in WORKING
    ]


def _resolve_private_dns(
    snapshot: Snapshot, service: Service, named: Sequence[Endpoint]
) -> NameResolution:
    vpc = snapshot.vpc
    attributes = {"enableDnsSupport": vpc.dns_support, "enableDnsHostnames": vpc.dns_hostnames}
    off = [name for name, value in attributes.items() if value is False]
    if off:
        why = f"private DNS requires both DNS attributes of {vpc.id}; disabled: {', '.join(off)}"
        return NameResolution(ResolvesTo.PUBLIC, why)
    unread = [name for name, value in attributes.items() if value is None]
    if unread:
        why = f"{' and '.join(unread)} of {vpc.id} could not be read"
        return NameResolution(ResolvesTo.UNKNOWN, why)
    if why := find_dns_doubt(vpc):
        return NameResolution(ResolvesTo.UNKNOWN, why)
    inside = [each for each in named if not _resolves_outside_only(each, service)]
    if not inside:
        return NameResolution(
            ResolvesTo.PUBLIC,
            f"the names resolve to {named[0].id} only for queries through inbound Resolver "
            "endpoints, that is, from outside the VPC",
        )
    ids = ", ".join(each.id for each in inside)
    why = f"private DNS is enabled for {ids}, and both DNS attributes of {vpc.id} are enabled"
    resolution = _resolve_to_endpoints(inside, why)
    general = GLOBAL_NAMES.get(short_name(service.name), "")
    partition = get_partition(snapshot.scope.region)
    if not general or general in service.private_dns_names or partition != "aws":
        return resolution
    caveat = (
        f"{general}, which older SDKs or clients without a Region use, still resolves to public "
        "addresses"
    )
    return replace(resolution, caveat=caveat)


def find_dns_doubt(vpc: Vpc) -> str:
    """Find why the VPC's hosts may not ask the VPC's own Resolver, which alone knows private DNS.

    Its addresses are the base of the primary IPv4 block plus two, and two link-local ones.
    https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
    """
    named = f"DHCP option set {vpc.dhcp_options_id or 'of the VPC'}"
    if vpc.dns_servers is None:
        return f"the DNS servers of {named} could not be read"
    if not vpc.dns_servers:
        return f"{named} names no DNS server"
    own = RESOLVER_ADDRESSES | {str(each[2]) for each in vpc.cidrs[:1]}
    others = [each for each in vpc.dns_servers if each not in own]
    if not others:
        return ""
    return f"{named} names the DNS servers {', '.join(others)}, which decide what names resolve to"


def _resolve_to_endpoints(endpoints: Sequence[Endpoint], why: str) -> NameResolution:
    versions = frozenset(version for each in endpoints for version in list_ip_versions(each))
    return NameResolution(ResolvesTo.ENDPOINT, why, tuple(endpoints), versions)


def _resolves_outside_only(endpoint: Endpoint, service: Service) -> bool:
    """Return whether the names resolve to the endpoint only for queries from outside the VPC.

    Services that also have gateway endpoints offer this option: inside the VPC, their names keep
    resolving to the public addresses that the gateway endpoint routes.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html#private-dns-s3
    """
    gateway_too = EndpointType.GATEWAY in service.types
    return gateway_too and endpoint.private_dns_only_for_inbound_resolver is True


def list_ip_versions(endpoint: Endpoint) -> Iterator[int]:
    """List the IP versions of the addresses that the endpoint's names return.

    `service-defined`, or no value, means the IP address type of the endpoint.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DnsOptionsSpecification.html
    """
    kind = endpoint.dns_record_ip_type
    if kind not in {IPV4_ONLY, IPV6_ONLY, DUAL_STACK}:
        kind = endpoint.ip_address_type
    if kind != IPV6_ONLY:
        yield 4
    if kind in {IPV6_ONLY, DUAL_STACK}:
        yield 6
