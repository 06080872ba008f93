"""The schema versions of stored items: older items are upgraded in memory when they are read.

An item is stored in the current schema when it is next written, so that a table needs no migration.
A version is raised only when a reader of the version before would misunderstand the items; an
added attribute does not need one. Items of a newer version are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from posture.store.attribute_values import require_int
from posture.store.hash_chain import FIRST, UNCHAINED

# 2: chained history rows, `actor` as an attribute; 3: rules and texts were renamed;
# 4: who opened and who resolved a finding, candidates and kinds of causes, stored snapshots
SCHEMA = 4

# Of the texts and evidence of verdicts. Raise it when rules word what they found in another way:
# the findings that are stored are then taken for unchanged, and an upgrade raises no alert.
WORDING = 2

Fields = Mapping[str, Any]  # an item in plain Python
Step = Callable[[Fields], Fields]


def upgrade(fields: Fields) -> Fields:
    """Return an item's attributes as this version would have written them.

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
    if fields.get("kind") == "finding" and fields.get("wording") != WORDING:
        fields = _mark_former_wording(fields)
    return fields


def _add_actor(fields: Fields) -> Fields:
    cause = fields.get("cause")
    return {**fields, "actor": cause.get("actor")} if isinstance(cause, Mapping) else fields


def _mark_former_wording(fields: Fields) -> Fields:
    """Mark a finding whose verdict cannot be compared with the texts of this version."""
    return {**fields, "verdict_digest": ""}


def _name_openers(fields: Fields) -> Fields:
    """Derive who opened and who resolved a finding from its cause, where that is known.

    Former versions stored the cause of the latest transition only.
    """
    cause, known = fields.get("cause"), {}
    by_waiver = False
    if isinstance(cause, Mapping):
        by_waiver = cause.get("event_name") in {"ApproveWaiver", "RevokeWaiver"}
        known = {"cause": {**cause, "kind": "waiver" if by_waiver else "call"}}
    if fields.get("status") == "resolved":
        return {**fields, **known, "opened_by": {}, "resolved_by": known}
    opened = fields.get("opened_at") == fields.get("updated_at") and not by_waiver
    return {**fields, **known, "opened_by": known if opened else {}}


def _begin_chain(fields: Fields) -> Fields:
    """Begin a chain after the rows that were written without one."""
    return {"chain_length": 0, "chain_tip": UNCHAINED if fields.get("commit") else FIRST, **fields}


# The upgrades from a version to the next, by kind of item; kinds that did not change have none.
STEPS: dict[tuple[int, str], Step] = {
    (1, "finding"): _add_actor,
    (1, "transition"): _add_actor,
    (1, "head"): _begin_chain,
    (2, "finding"): _mark_former_wording,
    (3, "finding"): _name_openers,
    (3, "transition"): _name_openers,
}
