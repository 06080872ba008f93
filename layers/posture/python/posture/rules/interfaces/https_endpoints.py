"""The endpoints that serve HTTPS, and the obstacles between a subnet and their interfaces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posture.analysis.gates import RETURNING, Obstacle
from posture.analysis.reach import Reach
from posture.model.network import Endpoint, EndpointType, Facet
from posture.model.service_names import CUSTOM_SERVICE_NAME, short_name
from posture.rules.remediation_commands import WORKING
from posture.rules.rule import VpcContext

# AWS services listen on 443, except these; the ports of customers' services are not known.
OTHER_PORTS = frozenset({"email-smtp"})

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


def find_https_endpoints(vpc: VpcContext) -> Iterator[Endpoint]:
    """Yield the working interface endpoints whose service listens on port 443."""
    for endpoint in vpc.endpoints_of(EndpointType.INTERFACE):
        custom = CUSTOM_SERVICE_NAME.fullmatch(endpoint.service_name)
        other = short_name(endpoint.service_name) in OTHER_PORTS
        if endpoint.state in WORKING and not custom and not other:
            yield endpoint


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
