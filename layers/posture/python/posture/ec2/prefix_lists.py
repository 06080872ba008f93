"""The entries of prefix lists: one request (and its pages) a list, so only for those that matter.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetManagedPrefixListEntries.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from posture.ec2.describe import Reading, guarded, pages, together
from posture.ec2.parse.fields import networks, strings
from posture.model.network import Facet, Network, PrefixList, RouteTable, SecurityGroup

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

Blocks = tuple[Network, ...]

PAGE = 100  # the largest this operation gives


def entries_of(ec2: EC2Client, list_id: str) -> Reading[Blocks]:
    """Read the CIDR blocks of one prefix list: one item, and none where the list is not found."""
    return guarded(Facet.PREFIX_LISTS.value, lambda: (_entries(ec2, list_id),))


def _entries(ec2: EC2Client, list_id: str) -> Blocks:
    return tuple(
        cidr
        for page in pages(ec2, "get_managed_prefix_list_entries", PAGE, {"PrefixListId": list_id})
        for cidr in networks(strings(page.get("Entries"), "Cidr"))
    )


def entries_of_all(ec2: EC2Client, ids: Collection[str]) -> dict[str, Reading[Blocks]]:
    """Read several lists side by side, by id."""
    return together({list_id: _reader(ec2, list_id) for list_id in sorted(ids)})


def _reader(ec2: EC2Client, list_id: str) -> Callable[[], Reading[Blocks]]:
    return lambda: entries_of(ec2, list_id)


def blocks_of(reading: Reading[Blocks]) -> Blocks | None:
    """Give a list's blocks, which may be none; None where nobody can tell."""
    return next(iter(reading.items), None)


def customer_list(list_id: str, reading: Reading[Blocks]) -> PrefixList:
    """Make a list of what was read; its name and owner take a request that nothing here needs."""
    return PrefixList(list_id, name="", owner="", cidrs=blocks_of(reading))


def named_by(tables: Iterable[RouteTable], groups: Iterable[SecurityGroup]) -> Iterator[str]:
    """Give the ids of the prefix lists that routes or group rules name."""
    for table in tables:
        yield from (route.prefix_list_id for route in table.routes if route.prefix_list_id)
    for group in groups:
        for rule in (*group.ingress, *group.egress):
            if rule.prefix_list_id:
                yield rule.prefix_list_id


def without_entries(lists: Mapping[str, PrefixList], ids: Iterable[str]) -> frozenset[str]:
    """Give those ids whose entries the region's catalogue does not hold."""
    return frozenset(
        list_id for list_id in ids if list_id not in lists or lists[list_id].cidrs is None
    )
