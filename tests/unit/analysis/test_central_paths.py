"""The paths to an endpoint in another VPC: missing facts, other networks, gates and bounds."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest

from network_builders import KMS, admits, allow, deny, prefix_list, route
from organization_builders import (
    CORE,
    ENDPOINTS_GROUP,
    GATEWAY,
    HUB,
    HUB_ACCOUNT,
    HUB_TABLE,
    SPOKES_TABLE,
    Link,
    Organization,
    build_organization,
    get_block,
    get_spoke_account,
)
from posture.analysis.central.answers import CentralPath, StepKind, StepStatus
from posture.analysis.central.paths import trace_central_paths
from posture.analysis.coverage import Analysis
from posture.analysis.gate_work import OVER_LIMIT
from posture.analysis.path_outcome import PathOutcome
from posture.model.network import (
    AclEntry,
    Facet,
    GroupReference,
    Route,
    SecurityGroupRule,
    Snapshot,
    Target,
    TargetKind,
)
from posture.model.shared_network import (
    AttachmentKind,
    PeeredVpc,
    SharedFacet,
    TransitAttachment,
    TransitPeer,
    TransitRoute,
    TransitRouteTable,
    UnreadFact,
    VpcPeering,
)

SPOKE, OTHER = "vpc-spoke1", "vpc-spoke2"
HUB_BLOCK, SPOKE_BLOCK = get_block(0), get_block(1)
TRANSIT = build_organization(services=("kms",))
PEERED = build_organization(services=("kms",), link=Link.PEERING)
HTTPS = ((443, 443),)


def trace(
    organization: Organization,
    zone: str = "a",
    interface: int = 0,
    *,
    ports: tuple[tuple[int, int], ...] = HTTPS,
    groups: Iterable[str] = (),
) -> CentralPath:
    """Trace the path from a workload subnet of the spoke to one interface of the endpoint."""
    snapshot = organization.snapshots[SPOKE]
    endpoint = organization.endpoints["kms"]
    return trace_central_paths(
        snapshot,
        snapshot.subnets[f"subnet-spoke1-{zone}"],
        endpoint.id,
        organization.shared,
        ports,
        groups=frozenset(groups),
    )[interface]


def decide(organization: Organization) -> tuple[StepStatus, StepKind, str]:
    """Return the status of a path with the kind and the subject of the step that decides."""
    step = trace(organization).deciding
    assert step is not None
    return step.status, step.kind, step.subject


def edit_table(organization: Organization, table_id: str, *routes: TransitRoute) -> Organization:
    """Replace the routes of a gateway's table."""
    table = replace(organization.shared.tables[table_id], routes=routes)
    return organization.edit_shared(tables={table_id: table})


def edit_attachment(organization: Organization, name: str, **parts: object) -> Organization:
    """Change the attachment of a VPC."""
    attachment = organization.shared.attachments[f"tgw-attach-{name}"]
    changed = replace(attachment, **parts)  # type: ignore[arg-type]
    return organization.edit_shared(attachments={changed.id: changed})


def add_attachment(
    organization: Organization, kind: AttachmentKind, **more: object
) -> Organization:
    """Route the hub's block to an attachment of another kind."""
    attachment = TransitAttachment(
        "tgw-attach-more", GATEWAY, kind, "resource-1", HUB_ACCOUNT, "available", HUB_TABLE
    )
    changed = replace(attachment, **more)  # type: ignore[arg-type]
    organization = organization.edit_shared(attachments={changed.id: changed})
    return edit_table(organization, SPOKES_TABLE, TransitRoute(HUB_BLOCK, None, (changed.id,)))


def edit_routes(organization: Organization, vpc_id: str, *routes: Route) -> Organization:
    """Add routes to the route table of a VPC, in place of others to the same block."""

    def change(snapshot: Snapshot) -> Snapshot:
        table = next(iter(snapshot.route_tables.values()))
        replaced = {each.cidr for each in routes}
        kept = tuple(each for each in table.routes if each.cidr not in replaced)
        return replace(snapshot, route_tables={table.id: replace(table, routes=(*kept, *routes))})

    return organization.edit_vpc(vpc_id, change)


def test_a_path_has_each_step_there_and_back() -> None:
    """Each step names the resource that decides it, and the account that owns it."""
    path = trace(TRANSIT)
    assert path.status is StepStatus.HOLDS
    assert path.deciding is None
    assert path.reaching == path.sources
    assert [(each.kind, each.subject, each.account) for each in path.steps] == [
        (StepKind.ENDPOINT, TRANSIT.endpoints["kms"].id, HUB_ACCOUNT),
        (StepKind.ROUTE, "rtb-spoke1", get_spoke_account(1)),
        (StepKind.ATTACHMENT, "tgw-attach-spoke1", get_spoke_account(1)),
        (StepKind.TRANSIT_ROUTE, SPOKES_TABLE, HUB_ACCOUNT),
        (StepKind.NETWORK_ACL, "acl-spoke1", get_spoke_account(1)),
        (StepKind.NETWORK_ACL, "acl-hub", HUB_ACCOUNT),
        (StepKind.SECURITY_GROUP, ENDPOINTS_GROUP, HUB_ACCOUNT),
        (StepKind.RETURN_ROUTE, "rtb-hub", HUB_ACCOUNT),
        (StepKind.RETURN_ROUTE, "tgw-attach-hub", HUB_ACCOUNT),
        (StepKind.RETURN_ROUTE, HUB_TABLE, HUB_ACCOUNT),
    ]


