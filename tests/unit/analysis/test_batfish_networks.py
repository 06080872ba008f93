"""Networks that Batfish pulled from real accounts, with the traces that its tests expect.

The addresses, tables and associations are those of the folders `test-transit-gateway`,
`-multi-table`, `-multi-account`, `-asymmetric-paths`, `-peering` and `test-vpc-peering` of
https://github.com/batfish/batfish/tree/master/projects/batfish/src/test/resources/org/batfish/representation/aws
(Apache License 2.0); the expected traces are those of the tests `AwsConfigurationTransitGateway*`
and `AwsConfigurationVpcPeeringTest` there. Both ends of a peering are given, as if in one Region.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, ip_address, ip_network

import pytest

from network_builders import ANYWHERE, NOW, REGION, admits, allow, route
from posture.analysis.addresses import AddressSet
from posture.analysis.central.answers import StepKind, StepStatus
from posture.analysis.central.branches import Branch
from posture.analysis.central.ends import get_end
from posture.analysis.central.paths import trace_central_paths
from posture.analysis.central.routes import get_transit
from posture.model.network import (
    Endpoint,
    EndpointType,
    NetworkAcl,
    NetworkInterface,
    Route,
    RouteOrigin,
    RouteTable,
    SecurityGroup,
    Snapshot,
    Subnet,
    Vpc,
)
from posture.model.scope import Scope
from posture.model.shared_network import (
    AttachmentKind,
    PeeredVpc,
    SharedNetwork,
    TransitAttachment,
    TransitGateway,
    TransitPeer,
    TransitRoute,
    TransitRouteTable,
    VpcPeering,
)

BAT, FISH = "732168539940", "804819755326"
SSH = ((22, 22),)


@dataclass(frozen=True)
class Network:
    """VPCs by name, and what connects them."""

    vpcs: dict[str, Snapshot]
    shared: SharedNetwork

    def send(self, start: str, to: str, wanted: str) -> Branch:
        """Send traffic one way, from a subnet `VPC.SUBNET` to an address in another VPC."""
        end = get_end(self.vpcs[start.partition(".")[0]])
        subnet = end.snapshot.subnets[f"subnet-{start}"]
        destination = AddressSet.of([ip_network(to)])
        transit = get_transit(self.shared)
        (found,) = transit.trace(end, subnet, destination, f"vpc-{wanted}", back=False)
        return found

    def list_gateways(self, branch: Branch) -> list[str]:
        """List the gateways whose tables were asked for a route."""
        tables = [self.shared.tables.get(each.subject) for each in branch.steps]
        return [each.gateway_id for each in tables if each]


def build_vpc(
    name: str,
    block: str,
    subnets: dict[str, tuple[str, str]],
    routes: Iterable[Route],
    *,
    instance: str = "",
    account: str = BAT,
) -> Snapshot:
    """Build a VPC with one route table, and an interface that takes SSH for its instance."""
    vpc_id = f"vpc-{name}"
    known = {
        f"subnet-{name}.{key}": Subnet(
            f"subnet-{name}.{key}", vpc_id, f"{REGION}{zone}", IPv4Network(cidr)
        )
        for key, (cidr, zone) in subnets.items()
    }
    local = route(block, "local", origin=RouteOrigin.TABLE)
    table = RouteTable(f"rtb-{name}", vpc_id, True, (), (), {}, (local, *routes))
    acl = NetworkAcl(
        f"acl-{name}", vpc_id, tuple(known), {}, (allow(1000), allow(1000, egress=True))
    )
    group = SecurityGroup(f"sg-{name}", name, vpc_id, (admits("0.0.0.0/0", (22, 22)),), ANYWHERE)
    first = next(iter(known.values()))
    interface = (
        NetworkInterface(f"eni-{name}", first.id, first.zone, (ip_address(instance),), (group.id,))
        if instance
        else None
    )
    endpoint = Endpoint(
        f"vpce-{name}",
        EndpointType.INTERFACE,
        vpc_id,
        f"com.amazonaws.vpce.{REGION}.vpce-svc-0123456789abcdef0",
        "available",
        security_group_ids=(group.id,),
        network_interface_ids=(f"eni-{name}",),
    )
    return Snapshot(
        scope=Scope(account, REGION, vpc_id),
        observed_at=NOW,
        vpc=Vpc(vpc_id, (IPv4Network(block),), owner=account),
        subnets=known,
        route_tables={table.id: table},
        endpoints={endpoint.id: endpoint},
        security_groups={group.id: group},
        network_acls={acl.id: acl},
        network_interfaces={interface.id: interface} if interface else {},
    )


def attach(vpc: Snapshot, gateway: str, table: str, *, subnet: str = "") -> TransitAttachment:
    """Attach a VPC to a gateway with one subnet, associated with a table or with none."""
    name = vpc.vpc.id.removeprefix("vpc-")
    subnet_id = f"subnet-{name}.{subnet}" if subnet else next(iter(vpc.subnets))
    return TransitAttachment(
        f"tgw-attach-{name}-{gateway}",
        gateway,
        AttachmentKind.VPC,
        vpc.vpc.id,
        vpc.scope.account,
        "available",
        table,
        (subnet_id,),
    )


def build_network(
    vpcs: Iterable[Snapshot],
    attachments: Iterable[TransitAttachment] = (),
    tables: Iterable[TransitRouteTable] = (),
    peerings: Iterable[VpcPeering] = (),
) -> Network:
    """Build a network all of whose accounts are read."""
    listed, attached = list(vpcs), list(attachments)
    return Network(
        {each.vpc.id.removeprefix("vpc-"): each for each in listed},
        SharedNetwork(
            REGION,
            NOW,
            accounts=frozenset(each.scope.account for each in listed),
            gateways={each.gateway_id: TransitGateway(each.gateway_id, BAT) for each in attached},
            attachments={each.id: each for each in attached},
            tables={each.id: each for each in tables},
            peerings={each.id: each for each in peerings},
            central_vpcs={each.vpc.id: each for each in listed},
        ),
    )


def propagate(*attached: tuple[Snapshot, TransitAttachment]) -> tuple[TransitRoute, ...]:
    """Build the routes that attachments propagate."""
    return tuple(
        TransitRoute(vpc.vpc.cidrs[0], None, (each.id,), static=False) for vpc, each in attached
    )


def build_transit_gateway(*, tables: int = 1, accounts: tuple[str, str] = (BAT, BAT)) -> Network:
    """Build two VPCs on one gateway: A has a subnet in a zone that the attachment lacks.

    With two tables, each VPC is associated with one and propagates to the other.
    """
    a = build_vpc(
        "a",
        "10.10.0.0/16",
        {"1": ("10.10.10.0/24", "a"), "2": ("10.10.20.0/24", "b")},
        [route("192.168.0.0/16", "tgw-1")],
        instance="10.10.10.157",
        account=accounts[0],
    )
    b = build_vpc(
        "b",
        "192.168.0.0/16",
        {"1": ("192.168.1.0/24", "a")},
        [route("10.10.0.0/16", "tgw-1"), route("0.0.0.0/0", "igw-b")],
        instance="192.168.1.106",
        account=accounts[1],
    )
    names = ("tgw-rtb-a", "tgw-rtb-b") if tables == 2 else ("tgw-rtb", "tgw-rtb")
    of_a, of_b = attach(a, "tgw-1", names[0]), attach(b, "tgw-1", names[1])
    routes = propagate((b, of_b)), propagate((a, of_a))
    listed = (
        [TransitRouteTable(name, "tgw-1", found) for name, found in zip(names, routes, strict=True)]
        if tables == 2
        else [TransitRouteTable("tgw-rtb", "tgw-1", (*routes[0], *routes[1]))]
    )
    return build_network([a, b], [of_a, of_b], listed)


def build_asymmetric() -> Network:
    """Build two VPCs on two gateways: one for each direction."""
    bat = build_vpc(
        "bat",
        "10.1.0.0/16",
        {"1": ("10.1.1.0/24", "a")},
        [route("0.0.0.0/0", "igw-bat"), route("10.2.0.0/16", "tgw-bat")],
        instance="10.1.1.100",
    )
    fish = build_vpc(
        "fish",
        "10.2.0.0/16",
        {"1": ("10.2.1.0/24", "a")},
        [route("0.0.0.0/0", "igw-fish"), route("10.1.0.0/16", "tgw-fish")],
        instance="10.2.1.100",
    )
    attached = {
        (vpc.vpc.id, gateway): attach(
            vpc, gateway, f"tgw-rtb-{gateway}" if gateway[4:] == vpc.vpc.id[4:] else ""
        )
        for vpc in (bat, fish)
        for gateway in ("tgw-bat", "tgw-fish")
    }
    tables = [
        TransitRouteTable(
            f"tgw-rtb-{gateway}", gateway, propagate((vpc, attached[vpc.vpc.id, gateway]))
        )
        for gateway, vpc in (("tgw-bat", fish), ("tgw-fish", bat))
    ]
    return build_network([bat, fish], attached.values(), tables)


def build_peered_gateways() -> Network:
    """Build two gateways with a peering, and the mistakes that the test made on purpose."""
    to_fish = [route("192.168.0.0/16", "tgw-bat")]
    bat = build_vpc(
        "bat",
        "10.10.0.0/16",
        {"1": ("10.10.1.0/24", "a")},
        [route("0.0.0.0/0", "igw-bat"), *to_fish],
        instance="10.10.1.100",
    )
    bat2 = build_vpc(
        "bat2",
        "10.20.0.0/16",
        {"1": ("10.20.1.0/24", "a")},
        [route("0.0.0.0/0", "igw-bat2"), *to_fish],
        instance="10.20.1.100",
    )
    fish = build_vpc(
        "fish", "192.168.0.0/16", {"1": ("192.168.1.0/24", "a")},
        [route("10.10.0.0/16", "tgw-fish"), route("10.20.0.0/16", "tgw-fish")],
        instance="192.168.1.100", account=FISH,
    )  # fmt: skip
    ends = {
        gateway: TransitAttachment(
            f"tgw-attach-peer-{gateway}",
            gateway,
            AttachmentKind.PEERING,
            other,
            owner,
            "available",
            table,
            peer=TransitPeer(other, f"tgw-attach-peer-{other}", REGION, owner),
        )
        for gateway, other, owner, table in (
            ("tgw-bat", "tgw-fish", FISH, "tgw-rtb-bat-default"),
            ("tgw-fish", "tgw-bat", BAT, "tgw-rtb-fish-default"),
        )
    }
    of_bat = attach(bat, "tgw-bat", "tgw-rtb-bat-default")
    of_bat2 = attach(bat2, "tgw-bat", "tgw-rtb-bat2")
    of_fish = attach(fish, "tgw-fish", "tgw-rtb-fish-default")
    tables = [
        TransitRouteTable("tgw-rtb-bat-default", "tgw-bat", propagate((bat, of_bat))),
        TransitRouteTable(
            "tgw-rtb-bat2",
            "tgw-bat",
            (
                *propagate((bat2, of_bat2)),
                TransitRoute(ip_network("192.168.0.0/16"), None, (ends["tgw-bat"].id,)),
            ),
        ),
        TransitRouteTable(
            "tgw-rtb-fish-default",
            "tgw-fish",
            (
                *propagate((fish, of_fish)),
                TransitRoute(ip_network("10.20.0.0/16"), None, (ends["tgw-fish"].id,)),
            ),
        ),
    ]
    return build_network([bat, bat2, fish], [of_bat, of_bat2, of_fish, *ends.values()], tables)


def build_vpc_peering() -> Network:
    """Build a VPC that is peered with two others of the same block."""
    a = build_vpc(
        "a",
        "10.10.0.0/16",
        {"1": ("10.10.10.0/24", "a")},
        [route("192.168.1.0/24", "pcx-b"), route("192.168.2.0/24", "pcx-c")],
        instance="10.10.10.157",
    )
    b = build_vpc(
        "b",
        "192.168.0.0/16",
        {"1": ("192.168.1.0/24", "a")},
        [route("10.10.0.0/16", "pcx-b"), route("0.0.0.0/0", "igw-b", blackhole=True)],
        instance="192.168.1.106",
    )
    c = build_vpc(
        "c", "192.168.0.0/16", {"1": ("192.168.2.0/24", "a")},
        [route("10.10.0.0/16", "pcx-c")], instance="192.168.2.10",
    )  # fmt: skip
    sides = {each.vpc.id: PeeredVpc(each.vpc.id, BAT, REGION, each.vpc.cidrs) for each in (a, b, c)}
    peerings = [
        VpcPeering(f"pcx-{name}", sides["vpc-a"], sides[f"vpc-{name}"]) for name in ("b", "c")
    ]
    return build_network([a, b, c], peerings=peerings)


NETWORKS = {
    "transit gateway": build_transit_gateway(),
    "multi-table": build_transit_gateway(tables=2),
    "multi-account": build_transit_gateway(accounts=(BAT, FISH)),
    "asymmetric paths": build_asymmetric(),
    "peered gateways": build_peered_gateways(),
    "VPC peering": build_vpc_peering(),
}


@pytest.mark.parametrize(
    ("network", "start", "to", "wanted", "gateways"),
    [
        ("transit gateway", "a.1", "192.168.1.106", "b", ["tgw-1"]),
        ("transit gateway", "b.1", "10.10.10.157", "a", ["tgw-1"]),
        ("multi-table", "a.1", "192.168.1.106", "b", ["tgw-1"]),
        ("multi-table", "b.1", "10.10.10.157", "a", ["tgw-1"]),
        ("multi-account", "a.1", "192.168.1.106", "b", ["tgw-1"]),
        ("multi-account", "b.1", "10.10.10.157", "a", ["tgw-1"]),
        ("asymmetric paths", "bat.1", "10.2.1.100", "fish", ["tgw-bat"]),
        ("asymmetric paths", "fish.1", "10.1.1.100", "bat", ["tgw-fish"]),
        ("peered gateways", "bat2.1", "192.168.1.100", "fish", ["tgw-bat", "tgw-fish"]),
        ("VPC peering", "a.1", "192.168.1.106", "b", []),
        ("VPC peering", "a.1", "192.168.2.10", "c", []),
        ("VPC peering", "b.1", "10.10.10.157", "a", []),
    ],
)
def test_traffic_arrives_by_the_gateways_that_batfish_names(
    network: str, start: str, to: str, wanted: str, gateways: list[str]
) -> None:
    """The gateways are those of Batfish's trace, in its order."""
    chosen = NETWORKS[network]
    branch = chosen.send(start, to, wanted)
    assert branch.entry
    assert not branch.broken
    assert chosen.list_gateways(branch) == gateways


