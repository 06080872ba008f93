"""The parts of a snapshot that a change leaves, so that analyses of them are kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from posture.analysis.detours import have_same_detours
from posture.analysis.kept_paths import OTHER_PARTS
from posture.model.network import Endpoint, Snapshot

# The parts of a snapshot on which paths depend, and those on which gates between subnets depend.
ROUTED = OTHER_PARTS | {"route_tables", "endpoints"}
GATED = frozenset(
    {
        "vpc",
        "subnets",
        "route_tables",
        "security_groups",
        "network_acls",
        "prefix_lists",
        "unreadable",
    }
)

PARTS = ROUTED | GATED


def find_same_parts(before: Snapshot, after: Snapshot) -> frozenset[str]:
    """Return the names of the parts that two snapshots have in common; policies do not count."""
    return frozenset(
        name
        for name in PARTS
        if (was := getattr(before, name)) is (now := getattr(after, name))
        or (_are_alike(was, now) if name == "endpoints" else was == now)
    )


def _are_alike(before: Mapping[str, Endpoint], after: Mapping[str, Endpoint]) -> bool:
    return before.keys() == after.keys() and all(
        before[name] is each or before[name] == replace(each, policy=before[name].policy)
        for name, each in after.items()
    )


def have_same_gates(before: Snapshot, after: Snapshot, same: frozenset[str]) -> bool:
    """Return whether gates are the same: of routes, only those inside the VPC count.

    Args:
        before: The snapshot before a change.
        after: That after it.
        same: The parts that they have in common.
    """
    return same >= GATED or (same >= GATED - {"route_tables"} and have_same_detours(before, after))
