"""Applies the call of one change to a snapshot, and says which differences a call may explain."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from posture.attribution.differences import Difference
from posture.edits.apply import apply_edits
from posture.edits.requests import OPERATIONS, parse_request
from posture.errors import MalformedRequestError, RefusedEditError, UndecidedEditError
from posture.model.change import Change
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import (
    AclEntry,
    Network,
    NetworkAcl,
    RouteOrigin,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Snapshot,
    TargetKind,
)
from posture.model.region_access import AnySnapshot, RegionAccess
from posture.model.scope import Scope

SYMBOL = re.compile(r"^(.+)-new-\d+$")

BIRTHS = frozenset({"CreateVpc", "CreateDefaultVpc", "CreateVpcEndpointServiceConfiguration"})
DEATHS = frozenset({"DeleteVpc", "DeleteVpcEndpointServiceConfigurations"})
DEFAULT_VPC = "CreateDefaultVpc"  # with subnets, an internet gateway and a route


class RefusedCallError(Exception):
    """The call would fail in this state; as it succeeded, the state may have its effect already."""


class UnknownEffectError(Exception):
    """What the call does cannot be computed from its record and the snapshot."""


def apply_call(
    before: AnySnapshot | None, change: Change, scope: Scope, present: AnySnapshot | None
) -> AnySnapshot | None:
    """Return the snapshot of a scope after a call; None where it does not exist.

    Args:
        before: The snapshot before.
        change: The call.
        scope: The scope.
        present: The present snapshot, which says what a new VPC or endpoint service is like.

    Raises:
        RefusedCallError: EC2 would have refused the call.
        UnknownEffectError: Its effect is not known.
    """
    names_scope = scope.subject in {*change.vpc_ids, *change.service_ids, change.created}
    if change.event_name in DEATHS and scope.subject in change.resource_ids:
        return None
    if change.event_name in BIRTHS and names_scope:
        if before is not None:
            raise RefusedCallError
        return _create(change, present)
    if before is None:
        raise UnknownEffectError
    if isinstance(before, RegionAccess) or change.request is None:
        raise UnknownEffectError
    try:
        edit = parse_request(change.event_name, change.request)
        after = apply_edits(before, [edit]).snapshot
    except RefusedEditError as error:
        raise RefusedCallError from error
    except (MalformedRequestError, UndecidedEditError) as error:
        raise UnknownEffectError from error
    return _name_created(before, after, change)


def may_explain(change: Change, difference: Difference, *, applied: bool) -> bool:
    """Whether a call may have led to a difference that the known effects of calls leave.

    Args:
        change: The call.
        difference: The difference.
        applied: Whether the effect of the call is known: then only what EC2 itself chooses may
            differ.
    """
    named = (change.resource_ids | {change.created}) - change.vpc_ids - {""}
    mentioned = bool(named & difference.texts)
    if applied:
        chosen = difference.id == change.created or _is_chosen(difference)
        return mentioned and chosen
    field = difference.part, difference.name
    if change.event_name in FIELDS:
        parts, by_id = FIELDS[change.event_name]
        mentioned = mentioned or not by_id or bool(change.resource_ids & difference.texts)
        return mentioned and (field in parts or ("*", difference.name) in parts)
    if field == ("route_tables", "routes") and change.event_name in PROPAGATION | VPN_ROUTES:
        mentioned = mentioned or change.event_name in VPN_ROUTES  # which name no gateway
        return mentioned and getattr(difference.element, "origin", None) is not RouteOrigin.STATIC
    return mentioned and difference.part != "vpc"


def _is_chosen(difference: Difference) -> bool:
    """Whether EC2 chooses what differs: interfaces, names and the state of an endpoint."""
    if difference.part == "network_interfaces":
        return True
    return difference.part == "endpoints" and difference.name in CHOSEN


CHOSEN = {"network_interface_ids", "dns_names", "state", "created_at", "last_error"}
TAGS = frozenset({("*", "tags")})
ACCESS = frozenset({("vpc", "block_public_access"), ("subnets", "block_public_access")})
BLOCKS = frozenset({("vpc", "cidrs"), ("vpc", "ipv6_cidrs"), ("route_tables", "routes")})
DNS = frozenset({("vpc", "dns_support"), ("vpc", "dns_hostnames")})
DHCP = frozenset({("vpc", "dhcp_options_id"), ("vpc", "dns_servers")})
# The fields that calls without a known effect can change, and whether they name the resource.
FIELDS: Mapping[str, tuple[frozenset[tuple[str, str]], bool]] = {
    "CreateTags": (TAGS, True),
    "DeleteTags": (TAGS, True),
    "ModifyVpcBlockPublicAccessOptions": (ACCESS, False),
    "CreateVpcBlockPublicAccessExclusion": (ACCESS, False),
    "ModifyVpcBlockPublicAccessExclusion": (ACCESS, False),
    "DeleteVpcBlockPublicAccessExclusion": (ACCESS, False),
    "AssociateVpcCidrBlock": (BLOCKS, False),
    "DisassociateVpcCidrBlock": (BLOCKS, False),
    "ModifyVpcAttribute": (DNS, True),
    "AssociateDhcpOptions": (DHCP, True),
}
PROPAGATION = frozenset(
    {
        "EnableVgwRoutePropagation",
        "DisableVgwRoutePropagation",
        "EnableRouteServerPropagation",
        "DisableRouteServerPropagation",
        "AssociateRouteServer",
        "DisassociateRouteServer",
    }
)
# Static routes of a VPN connection are propagated from its gateway.
VPN_ROUTES = frozenset(
    {
        "CreateVpnConnectionRoute",
        "DeleteVpnConnectionRoute",
        "ModifyVpnConnection",
        "DeleteVpnConnection",
    }
)


def _create(change: Change, present: AnySnapshot | None) -> AnySnapshot:
    """Return a scope as it is created: a VPC with its main resources, a service without access."""
    if isinstance(present, Snapshot):
        if change.event_name == DEFAULT_VPC:
            return present
        return replace(
            present,
            subnets={},
            endpoints={},
            nat_gateways={},
            network_interfaces={},
            route_tables=_select(present.route_tables, lambda it: it.main, _create_table),
            security_groups=_select(
                present.security_groups,
                lambda it: it.name == "default" and it.vpc_id == present.vpc.id,
                _create_group,
            ),
            network_acls=_select(present.network_acls, lambda it: it.default, _create_acl),
        )
    if isinstance(present, EndpointServiceSnapshot):
        return replace(present, principals=(), connections=())
    raise UnknownEffectError


def _select(
    resources: Mapping[str, Any], belongs: Callable[[Any], bool], create: Callable[[Any], Any]
) -> dict[str, Any]:
    return {name: create(each) for name, each in resources.items() if belongs(each)}


def _create_table(table: RouteTable) -> RouteTable:
    main = {name: each for name, each in table.associations.items() if each == table.vpc_id}
    local = tuple(each for each in table.routes if each.target.kind is TargetKind.LOCAL)
    return replace(
        table,
        subnet_ids=(),
        gateway_ids=(),
        associations=main,
        routes=local,
        propagating_gateway_ids=(),
    )


def _create_group(group: SecurityGroup) -> SecurityGroup:
    """Return a default security group as it is created, with those of its rules that still exist.

    https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
    """
    return replace(
        group,
        ingress=tuple(each for each in group.ingress if each.group and each.protocol == "-1"),
        egress=tuple(each for each in group.egress if _is_all(each)),
    )


def _create_acl(acl: NetworkAcl) -> NetworkAcl:
    """Return a default network ACL as it is created, with those of its entries that still exist.

    https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html
    """
    entries = tuple(each for each in acl.entries if _is_all(each))
    return replace(acl, subnet_ids=(), associations={}, entries=entries)


def _is_all(rule: SecurityGroupRule | AclEntry) -> bool:
    cidr: Network | None = rule.cidr
    return rule.protocol == "-1" and cidr is not None and cidr.prefixlen == 0


def _name_created(before: AnySnapshot, after: AnySnapshot, change: Change) -> AnySnapshot:
    """Name what an edit created by the id in the response, or by one that nothing else has."""
    if not isinstance(before, Snapshot) or not isinstance(after, Snapshot):
        return after
    kind = OPERATIONS[change.event_name]
    prefix = change.created.rpartition("-")[0]

    def rename(text: str) -> str:
        match = SYMBOL.match(text)
        if match is None:
            return text
        if match.group(1) == prefix and kind.__name__ != "ModifyVpcEndpoint":
            return change.created
        return f"{text}-{change.event_id}"

    changed: dict[str, Any] = {
        each.name: _rename_changed(was, now, rename)
        for each in fields(after)
        if (now := getattr(after, each.name)) is not (was := getattr(before, each.name))
    }
    return replace(after, **changed)


def _rename_changed(was: Any, now: Any, rename: Callable[[str], str]) -> Any:
    """Rename what an edit left in place of a value; its other resources are as they were."""
    if not (isinstance(was, Mapping) and isinstance(now, Mapping)):
        return _rename(now, rename)
    return {
        _rename(key, rename): each if each is was.get(key) else _rename(each, rename)
        for key, each in now.items()
    }


def _rename(value: Any, rename: Callable[[str], str]) -> Any:
    if type(value) is str:
        return rename(value)
    if isinstance(value, tuple):
        return tuple(_rename(each, rename) for each in value)
    if isinstance(value, Mapping):
        return {_rename(key, rename): _rename(each, rename) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: getattr(value, each.name) for each in fields(value)}
        renamed = {name: _rename(each, rename) for name, each in parts.items()}
        return value if renamed == parts else replace(value, **renamed)
    return value
