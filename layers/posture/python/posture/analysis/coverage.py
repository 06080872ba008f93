"""Evaluate how each subnet's traffic reaches each service: the coverage matrix.

Many subnets share a route table and many interfaces a security group. Each of these is evaluated
once, so that the cost grows with route tables, groups and ACLs rather than with cells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from posture.analysis.addresses import AddressSet
from posture.analysis.central.answers import CentralPath, CentralStep, find_deciding_step
from posture.analysis.descriptions import (
    describe_acl_obstacle,
    describe_outcomes,
    describe_paths,
    describe_ports,
    describe_reaches,
)
from posture.analysis.gates import HTTPS, Gate, Obstacle
from posture.analysis.kept_parts import ROUTED, find_same_parts, have_same_gates
from posture.analysis.names import (
    NameResolution,
    ResolvesTo,
    group_interface_endpoints,
    resolve_names,
)
from posture.analysis.path import Path, PathKind
from posture.analysis.path_outcome import PathOutcome, summarize_by_ports, summarize_paths
from posture.analysis.paths import PathFinder
from posture.analysis.port_ranges import Between, list_port_ranges
from posture.analysis.reach import PortRange, Reach
from posture.analysis.reachability import Reachability
from posture.analysis.services import get_service, list_ports
from posture.lean_dataclass import dataclass
from posture.model.network import (
    Endpoint,
    EndpointType,
    NetworkInterface,
    Service,
    Snapshot,
    Subnet,
)

if TYPE_CHECKING:
    from posture.analysis.central.paths import CentralTracer
    from posture.model.shared_network import SharedNetwork


@dataclass(frozen=True, slots=True)
class Cell:
    """How one subnet's traffic reaches one service.

    `paths` are the paths to the service's addresses: the prefix lists of a gateway service, or else
    all public addresses. They are None if unknown, or if the service's names resolve to endpoints:
    then `reaches` says how the subnet reaches their interfaces, `own_zone` whether one is in the
    subnet's Availability Zone, and `missing` which could not be read. `obstacles` are what the
    subnet's network ACL blocks of the traffic to a gateway endpoint, and what the workload's
    security groups, if known, do not allow of all paths. `central` are the paths to interfaces of
    endpoints in other VPCs, and `deciding` is the step that decides about the names and the paths
    to them; None where every step holds.
    """

    outcome: PathOutcome
    summary: str
    resolution: NameResolution
    paths: tuple[Path, ...] | None = None
    reaches: tuple[Reach, ...] = ()
    own_zone: bool | None = None
    missing: tuple[str, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    central: tuple[CentralPath, ...] = ()
    deciding: CentralStep | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The coverage matrix of a VPC: cells by subnet id, then by service name."""

    services: tuple[Service, ...]
    subnets: tuple[Subnet, ...]
    cells: Mapping[str, Mapping[str, Cell]]


# What is evaluated by the network that VPCs share.
BEYOND = frozenset({ResolvesTo.PARTLY, ResolvesTo.OTHER, ResolvesTo.NOWHERE})


