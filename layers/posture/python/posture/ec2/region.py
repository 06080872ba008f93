"""Pictures of a region's VPCs: of all at once where they are few, else of a slice at a time.

A slice is read by `vpc-id` filters, so what is held at once is bounded by it and no picture is
older than the reading of its own slice. Both cost pages, not VPCs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from posture.ec2.assemble import by_vpc, dealt_facts, snapshot, unreadable
from posture.ec2.describe import (
    FILTER_VALUES,
    VPCS,
    Facts,
    Filters,
    Reading,
    cut,
    first_round,
    read_all,
    together,
)
from posture.ec2.dns_attributes import DnsCache, for_region
from posture.ec2.vpc import second_round, seen
from posture.model.network import Facet, Snapshot, Vpc
from posture.model.scope import Region, Scope

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from posture.ec2.region_catalogue import RegionCatalogue, RegionCatalogueCache, TimeSource
    from posture.model.dns import DnsAttributes

SLICE = FILTER_VALUES  # VPCs that are read and held at once
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RegionSnapshot:
    """A frozen picture of VPCs of a region, by VPC id.

    `dns` holds each VPC's attributes with when they were truly seen: what a sweep remembered is
    older than `observed_at`. With `Facet.VPC` in `unreadable` the VPCs are those that other kinds
    name or that were known, so a VPC that is missing here need not be gone.
    """

    region: Region
    observed_at: datetime
    vpcs: Mapping[str, Snapshot]
    dns: Mapping[str, DnsAttributes] = field(default_factory=dict)
    unreadable: Mapping[Facet, str] = field(default_factory=dict)

    def lacks(self, vpc_id: str) -> bool:
        """Tell whether a VPC that was asked for is gone; never where VPCs cannot be read."""
        return Facet.VPC not in self.unreadable and vpc_id not in self.vpcs


@dataclass(frozen=True, slots=True)
class VpcListing:
    """The VPCs a region has; unreadable, nobody can tell which."""

    observed_at: datetime
    vpcs: Reading[Vpc]

    def slices(self, last_seen: Mapping[str, datetime]) -> tuple[tuple[str, ...], ...]:
        """Cut the VPCs' ids into slices, the longest unseen first; at least one, maybe empty."""
        ids = sorted(
            (vpc.id for vpc in self.vpcs.items), key=lambda each: (last_seen.get(each, NEVER), each)
        )
        return cut(ids, SLICE) or ((),)

    @property
    def small(self) -> bool:
        """Whether all can be read at once, with no filter."""
        return len(self.vpcs.items) <= SLICE


def list_vpcs(ec2: EC2Client, now: TimeSource) -> VpcListing:
    """List the VPCs of a region.

    Raises:
        ClientError, BotoCoreError: throttling, a server error or a timeout outlived the retries.
    """
    return VpcListing(now(), read_all(ec2, VPCS))


class RegionCollector:
    """Takes pictures of the VPCs of one region.

    Every method raises `ClientError` or `BotoCoreError` where throttling, a server error or a
    timeout outlived the retries, and `TimeoutError` where the whole took too long.
    """

    def __init__(
        self, ec2: EC2Client, region: Region, *, catalogue: RegionCatalogueCache, now: TimeSource
    ) -> None:
        self._ec2 = ec2
        self._region = region
        self._catalogue = catalogue
        self._now = now

    def all(self, memory: DnsCache) -> Iterator[RegionSnapshot]:
        """Take pictures of every VPC there is, slice by slice."""
        listing = list_vpcs(self._ec2, self._now)
        for ids in listing.slices({}):
            yield self.part(listing, ids, memory)

    def part(
        self, listing: VpcListing, ids: Sequence[str], memory: DnsCache, known: Iterable[str] = ()
    ) -> RegionSnapshot:
        """Take a picture of a slice of a listing; of all there is where that is small.

        `known` are VPCs of earlier pictures: where VPCs may not be listed, they are in this one as
        unreadable instead of being left out.
        """
        if not listing.small:
            return self.these(ids, memory.share(len(ids) / len(listing.vpcs.items)))
        facts, offered = self._read({"vpcs": lambda: listing.vpcs}, ())
        return self._picture(listing.observed_at, facts, offered, memory=memory, known=known)

    def these(self, ids: Collection[str], memory: DnsCache) -> RegionSnapshot:
        """Take a picture of at most `SLICE` VPCs by their ids; what is gone is not in it."""
        observed_at = self._now()
        facts, offered = self._read({}, [{"Name": "vpc-id", "Values": sorted(ids)}])
        return self._picture(observed_at, facts, offered, memory=memory, known=ids)

    def _read(
        self, given: Mapping[str, Callable[[], Any]], filters: Filters
    ) -> tuple[Facts, RegionCatalogue]:
        reads: dict[str, Any] = {
            **first_round(self._ec2, filters),
            "catalogue": self._catalogue.read,
            **given,
        }
        told: dict[str, Any] = together(reads)
        offered = told.pop("catalogue")
        return Facts(**told), offered

    def _picture(
        self,
        observed_at: datetime,
        facts: Facts,
        offered: RegionCatalogue,
        *,
        memory: DnsCache,
        known: Iterable[str],
    ) -> RegionSnapshot:
        shown = _dealt(facts, known)
        dns = for_region(self._ec2, shown, facts.endpoints.items, memory, observed_at)
        later = second_round(self._ec2, facts, offered, dns)
        account, name = self._region.account, self._region.name
        return RegionSnapshot(
            region=self._region,
            observed_at=observed_at,
            vpcs={
                vpc_id: snapshot(Scope(account, name, vpc_id), observed_at, part, later)
                for vpc_id, part in shown.items()
            },
            dns=seen(dns),
            unreadable=unreadable(facts, later, None),
        )


def _dealt(facts: Facts, known: Iterable[str]) -> Mapping[str, Facts]:
    """Deal the facts out to the VPCs that exist; where nobody can tell, to all that are known."""
    dealt = by_vpc(facts)
    if facts.vpcs.unreadable:
        return {vpc_id: dealt_facts(facts, {}) for vpc_id in known} | dealt
    return {vpc.id: dealt[vpc.id] for vpc in facts.vpcs.items}
