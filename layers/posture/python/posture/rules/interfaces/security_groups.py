"""Rules about the security groups of interface endpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator

from posture.analysis.security_groups import InboundRule, OpenAccess, find_open_access
from posture.model.network import Endpoint, EndpointType, Facet, SecurityGroup, SecurityGroupRule
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import INBOUND
from posture.rules.evidence import format_endpoint, inbound_rule_evidence, join_names
from posture.rules.remediation_commands import GROUPED
from posture.rules.result import RuleResult, failed, passed, undecided
from posture.rules.rule import Family, Rule, VpcContext

DEFAULT = "default"
IPV6 = 6

CREATE = "https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html"
GROUP_RULES = "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html"


def _groups(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints_of(*GROUPED):
        yield _group_of(vpc, endpoint)


def _group_of(vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    name = format_endpoint(endpoint)
    concerns = frozenset({endpoint.id, *endpoint.security_group_ids})
    if not endpoint.security_group_ids:
        return failed(
            resource=endpoint.id,
            summary=f"{name} has no security group",
            evidence=(
                Evidence(f"{endpoint.id} lists no security group.", {"endpoint": endpoint.id}),
            ),
            remediation=Remediation(
                "Attach a security group that allows inbound traffic on port 443 from clients only."
            ),
        )
    found, missing = _known_groups(vpc, endpoint)
    default = [group for group in found if group.name == DEFAULT]
    if default:
        return failed(
            resource=endpoint.id,
            summary=f"{name} uses the VPC's default security group {default[0].id}",
            evidence=(
                Evidence(
                    f"{default[0].id} is the default security group, which every resource gets "
                    "that is launched without one.",
                    {"endpoint": endpoint.id, "security_group": default[0].id},
                ),
            ),
            remediation=Remediation(
                "Attach a dedicated security group to the endpoint, then remove the default one.",
                _remove_command(endpoint, default[0])
                if len(endpoint.security_group_ids) > 1
                else "",
            ),
            concerns=concerns,
        )
    if missing:
        summary = f"{name}: {join_names(missing)} could not be found"
        return undecided(endpoint.id, summary, concerns=concerns)
    summary = f"{name} uses {join_names(endpoint.security_group_ids)}"
    return passed(endpoint.id, summary, concerns=concerns)


def _known_groups(vpc: VpcContext, endpoint: Endpoint) -> tuple[list[SecurityGroup], list[str]]:
    """Return the endpoint's groups, and the ids of those that are not in the snapshot."""
    known = vpc.snapshot.security_groups
    ids = endpoint.security_group_ids
    return [known[each] for each in ids if each in known], [
        each for each in ids if each not in known
    ]


def _remove_command(endpoint: Endpoint, group: SecurityGroup) -> str:
    return (
        f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} "
        f"--remove-security-group-ids {group.id}"
    )


def _open_groups(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints_of(*GROUPED):
        yield _open_access(vpc, endpoint)
    for endpoint in vpc.endpoints_of(EndpointType.UNKNOWN):
        found = _open_access(vpc, endpoint)
        if found.status is Status.PASS:
            summary = f"{format_endpoint(endpoint)} is of a type that this version does not know"
            found = undecided(endpoint.id, summary, concerns=found.concerns)
        yield found


def _open_access(vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    name = format_endpoint(endpoint)
    groups, missing = _known_groups(vpc, endpoint)
    lists = {
        rule.prefix_list_id for group in groups for rule in group.ingress if rule.prefix_list_id
    }
    concerns = frozenset({endpoint.id, *endpoint.security_group_ids, *lists})
    found = find_open_access(groups, vpc.snapshot.prefix_lists)
    if found.open_to:
        return failed(
            resource=endpoint.id,
            summary=f"{name} allows inbound traffic from {join_names(found.open_to)} on "
            f"{found.protocol}/{found.port}",
            evidence=tuple(inbound_rule_evidence(each.group_id, each.rule) for each in found.by),
            remediation=Remediation(
                "Allow inbound traffic only from networks that use the endpoint, on its port.",
                " && ".join(map(_revoke_command, found.by)),
            ),
            concerns=concerns,
            root=_root(found),
        )
    if found.unread or missing:
        facts = tuple(inbound_rule_evidence(each.group_id, each.rule) for each in found.unread)
        what = (
            join_names(missing)
            if missing
            else join_names(str(each.rule.prefix_list_id) for each in found.unread)
        )
        summary = f"{name}: the addresses that {what} allows are not known"
        return undecided(endpoint.id, summary, facts, concerns=concerns)
    summary = f"{name} does not allow inbound traffic from every address"
    return passed(endpoint.id, summary, concerns=concerns)


def _root(found: OpenAccess) -> str:
    """Name the open groups as the root cause, in words that other endpoints share."""
    groups = join_names(sorted({each.group_id for each in found.by}))
    peers = join_names(found.open_to)
    return f"{groups} allows inbound traffic from {peers} on {found.protocol}/{found.port}"


def _revoke_command(admission: InboundRule) -> str:
    permissions = json.dumps([_permission(admission.rule)], separators=(",", ":"))
    return (
        f"aws ec2 revoke-security-group-ingress --group-id {admission.group_id} "
        f"--ip-permissions '{permissions}'"
    )


def _permission(rule: SecurityGroupRule) -> dict[str, object]:
    ports = {"FromPort": rule.from_port, "ToPort": rule.to_port}
    permission: dict[str, object] = {
        "IpProtocol": rule.protocol,
        **{name: port for name, port in ports.items() if port is not None},
    }
    if rule.cidr is None:
        return permission | {"PrefixListIds": [{"PrefixListId": rule.prefix_list_id}]}
    if rule.cidr.version == IPV6:
        return permission | {"Ipv6Ranges": [{"CidrIpv6": str(rule.cidr)}]}
    return permission | {"IpRanges": [{"CidrIp": str(rule.cidr)}]}


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="endpoint-security-group-open",
        title="Endpoint security group allows 0.0.0.0/0 or ::/0",
        requirement="No endpoint security group allows inbound traffic from 0.0.0.0/0 or ::/0",
        family=Family.INTERFACES,
        severity=Severity.HIGH,
        rationale=(
            "Any host that can reach the VPC over peering, a VPN or a transit gateway can use the "
            "endpoint. Several rules that together cover every address are reported as well."
        ),
        remediation="Allow inbound traffic only from networks that use the endpoint.",
        evaluate=_open_groups,
        reads=frozenset({Facet.ENDPOINTS, Facet.SECURITY_GROUPS}),
        controls=INBOUND,
        references=(GROUP_RULES, CREATE),
    ),
    Rule(
        id="endpoint-default-security-group",
        title="Endpoint has no dedicated security group",
        requirement="Every interface endpoint has a security group other than the default one",
        family=Family.INTERFACES,
        severity=Severity.MEDIUM,
        rationale=(
            "The default security group allows traffic between all resources that use it, and "
            "every resource gets it that is launched without a security group."
        ),
        remediation="Attach a dedicated security group to the endpoint.",
        evaluate=_groups,
        reads=frozenset({Facet.ENDPOINTS, Facet.SECURITY_GROUPS}),
        controls=INBOUND,
        references=(CREATE,),
    ),
)
