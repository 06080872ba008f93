"""The paths between VPCs of random organizations, checked by carrying single packets.

An organization is intact by a transit gateway, two peered ones, a core network or VPC peering, in
one account or several. Then a few links are changed at random: routes of every table and origin,
attachments, associations, network ACLs, security groups, peering connections.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from ipaddress import IPv4Network, ip_network
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from network_builders import admits, allow, deny, prefix_list, route
from organization_builders import (
    GATEWAY,
    HUB,
    HUB_ACCOUNT,
    HUB_TABLE,
    SPOKES_TABLE,
    Link,
    Organization,
    build_organization,
    get_block,
)
from packet_walker import Fate, Place, Walker
from posture.analysis.central.answers import CentralPath, StepStatus
from posture.analysis.central.paths import trace_central_paths
from posture.analysis.central.view import restrict_network
from posture.model.network import NetworkAcl, Snapshot
from posture.model.shared_network import (
    AttachmentKind,
    TransitAttachment,
    TransitGateway,
    TransitPeer,
    TransitRoute,
    TransitRouteTable,
)

SPOKE, OTHER = "vpc-spoke1", "vpc-spoke2"
VPCS = (HUB, SPOKE, OTHER)
SECOND = "tgw-0002"
OFFSETS = (5, 69, 133, 197)  # one source in each quarter of a subnet
CLIENT_PORTS = (1024, 32767, 32768, 65535)
Mutation = Callable[[Random, Organization], Organization]


@cache
def build_base(kind: str, *, one_account: bool) -> Organization:
    """Build an intact organization whose VPCs belong to one account or to several."""
    link = Link.TRANSIT_GATEWAY if kind == "two gateways" else Link(kind)
    organization = build_organization(link=link, services=("kms",))
    if kind == "two gateways":
        organization = split_gateway(organization)
    lists = {"pl-hub": prefix_list("pl-hub", str(get_block(0)))}
    organization = organization.edit_shared(prefix_lists=lists)
    for vpc_id in VPCS if one_account else ():
        organization = organization.edit_vpc(
            vpc_id,
            lambda it: replace(it, scope=replace(it.scope, account=HUB_ACCOUNT)),
        )
    return organization


def split_gateway(organization: Organization) -> Organization:
    """Move the hub to a second transit gateway, peered with the first by static routes."""
    shared = organization.shared
    ends = {
        gateway: TransitAttachment(
            f"tgw-attach-peer-{gateway}",
            gateway,
            AttachmentKind.PEERING,
            other,
            HUB_ACCOUNT,
            "available",
            table,
            peer=TransitPeer(other, f"tgw-attach-peer-{other}", shared.region, HUB_ACCOUNT),
        )
        for gateway, other, table in (
            (GATEWAY, SECOND, f"{HUB_TABLE}-1"),
            (SECOND, GATEWAY, f"{HUB_TABLE}-2"),
        )
    }
    hub = replace(shared.attachments["tgw-attach-hub"], gateway_id=SECOND)
    back = shared.tables[HUB_TABLE].routes
    to_hub = TransitRoute(get_block(0), None, (ends[GATEWAY].id,))
    to_spokes = TransitRoute(ip_network("10.0.0.0/8"), None, (ends[SECOND].id,))
    into_hub = TransitRoute(get_block(0), None, (hub.id,), static=False)
    tables = {
        SPOKES_TABLE: TransitRouteTable(SPOKES_TABLE, GATEWAY, (to_hub,)),
        HUB_TABLE: TransitRouteTable(HUB_TABLE, SECOND, (to_spokes,)),
        f"{HUB_TABLE}-1": TransitRouteTable(f"{HUB_TABLE}-1", GATEWAY, back),
        f"{HUB_TABLE}-2": TransitRouteTable(f"{HUB_TABLE}-2", SECOND, (into_hub,)),
    }
    changed = organization.edit_shared(
        gateways={SECOND: TransitGateway(SECOND, HUB_ACCOUNT)},
        attachments={hub.id: hub, **{each.id: each for each in ends.values()}},
        tables=tables,
    )

    def aim(snapshot: Snapshot) -> Snapshot:
        table = snapshot.route_tables["rtb-hub"]
        routes = tuple(
            route(each.destination, SECOND) if each.target.id == GATEWAY else each
            for each in table.routes
        )
        return replace(snapshot, route_tables={table.id: replace(table, routes=routes)})

    return changed.edit_vpc(HUB, aim)


def choose_block(random: Random) -> str:
    """Choose a block that is a VPC's, larger or smaller."""
    block = get_block(random.randrange(3))
    first, second, third, *_ = block.subnets(new_prefix=25)
    smaller = next(block.subnets(new_prefix=24)), random.choice((first, second, third))
    larger = ip_network("10.0.0.0/8"), ip_network("0.0.0.0/0")
    return str(random.choice((block, block, *smaller, *larger)))


