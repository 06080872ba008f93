"""Decide whether a service's DNS names resolve to an endpoint or to public addresses in a VPC.

https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html#interface-endpoint-private-dns
https://docs.aws.amazon.com/vpc/latest/privatelink/interface-endpoints.html#dns-name-resolution
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from posture.analysis.central.answers import NameAnswer
from posture.analysis.endpoint_dns import (
    WORKING,
    list_ip_versions,
    list_other_servers,
    resolves_outside_only,
)
from posture.lean_dataclass import dataclass
from posture.model.network import (
    Endpoint,
    EndpointType,
    Service,
    Snapshot,
    TargetKind,
    Vpc,
)
from posture.model.service_names import CUSTOM_SERVICE_NAME, get_partition, short_name

if TYPE_CHECKING:
    from posture.model.shared_network import SharedNetwork

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
# What leads to other networks, where central endpoints may be.
OTHER_NETWORKS = frozenset(
    {
        TargetKind.TRANSIT_GATEWAY,
        TargetKind.CORE_NETWORK,
        TargetKind.PEERING,
        TargetKind.VIRTUAL_PRIVATE_GATEWAY,
    }
)
# What reads zones, rules, Profiles and the routes between VPCs.
SWITCH = "parameter SharedNetwork = on (scan: --shared-network)"
UNEVALUATED = (
    "a private hosted zone would take precedence; such zones are not evaluated without " + SWITCH
)


class ResolvesTo(StrEnum):
    """What names resolve to."""

    ENDPOINT = "endpoint"
    PARTLY = "different places"  # some names, or some records of a name
    PUBLIC = "public addresses"
    OTHER = "other private addresses"
    NOWHERE = "no address"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NameResolution:
    """What a service's DNS names resolve to in a VPC, and why.

    `endpoints` are those of the VPC that the names resolve to, `central` those of other VPCs, and
    `ip_versions` the IP versions of the addresses they return. `caveat` describes what is not
    evaluated and could change the answer, and which names of some clients lead elsewhere. `names`
    are the answers for each name, if the shared network is read; the whole is the one that the
    names of clients by default have in common, those that are not `optional`.
    """

    resolves_to: ResolvesTo
    why: str
    endpoints: tuple[Endpoint, ...] = ()
    ip_versions: frozenset[int] = frozenset()
    caveat: str = ""
    names: tuple[NameAnswer, ...] = ()
    central: tuple[Endpoint, ...] = ()
    optional: frozenset[str] = frozenset()

    @property
    def deciding_names(self) -> tuple[NameAnswer, ...]:
        """The answers for the names that clients use by default."""
        return tuple(each for each in self.names if each.name not in self.optional)


def resolve_names(
    snapshot: Snapshot,
    service: Service,
    shared: SharedNetwork | None = None,
    known: Mapping[str, Sequence[Endpoint]] | None = None,
) -> NameResolution:
    """Decide what a service's DNS names resolve to in a VPC.

    A private hosted zone with the same name takes precedence over public DNS, and so do Resolver
    rules and Profiles. They are evaluated with the shared network. Without it, the answer is
    unknown where they are likely: if an endpoint of the service has private DNS disabled, or if the
    names would be public in a VPC that has routes to other networks. Services with gateway
    endpoints keep their answer, because there is little reason to share interface endpoints for
    them.
    https://docs.aws.amazon.com/whitepapers/latest/building-scalable-secure-multi-vpc-network-infrastructure/centralized-access-to-vpc-private-endpoints.html

    Args:
        snapshot: The snapshot of the VPC.
        service: The service.
        shared: The network that the organization's VPCs share; None where it is not read.
        known: What `group_interface_endpoints` returns, where many services are asked about.
    """
    known = group_interface_endpoints(snapshot) if known is None else known
    endpoints = known.get(service.name, ())
    if shared is not None:
        from posture.analysis.central.service_names import (  # noqa: PLC0415 - few VPCs need it
            resolve_service_names,
        )

        if found := resolve_service_names(snapshot, service, shared, endpoints):
            return found
    resolution = _resolve_alone(snapshot, service, endpoints)
    named = any(each.private_dns for each in endpoints)
    if shared is not None or named or resolution.resolves_to is not ResolvesTo.PUBLIC:
        return resolution
    if EndpointType.GATEWAY in service.types or not (route := find_other_network(snapshot)):
        return resolution
    why = (
        f"{resolution.why}; but {route}, and private hosted zones and central endpoints there are "
        f"not evaluated without {SWITCH}"
    )
    return NameResolution(ResolvesTo.UNKNOWN, why)


def group_interface_endpoints(snapshot: Snapshot) -> Mapping[str, Sequence[Endpoint]]:
    """Group the working interface endpoints of a VPC, sorted by id, by the service's name."""
    return group_by_service(
        endpoint
        for _, endpoint in sorted(snapshot.endpoints.items())
        if endpoint.type is EndpointType.INTERFACE and endpoint.state in WORKING
    )


