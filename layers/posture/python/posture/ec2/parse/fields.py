"""Small readings of EC2's answers: what a row leaves out is unknown, never an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from posture.model.network import Address, Network, Tags

Row = Mapping[str, Any]  # one element of a Describe answer, as boto3 gives it

GONE = frozenset({"disassociated", "failed"})


def tags(rows: Iterable[Row] | None) -> Tags:
    """Read a tag list."""
    return {row["Key"]: row.get("Value", "") for row in rows or () if "Key" in row}


def strings(rows: Iterable[Row] | None, key: str) -> tuple[str, ...]:
    """Read one member of each row, leaving out rows without it, in order."""
    return ids(str(row[key]) for row in rows or () if row.get(key))


def ids(texts: Iterable[str] | None) -> tuple[str, ...]:
    """Put in order what EC2 lists in any: the same network is then told by the same words."""
    return tuple(sorted(texts or ()))


def network(text: str | None) -> Network | None:
    """Read a CIDR block; None where there is none or it is none."""
    try:
        return ip_network(text, strict=False) if text else None
    except ValueError:
        return None


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read CIDR blocks, in the order they are given in."""
    return tuple(cidr for text in texts if (cidr := network(text)) is not None)


def associated_blocks(
    row: Row, member: str, block: str, state: str
) -> tuple[tuple[IPv4Network, ...], tuple[IPv6Network, ...]]:
    """Read the CIDR blocks that are still associated, split by address family.

    `member` is the list of associations, `block` and `state` their members for CIDR and state.
    """
    live = (
        association.get(block, "")
        for association in row.get(member, ())
        if association.get(state, {}).get("State", "associated") not in GONE
    )
    cidrs = networks(live)
    return (
        tuple(cidr for cidr in cidrs if isinstance(cidr, IPv4Network)),
        tuple(cidr for cidr in cidrs if isinstance(cidr, IPv6Network)),
    )


def addresses(texts: Iterable[str | None]) -> tuple[Address, ...]:
    """Read addresses, each once, in their order."""
    return tuple(dict.fromkeys(ip_address(text) for text in texts if text))
