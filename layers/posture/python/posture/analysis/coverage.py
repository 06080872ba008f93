"""The coverage matrix: how each subnet's traffic to each service goes, and whether it arrives.

Many subnets share a route table, many interfaces a security group: each question is asked once and
its answer shared, so that the cost grows with tables, groups and ACLs rather than with cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from posture.analysis.addresses import AddressSet
from posture.analysis.names import LeadsTo, Resolution, resolve_names
from posture.analysis.paths import Path, PathKind, Paths
from posture.analysis.reachability import Answer, Reach, Reachability
from posture.model.network import EndpointType, NetworkInterface, Service, Snapshot, Subnet


class Outcome(StrEnum):
    """How a subnet's traffic to a service fares."""

    PRIVATE = "endpoint"  # all of it reaches an endpoint
    PARTLY = "partly"  # part of it does, part goes another way or nowhere
    BLOCKED = "blocked"  # it is sent to an endpoint and stopped on the way
    INTERNET = "internet"  # it leaves by a NAT or internet gateway
    OTHER_NETWORK = "other network"  # it is handed to another network, where our answer ends
    NOWHERE = "no way"  # nothing leads there
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Cell:
    """One subnet and one service.

    `paths` are the ways of the service's own addresses: of a gateway service its prefix list, of
    others the public ones; None where they are not known or do not matter. `reaches` are the
    endpoint interfaces that the service's names lead to.
    """

    outcome: Outcome
    summary: str
    paths: tuple[Path, ...] | None = None
    resolution: Resolution | None = None
    reaches: tuple[Reach, ...] = ()


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
        self.paths = Paths(snapshot)
        self.reachability = Reachability(snapshot)
        self._resolutions: dict[str, Resolution] = {}

    @cached_property
    def subnets(self) -> tuple[Subnet, ...]:
        """The subnets, in the order of their ids."""
        return tuple(subnet for _, subnet in sorted(self.snapshot.subnets.items()))

    def coverage(self, services: Iterable[Service]) -> Coverage:
        """Give the matrix of all subnets and these services."""
        listed = tuple(services)
        cells = {
            subnet.id: {service.name: self.cell(subnet, service) for service in listed}
            for subnet in self.subnets
        }
        return Coverage(listed, self.subnets, cells)

    def cell(self, subnet: Subnet, service: Service) -> Cell:
        """Tell how one subnet's traffic to one service fares."""
        resolution = self.resolution(service)
        if resolution.leads_to is LeadsTo.ENDPOINT:
            return self._by_interfaces(subnet, resolution)
        paths = self.paths.of(subnet, service)
        if paths is None:
            why = "the service's addresses or the subnet's route table could not be read"
            return Cell(Outcome.UNKNOWN, why, resolution=resolution)
        outcome = outcome_of(paths)
        by_gateway = EndpointType.GATEWAY in service.types
        if resolution.leads_to is LeadsTo.UNKNOWN and not by_gateway:
            return Cell(Outcome.UNKNOWN, resolution.why, paths, resolution)
        return Cell(outcome, ways(paths, exact=by_gateway), paths, resolution)

    def resolution(self, service: Service) -> Resolution:
        """Tell where a service's own names lead."""
        if service.name not in self._resolutions:
            self._resolutions[service.name] = resolve_names(self.snapshot, service)
        return self._resolutions[service.name]

    def _by_interfaces(self, subnet: Subnet, resolution: Resolution) -> Cell:
        reaches = tuple(
            self.reachability.reach(subnet, interface)
            for endpoint in resolution.endpoints
            for interface in self._interfaces(endpoint.network_interface_ids)
        )
        ids = ", ".join(endpoint.id for endpoint in resolution.endpoints)
        if not reaches:
            summary = f"by {ids}, whose interfaces could not be read"
            return Cell(Outcome.UNKNOWN, summary, None, resolution)
        outcome, how = _arrival(reaches)
        return Cell(outcome, f"by {ids}{how}", None, resolution, reaches)

    def _interfaces(self, ids: Iterable[str]) -> Iterable[NetworkInterface]:
        known = self.snapshot.network_interfaces
        return (known[each] for each in ids if each in known)


