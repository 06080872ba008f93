"""Rules about whether subnets reach the VPC's endpoints on 443, and answers come back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from posture.analysis.gates import RETURNING, Obstacle
from posture.analysis.paths import PathKind
from posture.analysis.reachability import Answer, Reach
from posture.analysis.services import CUSTOM, short_name
from posture.analysis.words import kept, obstacle
from posture.model.network import Endpoint, EndpointType, Facet, Subnet
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import AVAILABILITY
from posture.rules.facts import listed
from posture.rules.repairs import WORKING
from posture.rules.rule import Family, Judgement, Rule, VpcCase

# AWS's services answer on 443; these do so on ports of their own, and customers' as they like.
OTHER_PORTS = frozenset({"email-smtp"})

TROUBLE = "https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html"
ACLS = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html"
PORTS = "https://docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html"

WAYS = frozenset({Facet.ENDPOINTS, Facet.SUBNETS, Facet.ROUTE_TABLES, Facet.NETWORK_ACLS})
NEEDED = WAYS | {Facet.NETWORK_INTERFACES, Facet.SECURITY_GROUPS}


def _judged(case: VpcCase) -> Iterator[Endpoint]:
    """Give the interface endpoints that are expected to answer on 443."""
    for endpoint in case.endpoints_of(EndpointType.INTERFACE):
        custom = CUSTOM.fullmatch(endpoint.service_name)
        other = short_name(endpoint.service_name) in OTHER_PORTS
        if endpoint.state in WORKING and not custom and not other:
            yield endpoint


# --- blocked on the way there --------------------------------------------------------------------


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
        there = [(each, _there(each)) for each in reaches]
        stopped = [(reach, stops) for reach, stops in there if stops]
        if len(stopped) == len(reaches) and all(_wholly(*each) for each in stopped):
            self.blocked.append(subnet.id)
        elif stopped:
            self.partly.append(subnet.id)
        elif any(reach.answer is Answer.UNKNOWN for reach in reaches):
            self.unknown.append(subnet.id)
            self.unread |= dict.fromkeys(what for reach in reaches for what in reach.unread)
        else:
            self.well.append(subnet.id)
        for reach, stops in stopped:
            for each in stops:
                words = f"{each.gate.value}: {obstacle(each, reach.sources)}"
                self.obstacles[words] = each
                subnets = self.before.setdefault(words, [])
                if subnet.id not in subnets:
                    subnets.append(subnet.id)


def _there(reach: Reach) -> list[Obstacle]:
    """Give what certainly stops a subnet on the way to an interface, not on the way back."""
    sure = not reach.groups and not reach.unread
    return [
        each
        for each in reach.obstacles
        if each.gate not in RETURNING and (sure or each.addresses <= reach.stopped)
    ]


def _wholly(reach: Reach, stops: Iterable[Obstacle]) -> bool:
    left = reach.sources
    for each in stops:
        left -= each.addresses
    return not left


def _blocked(case: VpcCase) -> Iterator[Judgement]:
    for endpoint in _judged(case):
        interfaces, missing = case.analysis.interfaces(endpoint)
        name = f"{endpoint.id} ({short_name(endpoint.service_name)})"
        if not endpoint.network_interface_ids and endpoint.state == "pending":
            summary = f"{name} is pending and has no interface yet"
            yield Judgement(endpoint.id, Status.NOT_APPLICABLE, summary)
            continue
        if missing or not interfaces:
            what = listed(missing) if missing else "its interfaces"
            summary = f"{name}: {what} could not be found"
            yield Judgement(endpoint.id, Status.UNKNOWN, summary)
            continue
        found = _Reached()
        for subnet in case.subnets:
            if case.analysis.openly(subnet, endpoint):
                found.well.append(subnet.id)
            else:
                found.add(subnet, case.analysis.reached(subnet, endpoint))
        yield _told(case, endpoint, name, found)


def _told(case: VpcCase, endpoint: Endpoint, name: str, found: _Reached) -> Judgement:
    by = {each.by for each in found.obstacles.values()}
    acls = [case.analysis.reachability.acl(each) for each in endpoint.subnet_ids]
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
            summary = f"{name}: whether {listed(found.unknown)} reach it on 443 is not known"
            return Judgement(endpoint.id, Status.UNKNOWN, summary, facts, concerns=concerns)
        summary = f"every subnet reaches {name} on 443"
        return Judgement(endpoint.id, Status.PASS, summary, concerns=concerns)
    everybody = not (found.partly or found.well or found.unknown)
    whom = "every subnet" if everybody else listed(found.blocked) if found.blocked else ""
    parts = f"part of {listed(found.partly)}" if found.partly else ""
    return Judgement(
        resource=endpoint.id,
        status=Status.FAIL,
        severity=Severity.HIGH if everybody else None if found.blocked else Severity.LOW,
        summary=f"{name} is blocked on 443 for {' and '.join(filter(None, (whom, parts)))}",
        evidence=tuple(
            Evidence(
                f"{text[0].upper()}{text[1:]}, before {listed(found.before[text])}.",
                {"gate": each.gate.value, "by": each.by, "rule": each.rule,
                 "subnets": ", ".join(found.before[text])},
            )
            for text, each in found.obstacles.items()
        )
        + _foreign(found.strangers),
        remediation=Remediation(
            "Admit those subnets on 443 in the endpoint's security group or the network ACL that "
            "stops them, or let them know that the service's names are not for them.",
            _admit(case, endpoint, found, by),
        ),
        concerns=concerns,
        root=f"{' and '.join(sorted(by))} stops what is sent to endpoints on 443" if by else "",
    )  # fmt: skip


def _foreign(subnets: Sequence[str]) -> tuple[Evidence, ...]:
    if not subnets:
        return ()
    text = f"{listed(subnets)} and the endpoint share no IP version."
    return (Evidence(text, {"subnets": ", ".join(subnets)}),)


def _admit(case: VpcCase, endpoint: Endpoint, found: _Reached, by: AbstractSet[str]) -> str:
    """Give the command where just the endpoint's own single group is in the way."""
    if by != set(endpoint.security_group_ids) or len(by) != 1:
        return ""
    cut_off = [case.snapshot.subnets[each] for each in (*found.blocked, *found.partly)]
    ranges = ",".join(f"{{CidrIp={each.cidr}}}" for each in cut_off if each.cidr)
    if not ranges:
        return ""
    return (
        f"aws ec2 authorize-security-group-ingress --group-id {next(iter(by))} --ip-permissions "
        f"'IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{ranges}]'"
    )


