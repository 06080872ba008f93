"""The way that traffic takes out of a subnet: what it is, and where it ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from posture.analysis.addresses import AddressSet
from posture.model.network import Route


class PathKind(StrEnum):
    """The ways out of a subnet."""

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


# The ways that end in the internet.
INTERNET = frozenset(
    {PathKind.INTERNET_GATEWAY, PathKind.EGRESS_ONLY_GATEWAY, PathKind.CARRIER_GATEWAY}
)
# The ways into another network, whose own routes decide what becomes of the traffic.
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
    """The way that some of a destination's addresses take.

    `target` is the id of what the route points to, "" where there is no route. `onward` are the
    ways a NAT gateway's own subnet takes with these addresses. `why` tells what makes it unknown,
    or drops it where no route does.
    """

    addresses: AddressSet
    kind: PathKind
    target: str = ""
    route: Route | None = None
    onward: tuple[Path, ...] = ()
    why: str = ""

    @property
    def to_internet(self) -> AddressSet:
        """The addresses that are reached over the internet this way."""
        if self.kind in INTERNET:
            return self.addresses
        return AddressSet.union(way.to_internet for way in self.onward)
