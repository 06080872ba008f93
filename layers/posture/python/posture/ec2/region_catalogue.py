"""What a region offers every VPC in it: endpoint services and AWS's own prefix lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from posture.ec2.describe import Kind, Reading, read_all
from posture.ec2.parse import endpoints as translate_endpoints
from posture.ec2.prefix_lists import blocks_of, entries_of_all
from posture.model.network import EndpointType, Facet, PrefixList, Service

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

TimeSource = Callable[[], datetime]

LIFETIME = timedelta(hours=1)

SERVICES = Kind(
    Facet.SERVICES,
    "describe_vpc_endpoint_services",
    "ServiceDetails",
    translate_endpoints.service,
)
AWS_PREFIX_LISTS = Kind(
    Facet.AWS_PREFIX_LISTS,
    "describe_prefix_lists",
    "PrefixLists",
    translate_endpoints.prefix_list,
)


@dataclass(frozen=True, slots=True)
class RegionCatalogue:
    """The region's services by full name and AWS's prefix lists by id, as read at one time."""

    services: Mapping[str, Service] = field(default_factory=dict)
    prefix_lists: Mapping[str, PrefixList] = field(default_factory=dict)
    unreadable: Mapping[Facet, str] = field(default_factory=dict)


class RegionCatalogueCache:
    """The catalogue of one region, read at its first use and again after an hour.

    AWS changes both halves without any event and seldom; what was denied is asked for again at the
    next use. One object serves all threads of a process.
    """

    def __init__(self, ec2: EC2Client, now: TimeSource, lifetime: timedelta = LIFETIME) -> None:
        self._ec2 = ec2
        self._now = now
        self._lifetime = lifetime
        self._lock = Lock()
        self._catalogue = RegionCatalogue()
        self._expires: datetime | None = None

    def read(self) -> RegionCatalogue:
        """Give the catalogue, from memory while it is fresh and whole.

        Raises:
            ClientError, BotoCoreError: EC2 did not answer, though retried.
        """
        with self._lock:
            now = self._now()
            if self._expires is None or now >= self._expires:
                self._catalogue = read_catalogue(self._ec2)
                whole = not self._catalogue.unreadable
                self._expires = now + self._lifetime if whole else None
            return self._catalogue


def read_catalogue(ec2: EC2Client) -> RegionCatalogue:
    """Read the region's catalogue afresh."""
    services = read_all(ec2, SERVICES)
    lists = read_all(ec2, AWS_PREFIX_LISTS)
    by_name = merged(services.items)
    by_id = {each.id: each for each in lists.items}
    readings: dict[Facet, Reading[Service] | Reading[PrefixList]] = {
        Facet.SERVICES: services,
        Facet.AWS_PREFIX_LISTS: lists,
    }
    return RegionCatalogue(
        services=by_name,
        prefix_lists=by_id | filled(ec2, by_id.values(), by_name),
        unreadable={
            facet: reading.unreadable for facet, reading in readings.items() if reading.unreadable
        },
    )


def merged(services: Iterable[Service]) -> dict[str, Service]:
    """Give one service a name: EC2 lists S3 twice, once as Gateway and once as Interface."""
    by_name: dict[str, Service] = {}
    for service in services:
        known = by_name.get(service.name)
        by_name[service.name] = both(known, service) if known else service
    return by_name


def both(one: Service, other: Service) -> Service:
    """Join two entries of one service; a feature that either names is offered."""
    support = {one.policy_supported, other.policy_supported}
    return replace(
        one,
        types=one.types | other.types,
        private_dns_names=tuple(dict.fromkeys((*one.private_dns_names, *other.private_dns_names))),
        policy_supported=True if True in support else None if None in support else False,
        zones=tuple(dict.fromkeys((*one.zones, *other.zones))),
    )


def filled(
    ec2: EC2Client, lists: Iterable[PrefixList], services: Mapping[str, Service]
) -> dict[str, PrefixList]:
    """Give the gateway services' lists with entries, for those that came without.

    DescribePrefixLists tells the entries on AWS; an emulator may not. A gateway service's lists are
    named after it, with `ipv6.` before the service's name where there is one for IPv6:
    https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html
    """
    empty = {
        each.id: each
        for each in lists
        if each.cidrs is None
        and (service := services.get(each.name.replace(".ipv6.", "."))) is not None
        and EndpointType.GATEWAY in service.types
    }
    if not empty:
        return {}
    return {
        list_id: replace(empty[list_id], cidrs=blocks_of(reading) or None)
        for list_id, reading in entries_of_all(ec2, empty).items()
    }