# --- blocked on the way back ---------------------------------------------------------------------


@dataclass
class _Answers:
    """What one ACL does to answers: by sentence, the subnets that wait in vain."""

    whole: bool = False
    waiting: dict[str, list[str]] = field(default_factory=dict)
    endpoints: set[str] = field(default_factory=set)


def _answers(case: VpcCase) -> Iterator[Judgement]:
    found: dict[str, _Answers] = {}
    if not case.endpoints:
        return
    for subnet in case.subnets:
        _by_interfaces(case, subnet, found)
        _by_gateway(case, subnet, found)
    for _, acl in sorted(case.snapshot.network_acls.items()):
        concerns = frozenset({acl.id, *acl.association_ids, *acl.subnet_ids})
        if acl.id not in found:
            summary = f"{acl.id} lets the answers of endpoints pass"
            yield Judgement(acl.id, Status.PASS, summary, concerns=concerns)
            continue
        yield _unanswered(acl.id, found[acl.id], concerns)


def _by_interfaces(case: VpcCase, subnet: Subnet, found: dict[str, _Answers]) -> None:
    for endpoint in _judged(case):
        if case.analysis.openly(subnet, endpoint):
            continue
        for reach in case.analysis.reached(subnet, endpoint):
            there = _there(reach)
            if there and _wholly(reach, there):
                continue
            for each in reach.obstacles:
                if each.gate in RETURNING and each.by in case.snapshot.network_acls:
                    _note(found, each, obstacle(each, reach.sources), subnet, endpoint.id)


def _by_gateway(case: VpcCase, subnet: Subnet, found: dict[str, _Answers]) -> None:
    for service in case.gateway_services:
        cell = case.analysis.cell(subnet, service)
        ways = [path for path in cell.paths or () if path.kind is PathKind.GATEWAY_ENDPOINT]
        for each in cell.obstacles:
            if each.gate in RETURNING:
                private = ways[0].addresses
                _note(found, each, kept(each, private), subnet, ways[0].target)


def _note(
    found: dict[str, _Answers], each: Obstacle, text: str, subnet: Subnet, endpoint: str
) -> None:
    answers = found.setdefault(each.by, _Answers())
    answers.whole |= each.ports is None
    waiting = answers.waiting.setdefault(f"{each.gate.value}: {text}", [])
    if subnet.id not in waiting:
        waiting.append(subnet.id)
    answers.endpoints.add(endpoint)


def _unanswered(acl_id: str, answers: _Answers, concerns: frozenset[str]) -> Judgement:
    subnets = sorted({each for waiting in answers.waiting.values() for each in waiting})
    what = "lets requests to" if answers.whole else "lets requests to, but for some client ports,"
    return Judgement(
        resource=acl_id,
        status=Status.FAIL,
        severity=None if answers.whole else Severity.LOW,
        summary=f"{acl_id} {what} {listed(sorted(answers.endpoints))} pass and stops the answers, "
        f"for {listed(subnets)}",
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
            f"{text[0].upper()}{text[1:]}, for {listed(subnets)}.",
            {"subnets": ", ".join(subnets), "stop": text},
        )


RULES: tuple[Rule[VpcCase], ...] = (
    Rule(
        id="endpoint-blocked-on-https",
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
        judge=_blocked,
        reads=NEEDED,
        controls=AVAILABILITY,
        references=(TROUBLE, ACLS),
    ),
    Rule(
        id="network-acl-stops-answers",
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
        judge=_answers,
        reads=NEEDED,
        controls=AVAILABILITY,
        references=(PORTS, ACLS),
    ),
)
