"""The VPCs of a region: how they are listed, split into slices and observed together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from posture.ec2.assemble import list_vpc_ids
from posture.ec2.describe import FILTER_VALUES, Reading, chunked
from posture.lean_dataclass import dataclass
from posture.model.network import Facet, Snapshot, Vpc
from posture.model.scope import Region, Scope

if TYPE_CHECKING:
    from posture.model.dns import DnsAttributes

SLICE = FILTER_VALUES  # VPCs that are read and held in memory at once
# In a command, whose machine has more memory than a function: a third of a megabyte for each VPC.
# Without a filter they take fewer requests than in slices.
MOST_IN_COMMANDS = 1_500
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RegionSnapshot:
    """The snapshots of many VPCs of a region, by VPC id.

    `dns` holds the DNS attributes that are worth caching; those from a cache are older than
    `observed_at`. If `unreadable` contains `Facet.VPC`, the VPCs are those that other resources
    name and those that were known, so a VPC that is missing here may still exist.
    """

    region: Region
    observed_at: datetime
    vpcs: Mapping[str, Snapshot]
    dns: Mapping[str, DnsAttributes] = field(default_factory=dict)
    unreadable: Mapping[Facet, str] = field(default_factory=dict)

    def lacks(self, vpc_id: str) -> bool:
        """Whether a requested VPC no longer exists; False if VPCs cannot be read."""
        return Facet.VPC not in self.unreadable and vpc_id not in self.vpcs

    def order_by_size(self, scopes: Iterable[Scope]) -> list[Scope]:
        """Return the scopes of VPCs, those last that take longest: of most rules."""
        return sorted(scopes, key=lambda each: measure_size(self.vpcs.get(each.subject)))


def measure_size(snapshot: object) -> int:
    """Return how many thousands of rules a VPC has; 0 for what is no VPC.

    A rule or route of a prefix list counts as one for each of its entries. The rules about one
    endpoint and its policy take as long as some ten rules of a gate.
    """
    if not isinstance(snapshot, Snapshot):
        return 0
    entries = {each.id: len(each.cidrs or ()) for each in snapshot.prefix_lists.values()}
    groups = snapshot.security_groups.values()
    rules = chain.from_iterable((*each.ingress, *each.egress) for each in groups)
    routes = chain.from_iterable(each.routes for each in snapshot.route_tables.values())
    lists = chain((it.prefix_list_id for it in rules), (it.prefix_list_id for it in routes))
    named = sum(entries.get(each or "", 1) for each in lists)
    acls = sum(len(each.entries) for each in snapshot.network_acls.values())
    others = 10 * len(snapshot.endpoints) + len(snapshot.network_interfaces)
    return (named + acls + others) // 1_000


@dataclass(frozen=True, slots=True)
class VpcListing:
    """The VPCs of a region, if they can be read, and how many of them may be read at once.

    `at_once` is None for as many as a slice holds.
    """

    observed_at: datetime
    vpcs: Reading[Vpc]
    at_once: int | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the VPCs, those of malformed rows included."""
        return list_vpc_ids(self.vpcs)

    def slices(self, last_observed: Mapping[str, datetime]) -> tuple[tuple[str, ...], ...]:
        """Split the VPC ids into at least one slice, the least recently observed VPCs first."""
        ids = sorted(
            self.ids,
            key=lambda vpc_id: (last_observed.get(vpc_id, NEVER), vpc_id),
        )
        return (tuple(ids),) if self.is_single_slice else chunked(ids, SLICE)

    @property
    def is_single_slice(self) -> bool:
        """Whether all VPCs can be read at once, without a filter."""
        return len(self.ids) <= (self.at_once or SLICE)
