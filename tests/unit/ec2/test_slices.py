"""A large region is cut into slices, the longest unseen first."""

from datetime import UTC, datetime, timedelta

from posture.ec2.describe import Reading
from posture.ec2.dns_attributes import DnsCache
from posture.ec2.region import SLICE, VpcListing
from posture.model.network import Vpc

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def listing(number: int) -> VpcListing:
    """List so many VPCs."""
    vpcs = tuple(Vpc(f"vpc-{at:04x}", "111122223333", ()) for at in range(number))
    return VpcListing(NOW, Reading(vpcs))


def test_a_region_of_a_slice_is_read_whole() -> None:
    """With one VPC more it is cut."""
    assert listing(SLICE).small
    assert not listing(SLICE + 1).small
    assert [len(each) for each in listing(SLICE + 1).slices({})] == [SLICE, 1]


def test_a_region_without_vpcs_is_one_slice() -> None:
    """What it has besides is looked at all the same; so it is where VPCs cannot be listed."""
    assert listing(0).slices({}) == ((),)
    unread = VpcListing(NOW, Reading(unreadable="denied"))
    assert unread.small
    assert unread.slices({}) == ((),)


def test_the_longest_unseen_come_first() -> None:
    """Before them those that nobody has seen yet; each VPC once."""
    seen = {
        f"vpc-{at:04x}": NOW - timedelta(minutes=at) for at in range(2 * SLICE) if at % 100 != 7
    }
    slices = listing(2 * SLICE).slices(seen)
    order = [each for ids in slices for each in ids]
    assert order[:4] == ["vpc-0007", "vpc-006b", "vpc-00cf", "vpc-0133"]
    assert order[4:6] == ["vpc-018f", "vpc-018e"]
    assert order[-1] == "vpc-0000"
    assert sorted(order) == [vpc.id for vpc in listing(2 * SLICE).vpcs.items]


def test_a_slice_has_its_share_of_the_budget() -> None:
    """Rounded up, so that each can ask for something."""
    assert DnsCache(budget=200).share(200 / 3000).budget == 14
    assert DnsCache(budget=200).share(1 / 3000).budget == 1
