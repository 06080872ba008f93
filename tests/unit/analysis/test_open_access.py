"""Ports on which rules together allow every address, against a search of every port."""

from collections.abc import Iterable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from network_builders import admits, group, prefix_list
from posture.analysis.addresses import IPV4, IPV6, AddressSet
from posture.analysis.open_access import find_open_access, find_open_rules
from posture.analysis.security_groups import covers_port, resolve_peers
from posture.model.network import PrefixList, SecurityGroup, SecurityGroupRule
from work_meter import count_calls

LISTS = {
    each.id: each
    for each in (
        prefix_list("pl-low", "0.0.0.0/1"),
        prefix_list("pl-all", "0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/2"),
        prefix_list("pl-unread"),
    )
}
PEERS = (
    "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "0.0.0.0/2", "64.0.0.0/2", "10.0.0.0/8",
    "::/0", "::/1", "8000::/1", "fd00::/8", *LISTS, "sg-other",
)  # fmt: skip
PORTS = st.integers(440, 446)
RULES = st.builds(
    lambda peer, first, last, protocol: admits(peer, (first, last), protocol),
    st.sampled_from(PEERS),
    PORTS,
    PORTS,
    st.sampled_from(("tcp", "6", "udp", "-1", "icmp")),
)


def is_open(
    rules: Iterable[SecurityGroupRule], protocol: str, port: int, lists: dict[str, PrefixList]
) -> set[str]:
    """Return the names of all addresses that rules allow on a port."""
    found = (
        resolve_peers(each, lists)
        for each in rules
        if each.group is None and covers_port(each, protocol, port)
    )
    allowed = AddressSet.union(each for each in found if each)
    return {name for name, every in (("0.0.0.0/0", IPV4), ("::/0", IPV6)) if allowed >= every}


@given(st.lists(RULES, max_size=8))
def test_as_a_search_of_every_port(rules: list[SecurityGroupRule]) -> None:
    """The first open port is 443 or else the lowest, for TCP before UDP."""
    groups = [group("1", *rules[::2]), group("2", *rules[1::2])]
    order = [443, *(port for port in range(448) if port != 443)]
    expected = next(
        (
            (port, protocol, open_to)
            for port in order
            for protocol in ("tcp", "udp")
            if (open_to := is_open(rules, protocol, port, LISTS))
        ),
        None,
    )
    found = find_open_access(groups, LISTS)
    if expected is None:
        assert not found.open_to
        unread = [each for each in rules if each.prefix_list_id == "pl-unread"]
        assert sorted(map(str, unread)) == sorted(str(each.rule) for each in found.unread)
    else:
        assert (found.port, found.protocol, set(found.open_to)) == expected
        assert is_open([each.rule for each in found.by], found.protocol, found.port, LISTS)


@given(st.lists(RULES, max_size=8))
def test_nothing_is_open_without_the_open_rules(rules: list[SecurityGroupRule]) -> None:
    """Each of them was there, and none that has no part in it where one alone is enough."""
    gone = [each.rule for each in find_open_rules([group("1", *rules)], LISTS)]
    left = [*rules]
    for each in gone:
        left.remove(each)
    ports = range(440, 447)
    assert not any(is_open(left, by, port, LISTS) for by in ("tcp", "udp") for port in ports)
    before = any(is_open(rules, by, port, LISTS) for by in ("tcp", "udp") for port in ports)
    assert bool(gone) is before


def build_halves(count: int) -> list[SecurityGroup]:
    """Build groups of 1,000 rules that open one port after the other, each by two halves."""
    halves = ("0.0.0.0/1", "128.0.0.0/1")
    rules = [admits(halves[each % 2], (each // 2, each // 2)) for each in range(count)]
    return [group(str(start), *rules[start : start + 1000]) for start in range(0, count, 1000)]


def test_the_work_grows_with_the_number_of_rules() -> None:
    """Ten times as many open ports take some ten times as long, not a hundred times."""
    few, many = build_halves(400), build_halves(4_000)
    assert len(find_open_rules(few, {})) == 400
    assert len(find_open_rules(many, {})) == 4_000
    spent = [count_calls(partial(find_open_rules, each, {})) for each in (few, many)]
    assert spent[1] < 12 * spent[0]
