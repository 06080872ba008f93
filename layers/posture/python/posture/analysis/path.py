"""The path that traffic takes out of a subnet."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from posture.analysis.addresses import AddressSet
from posture.lean_dataclass import dataclass
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
# What forwards traffic by rules of its own must be followed; where it is not, nothing is known.
UNKNOWN_ENDS = frozenset(
    {
        PathKind.UNKNOWN,
        PathKind.OTHER_ENDPOINT,
        PathKind.LOAD_BALANCER_ENDPOINT,
        PathKind.APPLIANCE,
        PathKind.NAT_GATEWAY,
    }
)
DROPPED = frozenset({PathKind.NONE, PathKind.BLACKHOLE})


@dataclass(frozen=True, slots=True)
class Path:
    """The path that traffic to some addresses of a destination takes.

    `target` is the id of the route's target, "" without a route, and `table_id` that of the route
    table. `onward` are the paths that the traffic takes behind a NAT gateway, a Gateway Load
    Balancer endpoint or an appliance, out of its subnet; those of several subnets, one of which
    the traffic takes, hold the same addresses. `why` is the reason why the path is unknown, or why
    the traffic is dropped although no route is a blackhole.
    """

    addresses: AddressSet
    kind: PathKind
    target: str = ""
    route: Route | None = None
    onward: tuple[Path, ...] = ()
    why: str = ""
    table_id: str = ""

    @property
    def hops(self) -> Iterator[Path]:
        """The path itself and every path behind it."""
        yield self
        for path in self.onward:
            yield from path.hops

    @property
    def ends(self) -> Iterator[Path]:
        """The paths behind which none is known."""
        return (hop for hop in self.hops if not hop.onward)

    @property
    def is_unknown(self) -> bool:
        """Whether it is not known where some of the traffic ends."""
        return any(end.kind in UNKNOWN_ENDS for end in self.ends)

    @property
    def to_internet(self) -> AddressSet:
        """The addresses that the path reaches over the internet."""
        if self.kind in INTERNET:
            return self.addresses
        return AddressSet.union(path.to_internet for path in self.onward)
