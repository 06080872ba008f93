"""Observes one region of one account: collects snapshots of its VPCs and endpoint services.

A VPC takes at most ten kinds of request, plus two for the region's catalogue and one for DHCP
option sets that are not known yet. Their number grows with pages, not with resources or VPCs. The
exceptions are DNS attributes (two requests for each VPC, see docs/decisions/0043), customer-managed
prefix lists (one for each) and the default VPC of the region, which takes one more if it may be
unused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from posture.ec2.assemble import (
    RelatedResources,
    assemble_snapshot,
    collect_unreadable,
    find_default_vpcs,
    find_foreign_groups,
    find_instance_ids,
    find_interface_ids,
    find_other_regions,
    find_unlisted_ids,
    group_by_vpc,
    index_by_id,
)
from posture.ec2.describe import (
    SECURITY_GROUPS,
    VPC_RESOURCES,
    VPCS,
    Filters,
    Reading,
    VpcResources,
    describe,
    describe_by_ids,
    describe_network_interfaces,
    find_network_interface,
    read_concurrently,
    read_vpc_resources,
)
from posture.ec2.dhcp_options import DhcpOptionsCache
from posture.ec2.dns_attributes import DnsCache, DnsReading, read_attributes, resolve_attributes
from posture.ec2.endpoint_services import ServicesSnapshot, collect_services
from posture.ec2.prefix_lists import read_entries
from posture.ec2.region import MOST_IN_COMMANDS, RegionSnapshot, VpcListing
from posture.ec2.region_catalogue import RegionCatalogue, RegionCatalogueCache
from posture.model.dns import DnsAttributes
from posture.model.network import NetworkInterface, Snapshot
from posture.model.scope import Region, Scope
from posture.runtime.clock import TimeSource, utc_now

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

Reads = Mapping[str, Callable[[], Any]]  # by the name of what is read


class Observer:
    """Collects snapshots through one EC2 client; all share one catalogue of the region.

    Every method raises ClientError or BotoCoreError if throttling, a server error or a timeout
    outlasted the retries, and TimeoutError if the reads together took too long. An operation to
    which access is denied is not an error: the snapshot's `unreadable` names it.
    """

    def __init__(self, ec2: EC2Client, region: Region, now: TimeSource = utc_now) -> None:
        self.region = region
        self.now = now
        self.ec2 = ec2
        self.catalogue = RegionCatalogueCache(ec2, now)
        self._dhcp_options = DhcpOptionsCache(ec2)

    def collect_vpc(
        self, scope: Scope, find_dns: Callable[[], DnsAttributes | None] = lambda: None
    ) -> Snapshot | None:
        """Collect the snapshot of a VPC; None if it does not exist.

        If DescribeVpcs is denied the VPC may not exist, and only its id and account are known.

        Args:
            scope: The VPC.
            find_dns: Finds its DNS attributes of an earlier observation that may still be used,
                while everything else is read; None where EC2 is to be asked.
        """
        observed_at = self.now()
        vpc_id = scope.subject

        def read_dns() -> dict[str, DnsReading]:
            if known := find_dns():
                return {vpc_id: DnsReading(known)}
            return read_attributes(self.ec2, [vpc_id], observed_at)

        found, results = self._read_resources([vpc_id], {"dns": read_dns})
        resources = group_by_vpc(found, [vpc_id]).get(vpc_id)
        if resources is None:
            return None
        related = self._read_related(resources, results, results["dns"])
        return assemble_snapshot(scope, observed_at, resources, related)

    def list_vpcs(self, at_once: int | None = None) -> VpcListing:
        """List the VPCs of the region, of which so many may be read at once; None for a slice."""
        return VpcListing(self.now(), describe(self.ec2, VPCS), at_once)

    def collect_region(self, cache: DnsCache) -> Iterator[RegionSnapshot]:
        """Collect the snapshots of every VPC of the region for a command, at once if possible."""
        listing = self.list_vpcs(MOST_IN_COMMANDS)
        for ids in listing.slices({}):
            yield self.collect_slice(listing, ids, cache)

    def collect_slice(
        self, listing: VpcListing, ids: Sequence[str], cache: DnsCache, known: Iterable[str] = ()
    ) -> RegionSnapshot:
        """Collect the snapshots of one slice of a listing.

        `known` are VPCs of earlier snapshots: if DescribeVpcs is denied, they are in this snapshot
        as unreadable instead of being left out.
        """
        if not listing.is_single_slice:
            return self.collect_vpcs(ids, cache.share(len(ids) / len(listing.ids)))
        reads = {"vpcs": lambda: listing.vpcs}
        return self._collect(listing.observed_at, (), reads, cache=cache, known=known)

    def collect_vpcs(self, ids: Collection[str], cache: DnsCache) -> RegionSnapshot:
        """Collect the snapshots of at most `SLICE` VPCs; a VPC that does not exist is left out."""
        return self._collect(self.now(), ids, {}, cache=cache, known=ids)

    def collect_services(self, only: str = "", known: Iterable[str] = ()) -> ServicesSnapshot:
        """Collect the endpoint services of the region, as `collect_services` does."""
        return collect_services(self.ec2, self.region, now=self.now, only=only, known=known)

    def find_vpcs_of_endpoints(self, ids: Collection[str]) -> Mapping[str, str]:
        """Find the VPC of each of these endpoints that the account has."""
        operation = VPC_RESOURCES["endpoints"]
        found = describe_by_ids(self.ec2, operation, "vpc-endpoint-id", ids)
        return {each.id: each.vpc_id for each in found.items}

    def _read_resources(
        self, vpc_ids: Collection[str], others: Reads
    ) -> tuple[VpcResources, dict[str, Any]]:
        """Read the resources of these VPCs, or of all; `others` are read at the same time."""
        filters: Filters = [{"Name": "vpc-id", "Values": sorted(vpc_ids)}] if vpc_ids else ()
        reads: Reads = {
            **read_vpc_resources(self.ec2, filters),
            "catalogue": self.catalogue.read,
            **others,
        }
        results = read_concurrently(self.ec2, reads)
        return VpcResources(**{name: results[name] for name in VPC_RESOURCES}), results

    def _read_related(
        self,
        resources: VpcResources,
        results: Mapping[str, Any],
        dns: Mapping[str, DnsReading],
    ) -> RelatedResources:
        """Read the network interfaces and the entries of the prefix lists in use."""
        catalogue: RegionCatalogue = results["catalogue"]
        interfaces = self._read_interfaces(resources)
        regions = find_other_regions(resources, self.region.name)
        others = {region: partial(self.catalogue.read_other_region, region) for region in regions}
        groups = find_foreign_groups(resources)
        foreign = describe_by_ids(self.ec2, SECURITY_GROUPS, "group-id", groups)
        return RelatedResources(
            catalogue=catalogue,
            interfaces=index_by_id(interfaces.items),
            interface_reading=interfaces,
            prefix_lists=read_entries(self.ec2, find_unlisted_ids(resources, catalogue)),
            dns=dns,
            dhcp=self._dhcp_options.read(resources.vpcs.items),
            security_groups=index_by_id((*resources.security_groups.items, *foreign.items)),
            other_services={
                name: service
                for services in read_concurrently(self.ec2, others).values()
                for name, service in services.items()
            },
            default_vpcs={
                each: find_network_interface(self.ec2, each)
                for each in sorted(find_default_vpcs(resources))
            },
        )

    def _read_interfaces(self, resources: VpcResources) -> Reading[NetworkInterface]:
        """Read the interfaces of endpoints and of the appliances that routes target.

        Only if there is an appliance, a second request reads the other interfaces of its instance,
        by which it may forward traffic into other subnets.
        """
        named = describe_network_interfaces(self.ec2, find_interface_ids(resources))
        instances = find_instance_ids(resources, named.items)
        if named.unreadable or not instances:
            return named
        attached = describe_network_interfaces(self.ec2, instances, "attachment.instance-id")
        return Reading(
            (*named.items, *attached.items),
            attached.unreadable,
            malformed={**named.malformed, **attached.malformed},
        )

    def _collect(
        self,
        observed_at: datetime,
        vpc_ids: Collection[str],
        others: Reads,
        *,
        cache: DnsCache,
        known: Iterable[str],
    ) -> RegionSnapshot:
        resources, results = self._read_resources(vpc_ids, others)
        by_vpc = group_by_vpc(resources, known)
        dns = resolve_attributes(self.ec2, by_vpc, resources.endpoints, cache, observed_at)
        related = self._read_related(resources, results, dns)
        account, region = self.region.account, self.region.name
        return RegionSnapshot(
            region=self.region,
            observed_at=observed_at,
            vpcs={
                vpc_id: assemble_snapshot(Scope(account, region, vpc_id), observed_at, own, related)
                for vpc_id, own in by_vpc.items()
            },
            dns={
                vpc_id: reading.dns
                for vpc_id, reading in dns.items()
                if reading.dns is not None and reading.unreadable is None
            },
            unreadable=collect_unreadable(resources, related, None),
        )
