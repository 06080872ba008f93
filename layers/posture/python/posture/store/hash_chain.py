"""The hash chain of a partition's history: each row holds the digest of the row before it.

A row that is altered, removed or inserted later does not match its neighbours; the last digest is
in the scope record, so that a row missing at the end is noticed, too. A digest is the SHA-256 of
the row in DynamoDB's JSON with sorted keys, as it can be computed from `aws dynamodb query`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from posture.lean_dataclass import dataclass
from posture.store.attribute_values import Item, StoredItem, require_int, require_text, serialize

DIGEST = "digest"
WAIVERS = "waivers"  # the partition of history that is no scope and has a chain
FIRST = "first"  # the previous digest in the first row of a partition
UNCHAINED = "unchained"  # the same where unchained rows of schema 1 precede it


@dataclass(frozen=True, slots=True)
class Chain:
    """The end of a chain: how many rows it has, and the digest of the last one."""

    length: int = 0
    tip: str = FIRST

    def to_attributes(self) -> dict[str, Any]:
        """Return the attributes that hold it in a scope record."""
        return {"chain_length": self.length, "chain_tip": self.tip}


def append_to_chain(row: Item, chain: Chain) -> tuple[Item, Chain]:
    """Link a row to a chain; return the linked row and the new end of the chain."""
    linked = {**row, **serialize({"number": chain.length + 1, "previous": chain.tip})}
    digest = digest_row(linked)
    return {**linked, **serialize({DIGEST: digest})}, Chain(chain.length + 1, digest)


def digest_row(row: StoredItem) -> str:
    """Compute the digest of a row from all its attributes but `digest`."""
    content = {name: value for name, value in row.items() if name != DIGEST}
    form = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(form.encode()).hexdigest()


def parse_chain(fields: Mapping[str, Any]) -> Chain:
    """Parse the end of a chain from the attributes of a scope record.

    Args:
        fields: The attributes in plain Python; without a chain among them, it is empty.

    Raises:
        ValueError: an attribute is missing or malformed.
    """
    if "chain_length" not in fields:
        return Chain()
    return Chain(require_int(fields, "chain_length"), require_text(fields, "chain_tip"))
