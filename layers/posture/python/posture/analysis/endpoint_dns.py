"""The states and IP versions in which an endpoint's DNS names answer, and the VPC's own Resolver.

https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
"""

from __future__ import annotations

from collections.abc import Iterator

from posture.model.dns import AMAZON_DNS
from posture.model.network import Endpoint, EndpointType, Service, Vpc

WORKING = frozenset({"available", "pending"})
RESOLVER_ADDRESSES = frozenset({AMAZON_DNS, "169.254.169.253", "fd00:ec2::253"})
IPV4_ONLY, IPV6_ONLY, DUAL_STACK = "ipv4", "ipv6", "dualstack"


def list_other_servers(vpc: Vpc) -> tuple[str, ...]:
    """List the DNS servers of a VPC's DHCP option set that are not the VPC's own Resolver.

    The Resolver's addresses are the base of the primary IPv4 block plus two, and two link-local
    ones.
    """
    others = tuple(each for each in vpc.dns_servers or () if each not in RESOLVER_ADDRESSES)
    if not others:
        return ()
    own = {str(each[2]) for each in vpc.cidrs[:1]}
    return tuple(each for each in others if each not in own)


def resolves_outside_only(endpoint: Endpoint, service: Service) -> bool:
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
