"""Which VPCs' DNS attributes a sweep reads: those that are due, and each VPC in rotation."""

from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from network_builders import VPC_ID, interface
from posture.ec2.describe import Reading
from posture.ec2.dns_attributes import (
    BUDGET,
    MAX_AGE,
    ROTATION,
    DnsCache,
    choose_vpcs_to_read,
    is_current,
    resolve_attributes,
)
from posture.model.dns import DnsAttributes
from posture.model.network import Endpoint

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def observed(hours: float) -> DnsAttributes:
    """Build attributes that were observed so many hours ago."""
    return DnsAttributes(support=True, hostnames=True, observed_at=NOW - hours * HOUR)


def ids(number: int) -> list[str]:
    """Build so many VPC ids."""
    return [f"vpc-{at:04x}" for at in range(number)]


def test_cached_attributes_are_current_for_36_hours() -> None:
    """At exactly that age they have expired."""
    assert is_current(observed(35.9), NOW)
    assert not is_current(observed(36), NOW)


def test_incomplete_attributes_are_not_current() -> None:
    """If a response left one attribute out, the VPC is read again at the next sweep."""
    assert not is_current(DnsAttributes(support=True, hostnames=None, observed_at=NOW), NOW)
    assert not is_current(DnsAttributes(support=None, hostnames=True, observed_at=NOW), NOW)


def test_only_where_used_leaves_out_vpcs_without_private_dns() -> None:
    """Without such an endpoint nothing is asked; one that EC2 says nothing of may have it."""
    for private_dns, asked in ((False, set()), (None, {VPC_ID}), (True, {VPC_ID})):
        known: Reading[Endpoint] = Reading((interface("1", private_dns=private_dns),))
        cache = DnsCache(budget=0, only_where_used=True)
        ec2: Any = None  # is not called: the budget is spent
        assert resolve_attributes(ec2, [VPC_ID], known, cache, NOW).keys() == asked


def test_a_vpc_with_private_dns_is_read_first() -> None:
    """This matters if the budget does not cover every VPC that is due."""
    private = interface("vpce-1", private_dns=True)
    assert private.vpc_id == VPC_ID
    chosen = choose_vpcs_to_read([*ids(3), VPC_ID], [private], {}, budget=2)
    assert chosen == [VPC_ID, "vpc-0000"]


def test_deleted_endpoints_and_those_without_private_dns_have_no_priority() -> None:
    """No private DNS name depends on the attributes."""
    endpoints = [
        interface("vpce-1", private_dns=True, state="deleted"),
        interface("vpce-2", private_dns=False),
    ]
    assert choose_vpcs_to_read(["vpc-0", VPC_ID], endpoints, {}, budget=1) == ["vpc-0"]


def test_of_a_hundred_current_vpcs_three_are_read() -> None:
    """The three oldest, so that each of the hundred has its turn within 36 sweeps."""
    current = {vpc_id: observed(at / 10) for at, vpc_id in enumerate(ids(100))}
    assert choose_vpcs_to_read(ids(100), (), current, BUDGET) == [
        "vpc-0063",
        "vpc-0062",
        "vpc-0061",
    ]


def test_vpcs_that_are_due_count_towards_the_turn() -> None:
    """No current VPC is read while more VPCs are due than a turn holds."""
    known, unknown = ids(100)[:90], ids(100)[90:]
    assert choose_vpcs_to_read(ids(100), (), dict.fromkeys(known, observed(1)), BUDGET) == unknown


@given(number=st.integers(1, 1000), new=st.integers(0, 30))
def test_hourly_sweeps_let_no_cached_value_expire(number: int, new: int) -> None:
    """Once all VPCs were read, every value stays current and each sweep reads its turn."""
    vpcs = ids(number)
    cache: dict[str, DnsAttributes] = {}
    start = ceil(number / BUDGET)  # sweeps until all is known
    for sweep in range(start + 3 * ROTATION):
        now = NOW + sweep * HOUR
        if sweep == start + ROTATION:
            vpcs = ids(number + new)
        current = {vpc_id: dns for vpc_id, dns in cache.items() if is_current(dns, now)}
        chosen = choose_vpcs_to_read(vpcs, (), current, BUDGET)
        assert len(set(chosen)) == len(chosen) <= BUDGET
        if sweep >= start and sweep != start + ROTATION:
            assert len(chosen) == ceil(len(vpcs) / ROTATION)
        cache |= {vpc_id: DnsAttributes(True, True, now) for vpc_id in chosen}
        if sweep >= start:
            assert all(now - cache[vpc_id].observed_at < MAX_AGE for vpc_id in vpcs)
