"""Rules about the security groups of interface endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from posture.analysis.open_access import OpenAccess, find_open_rules
from posture.analysis.security_groups import get_port_range
from posture.edits.edit import Edit
from posture.edits.operations.endpoints import ModifyVpcEndpoint
from posture.edits.operations.security_groups import AuthorizeSecurityGroupIngress
from posture.model.network import Endpoint, EndpointType, Facet, SecurityGroup
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.contexts import VpcContext
from posture.rules.controls import CHOSEN_GROUP, INBOUND
from posture.rules.endpoint_lookups import GROUPED, find_access_by_groups, list_groups
from posture.rules.evidence import format_endpoint, inbound_rule_evidence, join_names
from posture.rules.remediation import list_remediations
from posture.rules.remediation.groups import (
    ANY_TCP,
    DEFAULT,
    NEW_GROUP,
    allow_networks,
    create_group,
    list_fitting_groups,
    list_grouped_endpoints,
    list_networks,
    list_ports,
    revoke_rules,
)
from posture.rules.result import RuleResult, failed, passed, undecided
from posture.rules.rule import Family, Rule

CREATE = "https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html"
GROUP_RULES = "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html"


def _groups(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints_of(*GROUPED):
        yield _group_of(vpc, endpoint)


def _group_of(vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    name = format_endpoint(endpoint)
    concerns = frozenset({endpoint.id, *endpoint.security_group_ids})
    propose = partial(_attach_group, vpc, endpoint)
    if not endpoint.security_group_ids:
        return failed(
            resource=endpoint.id,
            summary=f"{name} has no security group",
            evidence=(
                Evidence(f"{endpoint.id} lists no security group.", {"endpoint": endpoint.id}),
            ),
            propose=propose,
        )
    found, missing = list_groups(vpc, endpoint)
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
            propose=propose,
            concerns=concerns,
        )
    if missing:
        summary = f"{name}: {join_names(missing)} could not be found"
        return undecided(endpoint.id, summary, concerns=concerns)
    summary = f"{name} uses {join_names(endpoint.security_group_ids)}"
    return passed(endpoint.id, summary, concerns=concerns)


def _attach_group(vpc: VpcContext, endpoint: Endpoint) -> tuple[Remediation, ...]:
    """List what gives an endpoint a group of its own that allows every subnet.

    The default group is removed if the endpoint has another one; or it is replaced by a group that
    exists, or by a new one.
    """
    known = vpc.snapshot.security_groups
    default = tuple(
        each
        for each in endpoint.security_group_ids
        if each in known and known[each].name == DEFAULT
    )
    own = {*endpoint.security_group_ids} - {*default}
    ports, networks = list_ports([endpoint]), list_networks(vpc, endpoint.ip_address_type)
    fitting = [each.id for each in list_fitting_groups(vpc, ports, networks)]

    def swap(*added: str) -> ModifyVpcEndpoint:
        return ModifyVpcEndpoint(
            vpc_endpoint_id=endpoint.id,
            add_security_group_ids=added,
            remove_security_group_ids=default,
        )

    return list_remediations(
        (
            "Remove the default security group from the endpoint, which has another one.",
            [swap()] if own and default else None,
        ),
        *(
            (
                f"Attach {each} to the endpoint, which allows inbound traffic from every subnet"
                + (", and remove the default security group." if default else "."),
                [swap(each)],
            )
            for each in fitting
            if each not in own
        ),
        (
            "Create a security group that allows inbound traffic from the VPC on the service's "
            "port, and attach it to the endpoint"
            + (" in place of the default one." if default else "."),
            [*create_group(vpc, "vpc-endpoint", networks, ports), swap(NEW_GROUP)],
        ),
        otherwise="",
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
    groups, missing = list_groups(vpc, endpoint)
    lists = {
        rule.prefix_list_id for group in groups for rule in group.ingress if rule.prefix_list_id
    }
    concerns = frozenset({endpoint.id, *endpoint.security_group_ids, *lists})
    found = find_access_by_groups(vpc, endpoint)
    if found.open_to:
        return failed(
            resource=endpoint.id,
            summary=f"{name} allows inbound traffic from {join_names(found.open_to)} on "
            f"{found.protocol}/{found.port}",
            evidence=tuple(inbound_rule_evidence(each.group_id, each.rule) for each in found.by),
            propose=lambda: vpc.remember(
                ("close groups", endpoint.security_group_ids), partial(_close_groups, vpc, groups)
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


def _close_groups(vpc: VpcContext, groups: Sequence[SecurityGroup]) -> tuple[Remediation, ...]:
    """List what leaves open groups to the VPC: first its blocks are allowed, then no one else is.

    The blocks are allowed on the ports of the endpoints that use a group, or else on the ports and
    protocols on which every address is allowed.
    """
    known: list[Edit] = []
    same: list[Edit] = []
    open_rules = find_open_rules(groups, vpc.snapshot.prefix_lists)
    for group in groups:
        opening = [each.rule for each in open_rules if each.group_id == group.id]
        if not opening:
            continue
        endpoints = list_grouped_endpoints(vpc, group.id)
        networks = list_networks(vpc, *(each.ip_address_type for each in endpoints))
        ports = list_ports(endpoints)
        own = tuple(each for each in group.ingress if each.cidr in networks)
        relevant = replace(group, ingress=own)
        stated = {(each.protocol, get_port_range(each)) for each in opening}
        allowed = [
            edit
            for protocol, range_ in sorted(stated)
            for edit in allow_networks(relevant, networks, [range_], protocol)
        ]
        revoked = revoke_rules(group.id, opening)
        same += (*allowed, revoked)
        known += (
            *(allow_networks(group, networks, ports) if ports != ANY_TCP else allowed),
            revoked,
        )
    then = "Revoke the rules that allow every address. Clients in other networks lose access."
    what = "Allow inbound traffic from the VPC on the"
    first = any(isinstance(each, AuthorizeSecurityGroupIngress) for each in known)
    return list_remediations(
        (f"{what} port of the endpoint. {then}" if first else then, known),
        (f"{what} same ports. {then}", same),
        otherwise="Allow inbound traffic only from networks that use the endpoint, on its port.",
    )


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
        remediation=(
            "Allow inbound traffic from the networks that use the endpoint, then revoke the rules "
            "that allow every address."
        ),
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
        controls=CHOSEN_GROUP,
        references=(CREATE,),
    ),
)