def test_an_endpoint_of_the_vpc_itself_or_of_none_has_no_central_path() -> None:
    """Inside a VPC, reachability decides; of an unknown endpoint nothing is known."""
    hub = TRANSIT.snapshots[HUB]
    subnet = hub.subnets["subnet-hub-a"]
    endpoint = TRANSIT.endpoints["kms"]
    assert trace_central_paths(hub, subnet, endpoint.id, TRANSIT.shared) == ()
    assert trace_central_paths(hub, subnet, "vpce-gone", TRANSIT.shared) == ()


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (AttachmentKind.VPN, "a VPN connection"),
        (AttachmentKind.DIRECT_CONNECT, "a Direct Connect gateway"),
        (AttachmentKind.CONNECT, "a Connect attachment"),
        (AttachmentKind.CLIENT_VPN, "a Client VPN endpoint"),
        (AttachmentKind.NETWORK_FUNCTION, "a firewall, whose rules are not read"),
        (AttachmentKind.UNKNOWN, "an attachment of an unknown type"),
    ],
)
def test_what_leaves_the_known_network_is_unknown_by_name(kind: AttachmentKind, named: str) -> None:
    """What happens behind it is no fact of AWS, or of rules that are not read."""
    step = trace(add_attachment(TRANSIT, kind)).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert named in step.text
    assert "resource-1" in step.missing


@pytest.mark.parametrize("target", ["vgw-1", "lgw-1", "eni-1", "i-1", "nat-1", "odb-1"])
def test_other_targets_of_the_subnet_are_unknown_by_name(target: str) -> None:
    """None of them is followed to another VPC."""
    changed = edit_routes(TRANSIT, SPOKE, route(str(HUB_BLOCK), target))
    assert decide(changed) == (StepStatus.UNKNOWN, StepKind.ROUTE, "rtb-spoke1")
    step = trace(changed).deciding
    assert step
    assert target in step.text
    assert step.missing


@pytest.mark.parametrize("target", ["igw-1", "cagw-1"])
def test_the_internet_does_not_carry_private_addresses(target: str) -> None:
    """An internet gateway drops them."""
    changed = edit_routes(TRANSIT, SPOKE, route(str(HUB_BLOCK), target))
    assert decide(changed) == (StepStatus.BROKEN, StepKind.ROUTE, "rtb-spoke1")


def test_a_core_network_is_the_target_of_a_route_by_its_arn() -> None:
    """Attachments have its id."""
    organization = build_organization(services=("kms",), link=Link.CORE_NETWORK)
    arn = f"arn:aws:networkmanager::{HUB_ACCOUNT}:core-network/{CORE}"
    to_core = Route(ip_network("10.0.0.0/8"), None, Target(TargetKind.CORE_NETWORK, arn))
    changed = edit_routes(edit_routes(organization, SPOKE, to_core), HUB, to_core)
    assert trace(changed).status is StepStatus.HOLDS


def test_a_prefix_list_reference_routes_the_blocks_of_the_list() -> None:
    """The list's entries are the destinations."""
    reference = TransitRoute(None, "pl-hub", ("tgw-attach-hub",))
    changed = edit_table(TRANSIT, SPOKES_TABLE, reference)
    listed = changed.edit_shared(prefix_lists={"pl-hub": prefix_list("pl-hub", str(HUB_BLOCK))})
    assert trace(listed).status is StepStatus.HOLDS
    other = changed.edit_shared(prefix_lists={"pl-hub": prefix_list("pl-hub", "172.16.0.0/12")})
    assert decide(other) == (StepStatus.BROKEN, StepKind.TRANSIT_ROUTE, SPOKES_TABLE)


def test_a_prefix_list_that_was_not_read_may_match() -> None:
    """Its entries may be more specific than the route that is known."""
    reference = TransitRoute(None, "pl-hub", ("tgw-attach-spoke2",))
    own = TRANSIT.shared.tables[SPOKES_TABLE].routes or ()
    step = trace(edit_table(TRANSIT, SPOKES_TABLE, *own, reference)).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert "ec2:GetManagedPrefixListEntries of pl-hub" in step.missing
    assert HUB_ACCOUNT in step.missing


def test_a_static_route_hides_a_propagated_one_and_a_longer_one_both() -> None:
    """The prefix length goes first, then the origin."""
    static = TransitRoute(HUB_BLOCK, None, ("tgw-attach-spoke2",))
    own = TRANSIT.shared.tables[SPOKES_TABLE].routes or ()
    hidden = edit_table(TRANSIT, SPOKES_TABLE, *own, static)
    assert decide(hidden)[0] is StepStatus.BROKEN
    longer = TransitRoute(
        next(HUB_BLOCK.subnets(new_prefix=21)), None, ("tgw-attach-hub",), static=False
    )
    assert trace(edit_table(TRANSIT, SPOKES_TABLE, *own, static, longer)).status is StepStatus.HOLDS


def test_several_attachments_of_a_route_are_each_possible() -> None:
    """The gateway divides flows between them."""
    both = TransitRoute(HUB_BLOCK, None, ("tgw-attach-hub", "tgw-attach-spoke2"))
    status, kind, subject = decide(edit_table(TRANSIT, SPOKES_TABLE, both))
    assert (status, kind, subject) == (StepStatus.UNKNOWN, StepKind.TRANSIT_ROUTE, SPOKES_TABLE)
    gone = edit_attachment(TRANSIT, "hub", state="deleted")
    assert decide(edit_table(gone, SPOKES_TABLE, both))[0] is StepStatus.BROKEN


