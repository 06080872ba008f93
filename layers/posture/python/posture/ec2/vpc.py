"""A frozen snapshot of one VPC, read from EC2, and what pictures of many have in common with it.

Ten kinds of request at the most, plus two for the region's catalogue; their number grows with
pages, not with resources. The exceptions are DNS attributes (two requests a VPC, see
docs/decisions/0043) and customer-managed prefix lists (one each).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from posture.ec2.assemble import SecondRound, by_id, snapshot
from posture.ec2.describe import Facts, Reading, first_round, interfaces, together
from posture.ec2.dns_attributes import DnsReading, read_attributes
from posture.ec2.prefix_lists import Blocks, entries_of_all, named_by, without_entries
from posture.model.network import Snapshot
from posture.model.scope import Scope

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from posture.ec2.region_catalogue import RegionCatalogue, RegionCatalogueCache, TimeSource
    from posture.model.dns import DnsAttributes


def collect_vpc(
    ec2: EC2Client, scope: Scope, *, catalogue: RegionCatalogueCache, now: TimeSource
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


def second_round(
    ec2: EC2Client, facts: Facts, catalogue: RegionCatalogue, dns: Mapping[str, DnsReading]
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


def seen(readings: Mapping[str, DnsReading]) -> dict[str, DnsAttributes]:
    """Give the attributes that are known and worth remembering."""
    return {
        vpc_id: reading.dns
        for vpc_id, reading in readings.items()
        if reading.dns is not None and reading.unreadable is None
    }
