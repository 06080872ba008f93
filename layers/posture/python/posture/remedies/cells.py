"""What a change of a network does to the paths of its subnets. Pure.

A cell of the coverage matrix is lost where less of the subnet's traffic reaches the service than
before, or where it no longer reaches it through an endpoint only. What is not a covered service's
address has no cell: for it, the addresses count to which a subnet has no route any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from posture.analysis.addresses import AddressSet
from posture.analysis.coverage import Cell
from posture.analysis.path import DROPPED, UNKNOWN_ENDS, Path, PathKind
from posture.analysis.path_outcome import REACHED, PathOutcome
from posture.analysis.reach import Reach, ReachStatus
from posture.analysis.region_offers import get_region_offers
from posture.lean_dataclass import dataclass
from posture.model.network import Service, Snapshot
from posture.rules.contexts import VpcContext

PUBLIC = frozenset({PathOutcome.INTERNET, PathOutcome.OTHER_NETWORK, PathOutcome.PARTLY})
UNREACHED = frozenset({PathOutcome.BLOCKED, PathOutcome.NO_ROUTE})


@dataclass(frozen=True, slots=True)
class CellChange:
    """A cell of the coverage matrix before and after; None where it did not or does not exist."""

    subnet_id: str
    service: str  # its full name
    before: Cell | None
    after: Cell | None

    @property
    def is_lost(self) -> bool:
        """Whether less traffic reaches the service than before, or may, or less privately."""
        if self.before is None or self.after is None:
            return False
        if self.before.outcome in REACHED and self.after.outcome in PUBLIC:
            return True
        return _is_lost(self.before, self.after)


@dataclass(frozen=True, slots=True)
class LostRoute:
    """Addresses other than a gateway service's to which a subnet had a route and has none."""

    subnet_id: str
    addresses: AddressSet


def list_cell_changes(before: VpcContext, after: VpcContext) -> tuple[CellChange, ...]:
    """List the cells of two coverage matrices that differ, by subnet and service.

    A service that only one of them has a column for is evaluated in both.
    """
    services = {each.name: each for each in (*before.coverage.services, *after.coverage.services)}
    subnets = sorted({*before.snapshot.subnets, *after.snapshot.subnets})
    changes = (
        CellChange(
            subnet_id, name, _find_cell(before, subnet_id, it), _find_cell(after, subnet_id, it)
        )
        for subnet_id in subnets
        for name, it in sorted(services.items())
    )
    return tuple(each for each in changes if _differs(each.before, each.after))


def list_lost_routes(before: VpcContext, after: VpcContext) -> tuple[LostRoute, ...]:
    """List the addresses outside the VPC that subnets no longer have a route to, by subnet."""
    if _routes_alike(before.snapshot, after.snapshot):
        return ()
    vpc = before.snapshot.vpc
    own = AddressSet.of((*vpc.cidrs, *vpc.ipv6_cidrs))
    outside = get_region_offers(before.snapshot).beside_gateways - own  # the others have cells
    dropped: dict[int, tuple[Sequence[Path], AddressSet]] = {}

    def find_dropped(paths: Sequence[Path]) -> AddressSet:
        if id(paths) not in dropped:  # subnets of one route table share them
            found = _select((end for path in paths for end in path.ends), DROPPED)
            dropped[id(paths)] = paths, found
        return dropped[id(paths)][1]

    lost: list[LostRoute] = []
    for subnet in before.analysis.subnets:
        if subnet.id not in after.snapshot.subnets:
            continue
        was, now = (each.analysis.paths.trace(subnet, outside) for each in (before, after))
        if now is not was and (addresses := find_dropped(now) - find_dropped(was)):
            lost.append(LostRoute(subnet.id, addresses))
    return tuple(lost)


def _routes_alike(before: Snapshot, after: Snapshot) -> bool:
    """Return whether the same targets lead to the same networks."""
    names = ("route_tables", "nat_gateways", "network_interfaces", "subnets", "vpc")
    return all(getattr(before, name) == getattr(after, name) for name in names)


def _find_cell(vpc: VpcContext, subnet_id: str, service: Service) -> Cell | None:
    subnet = vpc.snapshot.subnets.get(subnet_id)
    return vpc.analysis.evaluate_cell(subnet, service) if subnet else None


def _differs(before: Cell | None, after: Cell | None) -> bool:
    """Return whether the traffic of a cell takes another path, or is blocked elsewhere."""
    if before is None or after is None or before is after:
        return before is not after
    if (before.outcome, before.summary) != (after.outcome, after.summary):
        return True
    return _is_lost(before, after)


def _is_lost(before: Cell, after: Cell) -> bool:
    if after.outcome is PathOutcome.UNKNOWN or before.outcome is PathOutcome.UNKNOWN:
        # What may have been reached and is not any more counts as lost, as does what may be.
        return before.outcome is not after.outcome and (
            after.outcome in UNREACHED or before.outcome not in {*UNREACHED, PathOutcome.UNKNOWN}
        )
    if after.outcome in UNREACHED or before.outcome in UNREACHED:
        return before.outcome not in UNREACHED
    if before.reaches and after.reaches:
        return _reaches_less(before.reaches, after.reaches)
    if before.reaches or after.reaches:
        # Public addresses were replaced by an endpoint, or the other way round.
        return after.outcome is not PathOutcome.PRIVATE
    was, now = _Reached.of(before), _Reached.of(after)
    lost = (now.dropped - was.dropped) | (now.unsure - was.unsure - was.dropped)
    return bool(lost or was.private - now.private)


def _reaches_less(before: tuple[Reach, ...], after: tuple[Reach, ...]) -> bool:
    """Return whether the interfaces of an endpoint are reached from less of a subnet."""
    if all(each.status is ReachStatus.YES for each in after):
        return False
    if all(each.status is ReachStatus.YES for each in before):
        return True
    former = {(each.interface.id, each.ports): each for each in before}
    return any(
        _is_less(former.get((each.interface.id, each.ports)), each)
        for each in after
        if each.status is not ReachStatus.YES
    )


def _is_less(before: Reach | None, after: Reach) -> bool:
    if before is None:
        return True
    if before.status is ReachStatus.BY_SECURITY_GROUP and after.status is before.status:
        return not before.groups <= after.groups
    return before.status is ReachStatus.YES or not after.reaching >= before.reaching


@dataclass(frozen=True, slots=True)
class _Reached:
    """The addresses of a service that traffic reaches through an endpoint, not at all, or maybe."""

    private: AddressSet
    dropped: AddressSet
    unsure: AddressSet

    @classmethod
    def of(cls, cell: Cell) -> _Reached:
        """Sort the addresses of a cell's paths."""
        ends = [end for path in cell.paths or () for end in path.ends]
        blocked = AddressSet.union(each.addresses for each in cell.obstacles if not each.ports)
        hindered = AddressSet.union(each.addresses for each in cell.obstacles if each.ports)
        dropped = _select(ends, DROPPED) | blocked
        return cls(
            private=_select(ends, {PathKind.GATEWAY_ENDPOINT}) - blocked - hindered,
            dropped=dropped,
            unsure=(_select(ends, UNKNOWN_ENDS) | hindered) - dropped,
        )


def _select(ends: Iterable[Path], kinds: AbstractSet[PathKind]) -> AddressSet:
    return AddressSet.union(each.addresses for each in ends if each.kind in kinds)