def test_routes_that_lead_in_a_loop_lose_the_traffic() -> None:
    """The time to live of a packet ends."""
    back = TransitPeer("tgw-2", "tgw-attach-far", TRANSIT.shared.region, HUB_ACCOUNT)
    near = add_attachment(TRANSIT, AttachmentKind.PEERING, peer=back)
    far = TransitAttachment(
        "tgw-attach-far",
        "tgw-2",
        AttachmentKind.PEERING,
        GATEWAY,
        HUB_ACCOUNT,
        "available",
        "tgw-rtb-far",
        peer=TransitPeer(GATEWAY, "tgw-attach-more", TRANSIT.shared.region, HUB_ACCOUNT),
    )
    near = edit_table(near, HUB_TABLE, TransitRoute(HUB_BLOCK, None, ("tgw-attach-more",)))
    changed = near.edit_shared(
        attachments={far.id: far},
        tables={
            "tgw-rtb-far": TransitRouteTable(
                "tgw-rtb-far", "tgw-2", (TransitRoute(HUB_BLOCK, None, (far.id,)),)
            )
        },
    )
    step = trace(changed).deciding
    assert step
    assert step.status is StepStatus.BROKEN
    assert "loop" in step.text


def test_gateways_are_followed_to_a_limit() -> None:
    """A chain of peered gateways that is longer than any in use."""
    region, changed = TRANSIT.shared.region, TRANSIT
    for number in range(20):
        near = GATEWAY if not number else f"tgw-{number}"
        far = f"tgw-{number + 1}"
        ends = {
            each: TransitAttachment(
                f"tgw-attach-{each}-{other}",
                each,
                AttachmentKind.PEERING,
                other,
                HUB_ACCOUNT,
                "available",
                f"tgw-rtb-{each}",
                peer=TransitPeer(other, f"tgw-attach-{other}-{each}", region, HUB_ACCOUNT),
            )
            for each, other in ((near, far), (far, near))
        }
        table_id = f"tgw-rtb-{near}" if number else SPOKES_TABLE
        routes = (TransitRoute(HUB_BLOCK, None, (ends[near].id,)),)
        changed = changed.edit_shared(
            attachments={each.id: each for each in ends.values()},
            tables={table_id: TransitRouteTable(table_id, near, routes)},
        )
    step = trace(changed).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert step.subject == "tgw-rtb-tgw-16"


def test_what_the_owner_of_the_gateway_did_not_let_be_read_is_named() -> None:
    """The permission, the account and the reason."""
    unread = UnreadFact(SharedFacet.TRANSIT_ROUTES, HUB_ACCOUNT, "AccessDenied", SPOKES_TABLE)
    table = replace(TRANSIT.shared.tables[SPOKES_TABLE], routes=None)
    changed = TRANSIT.edit_shared(tables={table.id: table}, unread=(unread,))
    step = trace(changed).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert step.missing == (
        f"ec2:SearchTransitGatewayRoutes in account {HUB_ACCOUNT} (AccessDenied)"
    )


def test_a_gateway_of_an_account_that_is_not_monitored_is_unknown() -> None:
    """A participant cannot read the tables."""
    attachment = replace(TRANSIT.shared.attachments["tgw-attach-spoke1"], table_id=None)
    changed = TRANSIT.edit_shared(
        accounts=frozenset({get_spoke_account(1)}),
        gateways={GATEWAY: None},
        attachments={attachment.id: attachment},
        tables={SPOKES_TABLE: None, HUB_TABLE: None},
    )
    step = trace(changed).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert "not watched" in step.missing


def test_an_attachment_that_is_missing_is_unknown_unless_the_account_was_read() -> None:
    """Then it does not exist."""
    gone = TRANSIT.edit_shared(attachments={"tgw-attach-spoke1": None})
    assert decide(gone) == (StepStatus.BROKEN, StepKind.ATTACHMENT, GATEWAY)
    unread = UnreadFact(SharedFacet.ATTACHMENTS, get_spoke_account(1), "AccessDenied")
    step = trace(gone.edit_shared(unread=(unread,))).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert "ec2:DescribeTransitGatewayAttachments" in step.missing


@pytest.mark.parametrize("state", ["modifying", "UPDATING", "available"])
def test_an_attachment_that_is_changed_carries_traffic(state: str) -> None:
    """EC2 and Network Manager spell the states differently."""
    assert trace(edit_attachment(TRANSIT, "spoke1", state=state)).status is StepStatus.HOLDS


def test_the_subnets_of_an_attachment_must_be_known_to_miss_a_zone() -> None:
    """A subnet of an unknown zone may be in the same one."""
    changed = edit_attachment(TRANSIT, "spoke1", subnet_ids=())
    assert decide(changed) == (StepStatus.UNKNOWN, StepKind.ATTACHMENT, "tgw-attach-spoke1")
    shared_subnet = edit_attachment(TRANSIT, "spoke1", subnet_ids=("subnet-of-another-account",))
    assert decide(shared_subnet)[0] is StepStatus.UNKNOWN


def test_a_local_zone_may_be_connected_by_its_parent_zone() -> None:
    """No attachment can be in a Local Zone."""

    def move(snapshot: Snapshot) -> Snapshot:
        subnet = replace(snapshot.subnets["subnet-spoke1-a"], zone="eu-west-1-lax-1a")
        return replace(snapshot, subnets={**snapshot.subnets, subnet.id: subnet})

    assert decide(TRANSIT.edit_vpc(SPOKE, move))[0] is StepStatus.UNKNOWN


