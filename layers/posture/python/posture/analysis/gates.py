"""The gates between a workload and an endpoint's network interface, and what network ACLs block."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from posture.analysis.acls import EPHEMERAL_PORTS, AclDecision, partition_by_entry, split_ports
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


def find_acl_obstacles(
    here: NetworkAcl | None,
    there: NetworkAcl | None,
    sources: AddressSet,
    target: AddressSet,
    port: int = HTTPS,
) -> Iterator[Obstacle]:
    """Find what the ACLs of two subnets block of requests to a port and of the return traffic.

    Args:
        here: The network ACL of the sources' subnet, if known.
        there: The network ACL of the target's subnet, if known.
        sources: The addresses of the clients.
        target: The addresses of the interface, of the same IP version.
        port: The TCP port of the service.
    """
    if here:
        yield from find_forward_obstacles(here, Gate.OUT, target, sources, port)
    if there:
        yield from find_forward_obstacles(there, Gate.IN, sources, sources, port)
        yield from find_return_obstacles(there, Gate.BACK_OUT, sources, sources)
    if here:
        yield from find_return_obstacles(here, Gate.BACK_IN, target, sources)


def find_egress_obstacles(acl: NetworkAcl, destinations: AddressSet) -> Iterator[Obstacle]:
    """Find the destinations outside the VPC that a subnet's ACL blocks, there or back.

    The obstacles' addresses are destinations here, not addresses of the subnet.
    """
    yield from find_forward_obstacles(acl, Gate.OUT, destinations, destinations)
    yield from find_return_obstacles(acl, Gate.BACK_IN, destinations, destinations)


def find_forward_obstacles(
    acl: NetworkAcl, gate: Gate, peers: AddressSet, sources: AddressSet, port: int = HTTPS
) -> Iterator[Obstacle]:
    """Find what an ACL denies of requests to a port."""
    for decision in partition_by_entry(acl, peers, port, egress=gate is Gate.OUT):
        if not decision.allowed:
            blocked = _select_blocked(decision.addresses, peers, sources)
            yield Obstacle(blocked, gate, acl.id, _describe_denial(decision))


def find_return_obstacles(
    acl: NetworkAcl, gate: Gate, peers: AddressSet, sources: AddressSet
) -> Iterator[Obstacle]:
    """Find what an ACL denies of return traffic to the clients' ports: all ports, or some."""
    egress = gate is Gate.BACK_OUT
    denied = {
        ports: [
            each
            for each in partition_by_entry(acl, peers, ports[0], egress=egress)
            if not each.allowed
        ]
        for ports in split_ports(acl, EPHEMERAL_PORTS, egress=egress)
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
