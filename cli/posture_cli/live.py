"""Reads VPCs and endpoint services, as they are now with the caller's credentials, or recorded.

Both ways use the same observer. A recorded region needs neither credentials nor network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from posture.analysis.services import find_service, get_service
from posture.ec2.describe import SUBNETS, describe
from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.ec2.endpoint_services import collect_services
from posture.ec2.observer import Observer
from posture.errors import ScopeUnreadableError
from posture.lean_dataclass import dataclass
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Facet, Service, Snapshot
from posture.model.scope import Region, Scope
from posture.model.service_names import short_name
from posture_cli.accounts import UnreadableTarget, find_caller, open_targets
from posture_cli.failure import CommandError
from posture_cli.options import EVERY_REGION, AccountsOptions, SourceOptions
from posture_cli.recorded.load import load_regions
from posture_cli.recorded.observe import RecordedObserver
from posture_cli.recorded.recorder import Recorder
from posture_cli.recorded.region import RecordedRegion
from posture_cli.suggest import suggest


@dataclass(frozen=True, slots=True)
class UnreadableServices:
    """A region whose endpoint services the caller may not list."""

    region: Region
    reason: str


def open_observers(source: SourceOptions) -> Sequence[Observer]:
    """Open an observer of each region: of a file or folder if one is given, otherwise of AWS.

    Raises:
        CommandError: The file does not hold what is expected.
        NoRegionError: No region is given, and the caller's AWS settings name none.
    """
    if source.file:
        named = [each for each in source.region or () if each != EVERY_REGION]
        recorded = load_regions(source.file, regions=named, account=source.account)
        return list(map(RecordedObserver, recorded))
    if source.account:
        raise CommandError("--account is for files: use it with --from")
    return open_live_observers(source.region or ())


def collect_vpcs(observers: Sequence[Observer], vpcs: Sequence[str]) -> Iterator[Snapshot]:
    """Take a snapshot of each VPC, one after the other.

    Args:
        observers: The observers of the regions to read.
        vpcs: Only these; empty: all.

    Raises:
        CommandError: A VPC does not exist.
        ScopeUnreadableError: The caller may not list VPCs.
    """
    missing = set(vpcs)
    for observer in observers:
        for snapshot in _collect(observer, sorted(set(vpcs))):
            missing.discard(snapshot.vpc.id)
            yield snapshot
    if missing:
        raise CommandError(f"there is no {', '.join(sorted(missing))} in {_names(observers)}")


def collect_endpoint_services(
    observers: Sequence[Observer],
) -> Iterator[EndpointServiceSnapshot | UnreadableServices]:
    """Take a snapshot of each endpoint service of the regions."""
    for observer in observers:
        listed = collect_services(observer.ec2, observer.region, now=observer.now)
        if listed.unreadable:
            yield UnreadableServices(observer.region, listed.unreadable)
        yield from listed.services.values()


def record_regions(regions: Sequence[str], vpcs: Sequence[str] = ()) -> list[RecordedRegion]:
    """Record regions as they are now, with their endpoint services.

    Args:
        regions: The regions; empty: the region of the caller's AWS settings.
        vpcs: Only these; empty: all.

    Raises:
        CommandError: A VPC does not exist.
        ScopeUnreadableError: The caller may not list VPCs.
    """
    observers = open_observers(SourceOptions(region=list(regions)))
    recorders = [(each, each.now(), Recorder(each.ec2)) for each in observers]
    for _ in chain(collect_vpcs(observers, vpcs), collect_endpoint_services(observers)):
        pass  # what is read is recorded
    return [recorder.build_region(it.region, at) for it, at, recorder in recorders]


def collect_vpc_of_subnet(subnet: str, observers: Sequence[Observer]) -> Snapshot:
    """Take a snapshot of the VPC of a subnet.

    Raises:
        CommandError: No region has the subnet; similar ids are named.
        ScopeUnreadableError: The caller may not list subnets or VPCs.
    """
    known: list[str] = []
    for observer in observers:
        listed = describe(observer.ec2, SUBNETS)
        if listed.unreadable:
            raise ScopeUnreadableError(f"{observer.region.name}: {listed.unreadable}")
        if vpc := next((each.vpc_id for each in listed.items if each.id == subnet), None):
            return next(_collect(observer, [vpc]))
        known += [each.id for each in listed.items]
    raise CommandError(f"there is no {subnet} in {_names(observers)}{suggest(subnet, known)}")


def require_service(snapshot: Snapshot, name: str) -> Service:
    """Return a service by its short name, as in s3 or ecr.dkr, or by its full name.

    Raises:
        CommandError: The region has no such service; similar names are suggested.
    """
    if found := find_service(snapshot, name):
        return found
    own = {
        endpoint.service_name: get_service(snapshot, endpoint)
        for endpoint in snapshot.endpoints.values()
    }
    if name in own:
        return own[name]
    known = [*map(short_name, snapshot.services), *own]
    raise CommandError(
        f"{snapshot.scope.region} offers no endpoint service {name!r}{suggest(name, known)}"
    )


def open_live_observers(regions: Sequence[str], profile: str | None = None) -> Sequence[Observer]:
    """Open an observer of each region with the caller's own credentials.

    Args:
        regions: The regions; empty: the region of the caller's AWS settings.
        profile: A profile of the caller's AWS settings; None: the one that is in use.

    Raises:
        CommandError: The regions cannot be listed.
        NoRegionError: No region is given, and the caller's AWS settings name none.
    """
    observers = []
    for target in open_targets(find_caller(regions, profile), AccountsOptions()):
        if isinstance(target, UnreadableTarget):
            raise CommandError(f"the regions cannot be listed: {target.reason}")
        observers.append(target.open_observer())
    return observers


def _names(observers: Sequence[Observer]) -> str:
    return ", ".join(each.region.name for each in observers)


def _collect(observer: Observer, vpcs: Sequence[str]) -> Iterator[Snapshot]:
    region = observer.region
    if not vpcs:
        for part in observer.collect_region(DnsCache(budget=UNLIMITED)):
            if reason := part.unreadable.get(Facet.VPC):
                raise ScopeUnreadableError(f"{part.region}: {reason}")
            yield from part.vpcs.values()
    for vpc in vpcs:
        scope = Scope(region.account, region.name, vpc)
        snapshot = observer.collect_vpc(scope)
        if snapshot and Facet.VPC in snapshot.unreadable:
            raise ScopeUnreadableError(f"{scope}: {snapshot.unreadable[Facet.VPC]}")
        if snapshot:
            yield snapshot
