"""How a subnet's traffic to a service fares, in a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from posture.analysis.path import OTHER_NETWORKS, Path, PathKind
from posture.analysis.reach import Reach, ReachStatus

# What passes traffic on by rules of its own, which nobody here can see.
INSPECTING = frozenset(
    {PathKind.APPLIANCE, PathKind.LOAD_BALANCER_ENDPOINT, PathKind.OTHER_ENDPOINT}
)


class PathOutcome(StrEnum):
    """How a subnet's traffic to a service fares."""

    PRIVATE = "endpoint"  # all of it reaches an endpoint
    BY_SECURITY_GROUP = (
        "by group"  # it reaches an endpoint from workloads that have one of certain groups
    )
    PARTLY = "partly"  # part of it reaches an endpoint, part goes another way or nowhere
    BLOCKED = "blocked"  # it is sent to an endpoint and stopped on the way
    INTERNET = "internet"  # it leaves by a NAT or internet gateway, all of it or part
    OTHER_NETWORK = "other network"  # it is handed to another network, where our answer ends
    NO_ROUTE = "no way"  # nothing leads there
    UNKNOWN = "unknown"


def summarize_paths(paths: Iterable[Path]) -> PathOutcome:
    """Sum up ways in a word."""
    kinds = {kind for path in paths for kind in _outcomes(path)}
    if not kinds:
        return PathOutcome.NO_ROUTE
    if PathOutcome.PRIVATE in kinds and kinds - {PathOutcome.PRIVATE, PathOutcome.UNKNOWN}:
        return PathOutcome.PARTLY
    order = (
        PathOutcome.INTERNET,
        PathOutcome.UNKNOWN,
        PathOutcome.PRIVATE,
        PathOutcome.OTHER_NETWORK,
    )
    return next((each for each in order if each in kinds), PathOutcome.NO_ROUTE)


def _outcomes(path: Path) -> Iterator[PathOutcome]:
    if path.kind is PathKind.NAT_GATEWAY:
        for onward in path.onward:
            yield from _outcomes(onward)
    elif path.kind is PathKind.GATEWAY_ENDPOINT:
        yield PathOutcome.PRIVATE
    elif path.to_internet:
        yield PathOutcome.INTERNET
    elif path.kind is PathKind.UNKNOWN:
        yield PathOutcome.UNKNOWN
    elif path.kind in OTHER_NETWORKS or path.kind in INSPECTING:
        yield PathOutcome.OTHER_NETWORK
    else:
        yield PathOutcome.NO_ROUTE


def summarize_reaches(reaches: Iterable[Reach]) -> PathOutcome:
    """Sum up how interfaces are reached: a client may be given any of them."""
    answers = {reach.answer for reach in reaches}
    if not answers or ReachStatus.UNKNOWN in answers:
        return PathOutcome.UNKNOWN
    if answers == {ReachStatus.NO}:
        return PathOutcome.BLOCKED
    if answers == {ReachStatus.YES}:
        return PathOutcome.PRIVATE
    return (
        PathOutcome.BY_SECURITY_GROUP
        if answers <= {ReachStatus.YES, ReachStatus.BY_SECURITY_GROUP}
        else PathOutcome.PARTLY
    )
