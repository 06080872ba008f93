"""Security groups and their rules."""

from __future__ import annotations

from posture.edits.operations import Ids
from posture.lean_dataclass import dataclass
from posture.model.network import SecurityGroupRule


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSecurityGroup:
    """Create a security group (`sg-new-1`) that allows no inbound and all outbound traffic."""

    group_name: str
    description: str
    vpc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteSecurityGroup:
    """Delete a security group that nothing refers to."""

    group_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _GroupRules:
    """The rules of one security group that a request names, one for each peer."""

    group_id: str
    ip_permissions: tuple[SecurityGroupRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeSecurityGroupIngress(_GroupRules):
    """Add inbound rules to a security group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeSecurityGroupEgress(_GroupRules):
    """Add outbound rules to a security group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _RevokedRules(_GroupRules):
    """The rules of one security group to remove; descriptions are not compared."""

    security_group_rule_ids: Ids = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeSecurityGroupIngress(_RevokedRules):
    """Remove inbound rules from a security group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeSecurityGroupEgress(_RevokedRules):
    """Remove outbound rules from a security group."""