def test_an_interface_whose_zone_the_hubs_attachment_lacks_cannot_answer() -> None:
    """Requests arrive; the answers do not reach the gateway."""
    changed = edit_attachment(TRANSIT, "hub", subnet_ids=("subnet-hub-tgw-b",))
    assert decide(changed) == (StepStatus.BROKEN, StepKind.RETURN_ROUTE, "tgw-attach-hub")
    assert trace(changed, interface=1).status is StepStatus.HOLDS


def inspect(organization: Organization) -> Organization:
    """Send traffic between the VPCs through the second spoke, as an inspection VPC."""
    return edit_table(
        edit_attachment(organization, "spoke2", table_id=HUB_TABLE),
        SPOKES_TABLE,
        TransitRoute(ip_network("0.0.0.0/0"), None, ("tgw-attach-spoke2",)),
    )


def test_an_inspection_vpc_makes_a_path_unknown_and_what_follows_can_break_it() -> None:
    """If it forwards traffic, then by its own attachment."""
    changed = inspect(TRANSIT)
    own = changed.shared.tables[HUB_TABLE].routes or ()
    to_hub = TransitRoute(HUB_BLOCK, None, ("tgw-attach-hub",), static=False)
    onward = edit_table(changed, HUB_TABLE, *own, to_hub)
    step = trace(onward).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert (
        step.text == "tgw-attach-spoke2 leads through vpc-spoke2, whose firewall rules are not read"
    )
    assert decide(onward.edit_group())[:2] == (StepStatus.BROKEN, StepKind.SECURITY_GROUP)
    assert decide(changed)[:2] == (StepStatus.BROKEN, StepKind.TRANSIT_ROUTE)


def test_an_inspection_vpc_may_forward_by_peering() -> None:
    """The route tables of the VPC are not read."""
    hub, other = (
        PeeredVpc(each, HUB_ACCOUNT, TRANSIT.shared.region, TRANSIT.shared.vpcs[each].cidrs)
        for each in (HUB, OTHER)
    )
    peered = inspect(TRANSIT).edit_shared(peerings={"pcx-1": VpcPeering("pcx-1", hub, other)})
    assert decide(peered)[0] is StepStatus.UNKNOWN


def test_a_peering_connection_that_is_missing_is_unknown_unless_the_account_was_read() -> None:
    """Either account sees it: if one was read, it does not exist."""
    gone = PEERED.edit_shared(peerings={"pcx-spoke1": None})
    assert decide(gone) == (StepStatus.BROKEN, StepKind.PEERING, "pcx-spoke1")
    unread = tuple(
        UnreadFact(SharedFacet.PEERINGS, each, "AccessDenied")
        for each in (get_spoke_account(1), HUB_ACCOUNT)
    )
    assert decide(gone.edit_shared(unread=unread[:1]))[0] is StepStatus.BROKEN
    step = trace(gone.edit_shared(unread=unread)).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert "ec2:DescribeVpcPeeringConnections" in step.missing


def test_an_appliance_behind_a_vpn_may_forward_what_no_attachment_does() -> None:
    """Its tunnels end at a VPN attachment."""
    vpn = TransitAttachment(
        "tgw-attach-vpn", GATEWAY, AttachmentKind.VPN, "vpn-1", HUB_ACCOUNT, "available", HUB_TABLE
    )
    changed = inspect(TRANSIT).edit_shared(attachments={vpn.id: vpn})
    assert decide(changed)[0] is StepStatus.UNKNOWN


def test_a_vpc_on_the_way_may_have_attachments_that_its_account_does_not_show() -> None:
    """They may be to a gateway of another organization."""
    accounts = TRANSIT.shared.accounts - {get_spoke_account(2)}
    assert decide(inspect(TRANSIT).edit_shared(accounts=accounts))[0] is StepStatus.UNKNOWN


def test_the_owner_of_a_shared_vpc_sees_its_attachments() -> None:
    """An account that only has subnets of it does not."""
    owned = TRANSIT.edit_vpc(
        SPOKE, lambda it: replace(it, vpc=replace(it.vpc, owner="300000000001"))
    ).edit_shared(attachments={"tgw-attach-spoke1": None})
    step = trace(owned).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert "300000000001" in step.missing


def test_a_vpc_with_the_same_addresses_takes_the_traffic() -> None:
    """It delivers the traffic inside."""
    vpc = replace(TRANSIT.shared.vpcs[OTHER], cidrs=(HUB_BLOCK,))
    changed = edit_table(
        TRANSIT.edit_shared(vpcs={OTHER: vpc}),
        SPOKES_TABLE,
        TransitRoute(HUB_BLOCK, None, ("tgw-attach-spoke2",)),
    )
    step = trace(changed).deciding
    assert step
    assert step.status is StepStatus.BROKEN
    assert step.text.startswith("tgw-attach-spoke2 leads to vpc-spoke2, which has 10.0.0.0/24")


