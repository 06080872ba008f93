"""How a subnet's traffic to a service fares, in a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from posture.analysis.path import OTHER_NETWORKS, Path, PathKind
from posture.analysis.reach import Answer, Reach

# What passes traffic on by rules of its own, which nobody here can see.
INSPECTING = frozenset(
    {PathKind.APPLIANCE, PathKind.LOAD_BALANCER_ENDPOINT, PathKind.OTHER_ENDPOINT}
)


class Outcome(StrEnum):
    """How a subnet's traffic to a service fares."""

    PRIVATE = "endpoint"  # all of it reaches an endpoint
    BY_GROUP = "by group"  # it reaches an endpoint from workloads that have one of certain groups
    PARTLY = "partly"  # part of it reaches an endpoint, part goes another way or nowhere
    BLOCKED = "blocked"  # it is sent to an endpoint and stopped on the way
    INTERNET = "internet"  # it leaves by a NAT or internet gateway, all of it or part
    OTHER_NETWORK = "other network"  # it is handed to another network, where our answer ends
    NOWHERE = "no way"  # nothing leads there
    UNKNOWN = "unknown"


def outcome_of(paths: Iterable[Path]) -> Outcome:
    """Sum up ways in a word."""
    kinds = {kind for path in paths for kind in _outcomes(path)}
    if not kinds:
        return Outcome.NOWHERE
    if Outcome.PRIVATE in kinds and kinds - {Outcome.PRIVATE, Outcome.UNKNOWN}:
        return Outcome.PARTLY
    order = (Outcome.INTERNET, Outcome.UNKNOWN, Outcome.PRIVATE, Outcome.OTHER_NETWORK)
    return next((each for each in order if each in kinds), Outcome.NOWHERE)


def _outcomes(path: Path) -> Iterator[Outcome]:
    if path.kind is PathKind.NAT_GATEWAY:
        for onward in path.onward:
            yield from _outcomes(onward)
    elif path.kind is PathKind.GATEWAY_ENDPOINT:
        yield Outcome.PRIVATE
    elif path.to_internet:
        yield Outcome.INTERNET
    elif path.kind is PathKind.UNKNOWN:
        yield Outcome.UNKNOWN
    elif path.kind in OTHER_NETWORKS or path.kind in INSPECTING:
        yield Outcome.OTHER_NETWORK
    else:
        yield Outcome.NOWHERE


def arrived(reaches: Iterable[Reach]) -> Outcome:
    """Sum up how interfaces are reached: a client may be given any of them."""
    answers = {reach.answer for reach in reaches}
    if not answers or Answer.UNKNOWN in answers:
        return Outcome.UNKNOWN
    if answers == {Answer.NO}:
        return Outcome.BLOCKED
    if answers == {Answer.YES}:
        return Outcome.PRIVATE
    return Outcome.BY_GROUP if answers <= {Answer.YES, Answer.IF_GROUPED} else Outcome.PARTLY
