"""Applies edits of security groups and their rules.

https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_network

from posture.ec2.parse.security_groups import sort_rules
from posture.edits.draft import Draft, Handlers, refuse
from posture.edits.operations.security_groups import (
    AuthorizeSecurityGroupEgress,
    AuthorizeSecurityGroupIngress,
    CreateSecurityGroup,
    DeleteSecurityGroup,
    RevokeSecurityGroupEgress,
    RevokeSecurityGroupIngress,
)
from posture.errors import UndecidedEditError
from posture.model.network import Facet, SecurityGroup, SecurityGroupRule

Rules = tuple[SecurityGroupRule, ...]

LAST_PORT = 65535
WITH_PORTS = {"tcp", "udp"}
WITH_TYPES = {"icmp", "icmpv6"}
LAST_PROTOCOL = 255
# Rules per group and direction times groups per interface cannot exceed 1,000, whatever the quota:
# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
MOST_RULES = 1000


def _authorize_ingress(draft: Draft, edit: AuthorizeSecurityGroupIngress) -> None:
    group = draft.get_security_group(edit.group_id)
    rules = _add_rules(draft, group.ingress, edit.ip_permissions)
    draft.security_groups[group.id] = replace(group, ingress=rules)


def _authorize_egress(draft: Draft, edit: AuthorizeSecurityGroupEgress) -> None:
    group = draft.get_security_group(edit.group_id)
    rules = _add_rules(draft, group.egress, edit.ip_permissions)
    draft.security_groups[group.id] = replace(group, egress=rules)


def _revoke_ingress(draft: Draft, edit: RevokeSecurityGroupIngress) -> None:
    group = draft.get_security_group(edit.group_id)
    rules = _remove_rules(group, group.ingress, edit)
    draft.security_groups[group.id] = replace(group, ingress=rules)


def _revoke_egress(draft: Draft, edit: RevokeSecurityGroupEgress) -> None:
    group = draft.get_security_group(edit.group_id)
    rules = _remove_rules(group, group.egress, edit)
    draft.security_groups[group.id] = replace(group, egress=rules)


def _add_rules(draft: Draft, present: Rules, added: Rules) -> Rules:
    if not added:
        raise refuse("MissingParameter", "The request must contain the parameter ipPermissions")
    keys = {_key(rule) for rule in present}
    for rule in added:
        _check_rule(rule)
        _check_peer(draft, rule)
        if _key(rule) in keys:
            raise refuse(
                "InvalidPermission.Duplicate",
                f'the specified rule "{_describe(rule)}" already exists',
            )
        keys.add(_key(rule))
    if len(keys) > MOST_RULES:
        raise refuse(
            "RulesPerSecurityGroupLimitExceeded",
            "The maximum number of rules per security group has been reached.",
        )
    return sort_rules((*present, *added))


def _remove_rules(
    group: SecurityGroup,
    present: Rules,
    edit: RevokeSecurityGroupIngress | RevokeSecurityGroupEgress,
) -> Rules:
    if edit.security_group_rule_ids:
        raise UndecidedEditError(
            f"{', '.join(edit.security_group_rule_ids)}: the snapshot does not hold the ids of "
            f"rules; name the rules of {group.id} by IpPermissions"
        )
    if not edit.ip_permissions:
        raise refuse("MissingParameter", "The request must contain the parameter ipPermissions")
    removed = {_key(rule) for rule in edit.ip_permissions}
    keys = {_key(rule) for rule in present}
    for rule in edit.ip_permissions:
        if _key(rule) not in keys:
            raise refuse(
                "InvalidPermission.NotFound",
                f'The specified rule "{_describe(rule)}" does not exist in {group.id}.',
            )
    return tuple(rule for rule in present if _key(rule) not in removed)


def _check_rule(rule: SecurityGroupRule) -> None:
    """Refuse ports that the protocol does not have.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
    """
    first, last = rule.from_port, rule.to_port
    if rule.protocol in WITH_PORTS:
        if first is None or last is None:
            raise _invalid(
                f"Invalid value for portRange. Must specify both from and to ports "
                f"with {rule.protocol.upper()}."
            )
        if not 0 <= first <= last <= LAST_PORT:
            raise _invalid(f"Invalid TCP/UDP port range ({first}:{last})")
    elif rule.protocol not in {"-1", *WITH_TYPES} and not (
        rule.protocol.isdecimal() and int(rule.protocol) <= LAST_PROTOCOL
    ):
        raise refuse("InvalidPermission.Malformed", f'Unsupported IP protocol "{rule.protocol}"')


def _check_peer(draft: Draft, rule: SecurityGroupRule) -> None:
    if rule.prefix_list_id:
        draft.get_prefix_list(rule.prefix_list_id)
    if rule.group is None or rule.group.peering_id:
        return
    if rule.group.vpc_id in {None, draft.vpc.id}:
        draft.require(Facet.SECURITY_GROUPS)
        if rule.group.group_id not in draft.security_groups:
            # It may belong to a peered VPC, which the snapshot does not hold.
            raise refuse(
                "InvalidGroup.NotFound",
                f"You have specified two resources that belong to different networks, or the "
                f"security group '{rule.group.group_id}' does not exist in {draft.vpc.id}.",
            )


def _key(rule: SecurityGroupRule) -> SecurityGroupRule:
    """Return what EC2 compares of a rule; of a group of the same VPC, that is the id only."""
    group = rule.group and replace(rule.group, vpc_id=None, peering_id=None)
    return replace(rule, description="", group=group)


def _describe(rule: SecurityGroupRule) -> str:
    peer = rule.cidr or rule.prefix_list_id or (rule.group and rule.group.group_id)
    ports = f"{rule.from_port}-{rule.to_port}" if rule.from_port is not None else "all ports"
    return f"peer: {peer}, {rule.protocol}, {ports}, ALLOW"


def _create(draft: Draft, edit: CreateSecurityGroup) -> None:
    draft.require_vpc(edit.vpc_id)
    draft.require(Facet.VPC, Facet.SECURITY_GROUPS)
    if edit.group_name.startswith("sg-"):
        raise _invalid("Group names may not be in the format sg-*.")
    if edit.group_name in {
        each.name for each in draft.security_groups.values() if each.vpc_id == edit.vpc_id
    }:
        raise refuse(
            "InvalidGroup.Duplicate",
            f"The security group '{edit.group_name}' already exists for VPC '{edit.vpc_id}'",
        )
    egress = [SecurityGroupRule("-1", None, None, cidr=ip_network("0.0.0.0/0"))]
    if draft.vpc.ipv6_cidrs:
        egress.append(SecurityGroupRule("-1", None, None, cidr=ip_network("::/0")))
    group_id = draft.create_id("sg")
    draft.security_groups[group_id] = SecurityGroup(
        group_id, edit.group_name, edit.vpc_id, (), sort_rules(egress)
    )


def _delete(draft: Draft, edit: DeleteSecurityGroup) -> None:
    group = draft.get_security_group(edit.group_id)
    draft.require(Facet.ENDPOINTS)
    if group.name == "default":
        raise refuse(
            "CannotDelete", f'the specified group: "{group.id}" name: "default" cannot be deleted'
        )
    others = (each for each in draft.security_groups.values() if each.id != group.id)
    used = any(group.id in each.security_group_ids for each in draft.endpoints.values())
    if used or _is_referenced(others, group.id):
        raise refuse("DependencyViolation", f"resource {group.id} has a dependent object")
    draft.assume(f"no network interface and no rule of a peered VPC uses {group.id}")
    del draft.security_groups[group.id]


def _is_referenced(groups: Iterable[SecurityGroup], group_id: str) -> bool:
    rules = (rule for each in groups for rule in (*each.ingress, *each.egress))
    return any(rule.group and rule.group.group_id == group_id for rule in rules)


def _invalid(message: str) -> Exception:
    return refuse("InvalidParameterValue", message)


HANDLERS: Handlers = {
    AuthorizeSecurityGroupIngress: _authorize_ingress,
    AuthorizeSecurityGroupEgress: _authorize_egress,
    RevokeSecurityGroupIngress: _revoke_ingress,
    RevokeSecurityGroupEgress: _revoke_egress,
    CreateSecurityGroup: _create,
    DeleteSecurityGroup: _delete,
}
