"""Route by the route tables of transit gateways and core networks."""

from __future__ import annotations

from collections.abc import Mapping

from posture.analysis.identity import cache_by_identity
from posture.analysis.routing import Router
from posture.model.network import PrefixList, Route, RouteOrigin, RouteTable, Target, TargetKind
from posture.model.shared_network import TransitRoute, TransitRouteTable


@cache_by_identity(maxsize=64)
def get_plain_router(table: TransitRouteTable) -> Router:
    """Return the router of a table that references no prefix list, built once."""
    return build_router(table, {})


def build_router(table: TransitRouteTable, prefix_lists: Mapping[str, PrefixList]) -> Router:
    """Build a router: a gateway prefers routes in the same order as a VPC's route table does."""
    routes = tuple(map(_convert, table.routes or ()))
    return Router(RouteTable(table.id, "", False, (), (), {}, routes), prefix_lists)


def _convert(route: TransitRoute) -> Route:
    return Route(
        route.cidr,
        route.prefix_list_id,
        Target(TargetKind.UNKNOWN, " ".join(route.attachment_ids)),
        route.blackhole,
        RouteOrigin.STATIC if route.static else RouteOrigin.PROPAGATED,
    )