def test_addresses_in_the_subnets_own_vpc_never_leave_it() -> None:
    """The local route delivers them."""

    def overlap(snapshot: Snapshot) -> Snapshot:
        vpc = replace(snapshot.vpc, cidrs=(*snapshot.vpc.cidrs, HUB_BLOCK))
        return replace(snapshot, vpc=vpc)

    changed = edit_routes(TRANSIT.edit_vpc(SPOKE, overlap), SPOKE, route(str(HUB_BLOCK), "local"))
    step = trace(changed).deciding
    assert step
    assert (step.status, step.kind) == (StepStatus.BROKEN, StepKind.ROUTE)
    assert "CIDR blocks of vpc-spoke1" in step.text


def test_a_route_back_for_part_of_the_subnet_reaches_part_of_it() -> None:
    """The other hosts get no answer."""
    half = next(SPOKE_BLOCK.subnets(new_prefix=25))
    changed = edit_table(TRANSIT, HUB_TABLE, TransitRoute(half, None, ("tgw-attach-spoke1",)))
    path = trace(changed)
    assert decide(changed) == (StepStatus.PARTLY, StepKind.RETURN_ROUTE, HUB_TABLE)
    assert str(path.reaching) == str(half)


def test_a_route_to_part_of_the_hub_divides_its_interfaces() -> None:
    """Only the addresses that it matches fare differently."""
    first = IPv4Network("10.0.0.8/29")  # has the address of the first interface
    own = TRANSIT.shared.tables[SPOKES_TABLE].routes or ()
    changed = edit_table(TRANSIT, SPOKES_TABLE, *own, TransitRoute(first, None, (), blackhole=True))
    assert decide(changed)[0] is StepStatus.BROKEN
    past = IPv4Network("10.0.0.128/25")
    other = edit_table(TRANSIT, SPOKES_TABLE, *own, TransitRoute(past, None, (), blackhole=True))
    assert trace(other).status is StepStatus.HOLDS


def test_an_address_that_is_not_known_yet_decides_only_where_routes_differ() -> None:
    """A planned endpoint gets its address from EC2."""

    def plan(hub: Snapshot) -> Snapshot:
        interface = replace(hub.network_interfaces["eni-kms-a"], unknown_versions=frozenset({4}))
        return replace(hub, network_interfaces={**hub.network_interfaces, interface.id: interface})

    planned = TRANSIT.edit_vpc(HUB, plan)
    assert trace(planned).status is StepStatus.HOLDS
    own = TRANSIT.shared.tables[SPOKES_TABLE].routes or ()
    half = TransitRoute(IPv4Network("10.0.0.128/25"), None, (), blackhole=True)
    step = trace(edit_table(planned, SPOKES_TABLE, *own, half)).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert step.missing == "the address of eni-kms-a"


def test_a_route_to_a_firewall_in_the_hub_is_unknown() -> None:
    """The table of the attachment's subnet applies to what comes from the gateway."""
    firewall = route("10.0.0.0/24", "eni-firewall")
    assert decide(edit_routes(TRANSIT, HUB, firewall)) == (
        StepStatus.UNKNOWN,
        StepKind.ROUTE,
        "rtb-hub",
    )


def reference(group_id: str, peering_id: str = "pcx-spoke1") -> SecurityGroupRule:
    """Build a rule that references a security group of the spoke."""
    peer = GroupReference(group_id, SPOKE, peering_id)
    return SecurityGroupRule("tcp", 443, 443, group=peer)


def test_a_blackhole_in_the_spoke_loses_answers_to_the_hosts_behind_it() -> None:
    """The table of the attachment's subnet may have routes inside the VPC, to a middlebox."""
    half = route("10.0.16.0/25", "eni-gone", blackhole=True)
    path = trace(edit_routes(TRANSIT, SPOKE, half))
    assert path.status is StepStatus.PARTLY
    assert path.deciding
    assert path.deciding.kind is StepKind.RETURN_ROUTE
    assert str(path.reaching) == "10.0.16.128/25"


def shut_entry(hub: Snapshot) -> Snapshot:
    """Let nothing out of the hub's attachment subnet in zone b."""
    open_acl = hub.network_acls["acl-hub"]
    ids = ("subnet-hub-tgw-b",)
    shut = replace(open_acl, id="acl-shut", subnet_ids=ids, entries=(allow(100),))
    rest = tuple(each for each in open_acl.subnet_ids if each not in ids)
    return replace(hub, network_acls={"acl-hub": replace(open_acl, subnet_ids=rest), shut.id: shut})


def test_traffic_keeps_its_zone_in_one_account_unless_appliance_mode_is_on() -> None:
    """The names of zones mean different zones in different accounts."""
    several = TRANSIT.edit_vpc(HUB, shut_entry)
    assert decide(several)[:2] == (StepStatus.UNKNOWN, StepKind.NETWORK_ACL)

    def move(snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, scope=replace(snapshot.scope, account=HUB_ACCOUNT))

    one = several.edit_vpc(SPOKE, move)
    assert trace(one).status is StepStatus.HOLDS
    assert trace(one, zone="b").status is StepStatus.BROKEN
    assert decide(edit_attachment(one, "hub", appliance_mode=True))[0] is StepStatus.UNKNOWN


