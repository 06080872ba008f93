"""The gates between a workload and an endpoint's network interface, and what network ACLs block."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from posture.analysis.acls import (
    EPHEMERAL_PORTS,
    AclDecision,
    SelectedEntries,
)
from posture.analysis.addresses import AddressSet
from posture.lean_dataclass import dataclass
from posture.model.network import NetworkAcl

HTTPS = 443


class Gate(StrEnum):
    """A place where traffic can be blocked, on the way there or back."""

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
    """Some of a subnet's addresses and what blocks their traffic.

    `by` is the id of the route table, network ACL or security group; `rule` describes the entry.
    `ports` is the range of client ports that is blocked on the way back, if not all of them are.
    """

    addresses: AddressSet
    gate: Gate
    by: str
    rule: str
    ports: tuple[int, int] | None = None


def list_acl_gates(
    here: NetworkAcl | None, there: NetworkAcl | None, sources: AddressSet, target: AddressSet
) -> Iterator[tuple[NetworkAcl, Gate, AddressSet]]:
    """List the ACLs that requests and return traffic pass, with the gate and its peers.

    Args:
        here: The network ACL of the sources' subnet, if known.
        there: The network ACL of the target's subnet, if known.
        sources: The addresses of the clients.
        target: The addresses of the interface, of the same IP version.
    """
    if here:
        yield here, Gate.OUT, target
    if there:
        yield there, Gate.IN, sources
        yield there, Gate.BACK_OUT, sources
    if here:
        yield here, Gate.BACK_IN, target


def find_egress_obstacles(acl: NetworkAcl, destinations: AddressSet) -> Iterator[Obstacle]:
    """Find the destinations outside the VPC that a subnet's ACL blocks, there or back.

    The obstacles' addresses are destinations here, not addresses of the subnet.
    """
    there = select_entries(acl, Gate.OUT, destinations)
    back = select_entries(acl, Gate.BACK_IN, destinations)
    yield from find_forward_obstacles(acl, Gate.OUT, there, destinations)
    yield from find_return_obstacles(acl, Gate.BACK_IN, back, destinations)


def select_entries(acl: NetworkAcl, gate: Gate, peers: AddressSet) -> SelectedEntries:
    """Select the entries of an ACL that concern traffic with some peers at a gate."""
    return SelectedEntries.of(acl, peers, egress=gate in {Gate.OUT, Gate.BACK_OUT})


def find_forward_obstacles(
    acl: NetworkAcl, gate: Gate, selected: SelectedEntries, sources: AddressSet, port: int = HTTPS
) -> Iterator[Obstacle]:
    """Find what an ACL denies of requests to a port."""
    peers = selected.peers
    for decision in selected.partition(port):
        if not decision.allowed:
            blocked = _select_blocked(decision.addresses, peers, sources)
            yield Obstacle(blocked, gate, acl.id, _describe_denial(decision))


def find_return_obstacles(
    acl: NetworkAcl, gate: Gate, selected: SelectedEntries, sources: AddressSet
) -> Iterator[Obstacle]:
    """Find what an ACL denies of return traffic to the clients' ports: all ports, or some."""
    peers = selected.peers
    denied = {
        ports: [each for each in selected.partition(ports[0]) if not each.allowed]
        for ports in selected.split_ports(EPHEMERAL_PORTS)
    }
    always = peers
    for found in denied.values():
        always &= AddressSet.union(each.addresses for each in found)
    for ports, found in denied.items():
        for decision in found:
            if some := decision.addresses - always:
                blocked = _select_blocked(some, peers, sources)
                yield Obstacle(blocked, gate, acl.id, _describe_denial(decision), ports)
    if always:
        first = next(iter(denied.values()))
        rules = "; ".join(_describe_denial(each) for each in first if each.addresses & always)
        yield Obstacle(_select_blocked(always, peers, sources), gate, acl.id, rules)


def _select_blocked(denied: AddressSet, peers: AddressSet, sources: AddressSet) -> AddressSet:
    """Return the blocked sources: all of them if the interface is the denied peer."""
    return denied if peers == sources else sources


def _describe_denial(decision: AclDecision) -> str:
    if decision.entry is None:
        return "rule * denies all other traffic"
    return f"rule {decision.entry.number} denies {decision.entry.cidr}"
