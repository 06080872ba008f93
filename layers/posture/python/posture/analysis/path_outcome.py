"""Summarize how a subnet's traffic to a service fares."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from posture.analysis.path import INTERNET, OTHER_NETWORKS, UNKNOWN_ENDS, Path, PathKind
from posture.analysis.reach import PortRange, Reach, ReachStatus


class PathOutcome(StrEnum):
    """How a subnet's traffic to a service fares."""

    PRIVATE = "endpoint"  # all of it reaches an endpoint
    BY_SECURITY_GROUP = "by security group"  # as above, but only from certain security groups
    PARTLY = "partly"  # part of it reaches an endpoint, part takes another path or is dropped
    BLOCKED = "blocked"  # it is blocked on the way to an endpoint, or its names do not resolve
    INTERNET = "internet"  # all or part of it leaves through a NAT or internet gateway
    OTHER_NETWORK = "other network"  # it is routed to another network, where the analysis ends
    NO_ROUTE = "no route"  # it has no route or is dropped
    UNKNOWN = "unknown"


# All of the traffic reaches an endpoint.
REACHED = frozenset({PathOutcome.PRIVATE, PathOutcome.BY_SECURITY_GROUP})


def summarize_paths(paths: Iterable[Path]) -> PathOutcome:
    """Summarize paths that together carry all of the traffic."""
    found = {_get_outcome(end.kind) for path in paths for end in path.ends}
    if PathOutcome.PRIVATE in found and found - {PathOutcome.PRIVATE, PathOutcome.UNKNOWN}:
        return PathOutcome.PARTLY
    order = (
        PathOutcome.INTERNET,
        PathOutcome.UNKNOWN,
        PathOutcome.PRIVATE,
        PathOutcome.OTHER_NETWORK,
    )
    return next((each for each in order if each in found), PathOutcome.NO_ROUTE)


def _get_outcome(end: PathKind) -> PathOutcome:
    if end is PathKind.GATEWAY_ENDPOINT:
        return PathOutcome.PRIVATE
    if end in INTERNET:
        return PathOutcome.INTERNET
    if end in UNKNOWN_ENDS:
        return PathOutcome.UNKNOWN
    return PathOutcome.OTHER_NETWORK if end in OTHER_NETWORKS else PathOutcome.NO_ROUTE


def summarize_by_ports(reaches: Iterable[Reach]) -> dict[tuple[PortRange, ...], PathOutcome]:
    """Summarize how interfaces are reached on ports with the same answer, by these ports."""
    found: dict[tuple[PortRange, ...], list[Reach]] = {}
    for reach in reaches:
        found.setdefault(reach.ports, []).append(reach)
    return {ports: summarize_reaches(each) for ports, each in found.items()}


def summarize_reaches(reaches: Iterable[Reach]) -> PathOutcome:
    """Summarize how interfaces are reached, any of which DNS may return to a client."""
    statuses = {reach.status for reach in reaches}
    if not statuses or ReachStatus.UNKNOWN in statuses:
        return PathOutcome.UNKNOWN
    if statuses == {ReachStatus.NO}:
        return PathOutcome.BLOCKED
    if statuses == {ReachStatus.YES}:
        return PathOutcome.PRIVATE
    if statuses <= {ReachStatus.YES, ReachStatus.BY_SECURITY_GROUP}:
        return PathOutcome.BY_SECURITY_GROUP
    return PathOutcome.PARTLY
