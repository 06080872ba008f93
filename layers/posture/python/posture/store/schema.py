"""The form of stored items by its version: older ones are upgraded as they are read, in memory.

An item is written in today's form whenever it is next written, so a table is upgraded in place,
with no migration to run. A version is raised only when a reader of the one before could not
understand the items; an attribute more is no new version. What is newer than this program is
refused: to read it as if it were older could lose what it tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from posture.store.attribute_values import require_int
from posture.store.hash_chain import FIRST, UNCHAINED

SCHEMA = 3  # 2: chained history rows, `actor` as an attribute; 3: rules and texts were renamed

Fields = Mapping[str, Any]  # an item in plain Python
Step = Callable[[Fields], Fields]


def upgrade(fields: Fields) -> Fields:
    """Give an item's attributes as this version would have written them.

    Raises:
        ValueError: its `schema` does not exist, or is newer than this program.
    """
    version = require_int(fields, "schema") if "schema" in fields else 1
    if version > SCHEMA:
        raise ValueError(f"schema {version} is newer than {SCHEMA}: upgrade what reads it")
    if version < 1:
        raise ValueError(f"schema {version} does not exist")
    for older in range(version, SCHEMA):
        step = STEPS.get((older, str(fields.get("kind"))))
        fields = {**(step(fields) if step else fields), "schema": older + 1}
    return fields


def _actor_by_itself(fields: Fields) -> Fields:
    cause = fields.get("cause")
    return {**fields, "actor": cause.get("actor")} if isinstance(cause, Mapping) else fields


def _worded_by_former_version(fields: Fields) -> Fields:
    """Mark a finding whose verdict cannot be compared word by word with one of today."""
    return {**fields, "verdict_digest": ""}


def _chained(fields: Fields) -> Fields:
    """Let a chain begin: what was written before there were chains is not in it."""
    return {"chain_length": 0, "chain_tip": UNCHAINED if fields.get("commit") else FIRST, **fields}


# What leads from a version to the next one, by the kind of item; a kind that did not change has no
# step.
STEPS: dict[tuple[int, str], Step] = {
    (1, "finding"): _actor_by_itself,
    (1, "transition"): _actor_by_itself,
    (1, "head"): _chained,
    (2, "finding"): _worded_by_former_version,
}
