"""Reads the entries of prefix lists, one request for each list, so only of lists in use.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetManagedPrefixListEntries.html
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

from posture.ec2.describe import Reading, list_rows, read_concurrently, read_unless_denied
from posture.ec2.parse.fields import parse_networks, parse_values
from posture.model.network import Facet, Network

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

Blocks = tuple[Network, ...]

PAGE = 100  # the largest page size of this operation


def read_entries(ec2: EC2Client, ids: Collection[str]) -> dict[str, Reading[Blocks]]:
    """Read the entries of prefix lists, by list id.

    Each reading holds one item, the list's CIDR blocks, or none if the list does not exist.
    """
    return read_concurrently(ec2, {each: partial(_read, ec2, each) for each in sorted(ids)})


def _read(ec2: EC2Client, list_id: str) -> Reading[Blocks]:
    operation = Facet.PREFIX_LISTS.value

    def read() -> tuple[Blocks]:
        rows = list_rows(ec2, operation, "Entries", PAGE, {"PrefixListId": list_id})
        return (parse_networks(parse_values(rows, "Cidr")),)

    return read_unless_denied(operation, read)


def get_blocks(reading: Reading[Blocks]) -> Blocks | None:
    """Get the CIDR blocks of a prefix list; None if they are unknown."""
    return next(iter(reading.items), None)
