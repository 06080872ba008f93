"""Which ids lead to a scope: everything of a VPC that a later event may name. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from posture.model.network import Snapshot, TargetKind

# An AWS service's prefix list is every VPC's, so an event about one leads nowhere in particular.
# The VPC itself is not listed: an event that names a VPC needs no index to find it.


def collect_resource_ids(snapshot: Snapshot) -> frozenset[str]:
    """Give the ids of endpoints, tables, associations, subnets, groups, ACLs, interfaces and NATs.

    The targets of routes and the customer's own prefix lists that routes and groups name belong to
    the scope as well: when they change or go, so does the way the traffic takes.
    """
    owned = {
        *snapshot.endpoints,
        *snapshot.route_tables,
        *snapshot.subnets,
        *snapshot.security_groups,
        *snapshot.network_acls,
        *snapshot.nat_gateways,
        *snapshot.network_interfaces,
        *_of_endpoints(snapshot),
        *_of_tables(snapshot),
        *(each for acl in snapshot.network_acls.values() for each in acl.association_ids),
        *_prefix_lists(snapshot),
    }
    return frozenset(owned - {"", snapshot.scope.subject})


def _of_endpoints(snapshot: Snapshot) -> Iterator[str]:
    for endpoint in snapshot.endpoints.values():
        yield from endpoint.network_interface_ids


def _of_tables(snapshot: Snapshot) -> Iterator[str]:
    for table in snapshot.route_tables.values():
        yield from table.association_ids
        yield from table.gateway_ids
        yield from table.propagating_gateway_ids
        for route in table.routes:
            if route.target.kind is not TargetKind.LOCAL:
                yield route.target.id


def _prefix_lists(snapshot: Snapshot) -> Iterator[str]:
    routes = (route for table in snapshot.route_tables.values() for route in table.routes)
    rules = (
        rule for group in snapshot.security_groups.values() for rule in group.ingress + group.egress
    )
    named = {route.prefix_list_id for route in routes} | {rule.prefix_list_id for rule in rules}
    for each in snapshot.prefix_lists.values():
        if each.id in named and not each.aws_managed:
            yield each.id
