"""A VPC's DNS attributes, which EC2 tells only by two requests a VPC and an attribute each.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcAttribute.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Literal

from posture.ec2.describe import Reading, guarded, together
from posture.model.dns import DnsAttributes
from posture.model.network import Endpoint, EndpointType, Facet

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from posture.ec2.parse.fields import Row

MEMORY = timedelta(hours=36)  # how long a remembered value stands for the present one
ROUND = 36  # sweeps in which each VPC has its turn: with hourly ones before its memory ends
BUDGET = 200  # VPCs whose attributes one sweep may ask for
UNLIMITED = 1_000_000  # a budget that no region exceeds
CHANGE_EVENT = "ModifyVpcAttribute"  # the one event that tells of a move

Attribute = Literal["enableDnsSupport", "enableDnsHostnames"]
MEMBERS: Mapping[Attribute, str] = {
    "enableDnsSupport": "EnableDnsSupport",
    "enableDnsHostnames": "EnableDnsHostnames",
}


@dataclass(frozen=True, slots=True)
class DnsReading:
    """The attributes of one VPC with when they were seen, or why they could not be."""

    dns: DnsAttributes | None = None
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class DnsCache:
    """What is remembered of VPCs' attributes, by VPC id, and how many may be asked for anew."""

    known: Mapping[str, DnsAttributes] = field(default_factory=dict)
    budget: int = BUDGET

    def share(self, part: float) -> DnsCache:
        """Give a part of the region its part of the budget."""
        return replace(self, budget=ceil(self.budget * part))


def attribute_reader(
    ec2: EC2Client, vpc_id: str, attribute: Attribute
) -> Callable[[], Reading[bool]]:
    """Give the read of one attribute; an answer without it reads as nothing."""

    def value() -> tuple[bool, ...]:
        answer: Row = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute)
        told = answer.get(MEMBERS[attribute], {}).get("Value")
        return () if told is None else (told,)

    return lambda: guarded(Facet.DNS_ATTRIBUTES.value, value)


def joined(support: Reading[bool], hostnames: Reading[bool], observed_at: datetime) -> DnsReading:
    """Make one reading of the two attributes."""
    return DnsReading(
        DnsAttributes(
            next(iter(support.items), None), next(iter(hostnames.items), None), observed_at
        ),
        support.unreadable or hostnames.unreadable,
    )


def read_attributes(
    ec2: EC2Client, vpc_ids: Collection[str], observed_at: datetime
) -> dict[str, DnsReading]:
    """Read the attributes of these VPCs side by side."""
    reads = {
        (vpc_id, attribute): attribute_reader(ec2, vpc_id, attribute)
        for vpc_id in vpc_ids
        for attribute in MEMBERS
    }
    told = together(reads)
    return {
        vpc_id: joined(
            told[vpc_id, "enableDnsSupport"], told[vpc_id, "enableDnsHostnames"], observed_at
        )
        for vpc_id in vpc_ids
    }


def for_region(
    ec2: EC2Client,
    vpc_ids: Iterable[str],
    endpoints: Iterable[Endpoint],
    memory: DnsCache,
    observed_at: datetime,
) -> dict[str, DnsReading]:
    """Give each VPC's attributes: read anew where it is time, else remembered, else unknown."""
    ids = list(vpc_ids)
    fresh = {
        vpc_id: memory.known[vpc_id]
        for vpc_id in ids
        if vpc_id in memory.known and stands(memory.known[vpc_id], observed_at)
    }
    asked = read_attributes(ec2, to_ask(ids, endpoints, fresh, memory.budget), observed_at)
    remembered = {vpc_id: DnsReading(dns) for vpc_id, dns in fresh.items()}
    return {vpc_id: asked.get(vpc_id) or remembered.get(vpc_id) or DnsReading() for vpc_id in ids}


def stands(dns: DnsAttributes, now: datetime) -> bool:
    """Tell whether a memory may still stand for what is true: it is whole, and not too old."""
    whole = dns.support is not None and dns.hostnames is not None
    return whole and now - dns.observed_at < MEMORY


def to_ask(
    vpc_ids: Collection[str],
    endpoints: Iterable[Endpoint],
    fresh: Mapping[str, DnsAttributes],
    budget: int,
) -> list[str]:
    """Give the VPCs to ask for: those without a memory that stands, then the oldest memories.

    The former come first where a private name hangs on the answer. Of the latter just as many as
    let every VPC have its turn within a `ROUND` of sweeps, so that they never all end at once.
    """
    private = {
        endpoint.vpc_id
        for endpoint in endpoints
        if endpoint.type is EndpointType.INTERFACE and endpoint.private_dns and not endpoint.deleted
    }
    due = sorted(set(vpc_ids) - fresh.keys(), key=lambda vpc_id: (vpc_id not in private, vpc_id))
    oldest = sorted(fresh, key=lambda vpc_id: (fresh[vpc_id].observed_at, vpc_id))
    turn = ceil(len(vpc_ids) / ROUND)
    return [*due, *oldest[: max(0, turn - len(due))]][:budget]