def group_by_service(endpoints: Iterable[Endpoint]) -> dict[str, tuple[Endpoint, ...]]:
    """Group endpoints, in their order, by the service's name."""
    found: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        found.setdefault(endpoint.service_name, []).append(endpoint)
    return {name: tuple(of_one) for name, of_one in found.items()}


def find_other_network(snapshot: Snapshot) -> str:
    """Find a route of a VPC to another network, where central endpoints may be; "" for none."""
    for _, table in sorted(snapshot.route_tables.items()):
        for route in table.routes:
            if route.target.kind in OTHER_NETWORKS and not route.blackhole:
                return f"{table.id} has a route to {route.target.id}"
    return ""


def _resolve_alone(  # noqa: PLR0911 - one return for each case
    snapshot: Snapshot, service: Service, endpoints: Sequence[Endpoint]
) -> NameResolution:
    """Decide what the names resolve to by the VPC's own endpoints alone.

    A service that EC2 lists without private DNS names keeps its public names; its endpoints have
    names of their own. Only a service of another account has no other names than those.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/privatelink-interface-endpoints.html
    """
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
            caveat=UNEVALUATED,
        )
    if any(each.private_dns is None for each in endpoints):
        why = f"EC2 does not report whether private DNS is enabled for {ids}"
        return NameResolution(ResolvesTo.UNKNOWN, why)
    if endpoints and EndpointType.GATEWAY not in service.types:
        return NameResolution(
            ResolvesTo.UNKNOWN,
            f"private DNS is disabled for {ids}, so the names resolve to public addresses unless a "
            "private hosted zone points them to the endpoint",
            caveat=f"such zones are not evaluated without {SWITCH}",
        )
    owner = snapshot.vpc.owner
    if owner and owner != snapshot.scope.account:
        why = f"{snapshot.vpc.id} belongs to {owner}, whose endpoints cannot be read here"
        return NameResolution(ResolvesTo.UNKNOWN, why)
    return NameResolution(
        ResolvesTo.PUBLIC,
        "the VPC has no interface endpoint with private DNS for the service",
        caveat=UNEVALUATED,
    )


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
    inside = [each for each in named if not resolves_outside_only(each, service)]
    if not inside:
        return NameResolution(
            ResolvesTo.PUBLIC,
            f"the names resolve to {named[0].id} only for queries through inbound Resolver "
            "endpoints, that is, from outside the VPC",
        )
    ids = ", ".join(each.id for each in inside)
    why = f"private DNS is enabled for {ids}, and both DNS attributes of {vpc.id} are enabled"
    resolution = _resolve_to_endpoints(inside, why)
    general = find_general_name(snapshot, service)
    if not general:
        return resolution
    caveat = (
        f"{general}, which older SDKs or clients without a Region use, still resolves to public "
        "addresses"
    )
    return replace(resolution, caveat=caveat)


def find_general_name(snapshot: Snapshot, service: Service) -> str:
    """Find the name without a Region that some clients use, unless EC2 lists it; "" for none."""
    general = GLOBAL_NAMES.get(short_name(service.name), "")
    partition = get_partition(snapshot.scope.region)
    return "" if general in service.private_dns_names or partition != "aws" else general


def find_dns_doubt(vpc: Vpc) -> str:
    """Find why hosts may not ask the VPC's own Resolver, which alone knows private DNS."""
    named = f"DHCP option set {vpc.dhcp_options_id or 'of the VPC'}"
    if vpc.dns_servers is None:
        return f"the DNS servers of {named} could not be read"
    if not vpc.dns_servers:
        return f"{named} names no DNS server"
    others = list_other_servers(vpc)
    if not others:
        return ""
    return f"{named} names the DNS servers {', '.join(others)}, which decide what names resolve to"


def _resolve_to_endpoints(endpoints: Sequence[Endpoint], why: str) -> NameResolution:
    versions = frozenset(version for each in endpoints for version in list_ip_versions(each))
    return NameResolution(ResolvesTo.ENDPOINT, why, tuple(endpoints), versions)
