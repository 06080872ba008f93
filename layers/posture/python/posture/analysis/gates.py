"""The gates between a workload and an endpoint's interface, and what network ACLs stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from posture.analysis.acls import EPHEMERAL_PORTS, AclDecision, partition_by_entry, split_ports
from posture.analysis.addresses import AddressSet
from posture.model.network import NetworkAcl

HTTPS = 443


class Gate(StrEnum):
    """Where packets are stopped."""

    WORKLOAD = "the workload's security groups"
    ROUTE = "the route table of the workload's subnet"
    OUT = "the network ACL of the workload's subnet, outbound"
    IN = "the network ACL of the endpoint's subnet, inbound"
    GROUP = "the endpoint's security groups"
    BACK_ROUTE = "the route table of the endpoint's subnet"
    BACK_OUT = "the network ACL of the endpoint's subnet, outbound"
    BACK_IN = "the network ACL of the workload's subnet, inbound"


RETURNING = frozenset({Gate.BACK_ROUTE, Gate.BACK_OUT, Gate.BACK_IN})


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Some of a subnet's addresses and what stops them.

    `by` is the id of the ACL or group; `rule` says which entry, in words. `ports` are the client's
    ports that are stopped on the way back, where not all are.
    """

    addresses: AddressSet
    gate: Gate
    by: str
    rule: str
    ports: tuple[int, int] | None = None


def find_acl_obstacles(
    here: NetworkAcl | None, there: NetworkAcl | None, sources: AddressSet, target: AddressSet
) -> Iterator[Obstacle]:
    """Give what the ACLs of two subnets stop of packets to a port and of the answers.

    Args:
        here: The ACL of the senders' subnet, if it is known.
        there: The ACL of the receivers' subnet, if it is known.
        sources: The senders.
        target: The receivers, of the same IP version.
    """
    if here:
        yield from _stops(here, Gate.OUT, target, sources)
    if there:
        yield from _stops(there, Gate.IN, sources, sources)
        yield from _stops_back(there, Gate.BACK_OUT, sources, sources)
    if here:
        yield from _stops_back(here, Gate.BACK_IN, target, sources)


def find_outbound_acl_obstacles(acl: NetworkAcl, destinations: AddressSet) -> Iterator[Obstacle]:
    """Give the destinations outside the VPC that a subnet's ACL stops, or whose answers it does.

    The obstacles' addresses are destinations here, not the subnet's own.
    """
    yield from _stops(acl, Gate.OUT, destinations, destinations)
    yield from _stops_back(acl, Gate.BACK_IN, destinations, destinations)


def _stops(
    acl: NetworkAcl, gate: Gate, peers: AddressSet, sources: AddressSet
) -> Iterator[Obstacle]:
    """Give what an ACL denies on the way to the interface's port 443."""
    for decision in partition_by_entry(acl, peers, HTTPS, egress=gate is Gate.OUT):
        if not decision.allowed:
            stopped = _stopped(decision.addresses, peers, sources)
            yield Obstacle(stopped, gate, acl.id, _words(decision))


def _stops_back(
    acl: NetworkAcl, gate: Gate, peers: AddressSet, sources: AddressSet
) -> Iterator[Obstacle]:
    """Give what an ACL denies on the way back to a client's port: all ports, or some."""
    egress = gate is Gate.BACK_OUT
    starts = split_ports(acl, EPHEMERAL_PORTS, egress=egress)
    ends = (*(start - 1 for start in starts[1:]), EPHEMERAL_PORTS[1])
    denied = {
        (start, end): [
            each
            for each in partition_by_entry(acl, peers, start, egress=egress)
            if not each.allowed
        ]
        for start, end in zip(starts, ends, strict=True)
    }
    always = peers
    for found in denied.values():
        always &= AddressSet.union(each.addresses for each in found)
    for ports, found in denied.items():
        for decision in found:
            if some := decision.addresses - always:
                stopped = _stopped(some, peers, sources)
                yield Obstacle(stopped, gate, acl.id, _words(decision), ports)
    if always:
        deciding = [each for each in denied[starts[0], ends[0]] if each.addresses & always]
        yield Obstacle(
            _stopped(always, peers, sources), gate, acl.id, "; ".join(map(_words, deciding))
        )


def _stopped(denied: AddressSet, peers: AddressSet, sources: AddressSet) -> AddressSet:
    """Give the sources that are stopped: all, where the interface is the peer that is denied."""
    return denied if peers == sources else sources


def _words(decision: AclDecision) -> str:
    if decision.entry is None:
        return "the final deny"
    entry = decision.entry
    return f"rule {entry.number} denies {entry.cidr}"
