"""Returns what other VPCs can depend on in a central VPC's snapshot, and its digest. Pure."""

from __future__ import annotations

from dataclasses import replace

from posture.model.fingerprint import fingerprint
from posture.model.network import Snapshot


def strip_central(snapshot: Snapshot) -> Snapshot:
    """Return the part of a central VPC's snapshot that other VPCs can depend on."""
    services = {each.service_name for each in snapshot.endpoints.values()}
    lists = {
        each.prefix_list_id for table in snapshot.route_tables.values() for each in table.routes
    } | {
        rule.prefix_list_id for group in snapshot.security_groups.values() for rule in group.ingress
    }
    return replace(
        snapshot,
        nat_gateways={},
        services={name: it for name, it in snapshot.services.items() if name in services},
        prefix_lists={name: it for name, it in snapshot.prefix_lists.items() if name in lists},
    )


def digest_central(snapshot: Snapshot) -> str:
    """Digest a central VPC's snapshot, whenever it was taken."""
    facts = {name: getattr(snapshot, name) for name in snapshot.__slots__ if name != "observed_at"}
    return fingerprint(facts)
