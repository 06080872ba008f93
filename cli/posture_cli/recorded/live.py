"""Records Regions as they are now, with the caller's own credentials."""

from __future__ import annotations

from collections.abc import Sequence

from posture_cli.live import collect_endpoint_services, collect_vpcs, open_observers
from posture_cli.options import SourceOptions
from posture_cli.recorded.recorder import Recorder
from posture_cli.recorded.region import RecordedRegion


def record_regions(regions: Sequence[str]) -> list[RecordedRegion]:
    """Record the VPCs and endpoint services of Regions.

    Raises:
        ScopeUnreadableError: The caller may not list VPCs.
    """
    observers = open_observers(SourceOptions(region=list(regions)))
    recorded = [(each, each.now(), Recorder(each.ec2)) for each in observers]
    for _ in collect_vpcs(observers, ()):
        pass
    for _ in collect_endpoint_services(observers):
        pass
    return [recorder.build_region(it.region, at) for it, at, recorder in recorded]
