"""Whether a subnet reaches an endpoint's network interface on HTTPS, and the answer its way back.

Four gates, and only the first is not ours to see: the workload's own security group (unless it is
stated), the ACL of its subnet, the ACL of the interface's subnet, the interface's security groups.
Groups keep state, so an answer needs no rule; ACLs do not.
https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import ip_network

from posture.analysis.acls import EPHEMERAL, Decision, decisions, open_families, port_classes
from posture.analysis.addresses import IPV4, IPV6, NOTHING, AddressSet
from posture.analysis.groups import covers, peers_of
from posture.model.network import (
    NetworkAcl,
    NetworkInterface,
    PrefixList,
    SecurityGroup,
    Snapshot,
    Subnet,
)

HTTPS = 443
FAMILIES = {4: IPV4, 6: IPV6}


class Gate(StrEnum):
    """Where packets are stopped."""

    OUT = "the network ACL of the workload's subnet, outbound"
    IN = "the network ACL of the endpoint's subnet, inbound"
    GROUP = "the endpoint's security groups"
    BACK_OUT = "the network ACL of the endpoint's subnet, outbound"
    BACK_IN = "the network ACL of the workload's subnet, inbound"


RETURNING = frozenset({Gate.BACK_OUT, Gate.BACK_IN})


class Answer(StrEnum):
    """Whether a subnet reaches an interface."""

    YES = "yes"
    PARTLY = "partly"  # some addresses of the subnet, or some of the client's ports
    NO = "no"
    IF_GROUPED = "if grouped"  # only workloads that have one of certain security groups
    UNKNOWN = "unknown"


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


@dataclass(frozen=True, slots=True)
class Reach:
    """How a subnet reaches one interface: `reaching` of all its `sources`, the rest by obstacle.

    `groups` are those of which a workload must have one; `unread` says what could not be read.
    """

    interface: NetworkInterface
    sources: AddressSet
    reaching: AddressSet
    obstacles: tuple[Obstacle, ...] = ()
    groups: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()

    @property
    def answer(self) -> Answer:
        """The whole in a word; a stop that is certain outweighs what is not known."""
        if not self.reaching:
            if self.unread and not any(each.gate is not Gate.GROUP for each in self.obstacles):
                return Answer.UNKNOWN
            return Answer.IF_GROUPED if self.groups else Answer.NO
        if self.reaching == self.sources and not self.obstacles:
            return Answer.UNKNOWN if self.unread else Answer.YES
        return Answer.PARTLY


@dataclass(frozen=True, slots=True)
class Admitted:
    """Whom an interface's groups admit on HTTPS: by address, by group, and what is not known."""

    addresses: AddressSet
    groups: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()


def admitted_by(
    groups: Iterable[SecurityGroup], prefix_lists: Mapping[str, PrefixList]
) -> Admitted:
    """Add up the ingress rules of groups for TCP 443."""
    addresses, references, unread = NOTHING, set(), []
    for group in groups:
        for rule in group.ingress:
            if not covers(rule, "tcp", HTTPS):
                continue
            if rule.group is not None:
                references.add(rule.group.group_id)
                continue
            found = peers_of(rule, prefix_lists)
            if found is None:
                unread.append(f"the entries of {rule.prefix_list_id}, which {group.id} admits")
            else:
                addresses |= found
    return Admitted(addresses, frozenset(references), tuple(unread))


