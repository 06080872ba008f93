"""The ids that lead to a scope: every resource of it that an event may name. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Facet, Snapshot, TargetKind
from posture.model.region_access import AnySnapshot

# The prefix lists of AWS services are left out: they are used in every VPC. The VPC or service
# itself is among the ids: a call of another account may name it.

# Where one of these is denied, the ids that lead to the scope are not all known.
IDENTIFYING = frozenset(Facet) - {
    Facet.DNS_ATTRIBUTES,
    Facet.PREFIX_LISTS,
    Facet.AWS_PREFIX_LISTS,
    Facet.SERVICES,
}


def find_resource_ids(snapshot: AnySnapshot) -> frozenset[str] | None:
    """Find the ids that lead to a scope; None where they are not all known."""
    if isinstance(snapshot, Snapshot) and IDENTIFYING.isdisjoint(snapshot.unreadable):
        return collect_resource_ids(snapshot)
    if isinstance(snapshot, EndpointServiceSnapshot) and not snapshot.unreadable:
        return collect_service_ids(snapshot)
    return None


def collect_resource_ids(snapshot: Snapshot) -> frozenset[str]:
    """Collect the ids of a VPC's resources and their associations.

    The targets of routes, and the customer-managed prefix lists that routes and security groups
    use, are among them: a change to one of them may change where traffic is routed.
    """
    ids = {
        *snapshot.endpoints,
        *snapshot.route_tables,
        *snapshot.subnets,
        *snapshot.security_groups,
        *snapshot.network_acls,
        *snapshot.nat_gateways,
        *snapshot.network_interfaces,
        *(each for it in snapshot.endpoints.values() for each in it.network_interface_ids),
        # A group of another VPC is among them where AssociateSecurityGroupVpc associated it.
        *(each for it in snapshot.endpoints.values() for each in it.security_group_ids),
        *_route_table_ids(snapshot),
        *(each for acl in snapshot.network_acls.values() for each in acl.association_ids),
        *_prefix_list_ids(snapshot),
        snapshot.scope.subject,
    }
    return frozenset(ids - {""})


def collect_service_ids(snapshot: EndpointServiceSnapshot) -> frozenset[str]:
    """Collect the ids of an endpoint service and of the endpoints that are connected to it."""
    endpoints = (each.endpoint_id for each in snapshot.connections)
    return frozenset({snapshot.scope.subject, *endpoints})


def _route_table_ids(snapshot: Snapshot) -> Iterator[str]:
    for table in snapshot.route_tables.values():
        yield from table.association_ids
        yield from table.gateway_ids
        yield from table.propagating_gateway_ids
        for route in table.routes:
            if route.target.kind is not TargetKind.LOCAL:
                yield route.target.id


def _prefix_list_ids(snapshot: Snapshot) -> Iterator[str]:
    routes = (route for table in snapshot.route_tables.values() for route in table.routes)
    rules = (
        rule for group in snapshot.security_groups.values() for rule in group.ingress + group.egress
    )
    named = {route.prefix_list_id for route in routes} | {rule.prefix_list_id for rule in rules}
    for each in snapshot.prefix_lists.values():
        if each.id in named and not each.aws_managed:
            yield each.id
