"""The rules about network ACLs that block requests to gateway endpoints, or return traffic.

Requests to interface endpoints that an ACL blocks are the subject of reachability.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial

from posture.analysis.acls import EPHEMERAL_PORTS
from posture.analysis.addresses import NOTHING, AddressSet
from posture.analysis.descriptions import describe_acl_obstacle, describe_obstacle
from posture.analysis.gates import HTTPS, RETURNING, Gate, Obstacle
from posture.analysis.path import PathKind
from posture.edits.edit import Edit
from posture.model.network import EndpointType, Facet, Subnet
from posture.model.verdict import Evidence, Remediation, Severity
from posture.rules.contexts import VpcContext
from posture.rules.evidence import join_names
from posture.rules.interfaces.https_endpoints import (
    NEEDED,
    covers_all_sources,
    find_https_endpoints,
    find_request_obstacles,
)
from posture.rules.remediation import list_remediations
from posture.rules.remediation.acls import Opening, open_acls
from posture.rules.remediation.interfaces import list_openings
from posture.rules.result import RuleResult, failed, passed, undecided
from posture.rules.rule import Family, Rule

GATEWAY_SECURITY = "https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-s3.html"
ACLS = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html"
PORTS = "https://docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html"

ALLOW_REQUESTS = (
    "Allow outbound TCP traffic on port 443 to the CIDR blocks of the service's prefix list "
    "(network ACLs cannot refer to prefix lists), and inbound TCP traffic from them to the "
    "clients' ephemeral ports (1024-65535). Give these rules lower numbers than the rule that "
    "denies the traffic. If the subnets must not use the service, accept the finding with a waiver."
)
ALLOW_RETURN = (
    "Network ACLs are stateless: allow return traffic on TCP to the clients' ephemeral ports "
    "(1024-65535)."
)


@dataclass
class _Blocked:
    """What one network ACL blocks, with the blocked subnets by obstacle."""

    whole: bool = False
    partly: bool = False  # some of the addresses of a service are not blocked
    subnets: dict[str, list[str]] = field(default_factory=dict)
    endpoints: set[str] = field(default_factory=set)


def _return_traffic(vpc: VpcContext) -> Iterator[RuleResult]:
    found: dict[str, _Blocked] = {}
    if not vpc.endpoints:
        return
    for subnet in vpc.subnets:
        _check_interfaces(vpc, subnet, found)
        _check_gateways(vpc, subnet, found, RETURNING)
    for _, acl in sorted(vpc.snapshot.network_acls.items()):
        concerns = frozenset({acl.id, *acl.association_ids, *acl.subnet_ids})
        if acl.id not in found:
            summary = f"{acl.id} blocks no return traffic of requests that reach an endpoint"
            yield passed(acl.id, summary, concerns=concerns)
            continue
        yield _failure(vpc, acl.id, found[acl.id], concerns)


def _requests(vpc: VpcContext) -> Iterator[RuleResult]:
    found: dict[str, _Blocked] = {}
    if not vpc.endpoints_of(EndpointType.GATEWAY):
        return
    for subnet in vpc.subnets:
        if not vpc.analysis.reachability.find_acl(subnet.id):
            summary = f"the network ACL of {subnet.id} could not be determined"
            yield undecided(subnet.id, summary)
        _check_gateways(vpc, subnet, found, {Gate.OUT})
    for _, acl in sorted(vpc.snapshot.network_acls.items()):
        concerns = frozenset({acl.id, *acl.association_ids, *acl.subnet_ids})
        if acl.id not in found:
            yield passed(
                acl.id, f"{acl.id} blocks no requests to gateway endpoints", concerns=concerns
            )
            continue
        blocked = found[acl.id]
        subnets, endpoints = _list_subnets(blocked), sorted(blocked.endpoints)
        yield failed(
            resource=acl.id,
            summary=f"{acl.id} blocks {'some ' if blocked.partly else ''}requests from "
            f"{join_names(subnets)} to {join_names(endpoints)}",
            evidence=tuple(_evidence(blocked.subnets)),
            propose=partial(_let_through, vpc, acl.id, ALLOW_REQUESTS, only_returning=False),
            concerns=concerns | frozenset(subnets) | blocked.endpoints,
            root=f"network ACL {acl.id} blocks requests to gateway endpoints",
        )


def _list_subnets(blocked: _Blocked) -> list[str]:
    return sorted({each for some in blocked.subnets.values() for each in some})


def _check_interfaces(vpc: VpcContext, subnet: Subnet, found: dict[str, _Blocked]) -> None:
    for endpoint in find_https_endpoints(vpc):
        if vpc.analysis.is_unobstructed(subnet, endpoint):
            continue
        for reach in vpc.analysis.evaluate_reaches(subnet, endpoint):
            requests = find_request_obstacles(reach)
            if requests and covers_all_sources(reach, requests):
                continue
            for each in reach.obstacles:
                if each.gate in RETURNING and each.by in vpc.snapshot.network_acls:
                    text = describe_obstacle(each, reach.sources)
                    _add(found, each, text, subnet, endpoint.id)


def _check_gateways(
    vpc: VpcContext, subnet: Subnet, found: dict[str, _Blocked], gates: AbstractSet[Gate]
) -> None:
    for service in vpc.gateway_services:
        cell = vpc.analysis.evaluate_cell(subnet, service)
        stops = [each for each in cell.obstacles if each.gate in gates]
        paths = [path for path in cell.paths or () if path.kind is PathKind.GATEWAY_ENDPOINT]
        if not stops or not paths:
            continue  # what the ACL stops would not reach an endpoint
        private = AddressSet.union(path.addresses for path in paths)
        partly = not AddressSet.union(each.addresses for each in stops) >= private
        for each in stops:
            text = describe_acl_obstacle(each, private)
            _add(found, each, text, subnet, paths[0].target)
            found[each.by].partly |= partly


def _add(
    found: dict[str, _Blocked], each: Obstacle, text: str, subnet: Subnet, endpoint: str
) -> None:
    blocked = found.setdefault(each.by, _Blocked())
    blocked.whole |= each.ports is None
    subnets = blocked.subnets.setdefault(f"{each.gate.value}: {text}", [])
    if subnet.id not in subnets:
        subnets.append(subnet.id)
    blocked.endpoints.add(endpoint)


def _let_through(
    vpc: VpcContext, acl_id: str, what: str, *, only_returning: bool
) -> tuple[Remediation, ...]:
    found = _list_entries(vpc, acl_id, only_returning=only_returning)
    return list_remediations(*((what, each) for each in found), otherwise=what)


def _list_entries(
    vpc: VpcContext, acl_id: str, *, only_returning: bool
) -> Iterator[tuple[Edit, ...] | None]:
    """List the entries that let a network ACL's subnets reach endpoints, there and back.

    They name the addresses of the service, or every address where these are many.
    """
    openings: dict[Opening, AddressSet] = {}
    to_interfaces = list_openings(vpc, find_https_endpoints(vpc))
    for opening, peers in (*_list_gateway_openings(vpc, acl_id), *to_interfaces.items()):
        if opening.acl_id == acl_id:
            openings[opening] = openings.get(opening, NOTHING) | peers
    returning = {each: openings[each] for each in openings if each.ports == EPHEMERAL_PORTS}
    for found in (returning, openings) if only_returning else (openings,):
        for widely in (False, True):
            yield open_acls(vpc.snapshot, found, widely=widely)


def _list_gateway_openings(vpc: VpcContext, acl_id: str) -> Iterator[tuple[Opening, AddressSet]]:
    """Yield what a network ACL must let through of the traffic to gateway endpoints."""
    for subnet in vpc.subnets:
        for service in vpc.gateway_services:
            cell = vpc.analysis.evaluate_cell(subnet, service)
            gateways = [it for it in cell.paths or () if it.kind is PathKind.GATEWAY_ENDPOINT]
            private = AddressSet.union(path.addresses for path in gateways)
            gates = {each.gate for each in cell.obstacles if each.by == acl_id and gateways}
            if Gate.OUT in gates:
                yield Opening(acl_id, egress=True, ports=(HTTPS, HTTPS)), private
            if not gates.isdisjoint({Gate.OUT, Gate.BACK_IN}):
                yield Opening(acl_id, egress=False, ports=EPHEMERAL_PORTS), private


def _failure(
    vpc: VpcContext, acl_id: str, blocked: _Blocked, concerns: frozenset[str]
) -> RuleResult:
    subnets = _list_subnets(blocked)
    ports = "" if blocked.whole else " to some client ports"
    return failed(
        resource=acl_id,
        severity=None if blocked.whole else Severity.LOW,
        summary=f"{acl_id} blocks return traffic{ports} from "
        f"{join_names(sorted(blocked.endpoints))} to {join_names(subnets)}",
        evidence=tuple(_evidence(blocked.subnets)),
        propose=partial(_let_through, vpc, acl_id, ALLOW_RETURN, only_returning=True),
        concerns=concerns | frozenset(subnets) | blocked.endpoints,
        root=f"network ACL {acl_id} blocks return traffic from endpoints",
    )


def _evidence(by_obstacle: Mapping[str, Sequence[str]]) -> Iterator[Evidence]:
    for text, subnets in by_obstacle.items():
        yield Evidence(
            f"{text[0].upper()}{text[1:]}. Affected: {join_names(subnets)}.",
            {"subnets": ", ".join(subnets), "stop": text},
        )


REQUESTS = Rule(
    id="gateway-endpoint-blocked-by-network-acl",
    title="Network ACL blocks requests to the endpoint",
    requirement="Network ACLs allow requests on port 443 to gateway endpoints",
    family=Family.PATHS,
    severity=Severity.MEDIUM,
    rationale=(
        "A gateway endpoint is reached at the service's public addresses, to which the network "
        "ACL of the sender's subnet applies. If it denies them, requests time out although the "
        "route and the endpoint are in order."
    ),
    remediation="Allow outbound traffic on port 443 to the addresses of the service.",
    evaluate=_requests,
    reads=frozenset(
        {
            Facet.SUBNETS,
            Facet.ROUTE_TABLES,
            Facet.ENDPOINTS,
            Facet.SERVICES,
            Facet.AWS_PREFIX_LISTS,
            Facet.NETWORK_ACLS,
        }
    ),
    references=(ACLS, GATEWAY_SECURITY),
)
RETURN_TRAFFIC = Rule(
    id="network-acl-blocks-return-traffic",
    title="Network ACL blocks endpoint return traffic",
    requirement="Network ACLs allow the return traffic from endpoints",
    family=Family.INTERFACES,
    severity=Severity.MEDIUM,
    rationale=(
        "Network ACLs are stateless. If one allows requests on port 443 but not the return "
        "traffic to ephemeral ports, clients time out. If it allows only some ephemeral ports, "
        "requests fail intermittently, depending on the client's operating system."
    ),
    remediation="Allow return traffic to the clients' ephemeral ports.",
    evaluate=_return_traffic,
    reads=NEEDED,
    references=(PORTS, ACLS),
)