def change_route(random: Random, organization: Organization) -> Organization:
    """Add, replace or delete a route of a VPC."""
    vpc_id, block = random.choice(VPCS), choose_block(random)
    targets = sorted({*organization.shared.gateways, *organization.shared.peerings})
    target = random.choice((*targets, *targets, "vgw-1", ""))
    added = (route(block, target, blackhole=random.random() < 0.2),) if target else ()

    def change(snapshot: Snapshot) -> Snapshot:
        table = next(iter(snapshot.route_tables.values()))
        kept = tuple(each for each in table.routes if str(each.cidr) != block)
        if snapshot.vpc.cidrs[0].supernet_of(IPv4Network(block)):
            return snapshot  # EC2 refuses it: only a middlebox takes traffic inside the VPC
        return replace(snapshot, route_tables={table.id: replace(table, routes=(*kept, *added))})

    return organization.edit_vpc(vpc_id, change)


def change_transit_route(random: Random, organization: Organization) -> Organization:
    """Add, replace or delete a route of a gateway's table."""
    shared = organization.shared
    if not shared.tables:
        return organization
    table = shared.tables[random.choice(sorted(shared.tables))]
    own = [it.id for it in shared.attachments.values() if it.gateway_id == table.gateway_id]
    by_list = random.random() < 0.15
    static = by_list or random.random() < 0.7
    block = ip_network(choose_block(random))
    kept = tuple(each for each in table.routes or () if (each.cidr, each.static) != (block, static))
    kept = tuple(each for each in kept if not (by_list and each.prefix_list_id))
    blackhole = random.random() < 0.25
    added = TransitRoute(
        None if by_list else block,
        "pl-hub" if by_list else None,
        () if blackhole else (random.choice(sorted(own)),),
        blackhole=blackhole,
        static=static,
    )
    routes = kept if random.random() < 0.2 else (*kept, added)
    return organization.edit_shared(tables={table.id: replace(table, routes=routes)})


def change_attachment(random: Random, organization: Organization) -> Organization:
    """Change the table, the subnets, the state or the kind of an attachment."""
    shared = organization.shared
    if not shared.attachments:
        return organization
    attachment = shared.attachments[random.choice(sorted(shared.attachments))]
    tables = [it.id for it in shared.tables.values() if it.gateway_id == attachment.gateway_id]
    parts: list[dict[str, object]] = [
        {"table_id": random.choice(["", *sorted(tables)])},
        {"state": random.choice(["available", "pending", "deleted"])},
        {"kind": AttachmentKind.VPN},
    ]
    if attachment.kind is AttachmentKind.VPC:
        name = attachment.resource_id.removeprefix("vpc-")
        own = [
            random.choice((f"subnet-{name}-{zone}", f"subnet-{name}-tgw-{zone}")) for zone in "ab"
        ]
        chosen = tuple(own[: random.choice((1, 2))])
        parts += [{"subnet_ids": chosen}, {"subnet_ids": chosen}]
    weights = [3, 1, 1, 3, 3][: len(parts)]
    (changed,) = random.choices(parts, weights)
    return organization.edit_shared(
        attachments={attachment.id: replace(attachment, **changed)}  # type: ignore[arg-type]
    )


