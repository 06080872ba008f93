"""How a subnet reaches one network interface of an endpoint."""

from __future__ import annotations

from enum import StrEnum

from posture.analysis.addresses import NOTHING, AddressSet
from posture.analysis.gates import Obstacle
from posture.lean_dataclass import dataclass
from posture.model.network import NetworkInterface

PortRange = tuple[int, int]  # the first and the last


class ReachStatus(StrEnum):
    """Whether a subnet reaches an interface."""

    YES = "yes"
    PARTLY = "partly"  # from some addresses of the subnet, or on some client ports
    NO = "no"
    BY_SECURITY_GROUP = "only from certain security groups"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reach:
    """How a subnet reaches one interface: `reaching` are those of its `sources` that do.

    `stopped` are the sources that certainly do not; `obstacles` block them. `groups` are security
    groups of which a workload needs one; `unread` describes what could not be determined. `ports`
    are the ranges of TCP ports that this is the answer for.
    """

    interface: NetworkInterface
    sources: AddressSet
    reaching: AddressSet
    stopped: AddressSet = NOTHING
    obstacles: tuple[Obstacle, ...] = ()
    groups: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
    ports: tuple[PortRange, ...] = ((443, 443),)

    @property
    def status(self) -> ReachStatus:
        """The whole in a word; a certain obstacle outweighs what could not be read."""
        if self.stopped >= self.sources and (self.sources or not self.unread):
            return ReachStatus.NO
        if self.unread:
            return ReachStatus.UNKNOWN
        if self.reaching == self.sources and not self.obstacles:
            return ReachStatus.YES
        if self.reaching or self.stopped:
            return ReachStatus.PARTLY
        return ReachStatus.BY_SECURITY_GROUP if self.groups else ReachStatus.NO
