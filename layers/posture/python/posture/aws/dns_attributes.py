"""A VPC's DNS attributes, which EC2 tells only by two requests a VPC and an attribute each.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcAttribute.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from posture.aws.describe import Reading, guarded, together
from posture.aws.head import Dns
from posture.model.network import Endpoint, EndpointType, Facet

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from posture.aws.rows import Row

MEMORY = timedelta(hours=24)  # how long a remembered value stands for the present one
BUDGET = 200  # VPCs whose attributes one sweep may ask for

Attribute = Literal["enableDnsSupport", "enableDnsHostnames"]
MEMBERS: Mapping[Attribute, str] = {
    "enableDnsSupport": "EnableDnsSupport",
    "enableDnsHostnames": "EnableDnsHostnames",
}


@dataclass(frozen=True, slots=True)
class DnsReading:
    """The attributes of one VPC with when they were seen, or why they could not be."""

    dns: Dns | None = None
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class DnsMemory:
    """What is remembered of VPCs' attributes, by VPC id, and how many may be asked for anew."""

    known: Mapping[str, Dns] = field(default_factory=dict)
    budget: int = BUDGET


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
        Dns(next(iter(support.items), None), next(iter(hostnames.items), None), observed_at),
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
    memory: DnsMemory,
    observed_at: datetime,
) -> dict[str, DnsReading]:
    """Give each VPC's attributes: read anew where they matter, else remembered, else unknown."""
    fresh = {
        vpc_id: DnsReading(dns)
        for vpc_id, dns in memory.known.items()
        if observed_at - dns.observed_at < MEMORY
    }
    ids = list(vpc_ids)
    chosen = worth_asking(ids, endpoints, fresh)[: memory.budget]
    asked = read_attributes(ec2, chosen, observed_at)
    return {vpc_id: asked.get(vpc_id) or fresh.get(vpc_id) or DnsReading() for vpc_id in ids}


def worth_asking(
    vpc_ids: Iterable[str], endpoints: Iterable[Endpoint], fresh: Collection[str]
) -> list[str]:
    """Give the VPCs to ask for, those first in which a private name hangs on the answer."""
    private = {
        endpoint.vpc_id
        for endpoint in endpoints
        if endpoint.type is EndpointType.INTERFACE and endpoint.private_dns and not endpoint.deleted
    }
    asking = [vpc_id for vpc_id in vpc_ids if vpc_id in private or vpc_id not in fresh]
    return sorted(asking, key=lambda vpc_id: (vpc_id not in private, vpc_id in fresh, vpc_id))
