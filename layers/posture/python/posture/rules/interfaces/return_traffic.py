"""The rule about network ACLs that allow requests to endpoints and block the return traffic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from posture.analysis.descriptions import describe_acl_obstacle, describe_obstacle
from posture.analysis.gates import RETURNING, Obstacle
from posture.analysis.path import PathKind
from posture.model.network import Subnet
from posture.model.verdict import Evidence, Remediation, Severity
from posture.rules.controls import AVAILABILITY
from posture.rules.evidence import join_names
from posture.rules.interfaces.https_endpoints import (
    NEEDED,
    covers_all_sources,
    find_https_endpoints,
    find_request_obstacles,
)
from posture.rules.result import RuleResult, failed, passed
from posture.rules.rule import Family, Rule, VpcContext

ACLS = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html"
PORTS = "https://docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html"


@dataclass
class _Blocked:
    """The return traffic that one network ACL blocks, with the blocked subnets by obstacle."""

    whole: bool = False
    subnets: dict[str, list[str]] = field(default_factory=dict)
    endpoints: set[str] = field(default_factory=set)


def _return_traffic(vpc: VpcContext) -> Iterator[RuleResult]:
    found: dict[str, _Blocked] = {}
    if not vpc.endpoints:
        return
    for subnet in vpc.subnets:
        _check_interfaces(vpc, subnet, found)
        _check_gateways(vpc, subnet, found)
    for _, acl in sorted(vpc.snapshot.network_acls.items()):
        concerns = frozenset({acl.id, *acl.association_ids, *acl.subnet_ids})
        if acl.id not in found:
            summary = f"{acl.id} allows return traffic from endpoints"
            yield passed(acl.id, summary, concerns=concerns)
            continue
        yield _failure(acl.id, found[acl.id], concerns)


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


def _check_gateways(vpc: VpcContext, subnet: Subnet, found: dict[str, _Blocked]) -> None:
    for service in vpc.gateway_services:
        cell = vpc.analysis.evaluate_cell(subnet, service)
        paths = [path for path in cell.paths or () if path.kind is PathKind.GATEWAY_ENDPOINT]
        for each in cell.obstacles:
            if each.gate in RETURNING:
                text = describe_acl_obstacle(each, paths[0].addresses)
                _add(found, each, text, subnet, paths[0].target)


def _add(
    found: dict[str, _Blocked], each: Obstacle, text: str, subnet: Subnet, endpoint: str
) -> None:
    blocked = found.setdefault(each.by, _Blocked())
    blocked.whole |= each.ports is None
    subnets = blocked.subnets.setdefault(f"{each.gate.value}: {text}", [])
    if subnet.id not in subnets:
        subnets.append(subnet.id)
    blocked.endpoints.add(endpoint)


def _failure(acl_id: str, blocked: _Blocked, concerns: frozenset[str]) -> RuleResult:
    subnets = sorted({each for some in blocked.subnets.values() for each in some})
    ports = "" if blocked.whole else " to some client ports"
    return failed(
        resource=acl_id,
        severity=None if blocked.whole else Severity.LOW,
        summary=f"{acl_id} blocks return traffic{ports} from "
        f"{join_names(sorted(blocked.endpoints))} to {join_names(subnets)}",
        evidence=tuple(_evidence(blocked.subnets)),
        remediation=Remediation(
            "Network ACLs are stateless: allow return traffic on TCP to the clients' ephemeral "
            "ports (1024-65535)."
        ),
        concerns=concerns | frozenset(subnets) | blocked.endpoints,
        root=f"network ACL {acl_id} blocks return traffic from endpoints",
    )


def _evidence(by_obstacle: Mapping[str, Sequence[str]]) -> Iterator[Evidence]:
    for text, subnets in by_obstacle.items():
        yield Evidence(
            f"{text[0].upper()}{text[1:]}. Affected: {join_names(subnets)}.",
            {"subnets": ", ".join(subnets), "stop": text},
        )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="network-acl-blocks-return-traffic",
        title="Network ACL blocks endpoint return traffic",
        requirement="Network ACLs that allow requests to endpoints also allow the return traffic",
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
        controls=AVAILABILITY,
        references=(PORTS, ACLS),
    ),
)
