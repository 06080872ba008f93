"""The coverage matrix: how each subnet's traffic to each service goes, and whether it arrives.

Many subnets share a route table, many interfaces a security group: each question is asked once and
its answer shared, so that the cost grows with tables, groups and ACLs rather than with cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from posture.analysis.addresses import AddressSet
from posture.analysis.descriptions import describe_acl_obstacle, describe_paths, describe_reaches
from posture.analysis.gates import Obstacle
from posture.analysis.names import NameResolution, ResolvesTo, resolve_names
from posture.analysis.outcome import PathOutcome, summarize_paths, summarize_reaches
from posture.analysis.path import Path, PathKind
from posture.analysis.paths import PathFinder
from posture.analysis.reach import Reach
from posture.analysis.reachability import Reachability
from posture.analysis.services import service_of
from posture.model.network import (
    Endpoint,
    EndpointType,
    NetworkInterface,
    Service,
    Snapshot,
    Subnet,
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One subnet and one service.

    `paths` are the ways of the service's own addresses: of a gateway service its prefix lists, of
    others the public ones; None where they are not known or do not matter. `reaches` are the
    endpoint interfaces that the service's names lead to, as the whole VPC reaches them where
    nothing stands in the way. `own_zone` tells whether one of them is in the subnet's availability
    zone. `missing` names interfaces that could not be read. `obstacles` are what the subnet's ACL
    stops of a gateway endpoint's addresses.
    """

    outcome: PathOutcome
    summary: str
    resolution: NameResolution
    paths: tuple[Path, ...] | None = None
    reaches: tuple[Reach, ...] = ()
    own_zone: bool | None = None
    missing: tuple[str, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """The matrix of one VPC: cells by subnet id, then by service name."""

    services: tuple[Service, ...]
    subnets: tuple[Subnet, ...]
    cells: Mapping[str, Mapping[str, Cell]]


class Analysis:
    """Every analysis of one snapshot, each answer made once and kept."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.paths = PathFinder(snapshot)
        self.reachability = Reachability(snapshot)
        self._resolutions: dict[str, NameResolution] = {}
        self._cells: dict[tuple[str, str], Cell] = {}
        self._residues: dict[tuple[str, str, str], tuple[frozenset[int], AddressSet] | None] = {}
        self._summed: dict[int, tuple[PathOutcome, str]] = {}
        self._open_cells: dict[tuple[str, str], Cell] = {}
        self._interfaces: dict[str, tuple[tuple[NetworkInterface, ...], tuple[str, ...]]] = {}

    @cached_property
    def subnets(self) -> tuple[Subnet, ...]:
        """The subnets, in the order of their ids."""
        return tuple(subnet for _, subnet in sorted(self.snapshot.subnets.items()))

    def build_coverage(self, services: Iterable[Service]) -> Coverage:
        """Give the matrix of all subnets and these services."""
        listed = tuple(services)
        cells = {
            subnet.id: {service.name: self.evaluate_cell(subnet, service) for service in listed}
            for subnet in self.subnets
        }
        return Coverage(listed, self.subnets, cells)

    def evaluate_cell(
        self, subnet: Subnet, service: Service, workload_groups: frozenset[str] = frozenset()
    ) -> Cell:
        """Tell how one subnet's traffic to one service fares.

        `workload_groups` are the security groups of the workload, as far as they are stated.
        """
        if workload_groups:
            return self._cell(subnet, service, workload_groups)
        key = subnet.id, service.name
        if key not in self._cells:
            self._cells[key] = self._cell(subnet, service)
        return self._cells[key]

    def resolve_names(self, service: Service) -> NameResolution:
        """Tell where a service's own names lead."""
        if service.name not in self._resolutions:
            self._resolutions[service.name] = resolve_names(self.snapshot, service)
        return self._resolutions[service.name]

    def evaluate_reaches(
        self, subnet: Subnet, endpoint: Endpoint, groups: frozenset[str] = frozenset()
    ) -> tuple[Reach, ...]:
        """Tell how a subnet reaches each known interface of an endpoint, by its names' families."""
        interfaces, _ = self.resolve_interfaces(endpoint)
        return tuple(self.reachability.evaluate(subnet, each, groups) for each in interfaces)

    def is_unobstructed(self, subnet: Subnet, endpoint: Endpoint) -> bool:
        """Tell quickly whether nothing at all stands between a subnet and an endpoint.

        Where the answer is no, something may: `reached` tells.
        """
        key = (*self.reachability.gates(subnet), endpoint.id)
        if key not in self._residues:
            self._residues[key] = self._residue(subnet, endpoint)
        residue = self._residues[key]
        if residue is None:
            return False
        versions, addresses = residue
        sources = self.reachability.addresses(subnet, versions)
        return bool(sources) and sources.isdisjoint(addresses)

    def _residue(
        self, subnet: Subnet, endpoint: Endpoint
    ) -> tuple[frozenset[int], AddressSet] | None:
        interfaces, missing = self.resolve_interfaces(endpoint)
        versions = {frozenset(it.version for it in each.addresses) for each in interfaces}
        if missing or len(versions) != 1:
            return None
        found = [self.reachability.residue(subnet, each) for each in interfaces]
        known = [each for each in found if each is not None]
        return (versions.pop(), AddressSet.union(known)) if len(known) == len(found) else None

    def resolve_interfaces(
        self, endpoint: Endpoint
    ) -> tuple[tuple[NetworkInterface, ...], tuple[str, ...]]:
        """Give an endpoint's interfaces with the addresses that its names lead to.

        Returns:
            The interfaces, and the ids of those that could not be read.
        """
        if endpoint.id not in self._interfaces:
            resolution = self.resolve_names(service_of(self.snapshot, endpoint))
            versions = resolution.ip_versions or frozenset({4, 6})
            known = self.snapshot.network_interfaces
            found = tuple(
                _of_families(_of_endpoint(known[each], endpoint), versions)
                for each in endpoint.network_interface_ids
                if each in known
            )
            missing = tuple(each for each in endpoint.network_interface_ids if each not in known)
            self._interfaces[endpoint.id] = found, missing
        return self._interfaces[endpoint.id]

    def _cell(self, subnet: Subnet, service: Service, groups: frozenset[str] = frozenset()) -> Cell:
        resolution = self.resolve_names(service)
        if resolution.resolves_to is ResolvesTo.ENDPOINT:
            if not groups and all(
                self.is_unobstructed(subnet, each) for each in resolution.endpoints
            ):
                return self._open_cell(subnet, service, resolution)
            return self._by_interfaces(subnet, resolution, groups)
        paths = self.paths.find_paths(subnet, service)
        if resolution.resolves_to is ResolvesTo.UNKNOWN:
            return Cell(PathOutcome.UNKNOWN, resolution.why, resolution, paths)
        if paths is None:
            why = "the service's addresses or the subnet's route table could not be read"
            return Cell(PathOutcome.UNKNOWN, why, resolution)
        exact = EndpointType.GATEWAY in service.types
        key = id(paths)  # the paths themselves are kept, and shared by many cells
        if key not in self._summed:
            self._summed[key] = summarize_paths(paths), describe_paths(paths, exact=exact)
        cell = Cell(*self._summed[key], resolution, paths)
        return self._guarded(subnet, cell) if exact else cell

    def _open_cell(self, subnet: Subnet, service: Service, resolution: NameResolution) -> Cell:
        """Give the one cell of a zone's subnets that nothing keeps from a service's endpoints."""
        key = service.name, subnet.zone
        if key not in self._open_cells:
            interfaces = [
                interface
                for each in resolution.endpoints
                for interface in self.resolve_interfaces(each)[0]
            ]
            inside = self.reachability.inside
            self._open_cells[key] = Cell(
                outcome=PathOutcome.PRIVATE,
                summary=f"by {' and '.join(each.id for each in resolution.endpoints)}",
                resolution=resolution,
                reaches=tuple(Reach(each, inside, inside) for each in interfaces),
                own_zone=any(each.zone == subnet.zone for each in interfaces),
            )
        return self._open_cells[key]

    def _guarded(self, subnet: Subnet, cell: Cell) -> Cell:
        """Ask the subnet's ACL for what goes by a gateway endpoint."""
        private = AddressSet.union(
            path.addresses for path in cell.paths or () if path.kind is PathKind.GATEWAY_ENDPOINT
        )
        stops = self.reachability.find_outbound_obstacles(subnet, private) if private else ()
        if stops is None:
            summary = f"{cell.summary}, but the network ACL of {subnet.id} could not be told"
            return replace(cell, outcome=PathOutcome.UNKNOWN, summary=summary)
        if not stops:
            return cell
        stopped = AddressSet.union(each.addresses for each in stops if not each.ports)
        whole = cell.outcome is PathOutcome.PRIVATE and stopped >= private
        return replace(
            cell,
            outcome=PathOutcome.BLOCKED if whole else PathOutcome.PARTLY,
            summary=f"{cell.summary}, but {describe_acl_obstacle(stops[0], private)}",
            obstacles=stops,
        )

    def _by_interfaces(
        self, subnet: Subnet, resolution: NameResolution, groups: frozenset[str]
    ) -> Cell:
        reaches: list[Reach] = []
        missing: list[str] = []
        for endpoint in resolution.endpoints:
            reaches += self.evaluate_reaches(subnet, endpoint, groups)
            missing += self.resolve_interfaces(endpoint)[1]
        outcome = summarize_reaches(reaches)
        if missing and outcome is not PathOutcome.BLOCKED:
            outcome = PathOutcome.UNKNOWN
        zones = {reach.interface.zone for reach in reaches}
        ids = [endpoint.id for endpoint in resolution.endpoints]
        return Cell(
            outcome=outcome,
            summary=f"by {' and '.join(ids)}{describe_reaches(reaches, missing)}",
            resolution=resolution,
            reaches=tuple(reaches),
            own_zone=subnet.zone in zones if not missing and zones else None,
            missing=tuple(missing),
        )


def _of_endpoint(interface: NetworkInterface, endpoint: Endpoint) -> NetworkInterface:
    """Give an interface the groups that its endpoint has: EC2 keeps them the same, in time."""
    groups = endpoint.security_group_ids or interface.security_group_ids
    if groups == interface.security_group_ids:
        return interface
    return replace(interface, security_group_ids=groups)


def _of_families(interface: NetworkInterface, versions: frozenset[int]) -> NetworkInterface:
    if all(address.version in versions for address in interface.addresses):
        return interface
    wanted = tuple(each for each in interface.addresses if each.version in versions)
    return replace(interface, addresses=wanted)
