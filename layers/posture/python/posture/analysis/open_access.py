"""Find ports on which security group rules together allow every address.

The work grows with the number of rules, not with its square: the ports are passed once in ascending
order, and what is allowed on each is kept up to date as rules begin and end. Blocks contain each
other or have no address in common, so that a tree of blocks knows whether they cover everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from posture.analysis.addresses import IPV4, IPV6, AddressSet
from posture.analysis.gates import HTTPS
from posture.analysis.security_groups import ALL, PROTOCOLS, get_port_range
from posture.lean_dataclass import dataclass
from posture.model.network import Network, PrefixList, SecurityGroup, SecurityGroupRule

TRANSPORTS = ("tcp", "udp")  # an endpoint carries no other
FAMILIES = {4: ("0.0.0.0/0", IPV4), 6: ("::/0", IPV6)}


@dataclass(frozen=True, slots=True)
class InboundRule:
    """An inbound rule of a group that allows addresses."""

    group_id: str
    rule: SecurityGroupRule


@dataclass(frozen=True, slots=True)
class OpenAccess:
    """Whether the groups of an interface allow every address.

    `open_to` is `0.0.0.0/0` or `::/0` or both, on the port; `by` are the rules that allow it.
    `unread` are the rules that may allow it, but whose prefix lists could not be read.
    """

    open_to: tuple[str, ...] = ()
    port: int = HTTPS
    protocol: str = "tcp"
    by: tuple[InboundRule, ...] = ()
    unread: tuple[InboundRule, ...] = ()


@dataclass(frozen=True, slots=True)
class _Peers:
    """The blocks that a rule allows, their IP versions, and those of which they are the whole."""

    blocks: tuple[Network, ...]
    versions: frozenset[int]
    whole: frozenset[int]

    @classmethod
    def of(cls, blocks: tuple[Network, ...]) -> _Peers:
        versions = frozenset(each.version for each in blocks)
        allowed = AddressSet.of(blocks)
        whole = frozenset(each for each in versions if allowed >= FAMILIES[each][1])
        return cls(blocks, versions, whole)


def find_open_access(
    groups: Iterable[SecurityGroup], prefix_lists: Mapping[str, PrefixList]
) -> OpenAccess:
    """Find a TCP or UDP port, 443 first, on which groups together allow every address."""
    inbound = _Inbound(groups, prefix_lists)
    return next(inbound.list_open(), None) or OpenAccess(unread=tuple(inbound.unread))


def find_open_rules(
    groups: Iterable[SecurityGroup], prefix_lists: Mapping[str, PrefixList]
) -> list[InboundRule]:
    """Find rules without which groups allow every address on no TCP or UDP port."""
    opened = _Inbound(groups, prefix_lists).list_open()
    return [rule for each in opened for rule in each.by]


class _Inbound:
    """The rules of groups that allow addresses, and the peers of each by its number.

    Most groups do not come near to allowing every address, so that their peers are not needed.
    """

    def __init__(
        self, groups: Iterable[SecurityGroup], prefix_lists: Mapping[str, PrefixList]
    ) -> None:
        self._rules: list[InboundRule] = []
        self._sources: list[Network | str] = []  # of each rule
        self._blocks: dict[Network | str, tuple[Network, ...]] = {}
        self.unread: list[InboundRule] = []
        for group in groups:
            for rule in group.ingress:
                source = rule.cidr or rule.prefix_list_id or ""
                if rule.group is not None:
                    continue
                if source not in self._blocks and (blocks := _list_blocks(rule, prefix_lists)):
                    self._blocks[source] = blocks
                inbound = InboundRule(group.id, rule)
                if source in self._blocks:
                    self._rules.append(inbound)
                    self._sources.append(source)
                elif _list_blocks(rule, prefix_lists) is None:
                    self.unread.append(inbound)

    @cached_property
    def _peers(self) -> list[_Peers]:
        known = {source: _Peers.of(blocks) for source, blocks in self._blocks.items()}
        return [known[each] for each in self._sources]

    @cached_property
    def _carried(self) -> Mapping[int, tuple[str, ...]]:
        """The protocols that each rule allows, by its number, if it allows any."""
        return {
            number: protocols
            for number, each in enumerate(self._rules)
            if (protocols := _list_transports(each.rule))
        }

    def list_open(self) -> Iterator[OpenAccess]:
        """List open ports, each without the rules of those before; 443, then the others ascending.

        Access can only begin at a port where a rule begins.
        """
        if not _may_cover(block for blocks in self._blocks.values() for block in blocks):
            return
        gone: set[int] = set()
        for protocol in TRANSPORTS:
            for opened in self._take(self._select_https(protocol, gone), protocol, HTTPS):
                gone |= opened.numbers
                yield opened.access
        yield from self._list_others(gone)

    def _select_https(self, protocol: str, gone: set[int]) -> _ActiveRules:
        """Select the rules of a protocol that apply to port 443."""
        active = _ActiveRules(self._peers)
        for each in self._carried.keys() - gone:
            first, last = get_port_range(self._rules[each].rule)
            if protocol in self._carried[each] and first <= HTTPS <= last:
                active.add(each)
        return active

    def _list_others(self, gone: set[int]) -> Iterator[OpenAccess]:
        active_by = {protocol: _ActiveRules(self._peers) for protocol in TRANSPORTS}
        left = self._carried.keys() - gone
        ports = {each: get_port_range(self._rules[each].rule) for each in left}
        for port, begun, ended in _list_starts(ports):
            _remove(ended, active_by)
            for each in begun:
                for protocol in self._carried[each]:
                    active_by[protocol].add(each)
            for protocol, active in active_by.items():
                for opened in self._take(active, protocol, port):
                    _remove(opened.numbers, active_by)
                    yield opened.access

    def _take(self, active: _ActiveRules, protocol: str, port: int) -> Iterator[_Opened]:
        """Take away what allows every address, as long as something does."""
        while versions := active.find_open():
            numbers = active.select(versions)
            for each in numbers:
                active.remove(each)
            by = tuple(self._rules[each] for each in numbers)
            open_to = tuple(FAMILIES[each][0] for each in versions)
            yield _Opened(OpenAccess(open_to, port, protocol, by), frozenset(numbers))


@dataclass(frozen=True, slots=True)
class _Opened:
    """An open port, and the numbers of the rules that open it."""

    access: OpenAccess
    numbers: frozenset[int]


def _list_starts(
    ports: Mapping[int, tuple[int, int]],
) -> Iterator[tuple[int, list[int], list[int]]]:
    """List the ports where rules begin, ascending, with those rules and the ones that ended.

    Args:
        ports: The first and last port of each rule, by its number.
    """
    begins: dict[int, list[int]] = defaultdict(list)
    for number in sorted(ports):
        begins[ports[number][0]].append(number)
    left = sorted(ports, key=lambda each: ports[each][1], reverse=True)
    for port in sorted(begins):
        ended = []
        while left and ports[left[-1]][1] < port:
            ended.append(left.pop())
        yield port, begins[port], ended


def _remove(numbers: Iterable[int], active_by: Mapping[str, _ActiveRules]) -> None:
    for each in numbers:
        for active in active_by.values():
            active.remove(each)


class _ActiveRules:
    """The rules, by number, that apply to one port and protocol."""

    def __init__(self, peers: list[_Peers]) -> None:
        self._peers = peers
        self._numbers: set[int] = set()
        self._of: dict[int, set[int]] = {each: set() for each in FAMILIES}
        self._whole: dict[int, set[int]] = {each: set() for each in FAMILIES}
        self._cover = _Cover()

    def add(self, number: int) -> None:
        """Add a rule."""
        peers = self._peers[number]
        self._numbers.add(number)
        for each in peers.versions:
            self._of[each].add(number)
        for each in peers.whole:
            self._whole[each].add(number)
        for block in peers.blocks:
            self._cover.add(block)

    def remove(self, number: int) -> None:
        """Remove a rule, if it is one of them."""
        if number not in self._numbers:
            return
        peers = self._peers[number]
        self._numbers.remove(number)
        for each in peers.versions:
            self._of[each].remove(number)
        for each in peers.whole:
            self._whole[each].remove(number)
        for block in peers.blocks:
            self._cover.remove(block)

    def find_open(self) -> list[int]:
        """Find the IP versions of which every address is allowed."""
        return [each for each in FAMILIES if self._cover.covers(each)]

    def select(self, versions: Iterable[int]) -> list[int]:
        """Select the rules that allow every address: each alone, or else all of them together."""
        alone = {number for each in versions for number in self._whole[each]}
        return sorted(alone or {number for each in versions for number in self._of[each]})


class _Cover:
    """Whether blocks that come and go cover all addresses of an IP version.

    A block is covered if it is one of them or if both of its halves are. Most changes end at a
    block whose other half is not covered.
    """

    def __init__(self) -> None:
        self._count: dict[tuple[int, int, int], int] = defaultdict(int)
        self._halves: dict[tuple[int, int, int], int] = defaultdict(int)

    def covers(self, version: int) -> bool:
        """Whether all addresses of the version are covered."""
        return self._is_covered((version, 0, 0))

    def add(self, block: Network) -> None:
        """Add a block, which may be there already."""
        node = _locate(block)
        was_covered = self._is_covered(node)
        self._count[node] += 1
        if not was_covered:
            self._pass_on(node, 1)

    def remove(self, block: Network) -> None:
        """Remove a block, once."""
        node = _locate(block)
        self._count[node] -= 1
        if not self._is_covered(node):
            self._pass_on(node, -1)

    def _is_covered(self, node: tuple[int, int, int]) -> bool:
        return self._count.get(node, 0) > 0 or self._halves.get(node, 0) == 2  # noqa: PLR2004

    def _pass_on(self, node: tuple[int, int, int], change: int) -> None:
        """Count a half that is covered by now, or is no longer, in the blocks that contain it."""
        version, length, prefix = node
        while length:
            length, prefix = length - 1, prefix >> 1
            outer = version, length, prefix
            was_covered = self._is_covered(outer)
            self._halves[outer] += change
            if self._is_covered(outer) == was_covered:
                return


def _locate(block: Network) -> tuple[int, int, int]:
    shift = block.max_prefixlen - block.prefixlen
    return block.version, block.prefixlen, int(block.network_address) >> shift


def _may_cover(blocks: Iterable[Network]) -> bool:
    """Whether different blocks are large enough to hold all addresses of an IP version."""
    sizes = dict.fromkeys(FAMILIES, 0)
    for each in set(blocks):
        sizes[each.version] += 1 << (each.max_prefixlen - each.prefixlen)
    return any(size >= FAMILIES[version][1].size for version, size in sizes.items())


def _list_transports(rule: SecurityGroupRule) -> tuple[str, ...]:
    """List the protocols that a rule allows on some port."""
    first, last = get_port_range(rule)
    if first > last:
        return ()
    if rule.protocol == ALL:
        return TRANSPORTS
    protocol = PROTOCOLS.get(rule.protocol, rule.protocol)
    return (protocol,) if protocol in TRANSPORTS else ()


def _list_blocks(
    rule: SecurityGroupRule, prefix_lists: Mapping[str, PrefixList]
) -> tuple[Network, ...] | None:
    """List the blocks that a rule allows; None if its prefix list is not readable."""
    if rule.cidr is not None:
        return (rule.cidr,)
    named = prefix_lists.get(rule.prefix_list_id or "")
    return named.cidrs if named else None
