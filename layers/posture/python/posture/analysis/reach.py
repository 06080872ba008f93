"""Whether a subnet reaches an endpoint's network interface: the answer, and what stops it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from posture.analysis.addresses import NOTHING, AddressSet
from posture.analysis.gates import Obstacle
from posture.model.network import NetworkInterface


class ReachStatus(StrEnum):
    """Whether a subnet reaches an interface."""

    YES = "yes"
    PARTLY = "partly"  # some addresses of the subnet, or some of the client's ports
    NO = "no"
    BY_SECURITY_GROUP = "if grouped"  # only workloads that have one of certain security groups
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reach:
    """How a subnet reaches one interface: `reaching` of all its `sources`, the rest by obstacle.

    `stopped` are the sources that certainly do not reach it. `groups` are those of which a workload
    must have one; `unread` says what could not be read.
    """

    interface: NetworkInterface
    sources: AddressSet
    reaching: AddressSet
    stopped: AddressSet = NOTHING
    obstacles: tuple[Obstacle, ...] = ()
    groups: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()

    @property
    def answer(self) -> ReachStatus:
        """The whole in a word; a stop that is certain outweighs what is not known."""
        if self.stopped >= self.sources:
            return ReachStatus.NO
        if self.unread:
            return ReachStatus.UNKNOWN
        if self.reaching == self.sources and not self.obstacles:
            return ReachStatus.YES
        if self.reaching or self.stopped:
            return ReachStatus.PARTLY
        return ReachStatus.BY_SECURITY_GROUP if self.groups else ReachStatus.NO