def outcome_of(paths: Iterable[Path]) -> Outcome:
    """Sum up ways in a word."""
    kinds = {_outcome(path) for path in paths}
    if len(kinds) == 1:
        return next(iter(kinds))
    if Outcome.UNKNOWN in kinds:
        return Outcome.UNKNOWN
    if Outcome.PRIVATE in kinds or not kinds:
        return Outcome.PARTLY if kinds else Outcome.NOWHERE
    return Outcome.INTERNET if Outcome.INTERNET in kinds else Outcome.OTHER_NETWORK


def ways(paths: Iterable[Path], *, exact: bool) -> str:
    """Say which addresses go which way, the larger parts last; `exact` names the addresses."""
    listed = sorted(paths, key=lambda path: path.addresses.size)
    if not listed:
        return "no address that the subnet could send to"
    if len(listed) == 1:
        return f"all {way(listed[0])}"
    if not exact:
        return "its public addresses are not told; they may go " + " or ".join(
            dict.fromkeys(map(way, listed))
        )
    *parts, rest = listed
    return ", ".join(
        [*(f"{few(path.addresses)} {way(path)}" for path in parts), f"the rest {way(rest)}"]
    )


def way(path: Path) -> str:
    """Say which way a path is."""
    if path.kind is PathKind.NONE:
        return "by no route"
    if path.kind is PathKind.BLACKHOLE:
        return f"into the blackhole {path.target}"
    if path.kind is PathKind.UNKNOWN:
        return f"by an unknown way ({path.why})"
    return f"by {path.target or path.kind.value}"


def few(addresses: AddressSet, most: int = 4) -> str:
    """Name some blocks, and how many there are besides."""
    blocks = addresses.networks()
    named = ", ".join(map(str, blocks[:most]))
    return named if len(blocks) <= most else f"{named} and {len(blocks) - most} blocks more"


def _outcome(path: Path) -> Outcome:
    if path.kind is PathKind.GATEWAY_ENDPOINT:
        return Outcome.PRIVATE
    if path.to_internet:
        return Outcome.INTERNET
    if path.kind is PathKind.UNKNOWN or any(it.kind is PathKind.UNKNOWN for it in path.onward):
        return Outcome.UNKNOWN
    if path.kind in {PathKind.NONE, PathKind.BLACKHOLE, PathKind.NAT_GATEWAY, PathKind.LOCAL}:
        return Outcome.NOWHERE
    return Outcome.OTHER_NETWORK


def _arrival(reaches: Iterable[Reach]) -> tuple[Outcome, str]:
    """Sum up how interfaces are reached: a client may be given any of them."""
    answers = {reach.answer for reach in reaches}
    if answers == {Answer.YES}:
        return Outcome.PRIVATE, ""
    if answers <= {Answer.YES, Answer.IF_GROUPED}:
        groups = sorted({group for reach in reaches for group in reach.groups})
        return Outcome.PRIVATE, f", for workloads in {' or '.join(groups)}"
    if answers == {Answer.NO}:
        return Outcome.BLOCKED, f", blocked: {_first_obstacle(reaches)}"
    if Answer.UNKNOWN in answers:
        unread = next((what for reach in reaches for what in reach.unread), "something")
        return Outcome.UNKNOWN, f", unknown: {unread} could not be read"
    return Outcome.PARTLY, f", in part: {_first_obstacle(reaches)}"


def _first_obstacle(reaches: Iterable[Reach]) -> str:
    obstacle = next(each for reach in reaches for each in reach.obstacles)
    ports = f" to ports {obstacle.ports[0]}-{obstacle.ports[1]}" if obstacle.ports else ""
    return f"{obstacle.by} stops {few(obstacle.addresses)}{ports} ({obstacle.rule})"