def change_acl(random: Random, organization: Organization) -> Organization:
    """Associate some subnets of a VPC with a network ACL of their own."""
    vpc_id = random.choice(VPCS)
    name = vpc_id.removeprefix("vpc-")

    def change(snapshot: Snapshot) -> Snapshot:
        chosen = {each for each in sorted(snapshot.subnets) if random.random() < 0.4}
        entries = [allow(900), allow(901, egress=True)]
        for number in range(random.randrange(1, 4)):
            block = random.choice((choose_block(random), f"10.0.{16 * random.randrange(3)}.0/25"))
            entry = random.choice((allow, deny))(10 + number, block, egress=random.random() < 0.5)
            ports = random.choice(((None, None), (443, 443), (1024, 32767)))
            if ports[0]:
                entry = replace(entry, protocol="6", from_port=ports[0], to_port=ports[1])
            entries.append(entry)
        if random.random() < 0.3:
            entries = [each for each in entries if each.number != 900 + random.randrange(2)]
        old = snapshot.network_acls[f"acl-{name}"]
        ids = tuple(sorted(chosen))
        associations = {f"aclassoc-{it}": it for it in ids}
        own = NetworkAcl(f"acl-own-{name}", vpc_id, ids, associations, tuple(entries))
        rest = tuple(each for each in snapshot.subnets if each not in chosen)
        return replace(
            snapshot,
            network_acls={old.id: replace(old, subnet_ids=rest), own.id: own},
        )

    return organization.edit_vpc(vpc_id, change)


def change_group(random: Random, organization: Organization) -> Organization:
    """Replace what the endpoints' security group admits."""
    rules = tuple(
        admits(choose_block(random), random.choice(((443, 443), (443, 443), (80, 80), (0, 65535))))
        for _ in range(random.randrange(3))
    )
    return organization.edit_group(*rules)


def change_peering(random: Random, organization: Organization) -> Organization:
    """Deactivate a peering connection."""
    peerings = organization.shared.peerings
    if not peerings:
        return organization
    chosen = peerings[random.choice(sorted(peerings))]
    return organization.edit_shared(peerings={chosen.id: replace(chosen, active=False)})


def overlap(_: Random, organization: Organization) -> Organization:
    """Set the blocks of the hub for another VPC."""
    block = get_block(0)
    known = replace(organization.shared.vpcs[OTHER], cidrs=(block,))
    return organization.edit_vpc(
        OTHER, lambda it: replace(it, vpc=replace(it.vpc, cidrs=(block,)))
    ).edit_shared(vpcs={OTHER: known})


def inspect(random: Random, organization: Organization) -> Organization:
    """Send what leaves the spokes through another VPC, and back by a table of its own."""
    shared = organization.shared
    if "tgw-attach-spoke2" not in shared.attachments:
        return organization
    chosen = random.choice(sorted({"", *shared.tables}))
    other = replace(shared.attachments["tgw-attach-spoke2"], table_id=chosen)
    through = TransitRoute(ip_network("0.0.0.0/0"), None, (other.id,))
    table = (
        replace(shared.tables[SPOKES_TABLE], routes=(through,))
        if SPOKES_TABLE in shared.tables
        else None
    )
    changed = organization.edit_shared(attachments={other.id: other})
    return changed.edit_shared(tables={table.id: table}) if table else changed


MUTATIONS: tuple[Mutation, ...] = (
    *(change_route, change_route, change_transit_route, change_transit_route, change_attachment),
    *(change_attachment, change_acl, change_acl, change_group, change_peering, overlap, inspect),
)


def build_random(seed: int) -> Organization:
    """Build an organization with up to four random changes."""
    random = Random(seed)  # noqa: S311 - repeatable
    kind = random.choice(("transit-gateway", "two gateways", "core-network", "peering"))
    organization = build_base(kind, one_account=random.random() < 0.5)
    for _ in range(random.randrange(5)):
        organization = random.choice(MUTATIONS)(random, organization)
    return organization


