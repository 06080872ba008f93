"""The endpoints that serve HTTPS, and the obstacles between a subnet and their interfaces."""

from __future__ import annotations

from collections.abc import Iterable

from posture.analysis.endpoint_dns import WORKING
from posture.analysis.gates import RETURNING, Obstacle
from posture.analysis.reach import Reach
from posture.analysis.services import find_port
from posture.model.network import Endpoint, EndpointType, Facet
from posture.rules.contexts import VpcContext

NEEDED = frozenset(
    {
        Facet.ENDPOINTS,
        Facet.SUBNETS,
        Facet.ROUTE_TABLES,
        Facet.NETWORK_ACLS,
        Facet.NETWORK_INTERFACES,
        Facet.SECURITY_GROUPS,
    }
)


def find_https_endpoints(vpc: VpcContext) -> tuple[Endpoint, ...]:
    """Return the working interface endpoints whose service's port is known, 443 for almost all."""

    def find() -> tuple[Endpoint, ...]:
        found = vpc.endpoints_of(EndpointType.INTERFACE)
        return tuple(each for each in found if each.state in WORKING and find_port(each))

    return vpc.remember(("https endpoints",), find)


def find_request_obstacles(reach: Reach) -> list[Obstacle]:
    """Return what certainly blocks requests from a subnet; return traffic is not considered."""
    certain = not reach.groups and not reach.unread
    return [
        each
        for each in reach.obstacles
        if each.gate not in RETURNING and (certain or each.addresses <= reach.stopped)
    ]


def covers_all_sources(reach: Reach, obstacles: Iterable[Obstacle]) -> bool:
    """Return whether obstacles together block every address of a subnet."""
    left = reach.sources
    for each in obstacles:
        left -= each.addresses
    return not left
