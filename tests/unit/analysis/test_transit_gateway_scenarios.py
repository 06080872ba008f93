"""The example scenarios of the transit gateway guide, with the tables that it gives.

https://docs.aws.amazon.com/vpc/latest/tgw/TGW_Scenarios.html
"""

from ipaddress import ip_network

import pytest

from network_builders import ACCOUNT, route
from posture.analysis.central.answers import StepKind, StepStatus
from posture.analysis.central.paths import trace_central_paths
from posture.model.network import Snapshot
from posture.model.shared_network import (
    AttachmentKind,
    TransitAttachment,
    TransitRoute,
    TransitRouteTable,
)
from transit_builders import Network, attach, build_network, build_vpc, propagate

HTTPS = ((22, 22),)  # the port that the builders' groups admit
ANYWHERE = "0.0.0.0/0"
ON_PREMISES = "10.99.99.0/24"


def build_vpcs(*names: str) -> dict[str, Snapshot]:
    """Build VPCs 10.1.0.0/16, 10.2.0.0/16 and so on, that route all else to the gateway."""
    return {
        name: build_vpc(
            name,
            f"10.{number}.0.0/16",
            {"1": (f"10.{number}.1.0/24", "a")},
            [route(ANYWHERE, "tgw-1")],
            instance=f"10.{number}.1.10",
        )
        for number, name in enumerate(names, 1)
    }


def build_vpn(table: str) -> TransitAttachment:
    """Build the attachment of a VPN connection."""
    return TransitAttachment(
        "tgw-attach-vpn", "tgw-1", AttachmentKind.VPN, "vpn-1", ACCOUNT, "available", table
    )


def to_vpn() -> TransitRoute:
    """Build the route that the VPN connection propagates."""
    return TransitRoute(ip_network(ON_PREMISES), None, ("tgw-attach-vpn",), static=False)


def build_centralized_router() -> Network:
    """Build one table that all attachments are associated with, and propagate to."""
    vpcs = build_vpcs("a", "b", "c")
    attached = {name: attach(each, "tgw-1", "tgw-rtb-1") for name, each in vpcs.items()}
    routes = propagate(*((each, attached[name]) for name, each in vpcs.items()))
    table = TransitRouteTable("tgw-rtb-1", "tgw-1", (*routes, to_vpn()))
    return build_network(vpcs.values(), [*attached.values(), build_vpn(table.id)], [table])


def build_isolated_with_shared_services() -> Network:
    """Build three VPCs that reach the fourth and the VPN connection, and not each other."""
    vpcs = build_vpcs("a", "b", "c", "d")
    attached = {
        name: attach(each, "tgw-1", "tgw-rtb-2" if name == "d" else "tgw-rtb-1")
        for name, each in vpcs.items()
    }
    routes = {name: propagate((each, attached[name])) for name, each in vpcs.items()}
    tables = [
        TransitRouteTable("tgw-rtb-1", "tgw-1", (to_vpn(), *routes["d"])),
        TransitRouteTable(
            "tgw-rtb-2", "tgw-1", (*routes["a"], *routes["b"], *routes["c"], *routes["d"])
        ),
    ]
    return build_network(vpcs.values(), [*attached.values(), build_vpn("tgw-rtb-2")], tables)


def build_appliance() -> Network:
    """Build two VPCs whose traffic passes an appliance in a third one."""
    vpcs = build_vpcs("a", "b", "c")
    attached = {
        name: attach(each, "tgw-1", "tgw-rtb-2" if name == "c" else "tgw-rtb-1")
        for name, each in vpcs.items()
    }
    through = TransitRoute(ip_network(ANYWHERE), None, (attached["c"].id,))
    back = propagate(*((vpcs[name], attached[name]) for name in "ab"))
    tables = [
        TransitRouteTable("tgw-rtb-1", "tgw-1", (through,)),
        TransitRouteTable("tgw-rtb-2", "tgw-1", back),
    ]
    return build_network(vpcs.values(), attached.values(), tables)


def decide(network: Network, start: str, to: str) -> tuple[StepStatus, StepKind | None]:
    """Return the status of the path between two VPCs, and the step that decides."""
    snapshot = network.vpcs[start]
    subnet = snapshot.subnets[f"subnet-{start}.1"]
    (path,) = trace_central_paths(snapshot, subnet, f"vpce-{to}", network.shared, HTTPS)
    return path.status, path.deciding.kind if path.deciding else None


@pytest.mark.parametrize(("start", "to"), [("a", "b"), ("b", "c"), ("c", "a")])
def test_a_centralized_router_connects_all(start: str, to: str) -> None:
    """One table has the routes of all.

    https://docs.aws.amazon.com/vpc/latest/tgw/transit-gateway-centralized-router.html
    """
    assert decide(build_centralized_router(), start, to) == (StepStatus.HOLDS, None)


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_isolated_vpcs_reach_shared_services(name: str) -> None:
    """And shared services reach them.

    https://docs.aws.amazon.com/vpc/latest/tgw/transit-gateway-isolated-shared.html
    """
    network = build_isolated_with_shared_services()
    assert decide(network, name, "d") == (StepStatus.HOLDS, None)
    assert decide(network, "d", name) == (StepStatus.HOLDS, None)


@pytest.mark.parametrize(("start", "to"), [("a", "b"), ("b", "c"), ("c", "a")])
def test_isolated_vpcs_do_not_reach_each_other(start: str, to: str) -> None:
    """Their table has no route to the others."""
    decided = decide(build_isolated_with_shared_services(), start, to)
    assert decided == (StepStatus.BROKEN, StepKind.TRANSIT_ROUTE)


def test_traffic_to_the_vpn_connection_ends_there() -> None:
    """What is on premises is not known."""
    branch = build_isolated_with_shared_services().send("a.1", "10.99.99.7", "d")
    assert branch.steps[-1].status is StepStatus.UNKNOWN
    assert "vpn-1" in branch.steps[-1].missing


def test_an_appliance_in_a_shared_services_vpc_decides_what_it_forwards() -> None:
    """The traffic passes the gateway twice.

    https://docs.aws.amazon.com/vpc/latest/tgw/transit-gateway-appliance-scenario.html
    """
    network = build_appliance()
    branch = network.send("a.1", "10.2.1.10", "b")
    assert branch.entry
    assert network.list_gateways(branch) == ["tgw-1", "tgw-1"]
    assert decide(network, "a", "b") == (StepStatus.UNKNOWN, StepKind.TRANSIT_ROUTE)
