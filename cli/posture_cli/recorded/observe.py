"""Observes a recorded region with the observer that reads EC2."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from posture.ec2.describe import chunked
from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.ec2.observer import Observer
from posture.ec2.region import SLICE, RegionSnapshot
from posture.errors import ScopeUnreadableError
from posture.model.network import Facet
from posture.model.scope import Region
from posture_cli.recorded.client import open_client
from posture_cli.recorded.region import RecordedRegion


class RecordedObserver(Observer):
    """Observes a recorded region; it is always the time at which it was recorded."""

    def __init__(self, recorded: RecordedRegion) -> None:
        region = Region(recorded.account, recorded.region)
        super().__init__(open_client(recorded), region, now=lambda: recorded.observed_at)
        self._incomplete = {each.of for each in recorded.missing}

    def knows_gaps_of(self, vpcs: Collection[str]) -> bool:
        """Whether these are VPCs of which it is known that rows are missing, and which."""
        return bool(vpcs) and self._incomplete.issuperset(vpcs)

    def collect_region(self, cache: DnsCache) -> Iterator[RegionSnapshot]:
        """Collect the snapshots of every VPC; one with missing rows is read by itself.

        So what is missing of one VPC is unknown in no other.
        """
        listing = self.list_vpcs()
        if listing.vpcs.unreadable:
            yield self.collect_slice(listing, (), cache)
        ids = {vpc.id for vpc in listing.vpcs.items}
        for part in chunked(sorted(ids - self._incomplete), SLICE):
            yield self.collect_vpcs(part, cache)
        for vpc in sorted(ids & self._incomplete):
            yield self.collect_vpcs([vpc], cache)


def observe_region(recorded: RecordedRegion) -> RegionSnapshot:
    """Observe all VPCs of a recorded region.

    Raises:
        ScopeUnreadableError: The VPCs themselves are missing.
    """
    observer = RecordedObserver(recorded)
    parts = list(observer.collect_region(DnsCache(budget=UNLIMITED)))
    for part in parts:
        reason = part.unreadable.get(Facet.VPC)
        if reason and not observer.knows_gaps_of(part.vpcs):
            raise ScopeUnreadableError(f"{observer.region}: {reason}")
    return RegionSnapshot(
        region=observer.region,
        observed_at=recorded.observed_at,
        vpcs={vpc: found for part in parts for vpc, found in sorted(part.vpcs.items())},
        unreadable={facet: why for part in parts for facet, why in part.unreadable.items()},
    )
