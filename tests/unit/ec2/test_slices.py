"""A large region is split into slices, the least recently observed VPCs first."""

from datetime import UTC, datetime, timedelta

import pytest

from network_builders import (
    admits,
    build_snapshot,
    eni,
    group,
    interface,
    prefix_list,
    route,
    table,
)
from posture.ec2.describe import Reading
from posture.ec2.dns_attributes import DnsCache
from posture.ec2.region import SLICE, VpcListing, measure_size
from posture.model.network import Vpc

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def list_vpcs(number: int, at_once: int = SLICE) -> VpcListing:
    """Build a listing of so many VPCs."""
    vpcs = tuple(Vpc(f"vpc-{at:04x}", ()) for at in range(number))
    return VpcListing(NOW, Reading(vpcs), at_once)


def test_a_region_of_one_slice_is_read_at_once() -> None:
    """One VPC more makes two slices."""
    assert list_vpcs(SLICE).is_single_slice
    assert not list_vpcs(SLICE + 1).is_single_slice
    assert [len(each) for each in list_vpcs(SLICE + 1).slices({})] == [SLICE, 1]


def test_a_command_reads_more_vpcs_at_once() -> None:
    """A slice is no larger for it, as a filter takes no more values."""
    most = 3 * SLICE
    assert [len(each) for each in list_vpcs(most, most).slices({})] == [most]
    assert {len(each) for each in list_vpcs(most + 200, most).slices({})} == {SLICE}


def test_a_region_without_vpcs_is_one_slice() -> None:
    """So is a region whose VPCs cannot be listed: its endpoint services are still swept."""
    assert list_vpcs(0).slices({}) == ((),)
    denied = VpcListing(NOW, Reading(unreadable="denied"))
    assert denied.is_single_slice
    assert denied.slices({}) == ((),)


def test_the_least_recently_observed_vpcs_come_first() -> None:
    """VPCs that were never observed come before them; each VPC is in one slice."""
    last_observed = {
        f"vpc-{at:04x}": NOW - timedelta(minutes=at) for at in range(2 * SLICE) if at % 100 != 7
    }
    slices = list_vpcs(2 * SLICE).slices(last_observed)
    order = [each for ids in slices for each in ids]
    assert order[:4] == ["vpc-0007", "vpc-006b", "vpc-00cf", "vpc-0133"]
    assert order[4:6] == ["vpc-018f", "vpc-018e"]
    assert order[-1] == "vpc-0000"
    assert sorted(order) == [vpc.id for vpc in list_vpcs(2 * SLICE).vpcs.items]


def test_a_slice_has_its_share_of_the_dns_budget() -> None:
    """The share is rounded up, so that every slice can read at least one VPC."""
    assert DnsCache(budget=200).share(200 / 3000).budget == 14
    assert DnsCache(budget=200).share(1 / 3000).budget == 1


@pytest.mark.parametrize(
    "parts",
    [
        [interface(str(at)) for at in range(100)],
        [table("1", *(route(f"198.18.{at // 4}.{at % 4 * 64}/26", "nat-1") for at in range(999)))],
        [group("1", *[admits("10.0.0.0/16")] * 999)],
        [
            prefix_list("pl-1", *(f"198.18.{at}.0/24" for at in range(250))),
            *(table(str(at), route("pl-1", "tgw-1")) for at in range(4)),
        ],
        [eni(str(at), "a") for at in range(1000)],
    ],
    ids=["endpoints", "routes", "rules", "entries", "interfaces"],
)
def test_a_vpc_that_takes_long_is_told_from_others(parts: list[object]) -> None:
    """So it is evaluated after the others that are read with it."""
    assert measure_size(build_snapshot(*parts)) >= 1
    assert measure_size(build_snapshot(*parts[:1]) if len(parts) > 1 else None) == 0
