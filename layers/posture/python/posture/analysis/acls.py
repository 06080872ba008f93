"""What a network ACL lets pass, entry by entry, for sets of addresses.

Entries apply in order of their number; the first that matches decides, and what none matches is
denied. ACLs keep no state: an answer needs an entry of its own. They guard a subnet's edge, so they
do not see what stays inside the subnet.
https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from posture.analysis.addresses import AddressSet
from posture.model.network import AclEntry, NetworkAcl

TCP = "6"
ALL = "-1"
# Where clients open their side of a connection; which part is theirs depends on their system.
# https://docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html
EPHEMERAL_PORTS = (1024, 65535)


@dataclass(frozen=True, slots=True)
class AclDecision:
    """Some addresses and the entry that decides on them; None is the final deny."""

    addresses: AddressSet
    entry: AclEntry | None

    @property
    def allowed(self) -> bool:
        """Whether they pass."""
        return self.entry is not None and self.entry.allow


def partition_by_entry(
    acl: NetworkAcl, peers: AddressSet, port: int, *, egress: bool
) -> tuple[AclDecision, ...]:
    """Divide peers by the entry that decides on TCP between them and the subnet.

    Args:
        acl: The subnet's network ACL.
        peers: The addresses at the other end: senders inbound, receivers outbound.
        port: The destination port.
        egress: Whether the packets leave the subnet.
    """
    return tuple(_decided(acl, peers, port, egress=egress))


def _decided(
    acl: NetworkAcl, peers: AddressSet, port: int, *, egress: bool
) -> Iterator[AclDecision]:
    left = peers
    for entry in sorted(acl.entries, key=lambda each: each.number):
        if entry.egress is not egress or not _concerns(entry, port):
            continue
        taken = left & AddressSet.of([entry.cidr])
        if taken:
            yield AclDecision(taken, entry)
            left -= taken
    if left:
        yield AclDecision(left, None)


@dataclass(frozen=True, slots=True)
class AclDenials:
    """What an ACL denies of some peers: HTTPS towards them, from them, and any answer of those.

    An answer counts as denied where only some of the client's ports are.
    """

    out: AddressSet
    into: AddressSet
    back_out: AddressSet
    back_in: AddressSet


def find_denials(acl: NetworkAcl, peers: AddressSet, port: int) -> AclDenials:
    """Give at once what an ACL denies of peers, without saying by which entry."""
    return AclDenials(
        out=_denied(acl, peers, (port,), egress=True),
        into=_denied(acl, peers, (port,), egress=False),
        back_out=_denied(acl, peers, split_ports(acl, EPHEMERAL_PORTS, egress=True), egress=True),
        back_in=_denied(acl, peers, split_ports(acl, EPHEMERAL_PORTS, egress=False), egress=False),
    )


def _denied(
    acl: NetworkAcl, peers: AddressSet, ports: Iterable[int], *, egress: bool
) -> AddressSet:
    return AddressSet.union(
        each.addresses
        for port in ports
        for each in partition_by_entry(acl, peers, port, egress=egress)
        if not each.allowed
    )


def find_unrestricted_versions(acl: NetworkAcl) -> frozenset[int]:
    """Give the IP versions of which an ACL stops nothing, as the one that comes with a VPC does."""
    return _allowed_whole(acl, egress=False) & _allowed_whole(acl, egress=True)


def _allowed_whole(acl: NetworkAcl, *, egress: bool) -> frozenset[int]:
    """Give the versions that one direction allows as a whole, before anything is denied."""
    found: set[int] = set()
    for entry in sorted(acl.entries, key=lambda each: each.number):
        if entry.egress is not egress:
            continue
        if not entry.allow:
            break
        if entry.protocol == ALL and entry.cidr.prefixlen == 0:
            found.add(entry.cidr.version)
    return frozenset(found)


def split_ports(acl: NetworkAcl, ports: tuple[int, int], *, egress: bool) -> tuple[int, ...]:
    """Give one port of each stretch that every entry treats alike, the first of each."""
    first, last = ports
    starts = {first}
    for entry in acl.entries:
        if entry.egress is egress and entry.protocol == TCP:
            low, high = _range(entry)
            starts |= {each for each in (low, high + 1) if first < each <= last}
    return tuple(sorted(starts))


def _concerns(entry: AclEntry, port: int) -> bool:
    if entry.protocol == ALL:
        return True
    low, high = _range(entry)
    return entry.protocol == TCP and low <= port <= high


def _range(entry: AclEntry) -> tuple[int, int]:
    if entry.from_port is None or entry.to_port is None:
        return 0, 65535
    return entry.from_port, entry.to_port