def test_entries_and_rules_for_one_interface_decide_about_it_alone() -> None:
    """The others in its subnet do not count."""
    block = "10.0.0.8/29"  # has the address of the first interface

    def narrow(snapshot: Snapshot) -> Snapshot:
        acl = snapshot.network_acls["acl-spoke1"]
        entries = (
            allow(100, block, egress=True),
            allow(110, str(SPOKE_BLOCK)),
            allow(120, block),
            allow(130, str(SPOKE_BLOCK), egress=True),
        )
        return replace(snapshot, network_acls={acl.id: replace(acl, entries=entries)})

    narrowed = TRANSIT.edit_vpc(SPOKE, narrow)
    assert trace(narrowed).status is StepStatus.HOLDS
    assert trace(narrowed, interface=1).status is StepStatus.BROKEN
    grouped = with_workload_group(TRANSIT, admits(block))
    assert trace(grouped, groups=["sg-app"]).status is StepStatus.HOLDS
    assert trace(grouped, interface=1, groups=["sg-app"]).status is StepStatus.BROKEN


def test_endpoints_in_one_subnet_are_told_apart_by_routes_and_groups() -> None:
    """Only what no gate or route tells apart is traced once."""
    organization = build_organization(services=("kms", "sns"))
    first = organization.endpoints["kms"]
    address = organization.snapshots[HUB].network_interfaces["eni-kms-a"].addresses[0]
    own = organization.shared.tables[SPOKES_TABLE].routes or ()
    lost = TransitRoute(ip_network(address), None, (), blackhole=True)

    def regroup(hub: Snapshot) -> Snapshot:
        groups = ("sg-gone",)
        return replace(
            hub, endpoints={**hub.endpoints, first.id: replace(first, security_group_ids=groups)}
        )

    for changed in (
        edit_table(organization, SPOKES_TABLE, *own, lost),
        organization.edit_vpc(HUB, regroup),
    ):
        analysis = Analysis(changed.snapshots[SPOKE], shared=changed.shared)
        outcomes = [
            analysis.evaluate_cell(
                analysis.subnets[0], analysis.snapshot.services[each.service_name]
            ).outcome
            for each in organization.endpoints.values()
        ]
        assert outcomes[0] in {PathOutcome.PARTLY, PathOutcome.UNKNOWN}
        assert outcomes[1] is PathOutcome.PRIVATE


def test_a_group_reference_works_over_peering_and_not_over_a_gateway() -> None:
    """AWS excludes endpoints from references over gateways."""
    over_gateway = trace(TRANSIT.edit_group(admits("sg-app"))).deciding
    assert over_gateway
    assert over_gateway.status is StepStatus.BROKEN
    assert "does not work over a transit gateway" in over_gateway.text
    peered = PEERED.edit_group(reference("sg-app"))
    path = trace(peered)
    assert path.status is StepStatus.PARTLY
    assert path.groups == {"sg-app"}
    analysis = Analysis(peered.snapshots[SPOKE], shared=peered.shared)
    subnet, service = analysis.subnets[0], analysis.snapshot.services[KMS]
    assert analysis.evaluate_cell(subnet, service).outcome is PathOutcome.BY_SECURITY_GROUP


def test_a_group_reference_does_not_work_between_regions() -> None:
    """Both VPCs must be in one Region."""
    peering = PEERED.shared.peerings["pcx-spoke1"]
    abroad = replace(peering, accepter=replace(peering.accepter, region="eu-west-2"))
    changed = PEERED.edit_group(reference("sg-app")).edit_shared(peerings={abroad.id: abroad})
    assert decide(changed)[:2] == (StepStatus.BROKEN, StepKind.SECURITY_GROUP)


def with_workload_group(organization: Organization, *egress: SecurityGroupRule) -> Organization:
    """Add a security group of a workload to the spoke."""
    group = replace(
        organization.snapshots[HUB].security_groups[ENDPOINTS_GROUP],
        id="sg-app",
        vpc_id=SPOKE,
        ingress=(),
        egress=egress,
    )
    return organization.edit_vpc(
        SPOKE, lambda it: replace(it, security_groups={**it.security_groups, group.id: group})
    )


def test_the_workloads_own_groups_must_let_the_traffic_out_and_be_admitted() -> None:
    """If they are known, they decide."""
    admitted = with_workload_group(PEERED.edit_group(reference("sg-app")), admits("0.0.0.0/0"))
    assert trace(admitted, groups=["sg-app"]).status is StepStatus.HOLDS
    other = trace(admitted, groups=["sg-other"])
    assert other.status is StepStatus.BROKEN
    to_group = with_workload_group(PEERED, reference(ENDPOINTS_GROUP))
    assert trace(to_group, groups=["sg-app"]).status is StepStatus.HOLDS
    shut = with_workload_group(TRANSIT, admits("172.16.0.0/12"))
    step = trace(shut, groups=["sg-app"]).deciding
    assert step
    assert (step.status, step.subject) == (StepStatus.BROKEN, "sg-app")
    assert step.account == get_spoke_account(1)


def test_a_prefix_list_in_the_endpoints_group_must_be_read() -> None:
    """It may hold the subnet's blocks."""
    changed = TRANSIT.edit_group(admits("pl-spokes"))
    step = trace(changed).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert "pl-spokes" in step.missing
    assert HUB_ACCOUNT in step.missing
    known = changed.edit_vpc(
        HUB,
        lambda hub: replace(
            hub,
            prefix_lists={
                **hub.prefix_lists,
                "pl-spokes": prefix_list("pl-spokes", str(SPOKE_BLOCK)),
            },
        ),
    )
    assert trace(known).status is StepStatus.HOLDS