class Analysis:
    """All analyses of one snapshot; each answer is computed once and kept.

    Args:
        snapshot: The snapshot.
        former: The analyses of the same VPC before a change: those that the change does not
            concern are shared.
        shared: The network that the organization's VPCs share; None where it is not read.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        former: Analysis | None = None,
        shared: SharedNetwork | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.shared = shared
        same = find_same_parts(former.snapshot, snapshot) if former else frozenset()
        routed = former if same >= ROUTED else None
        gated = former if former and have_same_gates(former.snapshot, snapshot, same) else None
        self.paths: PathFinder = (
            routed.paths if routed else PathFinder(snapshot, former.paths if former else None)
        )
        self.reachability: Reachability = gated.reachability if gated else Reachability(snapshot)
        self._on_ports: dict[PortRange, Reachability] = (
            gated._on_ports if gated else {(HTTPS, HTTPS): self.reachability}  # noqa: SLF001 - own class
        )
        self._resolutions: dict[str, NameResolution] = {}
        same_network = former is not None and former.shared is shared
        self._cells: dict[tuple[str, str], Cell] = (
            routed._cells if routed and gated and same_network else {}  # noqa: SLF001 - own class
        )
        self._former = gated if same_network else None
        self._tracer: CentralTracer | None = None
        self._obstructed: dict[tuple[str, str, str], tuple[frozenset[int], AddressSet] | None] = {}
        self._summed: dict[int, tuple[PathOutcome, str]] = {}
        self._open_cells: dict[tuple[str, str], Cell] = {}
        self._path_cells: dict[tuple[str, int, str], Cell] = {}
        self._interfaces: dict[str, tuple[tuple[NetworkInterface, ...], tuple[str, ...]]] = {}
        self._port_ranges: dict[object, Sequence[PortRange]] = {}

    @cached_property
    def subnets(self) -> tuple[Subnet, ...]:
        """The subnets, sorted by id."""
        return tuple(subnet for _, subnet in sorted(self.snapshot.subnets.items()))

    def build_coverage(self, services: Iterable[Service]) -> Coverage:
        """Build the matrix of all subnets and these services."""
        listed = tuple(services)
        cells = {
            subnet.id: {service.name: self.evaluate_cell(subnet, service) for service in listed}
            for subnet in self.subnets
        }
        return Coverage(listed, self.subnets, cells)

    def evaluate_cell(
        self, subnet: Subnet, service: Service, workload_groups: frozenset[str] = frozenset()
    ) -> Cell:
        """Evaluate how one subnet's traffic reaches one service.

        `workload_groups` are the ids of the workload's security groups, if known.
        """
        if workload_groups:
            return self._evaluate(subnet, service, workload_groups)
        key = subnet.id, service.name
        if key not in self._cells:
            self._cells[key] = self._find_former_cell(key, subnet, service) or self._evaluate(
                subnet, service
            )
        return self._cells[key]

    def _find_former_cell(
        self, key: tuple[str, str], subnet: Subnet, service: Service
    ) -> Cell | None:
        """Find the cell before a change that concerns neither names nor paths nor gates."""
        former = self._former
        cell = former._cells.get(key) if former else None  # noqa: SLF001 - own class
        if not former or not cell or subnet is not former.snapshot.subnets.get(subnet.id):
            return None
        resolution = self.resolve_names(service)
        if cell.resolution != resolution or resolution.resolves_to in BEYOND or cell.central:
            return None
        if resolution.resolves_to is ResolvesTo.ENDPOINT:
            same = all(
                self.resolve_interfaces(each) == former.resolve_interfaces(each)
                for each in resolution.endpoints
            )
            return cell if same else None
        return cell if cell.paths is self.paths.find_paths(subnet, service) else None

    def resolve_names(self, service: Service) -> NameResolution:
        """Decide what a service's DNS names resolve to."""
        if service.name not in self._resolutions:
            self._resolutions[service.name] = resolve_names(
                self.snapshot, service, self.shared, self.interface_endpoints
            )
        return self._resolutions[service.name]

    @cached_property
    def interface_endpoints(self) -> Mapping[str, Sequence[Endpoint]]:
        """The working interface endpoints, sorted by id, by the service's name."""
        return group_interface_endpoints(self.snapshot)

    def evaluate_reaches(
        self, subnet: Subnet, endpoint: Endpoint, groups: frozenset[str] = frozenset()
    ) -> tuple[Reach, ...]:
        """Evaluate how a subnet reaches each known interface of an endpoint.

        The result has every interface once for each distinct answer on the service's ports, or on
        all TCP ports if they are not known.
        """
        interfaces, _ = self.resolve_interfaces(endpoint)
        answers: dict[object, tuple[Reach, ...]] = {}
        alike: dict[object, list[PortRange]] = defaultdict(list)
        for ports in self._list_port_ranges(subnet, endpoint, groups):
            reachability = self._get_reachability(ports)
            found = tuple(reachability.evaluate(subnet, each, groups) for each in interfaces)
            key = tuple(
                (each.status, each.reaching, each.stopped, each.groups, each.unread)
                for each in found
            )
            answers.setdefault(key, found)
            alike[key].append(ports)
        return tuple(
            replace(reach, ports=tuple(alike[key]))
            for key, found in answers.items()
            for reach in found
        )

    def _list_port_ranges(
        self, subnet: Subnet, endpoint: Endpoint, groups: frozenset[str] = frozenset()
    ) -> Sequence[PortRange]:
        """List the ranges of ports that the gates between a subnet and an endpoint treat alike."""
        subnets = {subnet.id, *(each.subnet_id for each in self.resolve_interfaces(endpoint)[0])}
        acls = {acl.id: acl for each in subnets if (acl := self.reachability.find_acl(each))}
        key = endpoint.id, groups, frozenset(acls)
        if key not in self._port_ranges:
            inside = self.reachability.vpc_addresses
            self._port_ranges[key] = list_port_ranges(
                endpoint, self.snapshot, self.snapshot, groups, Between(acls.values(), inside)
            )
        return self._port_ranges[key]

    def _get_reachability(self, ports: PortRange) -> Reachability:
        """Return the reachability on ports that are treated alike."""
        if ports not in self._on_ports:
            self._on_ports[ports] = Reachability(self.snapshot, ports, self.reachability)
        return self._on_ports[ports]

    def is_unobstructed(self, subnet: Subnet, endpoint: Endpoint) -> bool:
        """Return quickly whether nothing at all blocks a subnet from an endpoint.

        If not, something may block it: `evaluate_reaches` gives the exact answer.
        """
        key = (*self.reachability.get_gate_key(subnet), endpoint.id)
        if key not in self._obstructed:
            self._obstructed[key] = self._find_obstructed(subnet, endpoint)
        obstructed = self._obstructed[key]
        if obstructed is None:
            return False
        versions, addresses = obstructed
        sources = self.reachability.find_sources(subnet, versions)
        return bool(sources) and sources.isdisjoint(addresses)

    def _find_obstructed(
        self, subnet: Subnet, endpoint: Endpoint
    ) -> tuple[frozenset[int], AddressSet] | None:
        interfaces, missing = self.resolve_interfaces(endpoint)
        versions = {frozenset(it.version for it in each.addresses) for each in interfaces}
        if missing or len(versions) != 1:
            return None
        found = [
            self._get_reachability(ports).find_obstructed(subnet, each)
            for ports in self._list_port_ranges(subnet, endpoint)
            for each in interfaces
        ]
        known = [each for each in found if each is not None]
        return (versions.pop(), AddressSet.union(known)) if len(known) == len(found) else None

    def resolve_interfaces(
        self, endpoint: Endpoint
    ) -> tuple[tuple[NetworkInterface, ...], tuple[str, ...]]:
        """Find an endpoint's interfaces, with the addresses that its DNS names return.

        Returns:
            The interfaces, and the ids of those that could not be read.
        """
        if endpoint.id not in self._interfaces:
            resolution = self.resolve_names(get_service(self.snapshot, endpoint))
            versions = resolution.ip_versions or frozenset({4, 6})
            known = self.snapshot.network_interfaces
            found = tuple(
                _adapt_interface(known[each], endpoint, versions)
                for each in endpoint.network_interface_ids
                if each in known
            )
            missing = tuple(each for each in endpoint.network_interface_ids if each not in known)
            self._interfaces[endpoint.id] = found, missing
        return self._interfaces[endpoint.id]

    def _evaluate(
        self, subnet: Subnet, service: Service, groups: frozenset[str] = frozenset()
    ) -> Cell:
        resolution = self.resolve_names(service)
        if resolution.resolves_to in BEYOND or resolution.central:
            return self._evaluate_central(subnet, service, groups)
        if resolution.resolves_to is ResolvesTo.ENDPOINT:
            if not groups and all(
                self.is_unobstructed(subnet, each) for each in resolution.endpoints
            ):
                return self._build_open_cell(subnet, service, resolution)
            return self._evaluate_interfaces(subnet, resolution, groups)
        paths = self.paths.find_paths(subnet, service)
        exact = EndpointType.GATEWAY in service.types
        acl = self.reachability.find_acl(subnet.id)
        # Subnets with the same route table share the paths themselves.
        key = service.name, id(paths), acl.id if acl else subnet.id
        if key not in self._path_cells:
            self._path_cells[key] = self._build_cell(subnet, resolution, paths, exact=exact)
        cell = self._path_cells[key]
        if not groups or paths is None or resolution.resolves_to is ResolvesTo.UNKNOWN:
            return cell
        ports = list_ports(service.name) or (HTTPS,)
        return self._apply_groups(cell, groups, ports, exact=exact)

    def _build_cell(
        self,
        subnet: Subnet,
        resolution: NameResolution,
        paths: tuple[Path, ...] | None,
        *,
        exact: bool,
    ) -> Cell:
        """Build the cell of names that lead to public addresses."""
        steps = (step for each in resolution.deciding_names for step in each.steps)
        deciding = None if exact else find_deciding_step(steps)
        if resolution.resolves_to is ResolvesTo.UNKNOWN:
            return Cell(PathOutcome.UNKNOWN, resolution.why, resolution, paths, deciding=deciding)
        if paths is None:
            why = "the service's addresses or the subnet's route table could not be read"
            return Cell(PathOutcome.UNKNOWN, why, resolution)
        key = id(paths)
        if key not in self._summed:
            self._summed[key] = summarize_paths(paths), describe_paths(paths, exact=exact)
        cell = Cell(*self._summed[key], resolution, paths, deciding=deciding)
        return self._apply_acl(subnet, cell) if exact else cell

    def _evaluate_central(self, subnet: Subnet, service: Service, groups: frozenset[str]) -> Cell:
        """Evaluate names that lead to other VPCs, or to no address; few VPCs need it."""
        from posture.analysis.central.cells import evaluate_central_cell  # noqa: PLC0415
        from posture.analysis.central.paths import CentralTracer  # noqa: PLC0415

        if self.shared is None:
            raise AssertionError(service.name)
        if self._tracer is None:
            self._tracer = CentralTracer(self.snapshot, self.shared, self.paths, self.reachability)
        return evaluate_central_cell(self, self._tracer, subnet, service, groups)

    def _build_open_cell(
        self, subnet: Subnet, service: Service, resolution: NameResolution
    ) -> Cell:
        """Build the cell that all subnets of a zone share if nothing blocks them."""
        key = service.name, subnet.zone
        if key not in self._open_cells:
            interfaces = [
                interface
                for each in resolution.endpoints
                for interface in self.resolve_interfaces(each)[0]
            ]
            inside = self.reachability.vpc_addresses
            self._open_cells[key] = Cell(
                outcome=PathOutcome.PRIVATE,
                summary=_describe_endpoints(resolution),
                resolution=resolution,
                reaches=tuple(Reach(each, inside, inside) for each in interfaces),
                own_zone=any(each.zone == subnet.zone for each in interfaces),
            )
        return self._open_cells[key]

    def _apply_acl(self, subnet: Subnet, cell: Cell) -> Cell:
        """Apply the subnet's network ACL to the traffic to a gateway service.

        What leaves otherwise than by an endpoint is blocked if the ACL stops all of it.
        """
        paths = cell.paths or ()
        other = [path for path in paths if path.kind is not PathKind.GATEWAY_ENDPOINT]
        every = AddressSet.union(path.addresses for path in paths)
        private = every - AddressSet.union(path.addresses for path in other)
        if not private:
            stopped = self.reachability.find_stopped(subnet, every)
            if not stopped >= every or cell.outcome is PathOutcome.NO_ROUTE:
                return cell
        obstacles = self.reachability.find_outbound_obstacles(subnet, private or every)
        if obstacles is None:
            acl = self.reachability.find_acl(subnet.id)  # not the subnet, if others share the cell
            name = acl.id if acl else f"the network ACL of {subnet.id}"
            summary = f"{cell.summary}, but {name} could not be determined"
            return replace(cell, outcome=PathOutcome.UNKNOWN, summary=summary)
        if not obstacles:
            return cell
        blocked = AddressSet.union(each.addresses for each in obstacles if not each.ports)
        outcome = PathOutcome.PARTLY
        if blocked >= every or (blocked >= private and not other):
            outcome = PathOutcome.BLOCKED
        elif blocked >= private:
            outcome = summarize_paths(other)
        return replace(
            cell,
            outcome=outcome,
            summary=f"{cell.summary}, but {describe_acl_obstacle(obstacles[0], every)}",
            obstacles=obstacles,
        )

    def _apply_groups(
        self, cell: Cell, groups: frozenset[str], ports: tuple[int, ...], *, exact: bool
    ) -> Cell:
        """Apply the outbound rules of the workload's security groups to its traffic.

        Unless `exact`, the addresses of the paths are all public ones, the service's among them.
        """
        destinations = AddressSet.union(path.addresses for path in cell.paths or ())
        found = [
            self._get_reachability((each, each)).find_allowed_destinations(groups) for each in ports
        ]
        allowed, named = found[0], describe_ports((each, each) for each in ports)
        denied = destinations - allowed.addresses
        alike = all(each.addresses == allowed.addresses for each in found)
        if (not denied and alike) or cell.outcome is PathOutcome.BLOCKED:
            return cell
        by = ", ".join(sorted(groups))
        if not alike:
            summary = f"{cell.summary}, but {by} does not treat {named} alike"
            return replace(cell, outcome=PathOutcome.UNKNOWN, summary=summary)
        if allowed.unread:
            summary = f"{cell.summary}, but {allowed.unread[0]} could not be determined"
            return replace(cell, outcome=PathOutcome.UNKNOWN, summary=summary)
        stop = Obstacle(denied, Gate.WORKLOAD, by, f"no outbound rule allows {named}")
        obstacles = (*cell.obstacles, stop)
        blocked = AddressSet.union(each.addresses for each in obstacles if not each.ports)
        if blocked >= destinations:
            outcome = PathOutcome.BLOCKED
        elif not exact:
            summary = f"{cell.summary}, but {by} allows only some public addresses on {named}"
            return replace(cell, outcome=PathOutcome.UNKNOWN, summary=summary, obstacles=obstacles)
        else:
            private = cell.outcome is PathOutcome.PRIVATE
            outcome = PathOutcome.PARTLY if private else cell.outcome
        summary = f"{cell.summary}, but {describe_acl_obstacle(stop, destinations)}"
        return replace(cell, outcome=outcome, summary=summary, obstacles=obstacles)

    def _evaluate_interfaces(
        self, subnet: Subnet, resolution: NameResolution, groups: frozenset[str]
    ) -> Cell:
        reaches: list[Reach] = []
        missing: list[str] = []
        for endpoint in resolution.endpoints:
            reaches += self.evaluate_reaches(subnet, endpoint, groups)
            missing += self.resolve_interfaces(endpoint)[1]
        outcomes = summarize_by_ports(reaches)
        outcome = next(iter(outcomes.values()), PathOutcome.UNKNOWN)
        detail = describe_reaches(reaches, missing)
        if len(set(outcomes.values())) > 1:
            outcome = PathOutcome.UNKNOWN
            detail = f", but {describe_outcomes(outcomes)}"
        if missing and outcome is not PathOutcome.BLOCKED:
            outcome = PathOutcome.UNKNOWN
        zones = {reach.interface.zone for reach in reaches}
        return Cell(
            outcome=outcome,
            summary=f"{_describe_endpoints(resolution)}{detail}",
            resolution=resolution,
            reaches=tuple(reaches),
            own_zone=subnet.zone in zones if not missing and zones else None,
            missing=tuple(missing),
        )


def _describe_endpoints(resolution: NameResolution) -> str:
    return f"resolves to {' and '.join(each.id for each in resolution.endpoints)}"


def _adapt_interface(
    interface: NetworkInterface, endpoint: Endpoint, versions: frozenset[int]
) -> NetworkInterface:
    """Return an interface with the endpoint's groups and its addresses of these IP versions.

    EC2 applies an endpoint's security groups to its interfaces, with a delay.
    """
    groups = endpoint.security_group_ids or interface.security_group_ids
    addresses = tuple(each for each in interface.addresses if each.version in versions)
    if (groups, addresses) == (interface.security_group_ids, interface.addresses):
        return interface
    unknown = interface.unknown_versions & versions
    return replace(
        interface, security_group_ids=groups, addresses=addresses, unknown_versions=unknown
    )
