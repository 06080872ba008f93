"""Describe paths, obstacles and reachability in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from posture.analysis.addresses import AddressSet
from posture.analysis.gates import RETURNING, Obstacle
from posture.analysis.path import Path, PathKind
from posture.analysis.path_outcome import PathOutcome
from posture.analysis.reach import PortRange, Reach, ReachStatus

MOST = 4  # blocks that a sentence names


def describe_paths(paths: Iterable[Path], *, exact: bool) -> str:
    """Describe which traffic takes which path, the smallest part first.

    Args:
        paths: The paths of a service's addresses.
        exact: Whether the paths' addresses are the service's own, so that they are named.
    """
    found = tuple(paths)
    if not found:
        return "the service has no addresses of the subnet's IP versions"
    if len(found) == 1:
        return f"all traffic {describe_path(found[0])}"
    listed = sorted(found, key=lambda path: path.addresses.size)
    if not exact:
        possible = " or ".join(dict.fromkeys(map(describe_path, listed)))
        return f"depending on the service's public addresses, traffic {possible}"
    *parts, rest = listed
    named = (
        f"traffic to {describe_addresses(each.addresses)} {describe_path(each)}" for each in parts
    )
    return ", ".join([*named, f"all other traffic {describe_path(rest)}"])


def describe_path(path: Path) -> str:
    """Describe what happens to the traffic of a path, as a predicate."""
    if path.kind is PathKind.NONE:
        return "has no route"
    if path.kind is PathKind.BLACKHOLE:
        return f"is dropped at {path.target} ({path.why or 'the route is a blackhole'})"
    if path.kind in {PathKind.UNKNOWN, PathKind.OTHER_ENDPOINT}:
        return f"takes an unknown path ({path.why})"
    followed = f"is routed to {path.target or path.kind.value}"
    # That a NAT gateway leads to an internet gateway is the normal case, so it is not mentioned.
    is_nat = path.kind is PathKind.NAT_GATEWAY or not path.onward
    if is_nat and all(each.kind is PathKind.INTERNET_GATEWAY for each in path.onward):
        return followed
    return (
        f"{followed}, from where it {' or '.join(dict.fromkeys(map(describe_path, path.onward)))}"
    )


def describe_addresses(addresses: AddressSet, most: int = MOST) -> str:
    """Name the first blocks of a set, and how many more there are."""
    blocks = addresses.networks()
    named = ", ".join(map(str, blocks[:most]))
    return named if len(blocks) <= most else f"{named} and {len(blocks) - most} more blocks"


def describe_ports(ports: Iterable[PortRange], most: int = MOST) -> str:
    """Name ranges of TCP ports, those that adjoin as one; "" for none."""
    merged: list[PortRange] = []
    for first, last in sorted(ports):
        if merged and merged[-1][1] + 1 == first:
            merged[-1] = merged[-1][0], last
        else:
            merged.append((first, last))
    named = [str(first) if first == last else f"{first}-{last}" for first, last in merged]
    if not named:
        return ""
    if len(named) > most + 1:
        named = [*named[:most], f"{len(named) - most} more ranges"]
    *others, final = named
    plural = "s" if others or "-" in final else ""
    before = f"{', '.join(others)} and " if others else ""
    return f"port{plural} {before}{final}"


def describe_outcomes(outcomes: Mapping[tuple[PortRange, ...], PathOutcome]) -> str:
    """Describe an answer that depends on the port, which is not known."""
    words = {PathOutcome.PRIVATE: "reachable"}
    found = (
        f"{describe_ports(ports)}: {words.get(outcome, outcome.value)}"
        for ports, outcome in outcomes.items()
    )
    return f"which port clients use is not known ({'; '.join(found)})"


def describe_reaches(reaches: Sequence[Reach], missing: Sequence[str]) -> str:
    """Describe, as the end of a sentence, what blocks a subnet from interfaces.

    Args:
        reaches: How the subnet reaches each interface.
        missing: The ids of interfaces that could not be read.

    Returns:
        "" if the subnet reaches all of them.
    """
    statuses = {reach.status for reach in reaches}
    if statuses and statuses <= {ReachStatus.NO}:
        return f", but {_describe_first_obstacle(reaches)}"
    if missing or not reaches or ReachStatus.UNKNOWN in statuses:
        return f", but {_describe_unknown(reaches, missing)}"
    if statuses <= {ReachStatus.YES, ReachStatus.BY_SECURITY_GROUP}:
        groups = sorted({group for reach in reaches for group in reach.groups})
        return f", reachable only from workloads in {' or '.join(groups)}" if groups else ""
    return f", reachable only in part: {_describe_first_obstacle(reaches)}"


def _describe_unknown(reaches: Sequence[Reach], missing: Sequence[str]) -> str:
    if missing:
        return f"the network interface {missing[0]} could not be read"
    unread = (each for reach in reaches for each in reach.unread)
    undetermined = (f"{each} could not be determined" for each in unread)
    return next(undetermined, "no network interface of it is known")


def _describe_first_obstacle(reaches: Iterable[Reach]) -> str:
    found = (
        describe_obstacle(each, reach.sources) for reach in reaches for each in reach.obstacles
    )
    return next(found, "the subnet and the endpoint share no IP version")


def describe_obstacle(obstacle: Obstacle, sources: AddressSet) -> str:
    """Describe what blocks which of a subnet's addresses."""
    whole = obstacle.addresses >= sources
    blocked = "the whole subnet" if whole else describe_addresses(obstacle.addresses)
    ports = f" on client ports {obstacle.ports[0]}-{obstacle.ports[1]}" if obstacle.ports else ""
    return f"{obstacle.by} blocks {blocked}{ports} ({obstacle.rule})"


def describe_acl_obstacle(obstacle: Obstacle, destinations: AddressSet) -> str:
    """Describe what a subnet's ACL blocks of the traffic to and from a service's addresses."""
    whole = obstacle.addresses >= destinations
    peers = "the service" if whole else describe_addresses(obstacle.addresses)
    traffic = "return traffic from" if obstacle.gate in RETURNING else "traffic to"
    ports = f" on client ports {obstacle.ports[0]}-{obstacle.ports[1]}" if obstacle.ports else ""
    return f"{obstacle.by} blocks {traffic} {peers}{ports} ({obstacle.rule})"