def walk(
    organization: Organization, subnet_id: str, path: CentralPath
) -> dict[int, list[set[Fate]]]:
    """Carry packets from each quarter of a subnet, on each kind of client port."""
    walker = Walker(organization.snapshots, organization.shared)
    subnet = organization.snapshots[SPOKE].subnets[subnet_id]
    assert subnet.cidr
    server = Place(HUB, path.interface.subnet_id, path.interface.addresses[0])
    return {
        offset: [
            walker.ask(
                Place(SPOKE, subnet_id, subnet.cidr[offset]),
                server,
                path.endpoint.security_group_ids,
                (port, 443),
            )
            for port in CLIENT_PORTS
        ]
        for offset in OFFSETS
    }


def check_path(organization: Organization, subnet_id: str, path: CentralPath) -> None:
    """Compare a path with what becomes of single packets."""
    found = walk(organization, subnet_id, path)
    fates = {fate for by_port in found.values() for each in by_port for fate in each}
    accounts = {each.scope.account for each in organization.snapshots.values()}
    status = path.status
    if status is StepStatus.HOLDS:
        assert fates == {Fate.ARRIVES}
    elif status is StepStatus.BROKEN:
        assert Fate.ARRIVES not in fates
    elif status is StepStatus.PARTLY:
        assert Fate.ARRIVES in fates
        assert fates != {Fate.ARRIVES}
    else:
        # In which zone traffic enters a VPC of another account is not known.
        assert Fate.UNKNOWN in fates or (len(fates) > 1 and len(accounts) > 1)
    if fates == {Fate.ARRIVES}:
        assert status is StepStatus.HOLDS
    if fates == {Fate.LOST}:
        assert status is StepStatus.BROKEN
    if status is not StepStatus.UNKNOWN and Fate.UNKNOWN not in fates:
        subnet = organization.snapshots[SPOKE].subnets[subnet_id]
        assert subnet.cidr
        for offset, by_port in found.items():
            reaches = any(Fate.ARRIVES in each for each in by_port)
            address = ip_network(subnet.cidr[offset])
            assert (not path.reaching.isdisjoint(type(path.reaching).of([address]))) is reaches


# Two network ACLs deny all client ports, and only together, behind subnets of another account.
@example(5558928)
# It is not known where return traffic goes to addresses that a security group stops anyway.
@example(3096500890)
@settings(max_examples=150)
@given(st.integers(0, 2**32))
def test_every_path_is_what_single_packets_do(seed: int) -> None:
    """Packets from every part of a subnet fare as the path says, on every client port."""
    organization = build_random(seed)
    snapshot = organization.snapshots[SPOKE]
    for subnet_id in ("subnet-spoke1-a", "subnet-spoke1-b"):
        subnet = snapshot.subnets[subnet_id]
        endpoint = organization.endpoints["kms"]
        for path in trace_central_paths(snapshot, subnet, endpoint.id, organization.shared):
            check_path(organization, subnet_id, path)


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_the_view_of_a_vpc_has_all_that_its_paths_depend_on(seed: int) -> None:
    """The paths in the view are those in the whole network, step by step."""
    organization = build_random(seed)
    snapshot = organization.snapshots[SPOKE]
    view = restrict_network(organization.shared, snapshot)
    endpoint = organization.endpoints["kms"]
    for subnet_id in ("subnet-spoke1-a", "subnet-spoke1-b"):
        subnet = snapshot.subnets[subnet_id]
        whole, part = (
            trace_central_paths(snapshot, subnet, endpoint.id, each)
            for each in (organization.shared, view)
        )
        assert [each.steps for each in part] == [each.steps for each in whole]


def test_the_organizations_lead_to_every_status() -> None:
    """The changes break, divide and hide paths, so that the comparison above says something."""
    found: Counter[StepStatus] = Counter()
    for seed in range(60):
        organization = build_random(seed)
        snapshot = organization.snapshots[SPOKE]
        subnet = snapshot.subnets["subnet-spoke1-a"]
        endpoint = organization.endpoints["kms"]
        paths = trace_central_paths(snapshot, subnet, endpoint.id, organization.shared)
        found.update(each.status for each in paths)
    assert set(found) == set(StepStatus)
    assert found[StepStatus.HOLDS] > 10
