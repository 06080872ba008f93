"""The hash chain of a partition's history: each row holds the digest of the row before it.

A row that is altered, removed or inserted later does not match its neighbours; the last digest is
in the scope record, so that a row missing at the end is noticed, too. A digest is the SHA-256 of
the row in DynamoDB's JSON with sorted keys, as it can be computed from `aws dynamodb query`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from posture.lean_dataclass import dataclass
from posture.runtime.encoded_item import EncodedItem, encode_json
from posture.store.attribute_values import StoredItem, require_int, require_text, serialize

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


def append_to_chain(row: EncodedItem, chain: Chain) -> tuple[EncodedItem, Chain]:
    """Link a row to a chain; return the linked row and the new end of the chain."""
    linked = row.extend(serialize({"number": chain.length + 1, "previous": chain.tip}))
    digest = _digest(linked.to_json())
    return linked.extend(serialize({DIGEST: digest})), Chain(chain.length + 1, digest)


def digest_row(row: StoredItem) -> str:
    """Compute the digest of a row from all its attributes but `digest`."""
    return _digest(encode_json({name: row[name] for name in row if name != DIGEST}))


def _digest(form: str) -> str:
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
