"""Public designs of central endpoints, rebuilt as they are published, and intact."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from ipaddress import IPv4Network, ip_network

from network_builders import REGION, admits, route
from organization_builders import (
    ENDPOINTS_GROUP,
    EVERYWHERE,
    GATEWAY,
    HUB,
    HUB_ACCOUNT,
    HUB_TABLE,
    SPOKES_TABLE,
    Link,
    Names,
    Organization,
    build_organization,
    list_records,
)
from posture.model.network import Route, RouteOrigin, RouteTable, Snapshot
from posture.model.shared_network import (
    AttachmentKind,
    HostedZone,
    TransitAttachment,
    TransitRoute,
    TransitRouteTable,
)

SESSION_MANAGER = ("ssm", "ssmmessages", "ec2messages")
CONTAINERS = ("ecr.api", "ecr.dkr", "kms", "logs", "sts")


def build_zones(
    organization: Organization, domains: Mapping[str, tuple[str, bool]]
) -> dict[str, HostedZone]:
    """Build the zones of a hub from services with their domain and whether it has a wildcard."""
    return {
        f"Z-{domain}": HostedZone(
            f"Z-{domain}",
            domain,
            HUB_ACCOUNT,
            list_records(domain, organization.endpoints[short], wildcard=wildcard),
        )
        for short, (domain, wildcard) in domains.items()
    }


def replace_zones(
    organization: Organization, domains: Mapping[str, tuple[str, bool]]
) -> Organization:
    """Replace all zones, wherever the former ones were associated."""
    zones = build_zones(organization, domains)
    shared = organization.shared
    vpcs = {
        vpc_id: replace(each, zone_ids=tuple(zones) if each.zone_ids else ())
        for vpc_id, each in shared.vpcs.items()
    }
    profiles = {
        key: replace(each, zone_ids=tuple(zones) if each.zone_ids else ())
        for key, each in shared.profiles.items()
    }
    changed = replace(shared, zones=zones, vpcs=vpcs, profiles=profiles)
    return Organization(organization.snapshots, changed)


def admit_everywhere(organization: Organization) -> Organization:
    """Let the group of the endpoints admit the block of the whole organization."""
    return organization.edit_vpc(HUB, lambda hub: replace_ingress(hub, EVERYWHERE))


def replace_ingress(hub: Snapshot, *peers: str) -> Snapshot:
    """Replace what the group of the endpoints admits."""
    group = hub.security_groups[ENDPOINTS_GROUP]
    changed = replace(group, ingress=tuple(map(admits, peers)))
    return replace(hub, security_groups={**hub.security_groups, group.id: changed})


def build_whitepaper() -> Organization:
    """A zone for each service name, associated with each VPC; by a transit gateway.

    https://docs.aws.amazon.com/whitepapers/latest/building-scalable-secure-multi-vpc-network-infrastructure/centralized-access-to-vpc-private-endpoints.html
    """
    return build_organization(services=(*CONTAINERS, *SESSION_MANAGER, "monitoring"))


def build_peered_whitepaper() -> Organization:
    """As the whitepaper has it for few VPCs: by VPC peering."""
    return build_organization(services=CONTAINERS, link=Link.PEERING)


# What the accelerator calls the zones of services, and whether it adds a wildcard.
# https://github.com/awslabs/landing-zone-accelerator-on-aws
ACCELERATOR_ZONES: Mapping[str, tuple[str, bool]] = {
    "ec2messages": ("ec2messages.{region}.amazonaws.com", False),
    "ecr.api": ("api.ecr.{region}.amazonaws.com", False),
    "ecr.dkr": ("dkr.ecr.{region}.amazonaws.com", True),
    "ecs-agent": ("ecs-a.{region}.amazonaws.com", False),
    "ecs-telemetry": ("ecs-t.{region}.amazonaws.com", False),
    "kms": ("kms.{region}.amazonaws.com", False),
    "rum-dataplane": ("dataplane.rum.{region}.amazonaws.com", False),
    "ssm": ("ssm.{region}.amazonaws.com", False),
    "ssmmessages": ("ssmmessages.{region}.amazonaws.com", False),
}


def build_accelerator() -> Organization:
    """The Landing Zone Accelerator.

    Attachment subnets have a route table of their own, without routes, and the group of the
    endpoints admits the block of all VPCs.
    """
    built = build_organization(services=ACCELERATOR_ZONES, zones="abc")
    domains = {
        short: (domain.format(region=REGION), wildcard)
        for short, (domain, wildcard) in ACCELERATOR_ZONES.items()
    }
    organization = admit_everywhere(replace_zones(built, domains))
    for vpc_id in organization.snapshots:
        organization = organization.edit_vpc(vpc_id, _separate_attachments)
    return organization


def _separate_attachments(snapshot: Snapshot) -> Snapshot:
    """Add to the attachment subnets a route table without routes."""
    vpc_id = snapshot.vpc.id
    ids = tuple(each for each in snapshot.subnets if "-tgw-" in each)
    table = RouteTable(
        f"rtb-{vpc_id.removeprefix('vpc-')}-tgw",
        vpc_id,
        main=False,
        subnet_ids=ids,
        gateway_ids=(),
        associations={f"rtbassoc-{each}": each for each in ids},
        routes=(route(str(snapshot.vpc.cidrs[0]), "local", origin=RouteOrigin.TABLE),),
    )
    return replace(snapshot, route_tables={**snapshot.route_tables, table.id: table})


def build_network_hub(services: Iterable[str] = ("kms", "logs", *SESSION_MANAGER)) -> Organization:
    """AWS's sample aws-network-hub-for-terraform.

    A zone is called as its service with the Region, and has only the apex. Every subnet routes all
    traffic to the transit gateway, whose tables send it to an inspection VPC, drop what is of the
    organization, and have the propagated blocks of the VPCs.
    https://github.com/aws-samples/aws-network-hub-for-terraform
    """
    listed = tuple(services)
    built = admit_everywhere(build_organization(services=listed))
    domains = {short: (f"{short}.{REGION}.amazonaws.com", False) for short in listed}
    organization = replace_zones(built, domains)
    for vpc_id in organization.snapshots:
        organization = organization.edit_vpc(vpc_id, _route_everything)
    inspection = TransitAttachment(
        "tgw-attach-inspection",
        GATEWAY,
        AttachmentKind.VPC,
        "vpc-inspection",
        HUB_ACCOUNT,
        "available",
        HUB_TABLE,
        appliance_mode=True,
    )
    common = (
        TransitRoute(ip_network("0.0.0.0/0"), None, (inspection.id,)),
        TransitRoute(ip_network(EVERYWHERE), None, (), blackhole=True),
    )
    tables = {
        key: replace(each, routes=(*(each.routes or ()), *common))
        for key, each in organization.shared.tables.items()
    }
    return organization.edit_shared(attachments={inspection.id: inspection}, tables=tables)


def _route_everything(snapshot: Snapshot) -> Snapshot:
    return edit_routes(
        snapshot,
        lambda routes: tuple(
            replace(each, cidr=IPv4Network("0.0.0.0/0")) if each.target.id == GATEWAY else each
            for each in routes
        ),
    )


def edit_routes(
    snapshot: Snapshot, change: Callable[[tuple[Route, ...]], tuple[Route, ...]], table_id: str = ""
) -> Snapshot:
    """Change the routes of the main route table of a VPC, or of another."""
    table = snapshot.route_tables[table_id or f"rtb-{snapshot.vpc.id.removeprefix('vpc-')}"]
    changed = replace(table, routes=change(table.routes))
    return replace(snapshot, route_tables={**snapshot.route_tables, table.id: changed})


def build_hub_and_spoke() -> Organization:
    """The module terraform-aws-network-hubandspoke: a transit gateway table for each segment.

    https://github.com/aws-ia/terraform-aws-network-hubandspoke
    """
    organization = build_organization(services=SESSION_MANAGER, spokes=3)
    shared = organization.shared
    segments = {
        f"vpc-spoke{number}": f"tgw-rtb-{segment}"
        for number, segment in enumerate(("production", "development", "testing"), start=1)
    }
    attachments = {
        each.id: replace(each, table_id=segments.get(each.resource_id, HUB_TABLE))
        for each in shared.attachments.values()
    }
    to_hub = shared.tables[SPOKES_TABLE].routes
    tables = {
        **dict.fromkeys(shared.tables, None),
        HUB_TABLE: shared.tables[HUB_TABLE],
        **{each: TransitRouteTable(each, GATEWAY, to_hub) for each in segments.values()},
    }
    return organization.edit_shared(attachments=attachments, tables=tables)


def build_reversed_names(services: Iterable[str] = CONTAINERS) -> Organization:
    """The module terraform-aws-mcaf-vpc: zones are the reversed service names, with a wildcard.

    https://github.com/schubergphilis/terraform-aws-mcaf-vpc
    """
    listed = tuple(services)
    built = build_organization(services=listed)
    return replace_zones(
        built,
        {
            short: (f"{'.'.join(reversed(short.split('.')))}.{REGION}.amazonaws.com", True)
            for short in listed
        },
    )


def build_justice(*, named_after_services: bool = False) -> Organization:
    """The Modernisation Platform of the Ministry of Justice of England and Wales: a Profile.

    First, its zones were named after the services, and only had the apex.
    https://github.com/ministryofjustice/modernisation-platform/pull/13533
    """
    services = ("ecr.api", "ecr.dkr", "eks-auth", "kms", "logs")
    built = admit_everywhere(build_organization(services=services, names=Names.PROFILE))
    if not named_after_services:
        return built
    return replace_zones(
        built, {short: (f"{short}.{REGION}.amazonaws.com", False) for short in services}
    )


def build_justice_endpoints() -> Organization:
    """As the Modernisation Platform has it today: the endpoints themselves in the Profile.

    https://github.com/ministryofjustice/modernisation-platform/pull/13574
    """
    services = ("ecr.api", "ecr.dkr", "eks-auth", "kms", "logs")
    return admit_everywhere(build_organization(services=services, names=Names.PROFILE_ENDPOINTS))


def build_profile_of_endpoints() -> Organization:
    """Interface endpoints as resources of a Profile, as AWS's networking blog has it.

    https://aws.amazon.com/blogs/networking-and-content-delivery/streamlining-multi-vpc-dns-management-with-amazon-route-53-profiles-and-interface-vpc-endpoint-integration/
    """
    return build_organization(
        services=(*CONTAINERS, *SESSION_MANAGER), names=Names.PROFILE_ENDPOINTS, spokes=3
    )


def build_forwarding() -> Organization:
    """Resolver rules that forward each service name to an inbound endpoint in the hub.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-forwarding-outbound-queries.html
    """
    return build_organization(services=CONTAINERS, names=Names.FORWARDING)


def build_core_network() -> Organization:
    """The whitepaper's zones, with a core network of AWS Cloud WAN in place of the gateway.

    https://docs.aws.amazon.com/network-manager/latest/cloudwan/cloudwan-how-routing-works.html
    """
    return build_organization(services=CONTAINERS, link=Link.CORE_NETWORK)


DESIGNS: Mapping[str, Callable[[], Organization]] = {
    "whitepaper": cache(build_whitepaper),
    "whitepaper by peering": cache(build_peered_whitepaper),
    "Landing Zone Accelerator": cache(build_accelerator),
    "AWS network hub": cache(build_network_hub),
    "hub and spoke module": cache(build_hub_and_spoke),
    "reversed names": cache(build_reversed_names),
    "Ministry of Justice": cache(build_justice),
    "Ministry of Justice, endpoints": cache(build_justice_endpoints),
    "Profile of endpoints": cache(build_profile_of_endpoints),
    "forwarding": cache(build_forwarding),
    "Cloud WAN": cache(build_core_network),
}


def list_spoke_cells(organization: Organization) -> Iterable[tuple[str, str, str]]:
    """List the VPC, subnet and interface service of every cell that the designs are about."""
    for vpc_id, snapshot in organization.snapshots.items():
        for subnet_id in snapshot.subnets:
            if "-tgw-" not in subnet_id:
                for short in organization.endpoints:
                    yield vpc_id, subnet_id, short
