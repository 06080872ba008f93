"""Parsers for single members of EC2's responses.

A missing member is unknown. A malformed one is a ValueError, because a block that was left out
could change any answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv6Network, ip_address, ip_network
from typing import Any, TypeVar

from posture.model.network import Address, Network, Tags

N = TypeVar("N", bound=Network)
Row = Mapping[str, Any]  # one element of a Describe response, as boto3 returns it

ENDED = frozenset({"disassociated", "failed"})


def parse_tags(rows: Iterable[Row] | None) -> Tags:
    """Parse a tag list."""
    return {row["Key"]: row.get("Value", "") for row in rows or () if "Key" in row}


def parse_values(rows: Iterable[Row] | None, key: str) -> tuple[str, ...]:
    """Collect the values of one member of each row, sorted; rows without it are left out."""
    return sort_ids(str(row[key]) for row in rows or () if row.get(key))


def parse_pairs(rows: Iterable[Row] | None, key: str, members: Iterable[str]) -> dict[str, str]:
    """Map one member of each row to the first other one that it has, sorted; "" if it has none."""
    names = tuple(members)
    pairs = ((row.get(key), next(filter(None, map(row.get, names)), "")) for row in rows or ())
    return {str(name): str(value) for name, value in sorted(pairs) if name}


def sort_ids(ids: Iterable[str] | None) -> tuple[str, ...]:
    """Sort ids, because EC2 lists them in any order and equal networks must compare equal."""
    return tuple(sorted(ids or ()))


def parse_network(text: str | None) -> Network | None:
    """Parse a CIDR block; None if it is missing.

    Raises:
        ValueError: it is malformed.
    """
    return _parse_block(text) if text else None


@lru_cache(maxsize=4096)  # most blocks come again, in rules of groups above all
def _parse_block(text: str) -> Network:
    return ip_network(text, strict=False)


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parse CIDR blocks in their order.

    Raises:
        ValueError: one is malformed.
    """
    return tuple(cidr for text in texts if (cidr := parse_network(text)) is not None)


def list_active_associations(row: Row, member: str, state: str) -> list[Row]:
    """List the associations of a row that are neither disassociated nor failed.

    `member` is the list of associations, `state` their member that holds the state.
    """
    return [
        association
        for association in row.get(member, ())
        if association.get(state, {}).get("State", "associated") not in ENDED
    ]


def parse_associated_blocks(row: Row, family: type[N]) -> tuple[N, ...]:
    """Parse the associated CIDR blocks of a VPC or subnet that are of one address family."""
    block = "Ipv6CidrBlock" if family is IPv6Network else "CidrBlock"
    active = list_active_associations(row, f"{block}AssociationSet", f"{block}State")
    cidrs = parse_networks(each.get(block, "") for each in active)
    return tuple(cidr for cidr in cidrs if isinstance(cidr, family))


def parse_addresses(texts: Iterable[str | None]) -> tuple[Address, ...]:
    """Parse IP addresses in their order, without duplicates."""
    return tuple(dict.fromkeys(ip_address(text) for text in texts if text))
