"""Reads VPCs and endpoint services as they are now, with the caller's own credentials."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import NoRegionError

from posture.analysis.services import find_service, get_service
from posture.ec2.describe import SUBNETS, describe
from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.ec2.endpoint_services import collect_services
from posture.ec2.observer import Observer, utc_now
from posture.errors import ScopeUnreadableError
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Facet, Service, Snapshot
from posture.model.scope import Region, Scope
from posture.model.service_names import short_name
from posture.runtime.clients import CONFIG
from posture_cli.failure import CommandError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

SUGGESTIONS = 4  # names that an error suggests


@dataclass(frozen=True, slots=True)
class UnreadableServices:
    """A region whose endpoint services the caller may not list."""

    region: Region
    reason: str


def collect_vpcs(regions: Sequence[str], vpcs: Sequence[str]) -> Iterator[Snapshot]:
    """Take a snapshot of each VPC, one after the other.

    Args:
        regions: The regions to read; empty: the region of the caller's AWS settings.
        vpcs: Only these; empty: all.

    Raises:
        CommandError: A VPC does not exist.
        ScopeUnreadableError: The caller may not list VPCs.
    """
    clients = _open_clients(regions)
    missing = set(vpcs)
    for ec2, region in clients:
        for snapshot in _collect(ec2, region, sorted(set(vpcs))):
            missing.discard(snapshot.vpc.id)
            yield snapshot
    if missing:
        raise CommandError(f"there is no {', '.join(sorted(missing))} in {_names(clients)}")


def collect_endpoint_services(
    regions: Sequence[str],
) -> Iterator[EndpointServiceSnapshot | UnreadableServices]:
    """Take a snapshot of each endpoint service of the regions."""
    for ec2, region in _open_clients(regions):
        listed = collect_services(ec2, region, now=utc_now)
        if listed.unreadable:
            yield UnreadableServices(region, listed.unreadable)
        yield from listed.services.values()


def collect_vpc_of_subnet(subnet: str, regions: Sequence[str]) -> Snapshot:
    """Take a snapshot of the VPC of a subnet.

    Raises:
        CommandError: No region has the subnet; similar ids are named.
        ScopeUnreadableError: The caller may not list subnets or VPCs.
    """
    clients = _open_clients(regions)
    known: list[str] = []
    for ec2, region in clients:
        listed = describe(ec2, SUBNETS)
        if listed.unreadable:
            raise ScopeUnreadableError(f"{region.name}: {listed.unreadable}")
        if vpc := next((each.vpc_id for each in listed.items if each.id == subnet), None):
            return next(_collect(ec2, region, [vpc]))
        known += [each.id for each in listed.items]
    raise CommandError(f"there is no {subnet} in {_names(clients)}{_suggest(subnet, known)}")


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
        f"{snapshot.scope.region} offers no endpoint service {name!r}{_suggest(name, known)}"
    )


def _suggest(name: str, known: Sequence[str]) -> str:
    """Name what the caller may have meant."""
    within = [each for each in known if name and name in each]
    close = difflib.get_close_matches(name, known, n=SUGGESTIONS, cutoff=0.5)
    within.sort(key=lambda each: (not each.startswith(name), len(each)))
    similar = list(dict.fromkeys([*within, *close]))[:SUGGESTIONS]
    if similar:
        return f"; did you mean {' or '.join(similar)}?"
    listed = ", ".join(sorted(known)[:SUGGESTIONS])
    return f"; there are {listed}" if listed else ""


def _open_clients(regions: Sequence[str]) -> Sequence[tuple[EC2Client, Region]]:
    session = boto3.Session()
    names = regions or ([session.region_name] if session.region_name else [])
    if not names:
        raise NoRegionError
    sts = session.client("sts", region_name=names[0], config=CONFIG)
    account = sts.get_caller_identity()["Account"]
    return [
        (session.client("ec2", region_name=name, config=CONFIG), Region(account, name))
        for name in dict.fromkeys(names)
    ]


def _names(clients: Sequence[tuple[EC2Client, Region]]) -> str:
    return ", ".join(region.name for _, region in clients)


def _collect(ec2: EC2Client, region: Region, vpcs: Sequence[str]) -> Iterator[Snapshot]:
    observer = Observer(ec2, region)
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
