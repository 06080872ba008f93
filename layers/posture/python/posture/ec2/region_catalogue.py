"""Reads what a region offers to every VPC: endpoint services and AWS-managed prefix lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from posture.ec2.describe import DescribeOperation, Reading, describe
from posture.ec2.errors import get_error_code
from posture.ec2.parse.endpoints import parse_aws_prefix_list, parse_service
from posture.ec2.prefix_lists import get_blocks, read_entries
from posture.lean_dataclass import dataclass
from posture.model.network import EndpointType, Facet, PrefixList, Service
from posture.runtime.clock import TimeSource

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

LIFETIME = timedelta(hours=1)

SERVICES = DescribeOperation(Facet.SERVICES, parse_service, "ServiceDetails")
AWS_PREFIX_LISTS = DescribeOperation(Facet.AWS_PREFIX_LISTS, parse_aws_prefix_list)


@dataclass(frozen=True, slots=True)
class RegionCatalogue:
    """The endpoint services of a region by full name and its AWS-managed prefix lists by id."""

    services: Mapping[str, Service] = field(default_factory=dict)
    prefix_lists: Mapping[str, PrefixList] = field(default_factory=dict)
    unreadable: Mapping[Facet, str] = field(default_factory=dict)


class RegionCatalogueCache:
    """Reads the catalogue of one region at its first use and again after an hour.

    AWS changes services and lists seldom and without an event. A catalogue that is not complete
    because access was denied is read again at the next use. All threads share one cache.
    """

    def __init__(self, ec2: EC2Client, now: TimeSource) -> None:
        self._ec2 = ec2
        self._now = now
        self._lock = Lock()
        self._catalogue = RegionCatalogue()
        self._expires: datetime | None = None
        self._others: dict[str, tuple[datetime, Reading[Service]]] = {}

    def read(self) -> RegionCatalogue:
        """Return the catalogue, from the cache while it is fresh and complete.

        Raises:
            ClientError, BotoCoreError: throttling, a server error or a timeout outlasted the
                retries.
        """
        with self._lock:
            now = self._now()
            if self._expires is None or now >= self._expires:
                self._catalogue = read_catalogue(self._ec2)
                self._expires = None if self._catalogue.unreadable else now + LIFETIME
            return self._catalogue

    def read_other_region(self, region: str) -> dict[str, Service]:
        """Return the services of another region that offers them to this one, by full name.

        A gateway endpoint connects to services of its own region only, so they offer none.
        https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-cross-region-privatelink-support.html
        """
        with self._lock:
            now = self._now()
            expires, reading = self._others.get(region, (now, Reading()))
            if now >= expires:
                reading = self._describe_services(region)
                if not reading.unreadable:
                    self._others[region] = now + LIFETIME, reading
        services = merge_services(reading.items)
        others = {EndpointType.GATEWAY}
        return {name: replace(it, types=it.types - others) for name, it in services.items()}

    def _describe_services(self, region: str) -> Reading[Service]:
        """Describe the services of another region; none if EC2 rejects the region."""
        try:
            return describe(self._ec2, SERVICES, ServiceRegions=[region])
        except ClientError as error:
            if get_error_code(error).startswith("Invalid"):
                return Reading()
            raise


def read_catalogue(ec2: EC2Client) -> RegionCatalogue:
    """Read the catalogue of the client's region."""
    services = describe(ec2, SERVICES)
    lists = describe(ec2, AWS_PREFIX_LISTS)
    by_name = merge_services(services.items)
    empty = find_empty_lists(lists.items, by_name)
    entries = read_entries(ec2, empty)
    reasons = {
        Facet.SERVICES: services.why_incomplete(""),
        Facet.AWS_PREFIX_LISTS: lists.why_incomplete(""),
        Facet.PREFIX_LISTS: next((it.unreadable for it in entries.values() if it.unreadable), None),
    }
    completed = {
        list_id: replace(empty[list_id], cidrs=get_blocks(reading) or None)
        for list_id, reading in entries.items()
    }
    return RegionCatalogue(
        services=by_name,
        prefix_lists={**{each.id: each for each in lists.items}, **completed},
        unreadable={facet: reason for facet, reason in reasons.items() if reason},
    )


def merge_services(services: Iterable[Service]) -> dict[str, Service]:
    """Merge entries of the same name: EC2 lists S3 once as Gateway and once as Interface."""
    by_name: dict[str, Service] = {}
    for service in services:
        known = by_name.get(service.name)
        by_name[service.name] = _merge(known, service) if known else service
    return by_name


def _merge(one: Service, other: Service) -> Service:
    """Merge two entries of one service, which offers what either entry offers."""
    support = {one.policy_supported, other.policy_supported}
    return replace(
        one,
        types=one.types | other.types,
        private_dns_names=tuple(dict.fromkeys((*one.private_dns_names, *other.private_dns_names))),
        policy_supported=True if True in support else None if None in support else False,
        zones=tuple(dict.fromkeys((*one.zones, *other.zones))),
    )


def find_empty_lists(
    lists: Iterable[PrefixList], services: Mapping[str, Service]
) -> dict[str, PrefixList]:
    """Find the prefix lists of gateway services that came without entries, by id.

    On AWS DescribePrefixLists returns the entries; an emulator may not. A list has the name of its
    gateway service, with `ipv6.` before the short name if it holds IPv6 blocks:
    https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html
    """
    return {
        each.id: each
        for each in lists
        if each.cidrs is None
        and (service := services.get(each.name.replace(".ipv6.", "."))) is not None
        and EndpointType.GATEWAY in service.types
    }
