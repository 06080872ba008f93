"""Builders of an organization: a hub VPC with endpoints, spokes, and the network that they share.

`build_organization` builds one that is intact. A test changes one link of it with `edit_vpc` or
`edit_shared`, and the snapshot of the hub in the shared network stays that of the hub.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from network_builders import (
    ANYWHERE,
    AWS_LISTS,
    DYNAMODB,
    NOW,
    REGION,
    S3,
    admits,
    allow,
    route,
)
from posture.model.baseline import Baseline
from posture.model.dns import AMAZON_DNS
from posture.model.network import (
    Endpoint,
    EndpointType,
    NetworkAcl,
    NetworkInterface,
    Route,
    RouteOrigin,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Service,
    Snapshot,
    Subnet,
    Vpc,
)
from posture.model.scope import Scope
from posture.model.shared_network import (
    AttachmentKind,
    DnsRecord,
    HostedZone,
    InboundResolver,
    PeeredVpc,
    Profile,
    ProfileUse,
    ResolverRule,
    RuleKind,
    SharedNetwork,
    SharedVpc,
    TransitAttachment,
    TransitGateway,
    TransitRoute,
    TransitRouteTable,
    VpcPeering,
)
from posture.model.verdict import Verdict
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context

HUB_ACCOUNT = "100000000001"
ORGANIZATION = "o-a1b2c3d4e5"
HUB = "vpc-hub"
GATEWAY = "tgw-0001"
CORE = "core-network-0001"
SPOKES_TABLE, HUB_TABLE = "tgw-rtb-spokes", "tgw-rtb-hub"
PROFILE = "rp-0001"
RESOLVER = "rslvr-in-0001"
EVERYWHERE = "10.0.0.0/8"
ENDPOINTS_GROUP = "sg-hub-endpoints"
RESOLVER_GROUP = "sg-hub-resolver"

# The private DNS names of services as DescribeVpcEndpointServices returns them.
# https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
NAMES: Mapping[str, tuple[str, ...]] = {
    "ec2messages": ("ec2messages.{region}.amazonaws.com",),
    "ecr.api": ("api.ecr.{region}.amazonaws.com",),
    "ecr.dkr": ("dkr.ecr.{region}.amazonaws.com", "*.dkr.ecr.{region}.amazonaws.com"),
    "ecs-agent": ("ecs-a.{region}.amazonaws.com",),
    "ecs-telemetry": ("ecs-t.{region}.amazonaws.com",),
    "eks-auth": ("eks-auth.{region}.api.aws",),
    "kms": ("kms.{region}.amazonaws.com",),
    "logs": ("logs.{region}.amazonaws.com",),
    "monitoring": ("monitoring.{region}.amazonaws.com", "monitoring.{region}.api.aws"),
    "rum-dataplane": ("dataplane.rum.{region}.amazonaws.com",),
    "secretsmanager": ("secretsmanager.{region}.amazonaws.com",),
    "sns": ("sns.{region}.amazonaws.com",),
    "sqs": ("sqs.{region}.amazonaws.com",),
    "ssm": ("ssm.{region}.amazonaws.com",),
    "ssmmessages": ("ssmmessages.{region}.amazonaws.com",),
    "sts": ("sts.{region}.amazonaws.com",),
}
GROUP_RULES = 60
WORKLOAD_PREFIX = 24  # of subnets for workloads; those of attachments are smaller
SERVICES = ("ecr.api", "ecr.dkr", "kms")

MEMBERS = {
    "Effect": "Allow",
    "Principal": "*",
    "Action": "*",
    "Resource": "*",
    "Condition": {
        "StringEquals": {"aws:PrincipalOrgID": ORGANIZATION, "aws:ResourceOrgID": ORGANIZATION}
    },
}
ORGANIZATION_ONLY = json.dumps({"Statement": [MEMBERS]})
# Documents of AWS, which Session Manager and Run Command read.
# https://docs.aws.amazon.com/systems-manager/latest/userguide/documents.html
DOCUMENTS = {
    "Effect": "Allow",
    "Principal": "*",
    "Action": ["ssm:DescribeDocument", "ssm:GetDocument"],
    "Resource": "arn:aws:ssm:*::document/*",
    "Condition": {"StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}},
}
POLICIES = {"ssm": json.dumps({"Statement": [MEMBERS, DOCUMENTS]})}


class Names(StrEnum):
    """How the names of the hub's endpoints reach the spokes."""

    ZONES = "zones"  # associated with each VPC
    PROFILE = "profile"  # zones in a Profile
    PROFILE_ENDPOINTS = "profile-endpoints"  # the endpoints themselves in a Profile
    FORWARDING = "forwarding"  # rules to an inbound Resolver endpoint of the hub


