"""Whose DNS attributes a sweep asks for: what is due, and a turn for each VPC within the round."""

from datetime import UTC, datetime, timedelta
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from network_builders import VPC_ID, interface
from posture.ec2.dns_attributes import BUDGET, MEMORY, ROUND, stands, to_ask
from posture.model.dns import DnsAttributes

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def seen(hours: float) -> DnsAttributes:
    """Give attributes as they were seen so many hours ago."""
    return DnsAttributes(support=True, hostnames=True, observed_at=NOW - hours * HOUR)


def ids(number: int) -> list[str]:
    """Name so many VPCs."""
    return [f"vpc-{at:04x}" for at in range(number)]


def test_a_memory_stands_until_it_is_a_day_and_a_half_old() -> None:
    """At exactly that age it is no fact any more."""
    assert stands(seen(35.9), NOW)
    assert not stands(seen(36), NOW)


def test_half_a_memory_does_not_stand() -> None:
    """An answer that left one attribute out is asked for again at once."""
    assert not stands(DnsAttributes(support=True, hostnames=None, observed_at=NOW), NOW)
    assert not stands(DnsAttributes(support=None, hostnames=True, observed_at=NOW), NOW)


def test_what_a_private_name_hangs_on_is_asked_first() -> None:
    """Where the budget does not suffice for all that is due."""
    private = interface("vpce-1", private_dns=True)
    assert private.vpc_id == VPC_ID
    asked = to_ask([*ids(3), VPC_ID], [private], {}, budget=2)
    assert asked == [VPC_ID, "vpc-0000"]


def test_a_deleted_endpoint_and_one_without_private_dns_put_nothing_first() -> None:
    """No name hangs on them."""
    endpoints = [
        interface("vpce-1", private_dns=True, state="deleted"),
        interface("vpce-2", private_dns=False),
    ]
    assert to_ask(["vpc-0", VPC_ID], endpoints, {}, budget=1) == ["vpc-0"]


def test_a_hundred_fresh_memories_give_three_to_ask() -> None:
    """The three oldest: six requests, which with the fourteen of a region make twenty."""
    fresh = {vpc_id: seen(at / 10) for at, vpc_id in enumerate(ids(100))}
    assert to_ask(ids(100), (), fresh, BUDGET) == ["vpc-0063", "vpc-0062", "vpc-0061"]


def test_what_is_due_uses_up_the_turn() -> None:
    """Nothing is asked besides, while more is due than a turn."""
    known, unknown = ids(100)[:90], ids(100)[90:]
    assert to_ask(ids(100), (), dict.fromkeys(known, seen(1)), BUDGET) == unknown


@given(number=st.integers(1, 1000), new=st.integers(0, 30))
def test_hourly_sweeps_let_no_memory_end(number: int, new: int) -> None:
    """After a start from nothing every value is known and young, and each sweep asks its turn."""
    vpcs = ids(number)
    memory: dict[str, DnsAttributes] = {}
    start = ceil(number / BUDGET)  # sweeps until all is known
    for sweep in range(start + 3 * ROUND):
        now = NOW + sweep * HOUR
        if sweep == start + ROUND:
            vpcs = ids(number + new)
        fresh = {vpc_id: dns for vpc_id, dns in memory.items() if stands(dns, now)}
        asked = to_ask(vpcs, (), fresh, BUDGET)
        assert len(set(asked)) == len(asked) <= BUDGET
        if sweep >= start and sweep != start + ROUND:
            assert len(asked) == ceil(len(vpcs) / ROUND)
        memory |= {vpc_id: DnsAttributes(True, True, now) for vpc_id in asked}
        if sweep >= start:
            assert all(now - memory[vpc_id].observed_at < MEMORY for vpc_id in vpcs)
