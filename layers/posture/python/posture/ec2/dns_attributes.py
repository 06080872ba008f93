"""Reads a VPC's DNS attributes, which take one request for each VPC and attribute.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcAttribute.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Literal

from posture.ec2.describe import Reading, chunked, read_concurrently, read_unless_denied
from posture.ec2.errors import check_answer
from posture.lean_dataclass import dataclass
from posture.model.change import Change
from posture.model.dns import DnsAttributes
from posture.model.network import Endpoint, EndpointType, Facet

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from posture.ec2.parse.fields import Row

MAX_AGE = timedelta(hours=36)  # how long cached attributes are used
ROTATION = 36  # sweeps in which every VPC is read once; hourly sweeps do so before `MAX_AGE`
BUDGET = 200  # VPCs whose attributes one sweep reads at most
UNLIMITED = 1_000_000  # a budget larger than any region
CHANGE_EVENT = "ModifyVpcAttribute"  # the only event that changes an attribute

Attribute = Literal["enableDnsSupport", "enableDnsHostnames"]
ATTRIBUTES: tuple[Attribute, ...] = ("enableDnsSupport", "enableDnsHostnames")


@dataclass(frozen=True, slots=True)
class DnsReading:
    """The DNS attributes of one VPC, or the reason why they could not be read."""

    dns: DnsAttributes | None = None
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class DnsCache:
    """DNS attributes of earlier observations by VPC id, and how many VPCs may be read again.

    Where it `rotates`, some that are current are read again, so that they do not all expire at
    once. With `only_where_used`, those of VPCs without an endpoint that has private DNS are not
    read: no rule asks for them. A remediation that creates an endpoint does.
    """

    known: Mapping[str, DnsAttributes] = field(default_factory=dict)
    budget: int = BUDGET
    only_where_used: bool = False
    rotates: bool = True

    def share(self, part: float) -> DnsCache:
        """Return the cache with the share of the budget for a part of the region."""
        return replace(self, budget=ceil(self.budget * part))


def may_modify_dns(changes: Iterable[Change]) -> bool:
    """Whether one of the changes may have modified DNS attributes."""
    return any(each.event_name == CHANGE_EVENT for each in changes)


def read_attributes(
    ec2: EC2Client, vpc_ids: Collection[str], observed_at: datetime
) -> dict[str, DnsReading]:
    """Read the DNS attributes of VPCs, of some hundreds in one round of limited time.

    EC2 answers some 20 requests a second of an account that makes many:
    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
    """
    values: dict[tuple[str, Attribute], Reading[bool]] = {}
    for some in chunked(tuple(vpc_ids)):
        keys = [(vpc_id, attribute) for vpc_id in some for attribute in ATTRIBUTES]
        reads = {key: partial(_read_attribute, ec2, *key) for key in keys}
        values |= read_concurrently(ec2, reads)
    return {
        vpc_id: _join([values[vpc_id, each] for each in ATTRIBUTES], observed_at)
        for vpc_id in vpc_ids
    }


def _read_attribute(ec2: EC2Client, vpc_id: str, attribute: Attribute) -> Reading[bool]:
    def read() -> tuple[bool, ...]:
        response: Row = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute)
        member = f"E{attribute[1:]}"
        check_answer(response, Facet.DNS_ATTRIBUTES.value, member)
        value = response.get(member, {}).get("Value")
        return () if value is None else (value,)

    return read_unless_denied(Facet.DNS_ATTRIBUTES.value, read)


def _join(readings: Sequence[Reading[bool]], observed_at: datetime) -> DnsReading:
    support, hostnames = (next(iter(each.items), None) for each in readings)
    reason = next((each.unreadable for each in readings if each.unreadable), None)
    return DnsReading(DnsAttributes(support, hostnames, observed_at), reason)


def resolve_attributes(
    ec2: EC2Client,
    vpc_ids: Collection[str],
    endpoints: Reading[Endpoint],
    cache: DnsCache,
    observed_at: datetime,
) -> dict[str, DnsReading]:
    """Return the DNS attributes of each VPC: read now if it is due, else cached, else unknown."""
    if cache.only_where_used:
        vpc_ids = _choose_where_used(vpc_ids, endpoints)
    current = {
        vpc_id: dns
        for vpc_id in vpc_ids
        if (dns := cache.known.get(vpc_id)) and is_current(dns, observed_at)
    }
    asked = vpc_ids if cache.rotates else set(vpc_ids) - current.keys()
    due = choose_vpcs_to_read(asked, endpoints.items, current, cache.budget)
    return {
        **{vpc_id: DnsReading(current.get(vpc_id)) for vpc_id in vpc_ids},
        **read_attributes(ec2, due, observed_at),
    }


def _choose_where_used(vpc_ids: Iterable[str], endpoints: Reading[Endpoint]) -> list[str]:
    """Choose the VPCs that have an endpoint with private DNS, or may have one."""
    used = {
        each.vpc_id
        for each in endpoints.items
        if each.type is not EndpointType.GATEWAY
        and each.private_dns is not False
        and not each.deleted
    }
    return [each for each in vpc_ids if each in used or endpoints.why_incomplete(each)]


def is_current(dns: DnsAttributes, now: datetime) -> bool:
    """Whether cached attributes may still be used: both are known, and they are not too old."""
    complete = dns.support is not None and dns.hostnames is not None
    return complete and now - dns.observed_at < MAX_AGE


def choose_vpcs_to_read(
    vpc_ids: Collection[str],
    endpoints: Iterable[Endpoint],
    current: Mapping[str, DnsAttributes],
    budget: int,
) -> list[str]:
    """Choose the VPCs to read: first those without current attributes, then the oldest ones.

    Of the former, VPCs with an endpoint that uses private DNS come first. Of the latter, each sweep
    reads only as many as let every VPC have its turn within `ROTATION` sweeps, so that cached
    attributes never all expire at once.
    """
    private = {
        endpoint.vpc_id
        for endpoint in endpoints
        if endpoint.type is EndpointType.INTERFACE and endpoint.private_dns and not endpoint.deleted
    }
    due = sorted(set(vpc_ids) - current.keys(), key=lambda vpc_id: (vpc_id not in private, vpc_id))
    oldest = sorted(current, key=lambda vpc_id: (current[vpc_id].observed_at, vpc_id))
    turn = ceil(len(vpc_ids) / ROTATION)
    return [*due, *oldest[: max(0, turn - len(due))]][:budget]