def test_ports_that_are_not_alike_decide_in_part_or_not_at_all() -> None:
    """Clients choose one of the known ports; an unknown port decides nothing."""
    smtp = ((25, 25), (587, 587))
    changed = TRANSIT.edit_group(admits(str(SPOKE_BLOCK), (587, 587)))
    path = trace(changed, ports=smtp)
    assert path.status is StepStatus.PARTLY
    assert path.deciding
    assert "port 25" in path.deciding.text
    every = ((1, 586), (587, 587), (588, 65535))
    assert trace(changed, ports=every).status is StepStatus.UNKNOWN


@pytest.mark.parametrize(
    ("low", "status"), [(32767, StepStatus.BROKEN), (32766, StepStatus.PARTLY)]
)
def test_two_acls_that_deny_all_client_ports_together_break_a_path(
    low: int, status: StepStatus
) -> None:
    """The step that decides names both; where a port is left, each is partly broken."""
    denials = {
        SPOKE: deny(10, protocol="6", from_port=1024, to_port=low),
        HUB: deny(10, egress=True, protocol="6", from_port=32768, to_port=65535),
    }
    organization = TRANSIT
    for vpc_id, denial in denials.items():

        def close(snapshot: Snapshot, denial: AclEntry = denial) -> Snapshot:
            entries = (denial, allow(100), allow(100, egress=True))
            acls = {
                name: replace(each, entries=entries) for name, each in snapshot.network_acls.items()
            }
            return replace(snapshot, network_acls=acls)

        organization = organization.edit_vpc(vpc_id, close)
    path = trace(organization)
    assert path.status is status
    assert {each.subject for each in path.steps if each.status is not StepStatus.HOLDS} == {
        "acl-hub",
        "acl-spoke1",
    }
    assert bool(path.reaching) is (status is StepStatus.PARTLY)
    step = next(each for each in path.steps if each.status is status)
    if status is StepStatus.BROKEN:
        assert "1024-32767" in step.text
        assert "32768-65535" in step.text


def test_an_acl_that_was_not_read_is_unknown_in_its_account() -> None:
    """The permission is missing in the endpoint's account."""
    changed = TRANSIT.edit_vpc(HUB, lambda hub: replace(hub, network_acls={}))
    step = trace(changed).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert step.missing == f"ec2:DescribeNetworkAcls in account {HUB_ACCOUNT}"


@pytest.mark.parametrize("of_subnet", [False, True])
def test_acls_that_are_made_to_be_costly_are_unknown(of_subnet: bool) -> None:
    """The entries divide client ports, or the addresses of the endpoint's subnet."""

    def restrict(hub: Snapshot) -> Snapshot:
        acl = hub.network_acls["acl-hub"]
        first = next(iter(hub.subnets["subnet-hub-a"].blocks)).network_address
        entries = [
            replace(
                (allow if each % 2 else deny)(
                    each + 1, f"{first + each % 200}/32" if of_subnet else "10.0.0.0/8", egress=True
                ),
                protocol="6",
                from_port=1024 + each * 9,
                to_port=6_000 + each * 9,
            )
            for each in range(200 if of_subnet else 3_000)
        ]
        changed = replace(acl, entries=(*acl.entries, *entries))
        return replace(hub, network_acls={acl.id: changed})

    changed = TRANSIT.edit_vpc(HUB, restrict)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("posture.analysis.central.paths.CROSSING_UNITS", 10_000)
        path = trace(changed)
    assert path.status is StepStatus.UNKNOWN
    named = f"the network ACLs of {SPOKE} and {HUB}" if of_subnet else "the 3002 entries of acl-hub"
    assert any(f"{named} {OVER_LIMIT}" in step.missing for step in path.steps)


def test_an_interface_that_was_not_read_is_unknown() -> None:
    """Its address is what routes decide about."""
    changed = TRANSIT.edit_vpc(HUB, lambda hub: replace(hub, network_interfaces={}))
    step = trace(changed).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert step.missing == f"ec2:DescribeNetworkInterfaces in account {HUB_ACCOUNT}"


def test_entries_for_the_answers_need_the_clients_ports() -> None:
    """An ACL has no state."""

    def answer(snapshot: Snapshot, last: int) -> Snapshot:
        acl = snapshot.network_acls["acl-spoke1"]
        back = allow(100, protocol="6", from_port=1024, to_port=last)
        entries = (back, deny(200), allow(100, egress=True))
        return replace(snapshot, network_acls={acl.id: replace(acl, entries=entries)})

    low = trace(TRANSIT.edit_vpc(SPOKE, lambda it: answer(it, 32767)))
    # The ACL is also that of the attachment's subnet, by which requests enter the gateway.
    assert low.status is StepStatus.BROKEN
    assert low.deciding
    assert "subnet-spoke1-tgw-a" in low.deciding.text


def dual_stack(organization: Organization, vpc_id: str, block: str, *, only: bool) -> Organization:
    """Add an IPv6 block to the workload subnet of a VPC, which may have no other."""

    def change(snapshot: Snapshot) -> Snapshot:
        name = vpc_id.removeprefix("vpc-")
        subnet = snapshot.subnets[f"subnet-{name}-a"]
        ipv6 = (IPv6Network(block),)
        subnet = replace(subnet, ipv6_cidrs=ipv6, cidr=None if only else subnet.cidr, dns64=False)
        return replace(
            snapshot,
            vpc=replace(snapshot.vpc, ipv6_cidrs=ipv6),
            subnets={**snapshot.subnets, subnet.id: subnet},
        )

    return organization.edit_vpc(vpc_id, change)


