"""Which endpoints are expected to answer on 443, and what stops a subnet on the way there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posture.analysis.gates import RETURNING, Obstacle
from posture.analysis.reach import Reach
from posture.model.network import Endpoint, EndpointType, Facet
from posture.model.service_names import CUSTOM_SERVICE_NAME, short_name
from posture.rules.remediation_commands import WORKING
from posture.rules.rule import VpcContext

# AWS's services answer on 443; these do so on ports of their own, and customers' as they like.
OTHER_PORTS = frozenset({"email-smtp"})

WAYS = frozenset({Facet.ENDPOINTS, Facet.SUBNETS, Facet.ROUTE_TABLES, Facet.NETWORK_ACLS})
NEEDED = WAYS | {Facet.NETWORK_INTERFACES, Facet.SECURITY_GROUPS}


def find_https_endpoints(vpc: VpcContext) -> Iterator[Endpoint]:
    """Give the interface endpoints that are expected to answer on 443."""
    for endpoint in vpc.endpoints_of(EndpointType.INTERFACE):
        custom = CUSTOM_SERVICE_NAME.fullmatch(endpoint.service_name)
        other = short_name(endpoint.service_name) in OTHER_PORTS
        if endpoint.state in WORKING and not custom and not other:
            yield endpoint


def find_request_obstacles(reach: Reach) -> list[Obstacle]:
    """Give what certainly stops a subnet on the way to an interface, not on the way back."""
    sure = not reach.groups and not reach.unread
    return [
        each
        for each in reach.obstacles
        if each.gate not in RETURNING and (sure or each.addresses <= reach.stopped)
    ]


def covers_all_sources(reach: Reach, stops: Iterable[Obstacle]) -> bool:
    """Tell whether these stop all of a subnet."""
    left = reach.sources
    for each in stops:
        left -= each.addresses
    return not left