class Link(StrEnum):
    """What connects spokes with the hub."""

    TRANSIT_GATEWAY = "transit-gateway"
    PEERING = "peering"
    CORE_NETWORK = "core-network"


@dataclass(frozen=True)
class Organization:
    """The snapshots of all VPCs by id, and the network that they share."""

    snapshots: Mapping[str, Snapshot]
    shared: SharedNetwork

    @cached_property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The interface endpoints of the hub by the short name of their service."""
        listed = self.snapshots[HUB].endpoints.values()
        return {
            each.service_name.removeprefix(f"com.amazonaws.{self.shared.region}."): each
            for each in listed
            if each.type is EndpointType.INTERFACE
        }

    def edit_vpc(self, vpc_id: str, change: Callable[[Snapshot], Snapshot]) -> "Organization":
        """Change the snapshot of a VPC, also where the shared network has it."""
        changed = change(self.snapshots[vpc_id])
        central = self.shared.central_vpcs
        if vpc_id in central:
            central = {**central, vpc_id: changed}
        return Organization(
            {**self.snapshots, vpc_id: changed}, replace(self.shared, central_vpcs=central)
        )

    def edit_group(self, *rules: SecurityGroupRule) -> "Organization":
        """Replace what the security group of the hub's endpoints admits."""

        def change(hub: Snapshot) -> Snapshot:
            group = replace(hub.security_groups[ENDPOINTS_GROUP], ingress=rules)
            return replace(hub, security_groups={group.id: group})

        return self.edit_vpc(HUB, change)

    def edit_shared(self, **parts: Any) -> "Organization":
        """Replace parts of the shared network; a mapping is merged, None removes its item."""
        merged: dict[str, Any] = {}
        for name, given in parts.items():
            if isinstance(given, dict):
                present = {**getattr(self.shared, name), **given}
                merged[name] = {key: each for key, each in present.items() if each is not None}
            else:
                merged[name] = given
        return Organization(self.snapshots, replace(self.shared, **merged))

    def build_context(self, vpc_id: str, baseline: Baseline | None = None) -> VpcContext:
        """Build the context in which the rules evaluate a VPC."""
        snapshot = self.snapshots[vpc_id]
        return VpcContext(snapshot, baseline or build_baseline(self), shared=self.shared)

    def evaluate(self, vpc_id: str, baseline: Baseline | None = None) -> tuple[Verdict, ...]:
        """Evaluate all rules on a VPC."""
        return evaluate_context(self.build_context(vpc_id, baseline))


def build_baseline(organization: Organization, **more: Any) -> Baseline:
    """Require the services that the organization's hub has endpoints of, and trust its members."""
    services = ("s3", "dynamodb", *sorted(organization.endpoints))
    return Baseline(
        required_services=services,
        organization=ORGANIZATION,
        trusted_organizations=frozenset({ORGANIZATION}),
        **more,
    )


def build_organization(
    *,
    spokes: int = 2,
    names: Names = Names.ZONES,
    link: Link = Link.TRANSIT_GATEWAY,
    services: Iterable[str] = SERVICES,
    zones: str = "ab",
    region: str = REGION,
    observed_at: datetime = NOW,
) -> Organization:
    """Build an intact organization: a hub VPC with an endpoint for each service, and spokes.

    The hub belongs to `HUB_ACCOUNT`; each spoke to an account of its own (`get_spoke_account`).
    """
    listed = tuple(services)
    catalogue = {each.name: each for each in _list_services(listed, region)}
    place = _Place(names, link, zones, region, observed_at, catalogue, listed)
    vpc_ids = [HUB, *(f"vpc-spoke{number}" for number in range(1, spokes + 1))]
    snapshots = {
        vpc_id: _build_hub(place, spokes) if vpc_id == HUB else _build_spoke(place, number)
        for number, vpc_id in enumerate(vpc_ids)
    }
    return Organization(snapshots, _build_shared(place, snapshots))


def get_spoke_account(number: int) -> str:
    """Return the account of the spoke of this number, from 1."""
    return str(200000000000 + number)


def get_block(number: int) -> IPv4Network:
    """Return the CIDR block of the hub (0) or of the spoke of this number."""
    first = int(IPv4Address("10.0.0.0")) + number * 4096
    return IPv4Network((first, 20))


def list_records(domain: str, endpoint: Endpoint, *, wildcard: bool) -> tuple[DnsRecord, ...]:
    """List the alias records of a zone that lead to an endpoint."""
    alias = endpoint.dns_names[0]
    apex = DnsRecord(domain, "A", alias=alias)
    return (apex, DnsRecord(f"*.{domain}", "A", alias=alias)) if wildcard else (apex,)


