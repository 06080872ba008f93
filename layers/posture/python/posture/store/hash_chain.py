"""The chain of a partition's history: each row carries the digest of the row before it.

A row that is altered, removed or inserted later no longer fits its neighbours, and the last digest,
kept in the scope's head, tells that nothing is missing at the end. A digest is a SHA-256 of the row
in DynamoDB's own JSON with its keys in order, so that anybody can work it out from what
`aws dynamodb query` prints.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from posture.store.attribute_values import Item, require_int, require_text, serialize

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

DIGEST = "digest"
FIRST = "first"  # what the first row of all names as the digest before it
UNCHAINED = "unchained"  # what it names where rows from before there were chains precede it


@dataclass(frozen=True, slots=True)
class Chain:
    """Where a chain stands: how many rows it has, and the digest of the last one."""

    length: int = 0
    tip: str = FIRST

    def to_attributes(self) -> dict[str, Any]:
        """Give what is kept of it in a head."""
        return {"chain_length": self.length, "chain_tip": self.tip}


def append_to_chain(row: Item, chain: Chain) -> tuple[Item, Chain]:
    """Make a row the next one of a chain; give it with the chain as it stands then."""
    linked = {**row, **serialize({"number": chain.length + 1, "previous": chain.tip})}
    digest = digest_row(linked)
    return {**linked, **serialize({DIGEST: digest})}, Chain(chain.length + 1, digest)


def digest_row(row: Mapping[str, AttributeValueTypeDef]) -> str:
    """Work out the digest of a row from everything in it but the digest it carries."""
    told = {name: value for name, value in row.items() if name != DIGEST}
    form = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(form.encode()).hexdigest()


def parse_chain(fields: Mapping[str, Any]) -> Chain:
    """Read back what `Chain.fields` wrote into a head.

    Args:
        fields: The head's attributes in plain Python; one without a chain is at its beginning.

    Raises:
        ValueError: an attribute is missing or malformed.
    """
    if "chain_length" not in fields:
        return Chain()
    return Chain(require_int(fields, "chain_length"), require_text(fields, "chain_tip"))
