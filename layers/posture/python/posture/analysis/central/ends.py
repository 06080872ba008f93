"""The VPCs at the ends of a path, with their analyses."""

from __future__ import annotations

from dataclasses import field

from posture.analysis.identity import cache_by_identity
from posture.analysis.paths import PathFinder
from posture.analysis.reachability import Reachability
from posture.analysis.security_groups import AllowedPeers, find_allowed_peers
from posture.lean_dataclass import dataclass
from posture.model.network import Snapshot


@dataclass(frozen=True, slots=True)
class VpcEnd:
    """A VPC at one end of a path, with its analyses."""

    snapshot: Snapshot
    paths: PathFinder
    reachability: Reachability
    _allowed: dict[tuple[tuple[str, ...], int], AllowedPeers] = field(
        default_factory=dict, repr=False, compare=False
    )

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

    def find_allowed_sources(self, group_ids: tuple[str, ...], port: int) -> AllowedPeers:
        """Find what the inbound rules of those groups that were read allow, once for all flows."""
        key = group_ids, port
        if key not in self._allowed:
            known = self.snapshot.security_groups
            groups = [known[each] for each in group_ids if each in known]
            self._allowed[key] = find_allowed_peers(groups, self.snapshot.prefix_lists, port=port)
        return self._allowed[key]


@cache_by_identity(maxsize=32)
def get_end(snapshot: Snapshot) -> VpcEnd:
    """Return a VPC with its analyses, built once for all VPCs that have paths to it."""
    return VpcEnd(snapshot, PathFinder(snapshot), Reachability(snapshot))
