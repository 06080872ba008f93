"""What network ACLs block, within the work that is left; each answer is computed once."""

from __future__ import annotations

from posture.analysis.acls import SelectedEntries
from posture.analysis.addresses import AddressSet
from posture.analysis.gate_work import GateWork
from posture.analysis.gates import (
    RETURNING,
    Gate,
    Obstacle,
    find_forward_obstacles,
    find_return_obstacles,
    select_entries,
)
from posture.model.network import NetworkAcl


class AclGates:
    """The gates of network ACLs; what does not depend on the service's port is computed once."""

    def __init__(self, work: GateWork) -> None:
        """Take the work from this."""
        self.work = work
        self._selected: dict[tuple[str, Gate, AddressSet], SelectedEntries] = {}
        self._returning: dict[tuple[str, Gate, AddressSet, AddressSet], list[Obstacle]] = {}

    def find_obstacles(
        self, acl: NetworkAcl, gate: Gate, peers: AddressSet, sources: AddressSet, port: int
    ) -> list[Obstacle] | None:
        """Find what an ACL blocks at a gate; None if it takes more work than is left."""
        key = acl.id, gate, peers, sources
        if key in self._returning:
            return self._returning[key]
        selected = self._select(acl, gate, peers)
        if selected is None:
            return None
        returning = gate in RETURNING
        comparisons = selected.count_comparisons() if returning else len(selected.entries)
        if not self.work.take(comparisons, name_entries(acl)):
            return None
        if not returning:
            return list(find_forward_obstacles(acl, gate, selected, sources, port))
        self._returning[key] = list(find_return_obstacles(acl, gate, selected, sources))
        return self._returning[key]

    def _select(self, acl: NetworkAcl, gate: Gate, peers: AddressSet) -> SelectedEntries | None:
        key = acl.id, gate, peers
        if key not in self._selected:
            if not self.work.take(len(acl.entries), name_entries(acl)):
                return None
            self._selected[key] = select_entries(acl, gate, peers)
        return self._selected[key]

    def allows_returning(self, acl: NetworkAcl) -> bool:
        """Take the work of comparing all client ports with an ACL; return whether it is left."""
        count = len(acl.entries) // 2  # of each direction
        return self.work.take(count * (2 * count + 1), name_entries(acl))


def name_entries(acl: NetworkAcl) -> str:
    """Name the entries of an ACL as what takes work."""
    return f"the {len(acl.entries)} entries of {acl.id}"
