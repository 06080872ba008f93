"""The VPCs at the ends of a path, with their analyses."""

from __future__ import annotations

from posture.analysis.central.identity import cache_by_identity
from posture.analysis.paths import PathFinder
from posture.analysis.reachability import Reachability
from posture.lean_dataclass import dataclass
from posture.model.network import Snapshot


@dataclass(frozen=True, slots=True)
class VpcEnd:
    """A VPC at one end of a path, with its analyses."""

    snapshot: Snapshot
    paths: PathFinder
    reachability: Reachability

    @property
    def account(self) -> str:
        """The account that the VPC was read in."""
        return self.snapshot.scope.account

    @property
    def owner(self) -> str:
        """The account that owns the VPC, whose subnets it may share with the one above."""
        return self.snapshot.vpc.owner or self.account

    @property
    def vpc_id(self) -> str:
        """The id of the VPC."""
        return self.snapshot.vpc.id


@cache_by_identity(maxsize=32)
def get_end(snapshot: Snapshot) -> VpcEnd:
    """Return a VPC with its analyses, built once for all VPCs that have paths to it."""
    return VpcEnd(snapshot, PathFinder(snapshot), Reachability(snapshot))