@pytest.mark.parametrize(
    ("network", "start", "to", "wanted", "gateways", "kind", "subject"),
    [
        (
            *("transit gateway", "a.2", "192.168.1.106", "b", []),
            *(StepKind.ATTACHMENT, "tgw-attach-a-tgw-1"),
        ),
        (
            *("peered gateways", "bat.1", "192.168.1.100", "fish", ["tgw-bat"]),
            *(StepKind.TRANSIT_ROUTE, "tgw-rtb-bat-default"),
        ),
        (
            *("peered gateways", "fish.1", "10.10.1.100", "bat", ["tgw-fish"]),
            *(StepKind.TRANSIT_ROUTE, "tgw-rtb-fish-default"),
        ),
        (
            *("peered gateways", "fish.1", "10.20.1.100", "bat2", ["tgw-fish", "tgw-bat"]),
            *(StepKind.TRANSIT_ROUTE, "tgw-rtb-bat-default"),
        ),
        ("VPC peering", "a.1", "192.168.100.1", "b", [], StepKind.ROUTE, "rtb-a"),
    ],
)
def test_traffic_stops_where_batfish_says(  # noqa: PLR0917 - a trace
    network: str,
    start: str,
    to: str,
    wanted: str,
    gateways: list[str],
    kind: StepKind,
    subject: str,
) -> None:
    """The last step is broken, and names what Batfish's trace ends at."""
    chosen = NETWORKS[network]
    branch = chosen.send(start, to, wanted)
    last = branch.steps[-1]
    assert branch.entry is None
    assert (last.status, last.kind, last.subject) == (StepStatus.BROKEN, kind, subject)
    assert chosen.list_gateways(branch) == gateways


