"""Subnets that do not reach an endpoint on 443."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from posture.analysis.descriptions import describe_obstacle
from posture.analysis.gates import Obstacle
from posture.analysis.reach import Reach, ReachStatus
from posture.model.network import Endpoint, Subnet
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import AVAILABILITY
from posture.rules.evidence import format_endpoint, join_names
from posture.rules.interfaces.https import (
    NEEDED,
    covers_all_sources,
    find_https_endpoints,
    find_request_obstacles,
)
from posture.rules.rule import Family, Rule, RuleResult, VpcContext

TROUBLE = "https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html"
ACLS = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html"


@dataclass
class _Reached:
    """How subnets reach one endpoint."""

    blocked: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    well: list[str] = field(default_factory=list)
    obstacles: dict[str, Obstacle] = field(default_factory=dict)  # by their words
    before: dict[str, list[str]] = field(default_factory=dict)  # by the same, the subnets
    unread: dict[str, None] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)  # of no IP version in common

    def add(self, subnet: Subnet, reaches: Sequence[Reach]) -> None:
        """Take in how one subnet reaches the endpoint's interfaces."""
        if not any(reach.sources for reach in reaches):
            self.blocked.append(subnet.id)
            self.strangers.append(subnet.id)
            return
        there = [(each, find_request_obstacles(each)) for each in reaches]
        stopped = [(reach, stops) for reach, stops in there if stops]
        if len(stopped) == len(reaches) and all(covers_all_sources(*each) for each in stopped):
            self.blocked.append(subnet.id)
        elif stopped:
            self.partly.append(subnet.id)
        elif any(reach.answer is ReachStatus.UNKNOWN for reach in reaches):
            self.unknown.append(subnet.id)
            self.unread |= dict.fromkeys(what for reach in reaches for what in reach.unread)
        else:
            self.well.append(subnet.id)
        for reach, stops in stopped:
            for each in stops:
                words = f"{each.gate.value}: {describe_obstacle(each, reach.sources)}"
                self.obstacles[words] = each
                subnets = self.before.setdefault(words, [])
                if subnet.id not in subnets:
                    subnets.append(subnet.id)


def _blocked(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in find_https_endpoints(vpc):
        interfaces, missing = vpc.analysis.resolve_interfaces(endpoint)
        name = format_endpoint(endpoint)
        if not endpoint.network_interface_ids and endpoint.state == "pending":
            summary = f"{name} is pending and has no interface yet"
            yield RuleResult(endpoint.id, Status.NOT_APPLICABLE, summary)
            continue
        if missing or not interfaces:
            what = join_names(missing) if missing else "its interfaces"
            summary = f"{name}: {what} could not be found"
            yield RuleResult(endpoint.id, Status.UNKNOWN, summary)
            continue
        found = _Reached()
        for subnet in vpc.subnets:
            if vpc.analysis.is_unobstructed(subnet, endpoint):
                found.well.append(subnet.id)
            else:
                found.add(subnet, vpc.analysis.evaluate_reaches(subnet, endpoint))
        yield _told(vpc, endpoint, name, found)


def _told(vpc: VpcContext, endpoint: Endpoint, name: str, found: _Reached) -> RuleResult:
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
            summary = f"{name}: whether {join_names(found.unknown)} reach it on 443 is not known"
            return RuleResult(endpoint.id, Status.UNKNOWN, summary, facts, concerns=concerns)
        summary = f"every subnet reaches {name} on 443"
        return RuleResult(endpoint.id, Status.PASS, summary, concerns=concerns)
    everybody = not (found.partly or found.well or found.unknown)
    whom = "every subnet" if everybody else join_names(found.blocked) if found.blocked else ""
    parts = f"part of {join_names(found.partly)}" if found.partly else ""
    return RuleResult(
        resource=endpoint.id,
        status=Status.FAIL,
        severity=Severity.HIGH if everybody else None if found.blocked else Severity.LOW,
        summary=f"{name} is blocked on 443 for {' and '.join(filter(None, (whom, parts)))}",
        evidence=tuple(
            Evidence(
                f"{text[0].upper()}{text[1:]}, before {join_names(found.before[text])}.",
                {"gate": each.gate.value, "by": each.by, "rule": each.rule,
                 "subnets": ", ".join(found.before[text])},
            )
            for text, each in found.obstacles.items()
        )
        + _foreign(found.strangers),
        remediation=Remediation(
            "Admit those subnets on 443 in the endpoint's security group or the network ACL that "
            "stops them, or let them know that the service's names are not for them.",
            _admit(vpc, endpoint, found, by),
        ),
        concerns=concerns,
        root=f"{' and '.join(sorted(by))} stops what is sent to endpoints on 443" if by else "",
    )  # fmt: skip


def _foreign(subnets: Sequence[str]) -> tuple[Evidence, ...]:
    if not subnets:
        return ()
    text = f"{join_names(subnets)} and the endpoint share no IP version."
    return (Evidence(text, {"subnets": ", ".join(subnets)}),)


def _admit(vpc: VpcContext, endpoint: Endpoint, found: _Reached, by: AbstractSet[str]) -> str:
    """Give the command where just the endpoint's own single group is in the way."""
    if by != set(endpoint.security_group_ids) or len(by) != 1:
        return ""
    cut_off = [vpc.snapshot.subnets[each] for each in (*found.blocked, *found.partly)]
    ranges = ",".join(f"{{CidrIp={each.cidr}}}" for each in cut_off if each.cidr)
    if not ranges:
        return ""
    return (
        f"aws ec2 authorize-security-group-ingress --group-id {next(iter(by))} --ip-permissions "
        f"'IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{ranges}]'"
    )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="endpoint-unreachable-from-subnet",
        title="endpoint is blocked on 443",
        requirement="Every subnet reaches the VPC's interface endpoints on 443",
        family=Family.INTERFACES,
        severity=Severity.MEDIUM,
        rationale=(
            "Private DNS takes a service's names to the endpoint for the whole VPC. A subnet that "
            "a security group or network ACL keeps from it is cut off from the service: it does "
            "not fall back to the public addresses."
        ),
        remediation="Admit the subnets on 443.",
        evaluate=_blocked,
        reads=NEEDED,
        controls=AVAILABILITY,
        references=(TROUBLE, ACLS),
    ),
)
