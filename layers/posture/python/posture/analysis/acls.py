"""Evaluate network ACL entries for sets of addresses.

Entries apply in ascending order of their rule number. The first match decides; traffic that no
entry matches is denied. Network ACLs are stateless, so return traffic needs an entry of its own.
They filter at the boundary of a subnet and do not apply to traffic inside it.
https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posture.analysis.addresses import AddressSet
from posture.lean_dataclass import dataclass
from posture.model.network import AclEntry, NetworkAcl

TCP = "6"
ALL = "-1"
# The source ports of clients; each operating system uses a part of them.
# https://docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html
EPHEMERAL_PORTS = (1024, 65535)


@dataclass(frozen=True, slots=True)
class AclDecision:
    """Some addresses and the entry that decides on them; None is the default deny (rule *)."""

    addresses: AddressSet
    entry: AclEntry | None

    @property
    def allowed(self) -> bool:
        """Whether the traffic is allowed."""
        return self.entry is not None and self.entry.allow


def partition_by_entry(
    acl: NetworkAcl, peers: AddressSet, port: int, *, egress: bool
) -> Iterator[AclDecision]:
    """Divide peers by the entry that decides on TCP traffic between them and the subnet.

    Args:
        acl: The network ACL of the subnet.
        peers: The addresses at the other end: sources of inbound, destinations of outbound traffic.
        port: The destination port.
        egress: Whether the traffic is outbound.
    """
    return SelectedEntries.of(acl, peers, egress=egress).partition(port)


@dataclass(frozen=True, slots=True)
class SelectedEntries:
    """The entries of one direction of an ACL that concern TCP traffic with some peers, in order.

    Attributes:
        peers: The addresses at the other end.
        entries: Each entry, with those of the peers that are in its block.
    """

    peers: AddressSet
    entries: tuple[tuple[AclEntry, AddressSet], ...]

    @classmethod
    def of(cls, acl: NetworkAcl, peers: AddressSet, *, egress: bool) -> SelectedEntries:
        """Select the entries of a direction whose blocks hold some of the peers."""
        entries = (
            each
            for each in sorted(acl.entries, key=lambda each: each.number)
            if each.egress is egress and each.protocol in {ALL, TCP}
        )
        taken = ((each, peers & AddressSet.of([each.cidr])) for each in entries)
        return cls(peers, tuple((entry, its) for entry, its in taken if its))

    def count_comparisons(self) -> int:
        """Return the most comparisons that it takes to decide on every port."""
        return len(self.entries) * (2 * len(self.entries) + 1)

    def partition(self, port: int) -> Iterator[AclDecision]:
        """Divide the peers by the entry that decides on a port."""
        left = self.peers
        for entry, addresses in self.entries:
            if not _covers_port(entry, port):
                continue
            if taken := left & addresses:
                yield AclDecision(taken, entry)
                left -= taken
                if not left:
                    return
        if left:
            yield AclDecision(left, None)

    def split_ports(self, ports: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        """Split a port range (first, last) into ranges whose ports every entry treats alike."""
        entries = (each for each, _ in self.entries if each.protocol == TCP)
        return cut_range(
            ports, (start for each in entries for start in get_starts(_port_range(each)))
        )


def find_denied_peers(
    acl: NetworkAcl, peers: AddressSet, port: int, *, outbound: bool
) -> AddressSet:
    """Return the peers between which and the subnet the ACL denies some TCP traffic.

    Args:
        acl: The network ACL of the subnet.
        peers: The addresses at the other end.
        port: The port of the server.
        outbound: Whether the subnet's hosts open the connections, or else the peers.

    Returns:
        The peers that the ACL denies on the server's port, and those whose return traffic it denies
        on at least one ephemeral port.
    """
    there = SelectedEntries.of(acl, peers, egress=outbound)
    back = SelectedEntries.of(acl, peers, egress=not outbound)
    returning = (first for first, _ in back.split_ports(EPHEMERAL_PORTS))
    return AddressSet.union(
        each.addresses
        for selected, number in ((there, port), *((back, first) for first in returning))
        for each in selected.partition(number)
        if not each.allowed
    )


def find_unrestricted_versions(acl: NetworkAcl) -> frozenset[int]:
    """Return the IP versions for which an ACL allows all traffic, as a default network ACL does."""
    return _find_allowed_versions(acl, egress=False) & _find_allowed_versions(acl, egress=True)


def _find_allowed_versions(acl: NetworkAcl, *, egress: bool) -> frozenset[int]:
    """Return the IP versions that one direction allows as a whole, before any deny entry."""
    found: set[int] = set()
    for entry in sorted(acl.entries, key=lambda each: each.number):
        if entry.egress is not egress:
            continue
        if not entry.allow:
            break
        if entry.protocol == ALL and entry.cidr.prefixlen == 0:
            found.add(entry.cidr.version)
    return frozenset(found)


def split_ports(
    acl: NetworkAcl, ports: tuple[int, int], *, egress: bool
) -> tuple[tuple[int, int], ...]:
    """Split a port range (first, last) into ranges whose ports every entry treats alike."""
    entries = (each for each in acl.entries if each.egress is egress and each.protocol == TCP)
    return cut_range(ports, (start for each in entries for start in get_starts(_port_range(each))))


def get_starts(ports: tuple[int, int]) -> tuple[int, int]:
    """Return where a port range and the ports after it start."""
    return ports[0], ports[1] + 1


def cut_range(ports: tuple[int, int], starts: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Cut a port range (first, last) at these ports."""
    first, last = ports
    ordered = sorted({first, *(each for each in starts if first < each <= last)})
    return tuple(zip(ordered, (*(each - 1 for each in ordered[1:]), last), strict=True))


def _covers_port(entry: AclEntry, port: int) -> bool:
    """Whether an entry of all traffic or of TCP concerns a port."""
    if entry.protocol == ALL:
        return True
    low, high = _port_range(entry)
    return low <= port <= high


def _port_range(entry: AclEntry) -> tuple[int, int]:
    if entry.from_port is None or entry.to_port is None:
        return 0, 65535
    return entry.from_port, entry.to_port
