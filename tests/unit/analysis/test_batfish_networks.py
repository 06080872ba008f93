"""Networks that Batfish pulled from real accounts, with the traces that its tests expect.

The addresses, tables and associations are those of the folders `test-transit-gateway`,
`-multi-table`, `-multi-account`, `-asymmetric-paths`, `-peering` and `test-vpc-peering` of
https://github.com/batfish/batfish/tree/master/projects/batfish/src/test/resources/org/batfish/representation/aws
(Apache License 2.0); the expected traces are those of the tests `AwsConfigurationTransitGateway*`
and `AwsConfigurationVpcPeeringTest` there. Both ends of a peering are given, as if in one Region.
"""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from network_builders import ACCOUNT, REGION, route
from posture.analysis.central.answers import StepKind, StepStatus
from posture.analysis.central.paths import trace_central_paths
from posture.model.shared_network import (
    AttachmentKind,
    PeeredVpc,
    TransitAttachment,
    TransitPeer,
    TransitRoute,
    TransitRouteTable,
    VpcPeering,
)
from transit_builders import Network, attach, build_network, build_vpc, propagate

BAT, FISH = ACCOUNT, "804819755326"
SSH = ((22, 22),)


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