@pytest.mark.parametrize(
    ("network", "start", "wanted"),
    [
        ("multi-account", "a.1", "b"),
        ("multi-account", "b.1", "a"),
        ("asymmetric paths", "bat.1", "fish"),
        ("asymmetric paths", "fish.1", "bat"),
        ("VPC peering", "a.1", "b"),
    ],
)
def test_ssh_is_accepted_there_and_back(network: str, start: str, wanted: str) -> None:
    """The instances' security groups admit SSH, as Batfish's trace of two accounts shows."""
    chosen = NETWORKS[network]
    snapshot = chosen.vpcs[start.partition(".")[0]]
    subnet = snapshot.subnets[f"subnet-{start}"]
    (path,) = trace_central_paths(snapshot, subnet, f"vpce-{wanted}", chosen.shared, SSH)
    assert path.status is StepStatus.HOLDS


def test_a_subnet_without_attachment_in_its_zone_does_not_answer() -> None:
    """Batfish drops traffic to the subnet; AWS delivers it, and drops the answer."""
    network = NETWORKS["transit gateway"]
    a, b = network.vpcs["a"], network.vpcs["b"]
    moved = replace(
        a.network_interfaces["eni-a"],
        subnet_id="subnet-a.2",
        zone=f"{REGION}b",
        addresses=(ip_address("10.10.20.154"),),
    )
    hub = replace(a, network_interfaces={moved.id: moved})
    shared = replace(network.shared, central_vpcs={"vpc-a": hub})
    (path,) = trace_central_paths(b, b.subnets["subnet-b.1"], "vpce-a", shared, SSH)
    assert path.deciding
    assert path.deciding.kind is StepKind.RETURN_ROUTE
    assert path.deciding.subject == "tgw-attach-a-tgw-1"


def test_a_gateway_in_another_region_is_not_followed() -> None:
    """In truth, the two gateways are in two Regions."""
    network = NETWORKS["peered gateways"]
    own = network.shared.attachments["tgw-attach-peer-tgw-bat"]
    assert own.peer
    abroad = replace(own, peer=replace(own.peer, region="us-west-1"))
    kept = {
        key: each
        for key, each in network.shared.attachments.items()
        if each.gateway_id == "tgw-bat"
    }
    shared = replace(network.shared, attachments={**kept, own.id: abroad})
    branch = Network(network.vpcs, shared).send("bat2.1", "192.168.1.100", "fish")
    last = branch.steps[-1]
    assert last.status is StepStatus.UNKNOWN
    assert "us-west-1" in last.missing
