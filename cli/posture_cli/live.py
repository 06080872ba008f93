"""Pictures of VPCs as they are now, taken with the caller's own credentials."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import NoRegionError

from posture.analysis.services import find_service, service_of
from posture.ec2.describe import SUBNETS, read_all
from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.ec2.endpoint_services import collect_services
from posture.ec2.region import RegionCollector, RegionSnapshot
from posture.ec2.region_catalogue import RegionCatalogueCache
from posture.ec2.vpc import collect_vpc
from posture.errors import PostureError, ScopeUnreadableError
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Facet, Service, Snapshot
from posture.model.scope import Region, Scope
from posture.model.service_names import short_name
from posture.runtime.clients import CONFIG

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

VPC = re.compile(r"vpc-[0-9a-f]+")
SUBNET = re.compile(r"subnet-[0-9a-f]+")
ALIKE = 4  # names that an error proposes


class TargetError(PostureError):
    """There is no such region or VPC."""


def collect_vpcs(regions: Sequence[str], vpcs: Sequence[str]) -> Iterator[Snapshot]:
    """Take a picture of each VPC, one after the other.

    Args:
        regions: where to look; empty: the region of the caller's AWS settings.
        vpcs: only these; empty: all.

    Raises:
        TargetError: a VPC is misspelt or does not exist.
        ScopeUnreadableError: the caller may not even list VPCs.
        ClientError, BotoCoreError: credentials, throttling or the network.
    """
    _require_form(VPC, vpcs, "a VPC", "vpc-0123456789abcdef0")
    session = boto3.Session()
    names = _regions(session, regions)
    account = _account(session, names[0])
    missing = set(vpcs)
    for name in names:
        ec2 = session.client("ec2", region_name=name, config=CONFIG)
        for snapshot in _region(ec2, Region(account, name), sorted(set(vpcs))):
            missing.discard(snapshot.vpc.id)
            yield snapshot
    if missing:
        raise TargetError(f"there is no {', '.join(sorted(missing))} in {', '.join(names)}")


@dataclass(frozen=True, slots=True)
class UnreadServices:
    """A region whose endpoint services the caller may not list."""

    region: Region
    reason: str


def collect_endpoint_services(
    regions: Sequence[str],
) -> Iterator[EndpointServiceSnapshot | UnreadServices]:
    """Take a picture of each endpoint service of the regions; raises what `collect` does."""
    session = boto3.Session()
    names = _regions(session, regions)
    account = _account(session, names[0])
    for name in names:
        region = Region(account, name)
        ec2 = session.client("ec2", region_name=name, config=CONFIG)
        picture = collect_services(ec2, region, now=_now)
        if picture.unreadable:
            yield UnreadServices(region, picture.unreadable)
        yield from picture.services.values()


def collect_vpc_of_subnet(subnet: str, regions: Sequence[str]) -> Snapshot:
    """Take a picture of the VPC that a subnet is in.

    Raises:
        TargetError: the subnet is misspelt or in none of the regions; subnets alike are named.
        ScopeUnreadableError: the caller may not list subnets or VPCs.
        ClientError, BotoCoreError: credentials, throttling or the network.
    """
    _require_form(SUBNET, [subnet], "a subnet", "subnet-0123456789abcdef0")
    session = boto3.Session()
    names = _regions(session, regions)
    known: list[str] = []
    for name in names:
        ec2 = session.client("ec2", region_name=name, config=CONFIG)
        listed = read_all(ec2, SUBNETS)
        if listed.unreadable:
            raise ScopeUnreadableError(f"{name}: {listed.unreadable}")
        found = next((each for each in listed.items if each.id == subnet), None)
        if found:
            region = Region(_account(session, name), name)
            return next(_region(ec2, region, [found.vpc_id]))
        known += [each.id for each in listed.items]
    raise TargetError(f"there is no {subnet} in {', '.join(names)}{_alike(subnet, known)}")


def require_service(snapshot: Snapshot, name: str) -> Service:
    """Give a service by the name people use, as s3 or ecr.dkr, or by its full one.

    Raises:
        TargetError: the region has none of that name; services alike are named.
    """
    if found := find_service(snapshot, name):
        return found
    own = {
        endpoint.service_name: service_of(snapshot, endpoint)
        for endpoint in snapshot.endpoints.values()
    }
    if name in own:
        return own[name]
    known = [*map(short_name, snapshot.services), *own]
    raise TargetError(
        f"{snapshot.scope.region} offers no endpoint service {name!r}{_alike(name, known)}"
    )


def _alike(name: str, known: Sequence[str]) -> str:
    """Name what somebody may have meant."""
    within = [each for each in known if name and name in each]
    close = difflib.get_close_matches(name, known, n=ALIKE, cutoff=0.5)
    within.sort(key=lambda each: (not each.startswith(name), len(each)))
    alike = list(dict.fromkeys([*within, *close]))[:ALIKE]
    if alike:
        return f"; did you mean {' or '.join(alike)}?"
    listed = ", ".join(sorted(known)[:ALIKE])
    return f"; there are {listed}" if listed else ""


def _regions(session: boto3.Session, regions: Sequence[str]) -> Sequence[str]:
    names = regions or ([session.region_name] if session.region_name else [])
    if not names:
        raise NoRegionError
    return tuple(dict.fromkeys(names))


def _require_form(form: re.Pattern[str], names: Sequence[str], what: str, example: str) -> None:
    for name in names:
        if not form.fullmatch(name):
            raise TargetError(f"{name!r} is not {what}, as in {example}")


def _account(session: boto3.Session, region: str) -> str:
    sts = session.client("sts", region_name=region, config=CONFIG)
    return sts.get_caller_identity()["Account"]


def _region(ec2: EC2Client, region: Region, vpcs: Sequence[str]) -> Iterator[Snapshot]:
    catalogue = RegionCatalogueCache(ec2, _now)
    if not vpcs:
        collector = RegionCollector(ec2, region, catalogue=catalogue, now=_now)
        for picture in collector.all(DnsCache(budget=UNLIMITED)):
            _require_vpcs(picture)
            yield from picture.vpcs.values()
    for vpc in vpcs:
        scope = Scope(region.account, region.name, vpc)
        snapshot = collect_vpc(ec2, scope, catalogue=catalogue, now=_now)
        if snapshot and Facet.VPC in snapshot.unreadable:
            raise ScopeUnreadableError(f"{scope}: {snapshot.unreadable[Facet.VPC]}")
        if snapshot:
            yield snapshot


def _require_vpcs(picture: RegionSnapshot) -> None:
    if reason := picture.unreadable.get(Facet.VPC):
        raise ScopeUnreadableError(f"{picture.region}: {reason}")


def _now() -> datetime:
    return datetime.now(UTC)
