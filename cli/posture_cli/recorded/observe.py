"""Observes a recorded region with the observer that reads EC2."""

from __future__ import annotations

from collections.abc import Iterator

from posture.ec2.describe import chunked
from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.ec2.observer import Observer
from posture.ec2.region import RegionSnapshot
from posture.errors import ScopeUnreadableError
from posture.model.scope import Region
from posture_cli.recorded.client import open_client
from posture_cli.recorded.region import RecordedRegion


def open_observer(recorded: RecordedRegion) -> Observer:
    """Open an observer of a recorded region; it is always the time at which it was recorded."""
    region = Region(recorded.account, recorded.region)
    return Observer(open_client(recorded), region, now=lambda: recorded.observed_at)


def observe_region(recorded: RecordedRegion) -> RegionSnapshot:
    """Observe all VPCs of a recorded region; what is missing of one VPC is unknown in it only.

    Raises:
        ScopeUnreadableError: The VPCs themselves are missing.
    """
    observer = open_observer(recorded)
    listing = observer.list_vpcs()
    if listing.vpcs.unreadable:
        raise ScopeUnreadableError(f"{observer.region}: {listing.vpcs.unreadable}")
    ids = {vpc.id for vpc in listing.vpcs.items}
    parts = [
        observer.collect_vpcs(part, DnsCache(budget=UNLIMITED)) for part in _split(ids, recorded)
    ]
    return RegionSnapshot(
        region=observer.region,
        observed_at=recorded.observed_at,
        vpcs={vpc: found for part in parts for vpc, found in sorted(part.vpcs.items())},
        unreadable={facet: why for part in parts for facet, why in part.unreadable.items()},
    )


def _split(ids: set[str], recorded: RecordedRegion) -> Iterator[tuple[str, ...]]:
    """Split VPCs: one with missing rows is read alone, all others are read together."""
    incomplete = ids & {each.of for each in recorded.missing}
    yield from chunked(sorted(ids - incomplete))
    yield from ((vpc,) for vpc in sorted(incomplete))
