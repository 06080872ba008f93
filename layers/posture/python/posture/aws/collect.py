"""A frozen snapshot of one VPC, or of every VPC of a region, read from EC2.

Ten kinds of request a VPC at the most, plus two for the region's catalogue; their number grows with
pages, not with resources. The exceptions are DNS attributes (two requests a VPC, see
docs/decisions/0043) and customer-managed prefix lists (one each).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from posture.aws.assemble import SecondRound, by_id, by_vpc, dealt_facts, snapshot, unreadable
from posture.aws.describe import Facts, Reading, first_round, interfaces, together
from posture.aws.dns_attributes import DnsMemory, DnsReading, for_region, read_attributes
from posture.aws.prefix_entries import Blocks, entries_of_all, named_by, without_entries
from posture.model.network import Facet, Snapshot
from posture.model.scope import Region, Scope

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_ec2 import EC2Client

    from posture.aws.catalogue import Catalogue, Clock, RegionCatalogue
    from posture.aws.head import Dns


@dataclass(frozen=True, slots=True)
class RegionSnapshot:
    """A frozen picture of every VPC of a region, by VPC id.

    `dns` holds each VPC's attributes with when they were truly seen: what a sweep remembered is
    older than `observed_at`. With `Facet.VPC` in `unreadable` the VPCs are those that other kinds
    name, so a VPC that is missing here need not be gone.
    """

    region: Region
    observed_at: datetime
    vpcs: Mapping[str, Snapshot]
    dns: Mapping[str, Dns] = field(default_factory=dict)
    unreadable: Mapping[Facet, str] = field(default_factory=dict)


def collect_vpc(
    ec2: EC2Client, scope: Scope, *, catalogue: RegionCatalogue, now: Clock
) -> Snapshot | None:
    """Read one VPC; None where it is gone.

    What is denied stands in the snapshot's `unreadable`. A denied DescribeVpcs is such a case too:
    then the VPC may be gone, and only its id and account are told.

    Raises:
        ClientError, BotoCoreError: throttling, a server error or a timeout outlived the retries.
        TimeoutError: the whole took too long.
    """
    observed_at = now()
    of_vpc = [{"Name": "vpc-id", "Values": [scope.subject]}]
    reads: dict[str, Any] = {
        **first_round(ec2, of_vpc),
        "catalogue": catalogue.read,
        "dns": lambda: read_attributes(ec2, [scope.subject], observed_at),
    }
    told: dict[str, Any] = together(reads)
    offered, dns = told.pop("catalogue"), told.pop("dns")
    facts = Facts(**told)
    if not facts.vpcs.items and not facts.vpcs.unreadable:
        return None
    return snapshot(scope, observed_at, facts, second_round(ec2, facts, offered, dns))


def collect_region(  # noqa: PLR0913 - where, and what is known already
    ec2: EC2Client,
    region: Region,
    *,
    catalogue: RegionCatalogue,
    memory: DnsMemory,
    now: Clock,
    known: Iterable[str] = (),
) -> RegionSnapshot:
    """Read every VPC of a region by pages and join them in memory.

    `memory` is what each VPC's head remembers of DNS attributes, and how many may be asked anew.
    `known` are VPCs of earlier pictures: where VPCs may not be listed, they are in this one as
    unreadable instead of being left out.

    Raises:
        ClientError, BotoCoreError: throttling, a server error or a timeout outlived the retries.
        TimeoutError: the whole took too long.
    """
    observed_at = now()
    told: dict[str, Any] = together({**first_round(ec2), "catalogue": catalogue.read})
    offered = told.pop("catalogue")
    facts = Facts(**told)
    dealt = by_vpc(facts)
    blind = {vpc_id: dealt_facts(facts, {}) for vpc_id in known}
    listed = {vpc.id: dealt[vpc.id] for vpc in facts.vpcs.items}
    shown = blind | dealt if facts.vpcs.unreadable else listed
    dns = for_region(ec2, shown, facts.endpoints.items, memory, observed_at)
    later = second_round(ec2, facts, offered, dns)
    return RegionSnapshot(
        region=region,
        observed_at=observed_at,
        vpcs={
            vpc_id: snapshot(Scope(region.account, region.name, vpc_id), observed_at, part, later)
            for vpc_id, part in shown.items()
        },
        dns=seen(dns),
        unreadable=unreadable(facts, later, None),
    )


def second_round(
    ec2: EC2Client, facts: Facts, catalogue: Catalogue, dns: Mapping[str, DnsReading]
) -> SecondRound:
    """Read what the first round names: the endpoints' interfaces and the prefix lists in use."""
    interface_ids = {
        interface_id
        for endpoint in facts.endpoints.items
        for interface_id in endpoint.network_interface_ids
    }
    list_ids = without_entries(
        catalogue.prefix_lists, named_by(facts.route_tables.items, facts.security_groups.items)
    )
    found = interfaces(ec2, interface_ids)
    return SecondRound(
        catalogue=catalogue,
        interfaces=by_id(found.items),
        interfaces_unreadable=found.unreadable,
        prefix_lists=lists_read(ec2, list_ids),
        dns=dns,
    )


def lists_read(ec2: EC2Client, ids: Iterable[str]) -> dict[str, Reading[Blocks]]:
    """Read the entries of these lists, with no request where there is none."""
    wanted = frozenset(ids)
    return entries_of_all(ec2, wanted) if wanted else {}


def seen(readings: Mapping[str, DnsReading]) -> dict[str, Dns]:
    """Give the attributes that are known and worth remembering."""
    return {
        vpc_id: reading.dns
        for vpc_id, reading in readings.items()
        if reading.dns is not None and reading.unreadable is None
    }
