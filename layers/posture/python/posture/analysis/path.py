"""The path that traffic takes out of a subnet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from posture.analysis.addresses import AddressSet
from posture.model.network import Route


class PathKind(StrEnum):
    """What a path leads to."""

    GATEWAY_ENDPOINT = "gateway endpoint"
    OTHER_ENDPOINT = "endpoint of another service"
    LOAD_BALANCER_ENDPOINT = "Gateway Load Balancer endpoint"
    NAT_GATEWAY = "NAT gateway"
    INTERNET_GATEWAY = "internet gateway"
    EGRESS_ONLY_GATEWAY = "egress-only internet gateway"
    TRANSIT_GATEWAY = "transit gateway"
    VIRTUAL_PRIVATE_GATEWAY = "virtual private gateway"
    PEERING = "peering connection"
    CARRIER_GATEWAY = "carrier gateway"
    LOCAL_GATEWAY = "local gateway"
    CORE_NETWORK = "core network"
    ODB_NETWORK = "Oracle Database network"
    APPLIANCE = "appliance"
    LOCAL = "local"
    BLACKHOLE = "blackhole"
    NONE = "no route"
    UNKNOWN = "unknown"


# These lead to the internet.
INTERNET = frozenset(
    {PathKind.INTERNET_GATEWAY, PathKind.EGRESS_ONLY_GATEWAY, PathKind.CARRIER_GATEWAY}
)
# These lead to another network, whose own routes decide what happens to the traffic.
OTHER_NETWORKS = frozenset(
    {
        PathKind.TRANSIT_GATEWAY,
        PathKind.VIRTUAL_PRIVATE_GATEWAY,
        PathKind.PEERING,
        PathKind.CORE_NETWORK,
        PathKind.LOCAL_GATEWAY,
        PathKind.ODB_NETWORK,
    }
)


@dataclass(frozen=True, slots=True)
class Path:
    """The path that traffic to some addresses of a destination takes.

    `target` is the id of the route's target, "" without a route. `onward` are the paths that the
    traffic takes behind a NAT gateway, out of its subnet. `why` is the reason why the path is
    unknown, or why the traffic is dropped although no route is a blackhole.
    """

    addresses: AddressSet
    kind: PathKind
    target: str = ""
    route: Route | None = None
    onward: tuple[Path, ...] = ()
    why: str = ""

    @property
    def to_internet(self) -> AddressSet:
        """The addresses that the path reaches over the internet."""
        if self.kind in INTERNET:
            return self.addresses
        return AddressSet.union(path.to_internet for path in self.onward)
