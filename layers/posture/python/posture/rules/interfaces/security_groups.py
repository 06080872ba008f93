"""The security groups of endpoints: none, the default one, or one that admits everybody."""

from __future__ import annotations

import json
from collections.abc import Iterator

from posture.analysis.openness import InboundRule, OpenAccess, find_open_access
from posture.model.network import Endpoint, EndpointType, Facet, SecurityGroup, SecurityGroupRule
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import INBOUND
from posture.rules.evidence import format_endpoint, inbound_rule_evidence, join_names
from posture.rules.rule import Family, Rule, RuleResult, VpcContext

# Endpoints whose interfaces have security groups; those of Gateway Load Balancers have none.
GROUPED = (EndpointType.INTERFACE, EndpointType.RESOURCE, EndpointType.SERVICE_NETWORK)
DEFAULT = "default"
IPV6 = 6

CREATE = "https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html"
GROUP_RULES = "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html"


# --- none, or the default one --------------------------------------------------------------------


def _groups(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints_of(*GROUPED):
        yield _group_of(vpc, endpoint)


def _group_of(vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    name = format_endpoint(endpoint)
    concerns = frozenset({endpoint.id, *endpoint.security_group_ids})
    if not endpoint.security_group_ids:
        return RuleResult(
            resource=endpoint.id,
            status=Status.FAIL,
            summary=f"{name} has no security group",
            evidence=(Evidence(f"{endpoint.id} lists no group.", {"endpoint": endpoint.id}),),
            remediation=Remediation("Attach a group that admits on 443 just those who need it."),
        )
    found, lost = _known_groups(vpc, endpoint)
    default = [group for group in found if group.name == DEFAULT]
    if default:
        return RuleResult(
            resource=endpoint.id,
            status=Status.FAIL,
            summary=f"{name} has the VPC's default security group {default[0].id}",
            evidence=(
                Evidence(
                    f"{default[0].id} is named default; whoever launches something without "
                    "choosing a group gets it, too.",
                    {"endpoint": endpoint.id, "security_group": default[0].id},
                ),
            ),
            remediation=Remediation(
                "Give the endpoint a group of its own, then take the default one off.",
                _take_off(endpoint, default[0]) if len(endpoint.security_group_ids) > 1 else "",
            ),
            concerns=concerns,
        )
    if lost:
        summary = f"{name}: {join_names(lost)} could not be found"
        return RuleResult(endpoint.id, Status.UNKNOWN, summary, concerns=concerns)
    summary = f"{name} has {join_names(endpoint.security_group_ids)}"
    return RuleResult(endpoint.id, Status.PASS, summary, concerns=concerns)


def _known_groups(vpc: VpcContext, endpoint: Endpoint) -> tuple[list[SecurityGroup], list[str]]:
    """Give the endpoint's groups, and the ids of those that are not in the picture."""
    known = vpc.snapshot.security_groups
    ids = endpoint.security_group_ids
    return [known[each] for each in ids if each in known], [
        each for each in ids if each not in known
    ]


def _take_off(endpoint: Endpoint, group: SecurityGroup) -> str:
    return (
        f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} "
        f"--remove-security-group-ids {group.id}"
    )


# --- open to everybody ---------------------------------------------------------------------------


def _open(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints_of(*GROUPED):
        yield _admission(vpc, endpoint)


def _admission(vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    name = format_endpoint(endpoint)
    groups, lost = _known_groups(vpc, endpoint)
    lists = {
        rule.prefix_list_id for group in groups for rule in group.ingress if rule.prefix_list_id
    }
    concerns = frozenset({endpoint.id, *endpoint.security_group_ids, *lists})
    found = find_open_access(groups, vpc.snapshot.prefix_lists)
    if found.open_to:
        return RuleResult(
            resource=endpoint.id,
            status=Status.FAIL,
            summary=f"{name} admits {join_names(found.open_to)} on {found.protocol}/{found.port}",
            evidence=tuple(inbound_rule_evidence(each.group_id, each.rule) for each in found.by),
            remediation=Remediation(
                "Admit just the networks that use the endpoint, on the port it serves.",
                " && ".join(map(_revoke, found.by)),
            ),
            concerns=concerns,
            root=_root(found),
        )
    if found.unread or lost:
        facts = tuple(inbound_rule_evidence(each.group_id, each.rule) for each in found.unread)
        what = (
            join_names(lost)
            if lost
            else join_names(str(each.rule.prefix_list_id) for each in found.unread)
        )
        summary = f"{name}: whom {what} admits is not known"
        return RuleResult(endpoint.id, Status.UNKNOWN, summary, facts, concerns=concerns)
    summary = f"{name} does not admit everybody"
    return RuleResult(endpoint.id, Status.PASS, summary, concerns=concerns)


def _root(found: OpenAccess) -> str:
    """Say which groups open it, in words that the other endpoints with them share."""
    groups = join_names(sorted({each.group_id for each in found.by}))
    return f"{groups} admits {join_names(found.open_to)} on {found.protocol}/{found.port}"


def _revoke(admission: InboundRule) -> str:
    permissions = json.dumps([_permission(admission.rule)], separators=(",", ":"))
    return (
        f"aws ec2 revoke-security-group-ingress --group-id {admission.group_id} "
        f"--ip-permissions '{permissions}'"
    )


def _permission(rule: SecurityGroupRule) -> dict[str, object]:
    ports = {"FromPort": rule.from_port, "ToPort": rule.to_port}
    told = {name: port for name, port in ports.items() if port is not None}
    if rule.cidr is None:
        return {
            "IpProtocol": rule.protocol,
            **told,
            "PrefixListIds": [{"PrefixListId": rule.prefix_list_id}],
        }
    if rule.cidr.version == IPV6:
        return {"IpProtocol": rule.protocol, **told, "Ipv6Ranges": [{"CidrIpv6": str(rule.cidr)}]}
    return {"IpProtocol": rule.protocol, **told, "IpRanges": [{"CidrIp": str(rule.cidr)}]}


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="endpoint-security-group-open",
        title="endpoint admits everybody",
        requirement="No endpoint's security groups admit 0.0.0.0/0 or ::/0",
        family=Family.INTERFACES,
        severity=Severity.HIGH,
        rationale=(
            "Whoever has a way into the VPC, by peering, VPN or a transit gateway, may use the "
            "endpoint. Several rules that together make up every address count as well."
        ),
        remediation="Admit just the networks that use the endpoint.",
        evaluate=_open,
        reads=frozenset({Facet.ENDPOINTS, Facet.SECURITY_GROUPS}),
        controls=INBOUND,
        references=(GROUP_RULES, CREATE),
    ),
    Rule(
        id="endpoint-default-security-group",
        title="endpoint has no group of its own",
        requirement="Every interface endpoint has a security group of its own, not the default one",
        family=Family.INTERFACES,
        severity=Severity.MEDIUM,
        rationale=(
            "The default group admits everything that has it, and whatever is launched without a "
            "choice gets it."
        ),
        remediation="Give the endpoint a group of its own.",
        evaluate=_groups,
        reads=frozenset({Facet.ENDPOINTS, Facet.SECURITY_GROUPS}),
        controls=INBOUND,
        references=(CREATE,),
    ),
)
