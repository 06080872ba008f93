"""Network ACLs that let requests to endpoints pass and stop the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from posture.analysis.descriptions import describe_acl_obstacle, describe_obstacle
from posture.analysis.gates import RETURNING, Obstacle
from posture.analysis.path import PathKind
from posture.model.network import Subnet
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import AVAILABILITY
from posture.rules.evidence import join_names
from posture.rules.interfaces.https import (
    NEEDED,
    covers_all_sources,
    find_https_endpoints,
    find_request_obstacles,
)
from posture.rules.rule import Family, Rule, RuleResult, VpcContext

ACLS = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html"
PORTS = "https://docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html"


@dataclass
class _Answers:
    """What one ACL does to answers: by sentence, the subnets that wait in vain."""

    whole: bool = False
    waiting: dict[str, list[str]] = field(default_factory=dict)
    endpoints: set[str] = field(default_factory=set)


def _answers(vpc: VpcContext) -> Iterator[RuleResult]:
    found: dict[str, _Answers] = {}
    if not vpc.endpoints:
        return
    for subnet in vpc.subnets:
        _by_interfaces(vpc, subnet, found)
        _by_gateway(vpc, subnet, found)
    for _, acl in sorted(vpc.snapshot.network_acls.items()):
        concerns = frozenset({acl.id, *acl.association_ids, *acl.subnet_ids})
        if acl.id not in found:
            summary = f"{acl.id} lets the answers of endpoints pass"
            yield RuleResult(acl.id, Status.PASS, summary, concerns=concerns)
            continue
        yield _unanswered(acl.id, found[acl.id], concerns)


def _by_interfaces(vpc: VpcContext, subnet: Subnet, found: dict[str, _Answers]) -> None:
    for endpoint in find_https_endpoints(vpc):
        if vpc.analysis.is_unobstructed(subnet, endpoint):
            continue
        for reach in vpc.analysis.evaluate_reaches(subnet, endpoint):
            stops = find_request_obstacles(reach)
            if stops and covers_all_sources(reach, stops):
                continue
            for each in reach.obstacles:
                if each.gate in RETURNING and each.by in vpc.snapshot.network_acls:
                    _note(found, each, describe_obstacle(each, reach.sources), subnet, endpoint.id)


def _by_gateway(vpc: VpcContext, subnet: Subnet, found: dict[str, _Answers]) -> None:
    for service in vpc.gateway_services:
        cell = vpc.analysis.evaluate_cell(subnet, service)
        ways = [path for path in cell.paths or () if path.kind is PathKind.GATEWAY_ENDPOINT]
        for each in cell.obstacles:
            if each.gate in RETURNING:
                private = ways[0].addresses
                _note(found, each, describe_acl_obstacle(each, private), subnet, ways[0].target)


def _note(
    found: dict[str, _Answers], each: Obstacle, text: str, subnet: Subnet, endpoint: str
) -> None:
    answers = found.setdefault(each.by, _Answers())
    answers.whole |= each.ports is None
    waiting = answers.waiting.setdefault(f"{each.gate.value}: {text}", [])
    if subnet.id not in waiting:
        waiting.append(subnet.id)
    answers.endpoints.add(endpoint)


def _unanswered(acl_id: str, answers: _Answers, concerns: frozenset[str]) -> RuleResult:
    subnets = sorted({each for waiting in answers.waiting.values() for each in waiting})
    what = "lets requests to" if answers.whole else "lets requests to, but for some client ports,"
    return RuleResult(
        resource=acl_id,
        status=Status.FAIL,
        severity=None if answers.whole else Severity.LOW,
        summary=f"{acl_id} {what} {join_names(sorted(answers.endpoints))} pass and stops the answers, "
        f"for {join_names(subnets)}",
        evidence=tuple(_waiting(answers.waiting)),
        remediation=Remediation(
            "Network ACLs keep no state: allow TCP to the clients' ephemeral ports (1024-65535) "
            "on the way back.",
        ),
        concerns=concerns | frozenset(subnets) | answers.endpoints,
        root=f"network ACL {acl_id} stops the answers of endpoints",
    )


def _waiting(waiting: Mapping[str, Sequence[str]]) -> Iterator[Evidence]:
    for text, subnets in waiting.items():
        yield Evidence(
            f"{text[0].upper()}{text[1:]}, for {join_names(subnets)}.",
            {"subnets": ", ".join(subnets), "stop": text},
        )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="network-acl-blocks-return-traffic",
        title="network ACL stops the endpoint's answers",
        requirement="Network ACLs that let requests to endpoints pass let the answers pass, too",
        family=Family.INTERFACES,
        severity=Severity.MEDIUM,
        rationale=(
            "Network ACLs keep no state. One that allows 443 out and not the ephemeral ports back "
            "in, or the other way round at the endpoint's subnet, makes requests that hang until "
            "they time out. One that allows only some of the ephemeral ports does so now and then, "
            "depending on the client's system."
        ),
        remediation="Allow the clients' ephemeral ports on the way back.",
        evaluate=_answers,
        reads=NEEDED,
        controls=AVAILABILITY,
        references=(PORTS, ACLS),
    ),
)
