"""What keeps a VPC from a central endpoint, and what is known about both ends."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from posture.analysis.central.answers import CentralPath, CentralStep, StepKind
from posture.analysis.central.attachments import is_working
from posture.edits.edit import Edit
from posture.lean_dataclass import dataclass
from posture.model.network import Network, Snapshot, Subnet
from posture.model.shared_network import (
    AttachmentKind,
    SharedNetwork,
    SharedVpc,
    TransitAttachment,
)
from posture.rules.central.use import CentralUse
from posture.rules.contexts import VpcContext
from posture.rules.trial import get_network

Plan = tuple[Edit, ...]


@dataclass(frozen=True)
class Problem:
    """A use of central endpoints whose deciding step does not hold."""

    vpc: VpcContext
    use: CentralUse

    @property
    def snapshot(self) -> Snapshot:
        """The VPC that uses the endpoints."""
        return self.vpc.snapshot

    @property
    def shared(self) -> SharedNetwork | None:
        """The network that VPCs share, all of it."""
        return get_network(self.vpc)

    @property
    def step(self) -> CentralStep | None:
        """The step that decides."""
        return self.use.deciding

    @property
    def is_back(self) -> bool:
        """Whether the step concerns return traffic."""
        return self.step is not None and self.step.kind is StepKind.RETURN_ROUTE

    @cached_property
    def path(self) -> CentralPath | None:
        """A path that the step decides; None if names decide."""
        return next((path for _, path in self._paths if self.step in path.steps), None)

    @cached_property
    def subnets(self) -> tuple[Subnet, ...]:
        """The subnets whose paths the step decides."""
        ids = dict.fromkeys(name for name, path in self._paths if self.step in path.steps)
        return tuple(self.snapshot.subnets[each] for each in ids)

    @property
    def _paths(self) -> list[tuple[str, CentralPath]]:
        return [(name, path) for name, found in self.use.paths.items() for path in found]

    @property
    def far(self) -> Snapshot | None:
        """The VPC of the endpoint that the path leads to."""
        if self.path is None or self.shared is None:
            return None
        return self.shared.central_vpcs.get(self.path.vpc_id)

    @property
    def own_vpc(self) -> SharedVpc | None:
        """The VPC as the shared network has it."""
        return self.shared.vpcs.get(self.snapshot.vpc.id) if self.shared else None

    def list_far_blocks(self) -> tuple[Network, ...]:
        """List the CIDR blocks of the endpoint's VPC that hold the interface."""
        addresses = self.path.interface.addresses if self.path else ()
        return tuple(
            each for each in list_blocks(self.far) if any(address in each for address in addresses)
        )

    def list_own_blocks(self) -> tuple[Network, ...]:
        """List the CIDR blocks of the VPC that hold the subnets, of the interface's IP versions."""
        addresses = self.path.interface.addresses if self.path else ()
        versions = {each.version for each in addresses} or {4}
        held = [block for each in self.subnets for block in each.blocks]
        return tuple(
            each
            for each in list_blocks(self.snapshot)
            if each.version in versions
            and any(it.version == each.version and it.subnet_of(each) for it in held)  # type: ignore[arg-type]
        )


@dataclass(frozen=True, slots=True)
class Ends:
    """Where traffic comes from and goes to: there, or back."""

    shared: SharedNetwork
    source: Snapshot
    subnets: tuple[Subnet, ...]  # that it comes from
    destination: Snapshot
    blocks: tuple[Network, ...]  # that it goes to

    @classmethod
    def of(cls, problem: Problem) -> Ends | None:
        """Return the ends of the traffic that a problem is about, if both are known."""
        far, path, shared = problem.far, problem.path, problem.shared
        if far is None or path is None or shared is None:
            return None
        if not problem.is_back:
            return cls(shared, problem.snapshot, problem.subnets, far, problem.list_far_blocks())
        held = far.subnets.get(path.interface.subnet_id)
        own = problem.list_own_blocks()
        return cls(shared, far, (held,) if held else (), problem.snapshot, own)


def list_attachments(shared: SharedNetwork, vpc_id: str) -> Iterator[TransitAttachment]:
    """List the working attachments of a VPC."""
    for _, each in sorted(shared.attachments.items()):
        if each.kind is AttachmentKind.VPC and each.resource_id == vpc_id and is_working(each):
            yield each


def list_blocks(snapshot: Snapshot | None) -> tuple[Network, ...]:
    """List all CIDR blocks of a VPC."""
    if snapshot is None:
        return ()
    return (*snapshot.vpc.cidrs, *snapshot.vpc.ipv6_cidrs)
