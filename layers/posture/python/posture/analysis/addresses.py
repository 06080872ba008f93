"""Exact sets of IP addresses, kept as intervals of integers.

Both IP versions share one line of integers, IPv6 after the last IPv4 address, so that one set holds
a dual-stack destination and no operation needs to know the version.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, summarize_address_range

from posture.lean_dataclass import dataclass
from posture.model.network import Address, Network

IPV6_START = 2**32
END = IPV6_START + 2**128

Span = tuple[int, int]  # first and last, both included


@dataclass(frozen=True, slots=True)
class AddressSet:
    """A set of addresses as sorted, disjoint, non-adjacent spans."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, networks: Iterable[Network]) -> AddressSet:
        """Build the set of all addresses of these blocks."""
        return cls(tuple(merge_spans(sorted(map(to_span, networks)))))

    @classmethod
    def of_hosts(cls, hosts: Iterable[Address]) -> AddressSet:
        """Build the set of single addresses."""
        numbers = [int(each) + (IPV6_START if each.version == 6 else 0) for each in hosts]  # noqa: PLR2004 - the IP version
        return cls(tuple(merge_spans((each, each) for each in sorted(numbers))))

    def __bool__(self) -> bool:
        """Return whether the set holds any address."""
        return bool(self.spans)

    def __or__(self, other: AddressSet) -> AddressSet:
        """Return the addresses in either set."""
        if not self.spans or not other.spans:
            return self if self.spans else other
        return AddressSet(tuple(merge_spans(sorted((*self.spans, *other.spans)))))

    def __and__(self, other: AddressSet) -> AddressSet:
        """Return the addresses in both sets."""
        if not self.spans or not other.spans:
            return NOTHING
        return AddressSet(tuple(_intersect(self.spans, other.spans)))

    def __sub__(self, other: AddressSet) -> AddressSet:
        """Return the addresses of this set that are not in the other."""
        if self.isdisjoint(other):
            return self
        return AddressSet(tuple(_subtract(self.spans, other.spans)))

    def isdisjoint(self, other: AddressSet) -> bool:
        """Return whether the sets have no address in common."""
        few, many = self.spans, other.spans
        if len(few) > len(many):
            few, many = many, few
        for first, last in few:
            after = bisect_left(many, (first,))
            if after < len(many) and many[after][0] <= last:
                return False
            if after and many[after - 1][1] >= first:
                return False
        return True

    def __ge__(self, other: AddressSet) -> bool:
        """Return whether this set contains all of the other."""
        spans = self.spans
        for first, last in other.spans:
            after = bisect_right(spans, (first, END))
            if not after or spans[after - 1][1] < last:
                return False
        return True

    @classmethod
    def union(cls, sets: Iterable[AddressSet]) -> AddressSet:
        """Return the addresses in any of these sets."""
        found = [each for each in sets if each.spans]
        if len(found) < 2:  # noqa: PLR2004 - most unions are of one set
            return found[0] if found else NOTHING
        return cls(tuple(merge_spans(sorted(span for each in found for span in each.spans))))

    def shift(self, offset: int) -> AddressSet:
        """Return the addresses that are `offset` further on the line of both versions."""
        return AddressSet(tuple((first + offset, last + offset) for first, last in self.spans))

    def networks(self) -> tuple[Network, ...]:
        """Return the fewest blocks that hold exactly these addresses, IPv4 first."""
        return tuple(block for span in self.spans for block in _to_networks(span))

    @property
    def size(self) -> int:
        """The number of addresses."""
        return sum(last - first + 1 for first, last in self.spans)

    def __str__(self) -> str:
        """Return the blocks, separated by commas."""
        return _join_blocks(self.spans)


NOTHING = AddressSet()
IPV4 = AddressSet(((0, IPV6_START - 1),))
IPV6 = AddressSet(((IPV6_START, END - 1),))
FAMILIES = {4: IPV4, 6: IPV6}  # by IP version
# The IPv6 addresses that stand for all IPv4 ones, 64:ff9b::/96, in the same order.
# https://www.rfc-editor.org/rfc/rfc6052
TO_NAT64 = IPV6_START + (0x64FF9B << 96)
NAT64 = IPV4.shift(TO_NAT64)


@lru_cache(maxsize=256)  # all VPCs of a Region reach the same addresses of AWS's services
def _join_blocks(spans: tuple[Span, ...]) -> str:
    return ", ".join(map(str, AddressSet(spans).networks())) or "nothing"


def to_span(network: Network) -> Span:
    """Return the span of a block."""
    offset = IPV6_START if network.version == 6 else 0  # noqa: PLR2004 - the IP version
    first = offset + int(network.network_address)
    return first, first + (1 << (network.max_prefixlen - network.prefixlen)) - 1


def merge_spans(spans: Iterable[Span]) -> Iterator[Span]:
    """Join sorted spans that overlap or touch; IPv4 and IPv6 never touch."""
    current: Span | None = None
    for first, last in spans:
        if current is None:
            current = first, last
        elif first <= current[1] or (first == current[1] + 1 and first != IPV6_START):
            current = current[0], max(current[1], last)
        else:
            yield current
            current = first, last
    if current is not None:
        yield current


def _intersect(these: tuple[Span, ...], those: tuple[Span, ...]) -> list[Span]:
    """Search the larger set for each span of the smaller one; return what both hold."""
    few, many = (these, those) if len(these) < len(those) else (those, these)
    found: list[Span] = []
    for first, last in few:
        within = _overlap(many, first, last)
        if not within:
            continue
        begun = len(found)
        found.extend(within)
        if found[begun][0] < first:
            found[begun] = first, found[begun][1]
        if found[-1][1] > last:
            found[-1] = found[-1][0], last
    return found


def _subtract(these: tuple[Span, ...], those: tuple[Span, ...]) -> Iterable[Span]:
    """Return what of the first set is not in the second."""
    if len(those) < len(these):
        return _intersect(these, tuple(_complement(those)))
    return (part for span in these for part in _cut(span, _overlap(those, *span)))


def _cut(span: Span, gone: Iterable[Span]) -> Iterator[Span]:
    """Yield what is left of a span without those that overlap it."""
    start, end = span
    for first, last in gone:
        if start < first:
            yield start, first - 1
        start = last + 1
    if start <= end:
        yield start, end


def _overlap(spans: tuple[Span, ...], first: int, last: int) -> tuple[Span, ...]:
    """Return the spans that overlap one."""
    start = bisect_left(spans, (first,))
    if start and spans[start - 1][1] >= first:
        start -= 1
    return spans[start : bisect_right(spans, (last, END), start)]


def _complement(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield all that is between some spans, before and behind them."""
    start = 0
    for first, last in spans:
        if start < first:
            yield start, first - 1
        start = last + 1
    if start < END:
        yield start, END - 1


def _to_networks(span: Span) -> Iterator[IPv4Network | IPv6Network]:
    first, last = span
    if first < IPV6_START:
        end = min(last, IPV6_START - 1)
        yield from summarize_address_range(IPv4Address(first), IPv4Address(end))
    if last >= IPV6_START:
        start = max(first, IPV6_START) - IPV6_START
        yield from summarize_address_range(IPv6Address(start), IPv6Address(last - IPV6_START))
