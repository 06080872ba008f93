"""Ways to break one link of a public design, each with the step that must be named."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address

from network_builders import REGION, allow, deny
from organization_builders import (
    CORE,
    ENDPOINTS_GROUP,
    EVERYWHERE,
    GATEWAY,
    HUB,
    HUB_ACCOUNT,
    HUB_TABLE,
    PROFILE,
    RESOLVER,
    SPOKES_TABLE,
    get_block,
    get_spoke_account,
)
from organization_edits import (
    ATTACHED,
    KMS_ZONE,
    SPOKE,
    WORKLOADS,
    Edit,
    add_route,
    add_rule,
    add_transit_route,
    add_zone,
    admit,
    delete_endpoint,
    drop_attachment,
    drop_routes,
    drop_transit_routes,
    edit_attachment,
    edit_endpoint,
    edit_peering,
    edit_records,
    edit_vpc,
    edit_vpc_dns,
    edit_zone,
    forbid_reading,
    leave_out_hub,
    point_to,
    rename_zone,
    replace_acl,
)
from posture.analysis.central.answers import StepKind, StepStatus
from posture.model.shared_network import (
    AttachmentKind,
    DnsRecord,
    HostedZone,
    Profile,
    ProfileUse,
    ResolverRule,
    RuleKind,
    SharedFacet,
)

API_ZONE = f"Z-api.ecr.{REGION}.amazonaws.com"
DKR_ZONE = f"Z-dkr.ecr.{REGION}.amazonaws.com"
OTHER = "vpc-spoke2"
ALL: tuple[str, ...] = ()


@dataclass(frozen=True)
class Break:
    """One broken link.

    `vpcs` and `services` are those whose cells are no longer private; no service means all. `zone`
    is the Availability Zone concerned, if not all are. One of the `subjects` must be named, and
    `missing` is part of the fact that must be named as not read.
    """

    design: str
    edit: Edit
    step: StepKind
    subjects: tuple[str, ...]
    vpcs: tuple[str, ...] = (SPOKE,)
    services: tuple[str, ...] = ALL
    status: StepStatus = StepStatus.BROKEN
    zone: str = ""
    missing: str = ""


ALLOW_ALL = (allow(100), allow(100, egress=True))
TCP = {"protocol": "6"}
PORT = {**TCP, "from_port": 443, "to_port": 443}
EPHEMERAL = {**TCP, "from_port": 1024, "to_port": 65535}
ON_PREMISES = (ip_address("192.168.7.53"),)
TO_DATA_CENTER = ResolverRule(
    "rslvr-rr-kms", f"kms.{REGION}.amazonaws.com", RuleKind.FORWARD, ON_PREMISES, HUB_ACCOUNT
)
KMS_NAME = f"kms.{REGION}.amazonaws.com"
HUB_BLOCK, SPOKE_BLOCK, OTHER_BLOCK = map(str, map(get_block, range(3)))
EVERY_VPC = (HUB, SPOKE, OTHER)
BOTH = (SPOKE, OTHER)

ZONES: Mapping[str, Break] = {
    "zone is missing": Break(
        "whitepaper",
        edit_zone(KMS_ZONE, lambda _: None),
        StepKind.NAME,
        EVERY_VPC,
        vpcs=EVERY_VPC,
        services=("kms",),
    ),
    "zone lacks the wildcard": Break(
        "whitepaper",
        edit_records(DKR_ZONE, lambda records: records[:1]),
        StepKind.NAME,
        (DKR_ZONE,),
        vpcs=EVERY_VPC,
        services=("ecr.dkr",),
    ),
    "zone lacks the apex": Break(
        "whitepaper",
        edit_records(DKR_ZONE, lambda records: records[1:]),
        StepKind.NAME,
        (DKR_ZONE,),
        vpcs=EVERY_VPC,
        services=("ecr.dkr",),
    ),
    "zone has no record": Break(
        "whitepaper",
        edit_records(KMS_ZONE, lambda _: ()),
        StepKind.NAME,
        (KMS_ZONE,),
        vpcs=EVERY_VPC,
        services=("kms",),
    ),
    "zone is not associated with the spoke": Break(
        "whitepaper",
        lambda organization: edit_vpc_dns(
            zone_ids=tuple(
                each for each in organization.shared.vpcs[SPOKE].zone_ids if each != KMS_ZONE
            )
        )(organization),
        StepKind.NAME,
        (SPOKE, KMS_ZONE),
        services=("kms",),
    ),
    "no zone is associated with the spoke": Break(
        "whitepaper", edit_vpc_dns(zone_ids=()), StepKind.NAME, (SPOKE,)
    ),
    "zone of a parent domain hides the others": Break(
        "whitepaper",
        add_zone(
            HostedZone(
                "Z-parent",
                f"ecr.{REGION}.amazonaws.com",
                HUB_ACCOUNT,
                (DnsRecord(f"ecr.{REGION}.amazonaws.com", "TXT", ("no endpoint",)),),
            ),
            SPOKE,
            instead_of=DKR_ZONE,
        ),
        StepKind.NAME,
        ("Z-parent",),
        services=("ecr.dkr",),
    ),
    "record points to a deleted endpoint": Break(
        "whitepaper",
        delete_endpoint("kms"),
        StepKind.ENDPOINT,
        (KMS_ZONE, "vpce-00000000000000003"),
        vpcs=EVERY_VPC,
        services=("kms",),
    ),
    "record points to the endpoint of another service": Break(
        "whitepaper",
        point_to("logs"),
        StepKind.ENDPOINT,
        (KMS_ZONE, "vpce-00000000000000004"),
        vpcs=EVERY_VPC,
        services=("kms",),
    ),
    "record has an address that no endpoint has": Break(
        "whitepaper",
        edit_records(KMS_ZONE, lambda _: (DnsRecord(KMS_NAME, "A", ("10.0.0.250",)),)),
        StepKind.ENDPOINT,
        ("10.0.0.250",),
        vpcs=EVERY_VPC,
        services=("kms",),
    ),
    "record is an alias of something else": Break(
        "whitepaper",
        edit_records(
            KMS_ZONE, lambda _: (DnsRecord(KMS_NAME, "CNAME", ("proxy.corp.example.com",)),)
        ),
        StepKind.NAME,
        (KMS_ZONE, SPOKE, OTHER, HUB),
        vpcs=EVERY_VPC,
        services=("kms",),
    ),
    "zone is named after the service": Break(
        "whitepaper",
        edit_zone(API_ZONE, lambda zone: rename_zone(zone, f"ecr.api.{REGION}.amazonaws.com")),
        StepKind.NAME,
        EVERY_VPC,
        vpcs=EVERY_VPC,
        services=("ecr.api",),
    ),
    "zone has the wrong suffix": Break(
        "reversed names",
        edit_zone(KMS_ZONE, lambda zone: rename_zone(zone, f"kms.{REGION}.api.aws")),
        StepKind.NAME,
        EVERY_VPC,
        vpcs=EVERY_VPC,
        services=("kms",),
    ),
    "records of the zone are not readable": Break(
        "whitepaper",
        forbid_reading(
            SharedFacet.RECORDS,
            KMS_ZONE,
            "999999999999",
            edit_zone(KMS_ZONE, lambda zone: replace(zone, owner="999999999999", records=None)),
        ),
        StepKind.NAME,
        (KMS_ZONE,),
        vpcs=EVERY_VPC,
        services=("kms",),
        status=StepStatus.UNKNOWN,
        missing="ListResourceRecordSets",
    ),
}
PROFILES: Mapping[str, Break] = {
    "Profile is not associated with the spoke": Break(
        "Ministry of Justice", edit_vpc_dns(profiles=()), StepKind.NAME, (SPOKE,)
    ),
    "Profile lacks the zone": Break(
        "Ministry of Justice",
        lambda organization: organization.edit_shared(
            profiles={
                PROFILE: replace(
                    organization.shared.profiles[PROFILE],
                    zone_ids=tuple(
                        each
                        for each in organization.shared.profiles[PROFILE].zone_ids
                        if each != KMS_ZONE
                    ),
                )
            }
        ),
        StepKind.NAME,
        (SPOKE, OTHER, PROFILE),
        vpcs=BOTH,
        services=("kms",),
    ),
    "zone left in the spoke wins over the Profile": Break(
        "Ministry of Justice",
        add_zone(
            HostedZone("Z-left", KMS_NAME, get_spoke_account(1), ()),
            SPOKE,
        ),
        StepKind.NAME,
        ("Z-left",),
        services=("kms",),
    ),
    "Profile lacks the endpoint": Break(
        "Ministry of Justice, endpoints",
        lambda organization: organization.edit_shared(
            profiles={
                PROFILE: replace(
                    organization.shared.profiles[PROFILE],
                    endpoint_ids=tuple(
                        each
                        for each in organization.shared.profiles[PROFILE].endpoint_ids
                        if each != organization.endpoints["kms"].id
                    ),
                )
            }
        ),
        StepKind.NAME,
        (SPOKE, OTHER, PROFILE),
        vpcs=BOTH,
        services=("kms",),
    ),
    "resources of the Profile are not readable": Break(
        "Ministry of Justice, endpoints",
        forbid_reading(
            SharedFacet.PROFILE_RESOURCES,
            PROFILE,
            HUB_ACCOUNT,
            lambda organization: organization.edit_shared(
                profiles={
                    PROFILE: replace(
                        organization.shared.profiles[PROFILE],
                        endpoint_ids=(),
                        resources_read=False,
                    )
                }
            ),
        ),
        StepKind.NAME,
        (PROFILE,),
        vpcs=BOTH,
        status=StepStatus.UNKNOWN,
        missing="ListProfileResourceAssociations",
    ),
}
RESOLVERS: Mapping[str, Break] = {
    "rule sends the name to a data center": Break(
        "whitepaper",
        add_rule(TO_DATA_CENTER),
        StepKind.NAME,
        (TO_DATA_CENTER.id,),
        services=("kms",),
        status=StepStatus.UNKNOWN,
    ),
    "rule is not associated with the spoke": Break(
        "forwarding",
        lambda organization: edit_vpc_dns(
            rule_ids=tuple(
                each
                for each in organization.shared.vpcs[SPOKE].rule_ids
                if each != f"rslvr-rr-{KMS_NAME}"
            )
        )(organization),
        StepKind.NAME,
        (SPOKE,),
        services=("kms",),
    ),
    "inbound Resolver endpoint is gone": Break(
        "forwarding",
        lambda organization: organization.edit_shared(resolvers={RESOLVER: None}),
        StepKind.NAME,
        tuple(
            f"rslvr-rr-{each}.{REGION}.amazonaws.com"
            for each in ("api.ecr", "dkr.ecr", "kms", "logs", "sts")
        ),
        vpcs=BOTH,
        services=ALL,
        status=StepStatus.UNKNOWN,
    ),
    "hosts ask other DNS servers": Break(
        "whitepaper",
        edit_vpc(SPOKE, dns_servers=("192.168.7.53",)),
        StepKind.DNS_SERVERS,
        ("dopt-0001", SPOKE),
        status=StepStatus.UNKNOWN,
    ),
    "DNS hostnames are disabled": Break(
        "whitepaper",
        edit_vpc(SPOKE, dns_hostnames=False),
        StepKind.NAME,
        (SPOKE,),
    ),
    "DNS support is disabled": Break(
        "Ministry of Justice",
        edit_vpc(SPOKE, dns_support=False),
        StepKind.DNS_SERVERS,
        (SPOKE,),
    ),
}
SPOKE_ROUTES: Mapping[str, Break] = {
    "spoke has no route": Break("whitepaper", drop_routes(SPOKE), StepKind.ROUTE, ("rtb-spoke1",)),
    "route of the spoke is a blackhole": Break(
        "whitepaper",
        lambda organization: add_route(SPOKE, EVERYWHERE, GATEWAY, blackhole=True)(
            drop_routes(SPOKE)(organization)
        ),
        StepKind.ROUTE,
        ("rtb-spoke1",),
    ),
    "more specific route of the spoke leads elsewhere": Break(
        "whitepaper",
        add_route(SPOKE, HUB_BLOCK, "pcx-gone", blackhole=True),
        StepKind.ROUTE,
        ("rtb-spoke1",),
    ),
    "spoke routes to an appliance": Break(
        "whitepaper",
        add_route(SPOKE, HUB_BLOCK, "eni-firewall"),
        StepKind.ROUTE,
        ("rtb-spoke1", "eni-firewall"),
        status=StepStatus.UNKNOWN,
    ),
    "spoke routes to a virtual private gateway": Break(
        "whitepaper",
        add_route(SPOKE, HUB_BLOCK, "vgw-0001"),
        StepKind.ROUTE,
        ("rtb-spoke1", "vgw-0001"),
        status=StepStatus.UNKNOWN,
    ),
}
ATTACHMENTS: Mapping[str, Break] = {
    "attachment does not cover the zone": Break(
        "whitepaper",
        edit_attachment("spoke1", subnet_ids=("subnet-spoke1-tgw-a",)),
        StepKind.ATTACHMENT,
        ("tgw-attach-spoke1",),
        zone="b",
    ),
    "attachment has left its subnet without routes": Break(
        "Landing Zone Accelerator",
        edit_attachment("spoke1", subnet_ids=("subnet-spoke1-tgw-a", "subnet-spoke1-tgw-b")),
        StepKind.ATTACHMENT,
        ("tgw-attach-spoke1",),
        zone="c",
    ),
    "attachment is gone, its subnets without routes are not": Break(
        "Landing Zone Accelerator",
        drop_attachment("spoke1"),
        StepKind.ATTACHMENT,
        ("tgw-attach-spoke1", GATEWAY, SPOKE),
        zone="abc",
    ),
    "attachment of the spoke is gone": Break(
        "whitepaper",
        drop_attachment("spoke1"),
        StepKind.ATTACHMENT,
        ("tgw-attach-spoke1", GATEWAY, SPOKE),
    ),
    "attachment of the spoke waits for acceptance": Break(
        "whitepaper",
        edit_attachment("spoke1", state="pendingAcceptance"),
        StepKind.ATTACHMENT,
        ("tgw-attach-spoke1",),
    ),
    "attachment of the spoke has no route table": Break(
        "whitepaper",
        edit_attachment("spoke1", table_id=""),
        StepKind.ATTACHMENT,
        ("tgw-attach-spoke1",),
    ),
    "attachment of the spoke has another route table": Break(
        "hub and spoke module",
        edit_attachment("spoke1", table_id=HUB_TABLE),
        StepKind.TRANSIT_ROUTE,
        (HUB_TABLE,),
    ),
    "attachment of the hub has no route table": Break(
        "whitepaper",
        edit_attachment("hub", table_id=""),
        StepKind.RETURN_ROUTE,
        ("tgw-attach-hub",),
        vpcs=BOTH,
    ),
    "attachment of the hub does not cover a zone": Break(
        "whitepaper",
        edit_attachment("hub", subnet_ids=("subnet-hub-tgw-a",)),
        StepKind.RETURN_ROUTE,
        ("tgw-attach-hub",),
        vpcs=BOTH,
    ),
}
TRANSIT_TABLES: Mapping[str, Break] = {
    "table lacks the route to the hub": Break(
        "whitepaper",
        drop_transit_routes(SPOKES_TABLE, 0),
        StepKind.TRANSIT_ROUTE,
        (SPOKES_TABLE,),
        vpcs=BOTH,
    ),
    "table of one segment lacks the route to the hub": Break(
        "hub and spoke module",
        drop_transit_routes("tgw-rtb-production", 0),
        StepKind.TRANSIT_ROUTE,
        ("tgw-rtb-production",),
    ),
    "propagation of the hub is off, and a blackhole remains": Break(
        "AWS network hub",
        drop_transit_routes(SPOKES_TABLE, 0),
        StepKind.TRANSIT_ROUTE,
        (SPOKES_TABLE,),
        vpcs=BOTH,
    ),
    "static blackhole hides the propagated route": Break(
        "whitepaper",
        add_transit_route(SPOKES_TABLE, HUB_BLOCK),
        StepKind.TRANSIT_ROUTE,
        (SPOKES_TABLE,),
        vpcs=BOTH,
    ),
    "more specific route leads to another VPC": Break(
        "whitepaper",
        add_transit_route(SPOKES_TABLE, "10.0.0.0/22", "tgw-attach-spoke2"),
        StepKind.TRANSIT_ROUTE,
        (SPOKES_TABLE, "vpc-spoke2", "tgw-attach-spoke2"),
        vpcs=BOTH,
    ),
    "route leads to a VPN connection": Break(
        "whitepaper",
        lambda organization: add_transit_route(SPOKES_TABLE, HUB_BLOCK, "tgw-attach-vpn")(
            organization.edit_shared(
                attachments={
                    "tgw-attach-vpn": replace(
                        organization.shared.attachments["tgw-attach-hub"],
                        id="tgw-attach-vpn",
                        kind=AttachmentKind.VPN,
                        resource_id="vpn-0001",
                        subnet_ids=(),
                    )
                }
            )
        ),
        StepKind.TRANSIT_ROUTE,
        (SPOKES_TABLE, "tgw-attach-vpn", "vpn-0001"),
        vpcs=BOTH,
        status=StepStatus.UNKNOWN,
    ),
    "routes of the table are not readable": Break(
        "whitepaper",
        forbid_reading(
            SharedFacet.TRANSIT_ROUTES,
            SPOKES_TABLE,
            HUB_ACCOUNT,
            lambda organization: organization.edit_shared(
                tables={
                    SPOKES_TABLE: replace(organization.shared.tables[SPOKES_TABLE], routes=None)
                }
            ),
        ),
        StepKind.TRANSIT_ROUTE,
        (SPOKES_TABLE,),
        vpcs=BOTH,
        status=StepStatus.UNKNOWN,
        missing="SearchTransitGatewayRoutes",
    ),
    "segment of the core network lacks the route": Break(
        "Cloud WAN",
        drop_transit_routes(f"{CORE}/spokes/{REGION}", 0),
        StepKind.TRANSIT_ROUTE,
        (f"{CORE}/spokes/{REGION}",),
        vpcs=BOTH,
    ),
}
RETURN_ROUTES: Mapping[str, Break] = {
    "hub has no route back": Break(
        "Ministry of Justice",
        drop_routes(HUB),
        StepKind.RETURN_ROUTE,
        ("rtb-hub",),
        vpcs=BOTH,
    ),
    "hub has a route back to one spoke only": Break(
        "whitepaper",
        lambda organization: add_route(HUB, OTHER_BLOCK, GATEWAY)(drop_routes(HUB)(organization)),
        StepKind.RETURN_ROUTE,
        ("rtb-hub",),
    ),
    "table of the hub lacks the route to the spoke": Break(
        "whitepaper",
        drop_transit_routes(HUB_TABLE, 1),
        StepKind.RETURN_ROUTE,
        (HUB_TABLE,),
    ),
    "table of the hub has a blackhole for the spoke": Break(
        "AWS network hub",
        drop_transit_routes(HUB_TABLE, 1),
        StepKind.RETURN_ROUTE,
        (HUB_TABLE,),
    ),
}
PEERINGS: Mapping[str, Break] = {
    "peering connection is not active": Break(
        "whitepaper by peering",
        edit_peering(active=False),
        StepKind.PEERING,
        ("pcx-spoke1",),
    ),
    "spoke has no route to the peering connection": Break(
        "whitepaper by peering", drop_routes(SPOKE), StepKind.ROUTE, ("rtb-spoke1",)
    ),
    "hub has no route to the peering connection": Break(
        "whitepaper by peering",
        drop_routes(HUB, "pcx-spoke1"),
        StepKind.RETURN_ROUTE,
        ("rtb-hub",),
    ),
    "peering is with another spoke, and peering has no transit": Break(
        "whitepaper by peering",
        lambda organization: edit_peering(
            accepter=organization.shared.peerings["pcx-spoke2"].requester
        )(organization),
        StepKind.PEERING,
        ("pcx-spoke1",),
    ),
}
GATES: Mapping[str, Break] = {
    "group does not admit the spoke": Break(
        "whitepaper",
        admit(HUB_BLOCK, OTHER_BLOCK),
        StepKind.SECURITY_GROUP,
        (ENDPOINTS_GROUP,),
    ),
    "group admits a group of the spoke over the gateway": Break(
        "whitepaper",
        admit(HUB_BLOCK, OTHER_BLOCK, "sg-spoke1"),
        StepKind.SECURITY_GROUP,
        (ENDPOINTS_GROUP,),
    ),
    "ACL of the workloads blocks what goes out": Break(
        "whitepaper",
        replace_acl(SPOKE, WORKLOADS, deny(90, HUB_BLOCK, egress=True, **PORT), *ALLOW_ALL),
        StepKind.NETWORK_ACL,
        ("acl-spoke1-own",),
    ),
    "ACL of the workloads blocks the answers": Break(
        "whitepaper",
        replace_acl(SPOKE, WORKLOADS, deny(90, HUB_BLOCK, **EPHEMERAL), *ALLOW_ALL),
        StepKind.NETWORK_ACL,
        ("acl-spoke1-own",),
    ),
    "ACL of the spoke's attachment blocks what goes out": Break(
        "whitepaper",
        replace_acl(SPOKE, ATTACHED, deny(90, SPOKE_BLOCK, **PORT), *ALLOW_ALL),
        StepKind.NETWORK_ACL,
        ("acl-spoke1-own",),
    ),
    "ACL of the hub's attachment blocks what comes in": Break(
        "whitepaper",
        replace_acl(HUB, ATTACHED, deny(90, HUB_BLOCK, egress=True, **PORT), *ALLOW_ALL),
        StepKind.NETWORK_ACL,
        ("acl-hub-own",),
        vpcs=BOTH,
    ),
    "ACL of the endpoints blocks the spoke": Break(
        "whitepaper",
        replace_acl(HUB, WORKLOADS, deny(90, SPOKE_BLOCK, **PORT), *ALLOW_ALL),
        StepKind.NETWORK_ACL,
        ("acl-hub-own",),
    ),
    "ACL of the endpoints blocks the answers": Break(
        "whitepaper",
        replace_acl(HUB, WORKLOADS, deny(90, SPOKE_BLOCK, egress=True, **EPHEMERAL), *ALLOW_ALL),
        StepKind.NETWORK_ACL,
        ("acl-hub-own",),
    ),
}
ENDPOINTS: Mapping[str, Break] = {
    "endpoint waits for acceptance": Break(
        "whitepaper",
        edit_endpoint("kms", state="pendingacceptance"),
        StepKind.ENDPOINT,
        ("vpce-00000000000000003",),
        vpcs=EVERY_VPC,
        services=("kms",),
    ),
    "endpoint failed": Break(
        "Ministry of Justice, endpoints",
        edit_endpoint("kms", state="failed"),
        StepKind.NAME,
        EVERY_VPC,
        vpcs=EVERY_VPC,
        services=("kms",),
    ),
    "account of the hub is not watched": Break(
        "whitepaper",
        forbid_reading(
            SharedFacet.CENTRAL_VPC,
            HUB,
            HUB_ACCOUNT,
            leave_out_hub,
        ),
        StepKind.NAME,
        tuple(f"vpce-{number:017x}" for number in range(1, 10)),
        vpcs=BOTH,
        status=StepStatus.UNKNOWN,
        missing="own evaluation",
    ),
}
BREAKS: Mapping[str, Break] = {
    **ZONES,
    **PROFILES,
    **RESOLVERS,
    **SPOKE_ROUTES,
    **ATTACHMENTS,
    **TRANSIT_TABLES,
    **RETURN_ROUTES,
    **PEERINGS,
    **GATES,
    **ENDPOINTS,
}


def list_intact_variants() -> Mapping[str, Edit]:
    """List changes that break nothing, although they look like it."""
    everything = ResolverRule("rslvr-rr-all", "", RuleKind.FORWARD, ON_PREMISES, HUB_ACCOUNT)
    return {
        "rule for all names": add_rule(everything),
        "zone of a parent domain beside the zones": add_zone(
            HostedZone("Z-parent", "amazonaws.com", HUB_ACCOUNT, ()), SPOKE
        ),
        "zone of the dual-stack name is missing": edit_zone(
            f"Z-monitoring.{REGION}.api.aws", lambda _: None
        ),
        "Profile that carries nothing": lambda organization: edit_vpc_dns(
            profiles=(ProfileUse(PROFILE, 200),)
        )(organization.edit_shared(profiles={PROFILE: Profile(PROFILE, HUB_ACCOUNT)})),
        "less specific blackhole": add_transit_route(SPOKES_TABLE, EVERYWHERE),
    }
