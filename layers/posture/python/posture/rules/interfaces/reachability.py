"""The rule about subnets that cannot reach an interface endpoint on the ports of its service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from posture.analysis.descriptions import describe_obstacle, describe_outcomes, describe_ports
from posture.analysis.gates import Obstacle
from posture.analysis.path_outcome import summarize_by_ports
from posture.analysis.reach import Reach, ReachStatus
from posture.analysis.services import list_endpoint_ports
from posture.model.network import Endpoint, Subnet
from posture.model.verdict import Evidence, Remediation, Severity
from posture.rules.contexts import VpcContext
from posture.rules.endpoint_lookups import find_interface_endpoints
from posture.rules.evidence import format_endpoint, join_names
from posture.rules.interfaces.https_endpoints import (
    NEEDED,
    covers_all_sources,
    find_request_obstacles,
)
from posture.rules.remediation import list_remediations
from posture.rules.remediation.acls import open_acls
from posture.rules.remediation.interfaces import allow_subnets, list_openings
from posture.rules.result import RuleResult, failed, not_applicable, passed, undecided
from posture.rules.rule import Family, Rule

TROUBLE = "https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html"
ACLS = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html"


@dataclass
class _Reached:
    """The ids of subnets by how they reach one endpoint."""

    blocked: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)
    obstacles: dict[str, Obstacle] = field(default_factory=dict)  # by description
    affected: dict[str, list[str]] = field(default_factory=dict)  # subnets, by description
    unread: dict[str, None] = field(default_factory=dict)
    no_common_ip_version: list[str] = field(default_factory=list)
    by_port: bool = False  # the answer depends on a port that is not known

    def add(self, subnet: Subnet, reaches: Sequence[Reach]) -> None:
        """Classify one subnet by how it reaches the endpoint's interfaces.

        If that depends on the port, and which one is used is not known, the answer is unknown.
        """
        outcomes = summarize_by_ports(reaches)
        if len(outcomes) > 1 and any(reach.sources for reach in reaches):
            self.unknown.append(subnet.id)
            self.unread[describe_outcomes(outcomes)] = None
            self.by_port = True
            return
        unknown = [what for reach in reaches for what in reach.unread]
        if not unknown and not any(reach.sources for reach in reaches):
            self.blocked.append(subnet.id)
            self.no_common_ip_version.append(subnet.id)
            return
        found = [(each, find_request_obstacles(each)) for each in reaches]
        stopped = [(reach, obstacles) for reach, obstacles in found if obstacles]
        if len(stopped) == len(reaches) and all(covers_all_sources(*each) for each in stopped):
            self.blocked.append(subnet.id)
        elif stopped:
            self.partly.append(subnet.id)
        elif any(reach.status is ReachStatus.UNKNOWN for reach in reaches):
            self.unknown.append(subnet.id)
            self.unread |= dict.fromkeys(unknown)
        else:
            self.reached.append(subnet.id)
        for reach, obstacles in stopped:
            for each in obstacles:
                text = f"{each.gate.value}: {describe_obstacle(each, reach.sources)}"
                self.obstacles[text] = each
                subnets = self.affected.setdefault(text, [])
                if subnet.id not in subnets:
                    subnets.append(subnet.id)


def _blocked(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in find_interface_endpoints(vpc):
        interfaces, missing = vpc.analysis.resolve_interfaces(endpoint)
        name = format_endpoint(endpoint)
        if not endpoint.network_interface_ids and endpoint.state == "pending":
            yield not_applicable(endpoint.id, f"{name} is pending and has no network interface yet")
            continue
        if missing or not interfaces:
            what = join_names(missing) if missing else "its network interfaces"
            yield undecided(endpoint.id, f"{name}: {what} could not be found")
            continue
        found = _Reached()
        for subnet in vpc.subnets:
            if vpc.analysis.is_unobstructed(subnet, endpoint):
                found.reached.append(subnet.id)
            else:
                found.add(subnet, vpc.analysis.evaluate_reaches(subnet, endpoint))
        yield _to_result(vpc, endpoint, name, found)


def _to_result(vpc: VpcContext, endpoint: Endpoint, name: str, found: _Reached) -> RuleResult:
    known = list_endpoint_ports(endpoint)
    ports = describe_ports((each, each) for each in known)
    by = {each.by for each in found.obstacles.values()}
    acls = [vpc.analysis.reachability.find_acl(each) for each in endpoint.subnet_ids]
    concerns = frozenset(
        {endpoint.id, *endpoint.subnet_ids, *endpoint.security_group_ids}
        | {part for each in by for part in each.split(", ")}
        | {acl.id for acl in acls if acl}
    )
    if not found.blocked and not found.partly:
        if found.unknown:
            facts = tuple(
                Evidence(f"Not known: {each}.", {"unread": each}) for each in found.unread
            )
            why = next(iter(found.unread), "")
            summary = f"{name}: reachability from {join_names(found.unknown)} is not known: {why}"
            severity = Severity.LOW if found.by_port else None
            return undecided(endpoint.id, summary, facts, concerns=concerns, severity=severity)
        summary = f"{name} is reachable from every subnet on {ports or 'every TCP port'}"
        return passed(endpoint.id, summary, concerns=concerns)
    every = not (found.partly or found.reached or found.unknown)
    whole = "every subnet" if every else join_names(found.blocked) if found.blocked else ""
    parts = f"part of {join_names(found.partly)}" if found.partly else ""
    return failed(
        resource=endpoint.id,
        severity=Severity.HIGH if every else None if found.blocked else Severity.LOW,
        summary=f"{name} is not reachable on {ports or 'any TCP port'} from "
        f"{' and '.join(filter(None, (whole, parts)))}",
        evidence=tuple(
            Evidence(
                f"{text[0].upper()}{text[1:]}. Affected: {join_names(found.affected[text])}.",
                {"gate": each.gate.value, "by": each.by, "rule": each.rule,
                 "subnets": ", ".join(found.affected[text])},
            )
            for text, each in found.obstacles.items()
        )
        + _ip_version_evidence(found.no_common_ip_version),
        propose=partial(_let_through, vpc, endpoint, ports),
        concerns=concerns,
        root=f"{' and '.join(sorted(by))} blocks traffic to endpoints on {ports or 'all ports'}"
        if by
        else "",
    )  # fmt: skip


def _ip_version_evidence(subnets: Sequence[str]) -> tuple[Evidence, ...]:
    if not subnets:
        return ()
    text = f"{join_names(subnets)} and the endpoint have no IP version in common."
    return (Evidence(text, {"subnets": ", ".join(subnets)}),)


def _let_through(vpc: VpcContext, endpoint: Endpoint, ports: str) -> tuple[Remediation, ...]:
    """List what lets the subnets through: rules of the endpoint's group, and entries of ACLs."""
    what = (
        f"Allow inbound traffic from these subnets on {ports or 'the ports of the service'} in the "
        "endpoint's security group or in the network ACL that blocks it. If the subnets must not "
        "use the endpoint, accept the finding with a waiver."
    )
    openings = list_openings(vpc, [endpoint])
    entries = open_acls(vpc.snapshot, openings)
    return list_remediations(
        *(
            (what, None if rules is None or entries is None else (*rules, *entries))
            for whole_vpc in (False, True)
            for rules in [allow_subnets(vpc, [endpoint], whole_vpc=whole_vpc)]
        ),
        otherwise=what,
    )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="endpoint-unreachable-from-subnet",
        title="Endpoint is not reachable from a subnet",
        requirement="Every subnet can reach the VPC's interface endpoints on the service's ports",
        family=Family.INTERFACES,
        severity=Severity.MEDIUM,
        rationale=(
            "With private DNS, the service's DNS names resolve to the endpoint in the whole VPC. A "
            "subnet that a security group or network ACL blocks cannot reach the service at all: "
            "there is no fallback to the public addresses. Services of AWS answer on port 443, "
            "Amazon Keyspaces on 9142 and Amazon SES on five ports. The ports of other endpoints "
            "are not known: if they are reachable on some TCP ports only, the result is unknown."
        ),
        remediation="Allow traffic from the subnets on the ports of the service.",
        evaluate=_blocked,
        reads=NEEDED,
        references=(TROUBLE, ACLS),
    ),
)
