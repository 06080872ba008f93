"""Sets of addresses behave like Python's sets, checked on a few addresses."""

from ipaddress import IPv4Network, IPv6Network

from hypothesis import given
from hypothesis import strategies as st

from posture.analysis.addresses import IPV4, IPV6, NOTHING, AddressSet
from posture.model.network import Network

# 32 addresses of each IP version, so that every set of them can be listed.
V4 = IPv4Network("203.0.113.0/27")
V6 = IPv6Network("2001:db8::/123")


@st.composite
def blocks(draw: st.DrawFn) -> Network:
    """Generate any block of these addresses."""
    wholes: list[Network] = [V4, V6]
    whole = draw(st.sampled_from(wholes))
    length = draw(st.integers(whole.prefixlen, whole.max_prefixlen))
    choices: list[Network] = list(whole.subnets(new_prefix=length))
    return draw(st.sampled_from(choices))


SETS = st.lists(blocks(), max_size=6)


def list_members(blocks: list[Network]) -> set[object]:
    """Return the addresses of blocks, one by one."""
    return {address for block in blocks for address in block}


def list_addresses(found: AddressSet) -> set[object]:
    """Return the addresses of a set, one by one."""
    return list_members(list(found.networks()))


@given(SETS, SETS)
def test_operations_equal_those_of_sets(these: list[Network], those: list[Network]) -> None:
    """Union, intersection, difference and inclusion, address by address."""
    one, other = AddressSet.of(these), AddressSet.of(those)
    assert list_addresses(one | other) == list_members(these) | list_members(those)
    assert list_addresses(one & other) == list_members(these) & list_members(those)
    assert list_addresses(one - other) == list_members(these) - list_members(those)
    assert (one >= other) == (list_members(these) >= list_members(those))
    assert one.size == len(list_members(these))
    assert bool(one) == bool(list_members(these))


@given(SETS, SETS)
def test_equal_sets_have_equal_values(these: list[Network], those: list[Network]) -> None:
    """A set has one form, however it was built."""
    one, other = AddressSet.of(these), AddressSet.of(those)
    assert (one == other) == (list_members(these) == list_members(those))
    assert (one | other) - (other - one) == one


@given(SETS)
def test_networks_returns_the_fewest_blocks(these: list[Network]) -> None:
    """No two blocks overlap, and none could be joined with its neighbour."""
    found = AddressSet.of(these).networks()
    assert sum(block.num_addresses for block in found) == len(list_members(these))
    for block in found:
        assert not any(
            other.version == block.version
            and other.prefixlen == block.prefixlen
            and other != block
            and other.supernet() == block.supernet()
            for other in found
        )


def test_ipv4_and_ipv6_never_merge() -> None:
    """The last IPv4 address and the first IPv6 one are adjacent integers, but stay apart."""
    everything = IPV4 | IPV6
    assert [str(block) for block in everything.networks()] == ["0.0.0.0/0", "::/0"]
    assert everything - IPV4 == IPV6
    assert everything - IPV6 == IPV4
    assert not IPV4 & IPV6


def test_overlapping_blocks_at_the_start_of_ipv6() -> None:
    """Two blocks that both begin at :: are one set."""
    halves = [IPv6Network("::/1"), IPv6Network("::/0")]
    assert AddressSet.of(halves) == IPV6


def test_nothing_is_empty() -> None:
    """It holds no address."""
    assert not NOTHING
    assert str(NOTHING) == "nothing"
    assert NOTHING.networks() == ()
