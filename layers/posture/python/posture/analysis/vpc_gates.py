"""What the reachability on all ports of a VPC shares: ACLs, their answers, and the work left."""

from __future__ import annotations

from posture.analysis.acl_gates import AclGates
from posture.analysis.acls import find_unrestricted_versions
from posture.analysis.addresses import AddressSet
from posture.analysis.detours import Detour
from posture.analysis.gate_work import GateWork
from posture.analysis.gates import Obstacle
from posture.model.network import Address, Snapshot


class VpcGates(AclGates):
    """The gates of a VPC."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Index the ACLs by subnet."""
        super().__init__(GateWork())
        acls = snapshot.network_acls.values()
        self.acls = {subnet_id: acl for acl in acls for subnet_id in acl.subnet_ids}
        self.unrestricted = {acl.id: find_unrestricted_versions(acl) for acl in acls}
        self.sources: dict[tuple[str, frozenset[int]], AddressSet] = {}
        self.detours: dict[str, tuple[Detour, ...]] = {}
        self.gate_keys: dict[str, tuple[str, str]] = {}
        self.addresses: dict[tuple[str, tuple[Address, ...]], AddressSet] = {}
        self.outbound: dict[tuple[str, AddressSet], tuple[Obstacle, ...]] = {}
