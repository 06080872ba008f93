"""Edits of network ACLs that let traffic through in front of the entries that deny it.

https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

from posture.analysis.acls import ALL, TCP, SelectedEntries
from posture.analysis.addresses import IPV4, IPV6, AddressSet
from posture.edits.edit import Edit
from posture.edits.operations.network_acls import CreateNetworkAclEntry, PortRange
from posture.lean_dataclass import dataclass
from posture.model.network import AclEntry, Network, NetworkAcl, Snapshot

FINAL = 32767  # the number of the final deny
STEP = 10
# An ACL within AWS's quota of 40 entries a direction takes 3,240. Beyond, all peers are let in.
MOST_COMPARISONS = 20_000
MOST_BLOCKS = 5  # an ACL has room for 20 entries a direction
EVERYWHERE = ((IPV4, ip_network("0.0.0.0/0")), (IPV6, ip_network("::/0")))


@dataclass(frozen=True, slots=True, order=True)
class Opening:
    """Traffic that a network ACL must let through: TCP on ports, in one direction."""

    acl_id: str
    egress: bool
    ports: tuple[int, int]


def open_acls(
    snapshot: Snapshot, openings: Mapping[Opening, AddressSet], *, widely: bool = False
) -> tuple[Edit, ...] | None:
    """Return the entries that let traffic through.

    Args:
        snapshot: The network.
        openings: The addresses at the other end of the traffic.
        widely: Name the blocks of the VPC, or every address, instead of the addresses.

    Returns:
        The edits; None if there is no free number in front of an entry that denies the traffic.
    """
    found: list[Edit] = []
    taken: dict[tuple[str, bool], set[int]] = {}
    for opening, peers in sorted(openings.items(), key=lambda each: each[0]):
        acl = snapshot.network_acls.get(opening.acl_id)
        if acl is None:
            return None
        denied = _find_denied(acl, opening, peers)
        blocks = [*denied.networks()]
        if widely or len(blocks) > MOST_BLOCKS:
            blocks = [*_widen(snapshot, denied)]
        key = opening.acl_id, opening.egress
        used = taken.setdefault(
            key, {each.number for each in acl.entries if each.egress is opening.egress}
        )
        numbers = _choose_numbers(acl, opening, denied, used, len(blocks))
        if numbers is None:
            return None
        used |= {*numbers}
        found += [
            _allow(opening, number, block) for number, block in zip(numbers, blocks, strict=True)
        ]
    return tuple(found)


def _widen(snapshot: Snapshot, denied: AddressSet) -> Iterable[Network]:
    """Return few blocks that hold the addresses: those of the VPC, or else every address."""
    own: tuple[Network, ...] = (*snapshot.vpc.cidrs, *snapshot.vpc.ipv6_cidrs)
    if AddressSet.of(own) >= denied:
        return [block for block in own if denied & AddressSet.of([block])]
    return [block for family, block in EVERYWHERE if denied & family]


def _find_denied(acl: NetworkAcl, opening: Opening, peers: AddressSet) -> AddressSet:
    """Return the peers that an ACL denies on some of the ports."""
    selected = SelectedEntries.of(acl, peers, egress=opening.egress)
    if selected.count_comparisons() > MOST_COMPARISONS:
        return peers
    return AddressSet.union(
        each.addresses
        for first, _ in selected.split_ports(opening.ports)
        for each in selected.partition(first)
        if not each.allowed
    )


def _choose_numbers(
    acl: NetworkAcl, opening: Opening, denied: AddressSet, used: Iterable[int], count: int
) -> tuple[int, ...] | None:
    """Return free numbers in front of the first entry that denies the traffic."""
    first = min((each.number for each in _list_denying(acl, opening, denied)), default=FINAL)
    taken = {*used}
    last = max((each for each in taken if each < first), default=0)
    spaced = [last + STEP * (step + 1) for step in range(count)]
    if not spaced or spaced[-1] < first:
        return tuple(spaced)
    free = [number for number in range(first - 1, 0, -1) if number not in taken][:count]
    return tuple(reversed(free)) if len(free) == count else None


def _list_denying(acl: NetworkAcl, opening: Opening, denied: AddressSet) -> Iterable[AclEntry]:
    first, last = opening.ports
    for each in acl.entries:
        if each.egress is not opening.egress or each.allow or each.protocol not in {ALL, TCP}:
            continue
        low, high = (each.from_port or 0), (65535 if each.to_port is None else each.to_port)
        overlaps = each.protocol == ALL or (low <= last and first <= high)
        if overlaps and denied & AddressSet.of([each.cidr]):
            yield each


def _allow(
    opening: Opening, number: int, block: IPv4Network | IPv6Network
) -> CreateNetworkAclEntry:
    return CreateNetworkAclEntry(
        network_acl_id=opening.acl_id,
        rule_number=number,
        egress=opening.egress,
        protocol=TCP,
        rule_action="allow",
        cidr_block=block if isinstance(block, IPv4Network) else None,
        ipv6_cidr_block=block if isinstance(block, IPv6Network) else None,
        port_range=PortRange(from_=opening.ports[0], to=opening.ports[1]),
    )