@dataclass(frozen=True)
class _Place:
    """The choices of a design, which all its parts follow."""

    names: Names
    link: Link
    zones: str
    region: str
    observed_at: datetime
    catalogue: Mapping[str, Service]
    services: tuple[str, ...]

    @property
    def target(self) -> str:
        """The target of the VPCs' routes; that of peering ends with the spoke's number."""
        targets = {Link.TRANSIT_GATEWAY: GATEWAY, Link.CORE_NETWORK: CORE, Link.PEERING: "pcx-"}
        return targets[self.link]


def _write_gateway_policy(region: str) -> str:
    """Write a policy that also allows the buckets of AWS that the services read.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
    https://docs.aws.amazon.com/systems-manager/latest/userguide/ssm-agent-technical-details.html
    """
    buckets = (
        f"prod-{region}-starport-layer-bucket",
        f"aws-ssm-{region}",
        f"amazon-ssm-{region}",
        f"{region}-birdwatcher-prod",
    )
    objects = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": [f"arn:aws:s3:::{each}/*" for each in buckets],
    }
    return json.dumps({"Statement": [MEMBERS, objects]})


def _list_services(services: Iterable[str], region: str) -> Iterable[Service]:
    for short in services:
        listed = NAMES.get(short, (f"{short}.{{region}}.amazonaws.com",))
        names = tuple(each.format(region=region) for each in listed)
        yield Service(
            f"com.amazonaws.{region}.{short}",
            frozenset({EndpointType.INTERFACE}),
            "amazon",
            names,
            policy_supported=True,
        )
    for name, types in (
        (S3, {EndpointType.GATEWAY, EndpointType.INTERFACE}),
        (DYNAMODB, {EndpointType.GATEWAY, EndpointType.INTERFACE}),
    ):
        full = name.replace(REGION, region)
        short = full.rpartition(".")[2]
        names = (f"{short}.{region}.amazonaws.com",)
        yield Service(full, frozenset(types), "amazon", names, policy_supported=True)


def _build_snapshot(
    place: _Place,
    name: str,
    account: str,
    block: IPv4Network,
    routes: Iterable[Route],
    **parts: Any,
) -> Snapshot:
    """Build a VPC: a workload and an attachment subnet in each zone, and gateway endpoints."""
    vpc_id = f"vpc-{name}"
    halves = list(block.subnets(new_prefix=WORKLOAD_PREFIX))
    small = list(halves[-1].subnets(new_prefix=28))
    zones = place.zones
    workloads = [
        Subnet(f"subnet-{name}-{zone}", vpc_id, f"{place.region}{zone}", halves[index])
        for index, zone in enumerate(zones)
    ]
    attached = [
        Subnet(f"subnet-{name}-tgw-{zone}", vpc_id, f"{place.region}{zone}", small[index])
        for index, zone in enumerate(zones if place.link is not Link.PEERING else "")
    ]
    lists = {
        listed.id: replace(listed, name=listed.name.replace(REGION, place.region))
        for listed in AWS_LISTS
    }
    gateways = {
        f"vpce-{name}-{short}": Endpoint(
            f"vpce-{name}-{short}",
            EndpointType.GATEWAY,
            vpc_id,
            f"com.amazonaws.{place.region}.{short}",
            "available",
            policy=_write_gateway_policy(place.region),
            route_table_ids=(f"rtb-{name}",),
            created_at=place.observed_at,
        )
        for short in ("s3", "dynamodb")
    }
    local = route(str(block), "local", origin=RouteOrigin.TABLE)
    ids = tuple(each.id for each in (*workloads, *attached))
    table = RouteTable(
        f"rtb-{name}",
        vpc_id,
        main=True,
        subnet_ids=(),
        gateway_ids=(),
        associations={f"rtbassoc-{name}": vpc_id},
        routes=(
            local,
            *(
                route(pl, f"vpce-{name}-{short}")
                for pl, short in (("pl-s3", "s3"), ("pl-ddb", "dynamodb"))
            ),
            *routes,
        ),
    )
    acl = NetworkAcl(
        f"acl-{name}",
        vpc_id,
        ids,
        {f"aclassoc-{each}": each for each in ids},
        (allow(100), allow(100, egress=True)),
        default=True,
    )
    endpoints = {**gateways, **parts.pop("endpoints", {})}
    return Snapshot(
        scope=Scope(account, place.region, vpc_id),
        observed_at=place.observed_at,
        vpc=Vpc(
            vpc_id,
            (block,),
            dns_support=True,
            dns_hostnames=True,
            dhcp_options_id="dopt-0001",
            dns_servers=(AMAZON_DNS,),
            owner=account,
        ),
        subnets={each.id: each for each in (*workloads, *attached)},
        route_tables={table.id: table},
        endpoints=endpoints,
        network_acls={acl.id: acl},
        prefix_lists=lists,
        services=place.catalogue,
        **parts,
    )


def _build_spoke(place: _Place, number: int) -> Snapshot:
    name, target = f"spoke{number}", place.target
    if place.link is Link.PEERING:
        out = route(str(get_block(0)), f"{target}{name}")
    else:
        out = route(EVERYWHERE, target)
    return _build_snapshot(place, name, get_spoke_account(number), get_block(number), [out])


def _build_hub(place: _Place, spokes: int) -> Snapshot:
    """Build the hub; only designs whose names lead into it have private DNS enabled."""
    block = get_block(0)
    halves = list(block.subnets(new_prefix=WORKLOAD_PREFIX))
    private_dns = place.names in {Names.PROFILE_ENDPOINTS, Names.FORWARDING}
    endpoints, interfaces = {}, {}
    for index, short in enumerate(place.services):
        endpoint_id = f"vpce-{index + 1:017x}"
        label, suffix = f"{endpoint_id}-abcdefgh", f"{short}.{place.region}.vpce.amazonaws.com"
        own = [
            NetworkInterface(
                f"eni-{short}-{zone}",
                f"subnet-hub-{zone}",
                f"{place.region}{zone}",
                (halves[position][index + 10],),
                (ENDPOINTS_GROUP,),
            )
            for position, zone in enumerate(place.zones)
        ]
        interfaces.update({each.id: each for each in own})
        zonal = tuple(f"{label}-{place.region}{zone}.{suffix}" for zone in place.zones)
        endpoints[endpoint_id] = Endpoint(
            endpoint_id,
            EndpointType.INTERFACE,
            HUB,
            f"com.amazonaws.{place.region}.{short}",
            "available",
            policy=POLICIES.get(short, ORGANIZATION_ONLY),
            subnet_ids=tuple(each.subnet_id for each in own),
            security_group_ids=(ENDPOINTS_GROUP,),
            network_interface_ids=tuple(each.id for each in own),
            private_dns=private_dns,
            ip_address_type="ipv4",
            dns_names=(f"{label}.{suffix}", *zonal),
            created_at=place.observed_at,
        )
    numbers = range(1, spokes + 1)
    if place.link is Link.PEERING:
        back = [route(str(get_block(each)), f"{place.target}spoke{each}") for each in numbers]
    else:
        back = [route(EVERYWHERE, place.target)]
    group = SecurityGroup(
        ENDPOINTS_GROUP,
        "endpoints",
        HUB,
        tuple(map(admits, _list_peers(spokes))),
        ANYWHERE,
    )
    groups = {group.id: group}
    if place.names is Names.FORWARDING:
        queries = (admits(EVERYWHERE, (53, 53), "udp"), admits(EVERYWHERE, (53, 53)))
        groups[RESOLVER_GROUP] = SecurityGroup(RESOLVER_GROUP, "resolver", HUB, queries, ANYWHERE)
    return _build_snapshot(
        place,
        "hub",
        HUB_ACCOUNT,
        block,
        back,
        endpoints=endpoints,
        network_interfaces=interfaces,
        security_groups=groups,
    )


def _list_peers(spokes: int) -> Iterable[str]:
    """List the blocks that the group admits; it holds 60 rules.

    https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
    """
    if spokes + 1 > GROUP_RULES:
        return [EVERYWHERE]
    return [str(get_block(each)) for each in range(spokes + 1)]


def _build_shared(place: _Place, snapshots: Mapping[str, Snapshot]) -> SharedNetwork:
    hub = snapshots[HUB]
    names = _build_names(place, hub)
    own_zones = tuple(names["zones"])
    resolver = names.get("resolvers", {})
    vpcs = {}
    for vpc_id, snapshot in snapshots.items():
        is_hub = vpc_id == HUB
        by_zones = is_hub or place.names is Names.ZONES
        by_profile = place.names in {Names.PROFILE, Names.PROFILE_ENDPOINTS} and not is_hub
        by_rules = place.names is Names.FORWARDING and not is_hub
        vpcs[vpc_id] = SharedVpc(
            vpc_id,
            snapshot.scope.account,
            place.region,
            cidrs=snapshot.vpc.cidrs,
            zone_ids=own_zones if by_zones else (),
            rule_ids=tuple(names["rules"]) if by_rules else (),
            profiles=(ProfileUse(PROFILE),) if by_profile else (),
        )
    return SharedNetwork(
        region=place.region,
        observed_at=place.observed_at,
        accounts=frozenset(each.scope.account for each in snapshots.values()),
        vpcs=vpcs,
        zones=names["zones"],
        rules=names["rules"],
        resolvers=resolver,
        profiles=names["profiles"],
        central_vpcs={HUB: hub},
        **_build_links(place, snapshots),
    )


def _build_names(place: _Place, hub: Snapshot) -> dict[str, dict[str, Any]]:
    """Build zones, rules, Profiles and the inbound Resolver endpoint, by part."""
    zones: dict[str, HostedZone] = {}
    rules: dict[str, ResolverRule] = {}
    addresses = tuple(
        list(subnet.cidr)[5]
        for subnet in hub.subnets.values()
        if subnet.cidr and subnet.cidr.prefixlen == WORKLOAD_PREFIX
    )
    interfaces = [each for each in hub.endpoints.values() if each.type is EndpointType.INTERFACE]
    for endpoint in interfaces:
        names = hub.services[endpoint.service_name].private_dns_names
        for domain in dict.fromkeys(each.removeprefix("*.") for each in names):
            if place.names is Names.FORWARDING:
                rule_id = f"rslvr-rr-{domain}"
                rules[rule_id] = ResolverRule(
                    rule_id, domain, RuleKind.FORWARD, addresses, HUB_ACCOUNT
                )
            elif place.names is not Names.PROFILE_ENDPOINTS:
                records = list_records(domain, endpoint, wildcard=f"*.{domain}" in names)
                zone_id = f"Z-{domain}"
                zones[zone_id] = HostedZone(zone_id, domain, HUB_ACCOUNT, records)
    profiles = {
        Names.PROFILE: Profile(PROFILE, HUB_ACCOUNT, zone_ids=tuple(zones)),
        Names.PROFILE_ENDPOINTS: Profile(
            PROFILE, HUB_ACCOUNT, endpoint_ids=tuple(each.id for each in interfaces)
        ),
    }
    resolver = InboundResolver(RESOLVER, HUB_ACCOUNT, HUB, addresses, (RESOLVER_GROUP,))
    return {
        "zones": zones,
        "rules": rules,
        "profiles": {PROFILE: profiles[place.names]} if place.names in profiles else {},
        "resolvers": {RESOLVER: resolver} if rules else {},
    }


def _build_links(place: _Place, snapshots: Mapping[str, Snapshot]) -> dict[str, Any]:
    if place.link is Link.PEERING:
        return {"peerings": _build_peerings(place, snapshots)}
    gateway = place.target
    spokes_table, hub_table = SPOKES_TABLE, HUB_TABLE
    if place.link is Link.CORE_NETWORK:
        spokes_table, hub_table = (
            f"{CORE}/{segment}/{place.region}" for segment in ("spokes", "hub")
        )
    static = place.link is Link.CORE_NETWORK
    attachments: dict[str, TransitAttachment] = {}
    propagated: dict[str, list[TransitRoute]] = {spokes_table: [], hub_table: []}
    for vpc_id, snapshot in snapshots.items():
        name = vpc_id.removeprefix("vpc-")
        attachment = TransitAttachment(
            f"tgw-attach-{name}",
            gateway,
            AttachmentKind.VPC,
            vpc_id,
            snapshot.scope.account,
            "available",
            hub_table if vpc_id == HUB else spokes_table,
            tuple(each for each in snapshot.subnets if "-tgw-" in each),
            carries_ipv6=True,
        )
        attachments[attachment.id] = attachment
        propagated[spokes_table if vpc_id == HUB else hub_table].append(
            TransitRoute(snapshot.vpc.cidrs[0], None, (attachment.id,), static=static)
        )
    return {
        "gateways": {gateway: TransitGateway(gateway, HUB_ACCOUNT, references_groups=False)},
        "attachments": attachments,
        "tables": {
            table_id: TransitRouteTable(table_id, gateway, tuple(routes))
            for table_id, routes in propagated.items()
        },
    }


def _build_peerings(place: _Place, snapshots: Mapping[str, Snapshot]) -> dict[str, VpcPeering]:
    sides = {
        vpc_id: PeeredVpc(vpc_id, each.scope.account, place.region, each.vpc.cidrs)
        for vpc_id, each in snapshots.items()
    }
    return {
        (peering_id := f"pcx-{vpc_id.removeprefix('vpc-')}"): VpcPeering(
            peering_id, side, sides[HUB], active=True
        )
        for vpc_id, side in sides.items()
        if vpc_id != HUB
    }