def test_a_subnet_without_ipv4_shares_no_address_with_the_endpoint() -> None:
    """Unless a NAT gateway translates."""
    changed = dual_stack(TRANSIT, SPOKE, "2600:1f00:1::/64", only=True)
    step = trace(changed).deciding
    assert step
    assert step.kind is StepKind.ENDPOINT
    assert "NAT64" in step.missing


def test_both_ip_versions_of_a_dual_stack_endpoint_count() -> None:
    """Clients may use either; the one without a route is lost."""
    changed = dual_stack(TRANSIT, SPOKE, "2600:1f00:1::/64", only=False)
    changed = dual_stack(changed, HUB, "2600:1f00:2::/64", only=False)

    def add_address(hub: Snapshot) -> Snapshot:
        interface = hub.network_interfaces["eni-kms-a"]
        addresses = (*interface.addresses, ip_address("2600:1f00:2::10"))
        interface = replace(interface, addresses=addresses)
        return replace(hub, network_interfaces={**hub.network_interfaces, interface.id: interface})

    changed = changed.edit_vpc(HUB, add_address)
    path = trace(changed)
    assert path.status is StepStatus.PARTLY
    assert path.deciding
    assert path.deciding.text == "rtb-spoke1 has no route to 2600:1f00:2::/64"
    assert str(path.reaching) == "10.0.16.0/24"
    # IPv6 addresses are global: whether the interface answers from the internet is not evaluated.
    abroad = trace(edit_routes(changed, SPOKE, route("::/0", "igw-1")))
    assert abroad.status is StepStatus.UNKNOWN


@pytest.mark.parametrize(("vpc_id", "account"), [(SPOKE, get_spoke_account(1)), (HUB, HUB_ACCOUNT)])
def test_route_tables_that_are_not_read_are_missing_by_call_and_account(
    vpc_id: str, account: str
) -> None:
    """At either end."""
    unread = {Facet.ROUTE_TABLES: "AccessDenied"}
    changed = TRANSIT.edit_vpc(vpc_id, lambda it: replace(it, route_tables={}, unreadable=unread))
    step = trace(changed).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert step.missing == f"ec2:DescribeRouteTables in account {account}"
    assert step.subject


def build_ipv6() -> Organization:
    """Build a spoke and a hub with IPv6 alone, and routes of the gateway to both."""
    blocks = {SPOKE: "2600:1f00:1::/64", HUB: "2600:1f00:2::/64"}
    changed = TRANSIT
    for vpc_id, block in blocks.items():
        changed = dual_stack(changed, vpc_id, block, only=True)
        changed = edit_routes(changed, vpc_id, route("2600:1f00::/32", GATEWAY))
        changed = changed.edit_vpc(vpc_id, allow_ipv6)
    changed = changed.edit_vpc(HUB, lambda hub: use_ipv6(hub, "2600:1f00:2::10"))
    for table, vpc_id in ((SPOKES_TABLE, HUB), (HUB_TABLE, SPOKE)):
        name = f"tgw-attach-{vpc_id.removeprefix('vpc-')}"
        routes = (TransitRoute(IPv6Network(blocks[vpc_id]), None, (name,), static=False),)
        changed = changed.edit_shared(tables={table: TransitRouteTable(table, GATEWAY, routes)})
    return changed


def use_ipv6(hub: Snapshot, address: str) -> Snapshot:
    """Set an IPv6 address alone for an interface of the hub, and admit all of IPv6."""
    interface = replace(hub.network_interfaces["eni-kms-a"], addresses=(ip_address(address),))
    group = hub.security_groups[ENDPOINTS_GROUP]
    return replace(
        hub,
        network_interfaces={**hub.network_interfaces, interface.id: interface},
        security_groups={group.id: replace(group, ingress=(admits("::/0"),))},
    )


def allow_ipv6(snapshot: Snapshot) -> Snapshot:
    """Let the network ACLs of a VPC allow all of IPv6."""
    entries = (allow(100, "::/0"), allow(100, "::/0", egress=True))
    acls = {each.id: replace(each, entries=entries) for each in snapshot.network_acls.values()}
    return replace(snapshot, network_acls=acls)


@pytest.mark.parametrize("side", ["spoke1", "hub"])
@pytest.mark.parametrize(
    ("carries", "status"),
    [(True, StepStatus.HOLDS), (False, StepStatus.BROKEN), (None, StepStatus.UNKNOWN)],
)
def test_an_attachment_carries_ipv6_only_if_that_is_enabled(
    side: str, carries: bool | None, status: StepStatus
) -> None:
    """At either end. What could not be read is missing by name."""
    changed = edit_attachment(build_ipv6(), side, carries_ipv6=carries)
    path = trace(changed)
    assert path.status is status
    if path.deciding:
        assert path.deciding.subject == f"tgw-attach-{side}"
        assert path.deciding.kind is StepKind.ATTACHMENT
        named = "ec2:DescribeTransitGatewayVpcAttachments" in path.deciding.missing
        assert named == (carries is None)


def test_of_equal_routes_the_one_that_is_taken_is_missing() -> None:
    """A gateway spreads traffic over them."""
    table = TRANSIT.shared.tables[SPOKES_TABLE]
    both = TransitRoute(HUB_BLOCK, None, ("tgw-attach-hub", "tgw-attach-spoke2"))
    changed = replace(table, routes=(both,))
    step = trace(TRANSIT.edit_shared(tables={table.id: changed})).deciding
    assert step
    assert step.status is StepStatus.UNKNOWN
    assert step.missing == f"by which of them {SPOKES_TABLE} sends the traffic"