class Reachability:
    """Who reaches what inside one VPC; what subnets and interfaces share is worked out once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._acls = {
            subnet_id: acl for acl in snapshot.network_acls.values() for subnet_id in acl.subnet_ids
        }
        self._open = {acl.id: open_families(acl) for acl in snapshot.network_acls.values()}
        self._admitted: dict[tuple[str, ...], Admitted] = {}
        self._sources: dict[tuple[str, frozenset[int]], AddressSet] = {}

    def reach(
        self,
        subnet: Subnet,
        interface: NetworkInterface,
        workload_groups: frozenset[str] = frozenset(),
    ) -> Reach:
        """Tell whether a subnet's addresses reach an interface on TCP 443, and answers come back.

        Args:
            subnet: Where the workload is.
            interface: One of an endpoint's.
            workload_groups: The security groups of the workload, as far as they are stated: what
                the endpoint admits by one of them is admitted. Their own egress is taken to be
                open, as it is unless somebody changed it.
        """
        sources = self._from(subnet, interface)
        left = sources
        obstacles: list[Obstacle] = []
        for stopped in self._stops(subnet, interface, sources):
            obstacles.append(stopped)
            if stopped.ports is None:
                left -= stopped.addresses
        admitted = self._admits(interface.security_group_ids)
        by_group = workload_groups & admitted.groups
        held = NOTHING if by_group else left - admitted.addresses
        if held:
            by = ", ".join(interface.security_group_ids) or "no security group"
            obstacles.append(Obstacle(held, Gate.GROUP, by, "no rule admits them on 443"))
        return Reach(
            interface=interface,
            sources=sources,
            reaching=left - held,
            obstacles=tuple(obstacles),
            groups=admitted.groups if held else frozenset(),
            unread=(*(admitted.unread if held else ()), *self._missing(subnet, interface)),
        )

    def _admits(self, ids: tuple[str, ...]) -> Admitted:
        if ids not in self._admitted:
            known = self._snapshot.security_groups
            found = admitted_by(
                (known[each] for each in ids if each in known), self._snapshot.prefix_lists
            )
            lost = tuple(f"the security group {each}" for each in ids if each not in known)
            self._admitted[ids] = replace(found, unread=(*found.unread, *lost))
        return self._admitted[ids]

    def _from(self, subnet: Subnet, interface: NetworkInterface) -> AddressSet:
        """Give the subnet's addresses of the families the interface answers to."""
        versions = frozenset(address.version for address in interface.addresses)
        key = subnet.id, versions
        if key not in self._sources:
            blocks = [*((subnet.cidr,) if subnet.cidr else ()), *subnet.ipv6_cidrs]
            self._sources[key] = AddressSet.of(
                block for block in blocks if block.version in versions
            )
        return self._sources[key]

    def _missing(self, subnet: Subnet, interface: NetworkInterface) -> tuple[str, ...]:
        """Name the ACLs on the way that are not known; inside one subnet there is none."""
        if subnet.id == interface.subnet_id:
            return ()
        return tuple(
            f"the network ACL of {each}"
            for each in (subnet.id, interface.subnet_id)
            if each not in self._acls
        )

    def _stops(
        self, subnet: Subnet, interface: NetworkInterface, sources: AddressSet
    ) -> Iterator[Obstacle]:
        """Give what the ACLs stop, there and back; nothing inside one subnet."""
        here, there = self._acls.get(subnet.id), self._acls.get(interface.subnet_id)
        if subnet.id == interface.subnet_id:
            return
        acls = [acl for acl in (here, there) if acl]
        versions = {address.version for address in interface.addresses}
        closed = {it for it in versions if any(it not in self._open[acl.id] for acl in acls)}
        if not closed:
            return
        target = AddressSet.of(map(ip_network, interface.addresses))
        for version in sorted(closed):
            senders, receiver = sources & FAMILIES[version], target & FAMILIES[version]
            if senders and receiver:
                yield from _stops_on_the_way(here, there, senders, receiver)


def _stops_on_the_way(
    here: NetworkAcl | None, there: NetworkAcl | None, sources: AddressSet, target: AddressSet
) -> Iterator[Obstacle]:
    if here:
        yield from _stops(here, Gate.OUT, target, sources)
    if there:
        yield from _stops(there, Gate.IN, sources, sources)
        yield from _stops_back(there, Gate.BACK_OUT, sources, sources)
    if here:
        yield from _stops_back(here, Gate.BACK_IN, target, sources)


def _stops(
    acl: NetworkAcl, gate: Gate, peers: AddressSet, sources: AddressSet
) -> Iterator[Obstacle]:
    """Give what an ACL denies on the way to the interface's port 443."""
    for decision in decisions(acl, peers, HTTPS, egress=gate is Gate.OUT):
        if not decision.allowed:
            stopped = _stopped(decision.addresses, peers, sources)
            yield Obstacle(stopped, gate, acl.id, _words(decision))


def _stops_back(
    acl: NetworkAcl, gate: Gate, peers: AddressSet, sources: AddressSet
) -> Iterator[Obstacle]:
    """Give what an ACL denies on the way back to a client's port: all ports, or some."""
    egress = gate is Gate.BACK_OUT
    starts = port_classes(acl, EPHEMERAL, egress=egress)
    ends = (*(start - 1 for start in starts[1:]), EPHEMERAL[1])
    denied = {
        (start, end): [
            each for each in decisions(acl, peers, start, egress=egress) if not each.allowed
        ]
        for start, end in zip(starts, ends, strict=True)
    }
    always = peers
    for found in denied.values():
        always &= _union(each.addresses for each in found)
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


def _words(decision: Decision) -> str:
    if decision.entry is None:
        return "the final deny"
    entry = decision.entry
    return f"rule {entry.number} denies {entry.cidr}"


def _union(sets: Iterable[AddressSet]) -> AddressSet:
    whole = NOTHING
    for each in sets:
        whole |= each
    return whole
