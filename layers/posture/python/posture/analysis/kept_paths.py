"""Which paths out of subnets a change of a VPC does not concern."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from posture.analysis.path import Path, PathKind
from posture.model.network import Endpoint, RouteTable, Snapshot

# What paths depend on, besides route tables and endpoints.
OTHER_PARTS = frozenset(
    {
        "vpc",
        "subnets",
        "nat_gateways",
        "network_interfaces",
        "prefix_lists",
        "services",
        "unreadable",
    }
)
# Their paths do not name every route table that they depend on.
HIDDEN = frozenset({PathKind.APPLIANCE, PathKind.LOAD_BALANCER_ENDPOINT, PathKind.UNKNOWN})


def find_kept_tables(before: Snapshot, after: Snapshot) -> frozenset[str]:
    """Find the route tables that are as before; none if a change concerns more than routes."""
    tables, former = after.route_tables, before.route_tables
    is_kept = (
        tables.keys() == former.keys()
        and all(_get_users(tables[name]) == _get_users(former[name]) for name in tables)
        and after.endpoints.keys() >= before.endpoints.keys()
        and all(_lead_alike(after.endpoints[name], it) for name, it in before.endpoints.items())
        and all(getattr(before, name) == getattr(after, name) for name in OTHER_PARTS)
    )
    if not is_kept:
        return frozenset()
    return frozenset(name for name, table in tables.items() if table is former[name])


def depend_on(paths: Iterable[Path], tables: frozenset[str]) -> bool:
    """Return whether paths depend on no other route tables than these."""
    known = {*tables, ""}
    hops = (hop for path in paths for hop in path.hops)
    return all(hop.table_id in known and hop.kind not in HIDDEN for hop in hops)


def _get_users(table: RouteTable) -> tuple[object, ...]:
    return table.main, table.subnet_ids


def _lead_alike(one: Endpoint, other: Endpoint) -> bool:
    """Return whether routes to an endpoint lead where they led before."""
    return one is other or one == replace(
        other, policy=one.policy, route_table_ids=one.route_table_ids
    )
