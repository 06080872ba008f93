"""EC2 as one region of one account shows it, bound to a client, a catalogue and a clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from posture.ec2.endpoint_services import ServicesSnapshot, collect_services
from posture.ec2.region import RegionCollector, VpcListing, list_vpcs
from posture.ec2.region_catalogue import RegionCatalogueCache, TimeSource
from posture.ec2.vpc import collect_vpc
from posture.model.network import Snapshot
from posture.model.scope import Region, Scope

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


def utc_now() -> datetime:
    """Give the time now."""
    return datetime.now(UTC)


class Observer:
    """Takes pictures; the region's catalogue is read once an hour and shared by all of them.

    `vpcs` takes pictures of many VPCs at once.
    """

    def __init__(self, ec2: EC2Client, region: Region, now: Clock = utc_now) -> None:
        self.region = region
        self.now = now
        self.ec2 = ec2
        self._catalogue = RegionCatalogueCache(ec2, now)
        self.vpcs = RegionCollector(ec2, region, catalogue=self._catalogue, now=now)

    def vpc(self, scope: Scope) -> Snapshot | None:
        """Take a picture of a VPC; None where it is gone."""
        return collect_vpc(self.ec2, scope, catalogue=self._catalogue, now=self.now)

    def listing(self) -> VpcListing:
        """List the VPCs of the region."""
        return list_vpcs(self.ec2, self.now)

    def services(self, only: str = "", known: Iterable[str] = ()) -> ServicesSnapshot:
        """Take a picture of every endpoint service of the region, or of one by its id.

        `known` are to be there if listing them is denied.
        """
        return collect_services(self.ec2, self.region, now=self.now, only=only, known=known)
