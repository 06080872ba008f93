"""Builds the parameters of an edit's request, as boto3 takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

from posture.edits.edit import Edit
from posture.edits.operations.gateways import DeleteTransitGatewayVpcAttachment
from posture.edits.requests import name_member
from posture.model.network import GroupReference, SecurityGroupRule


def build_parameters(edit: Edit) -> dict[str, Any]:
    """Return the parameters that `parse_request` parses to this edit."""
    found = dict(_list_members(edit))
    if isinstance(edit, DeleteTransitGatewayVpcAttachment):
        found.pop("TransitGatewayId", None)  # known to the caller, not a parameter
    return found


def _list_members(structure: Any) -> Iterable[tuple[str, Any]]:
    kind: Any = type(structure)
    for each in _list_fields(kind):
        value = getattr(structure, each.name)
        if value is None or value in ((), ""):
            continue
        wrapper = each.metadata.get("member")
        yield name_member(each), {wrapper: value} if wrapper else _build(value)


@cache
def _list_fields(kind: Any) -> tuple[Field[Any], ...]:
    return fields(kind)


def _build(value: Any) -> Any:
    if isinstance(value, tuple):
        if isinstance(value[0], SecurityGroupRule):
            return build_permissions(value)
        return [_build(each) for each in value]
    if is_dataclass(value):
        return dict(_list_members(value))
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, bool | int | str) else str(value)


def build_permissions(rules: Iterable[SecurityGroupRule]) -> list[dict[str, Any]]:
    """Return rules as permissions, one for each protocol and range of ports."""
    found: dict[tuple[str, int | None, int | None], dict[str, Any]] = {}
    for rule in rules:
        ports = {"FromPort": rule.from_port, "ToPort": rule.to_port}
        known = {name: port for name, port in ports.items() if port is not None}
        permission = found.setdefault(
            (rule.protocol, rule.from_port, rule.to_port), {"IpProtocol": rule.protocol, **known}
        )
        member, peer = _build_peer(rule)
        described = {**peer, "Description": rule.description} if rule.description else peer
        permission.setdefault(member, []).append(described)
    return list(found.values())


def _build_peer(rule: SecurityGroupRule) -> tuple[str, Mapping[str, str]]:
    if rule.cidr is not None:
        v4 = rule.cidr.version == 4  # noqa: PLR2004 - the family's number
        return ("IpRanges", {"CidrIp": str(rule.cidr)}) if v4 else (
            "Ipv6Ranges", {"CidrIpv6": str(rule.cidr)}
        )  # fmt: skip
    if rule.group is None:
        return "PrefixListIds", {"PrefixListId": rule.prefix_list_id or ""}
    return "UserIdGroupPairs", _build_group(rule.group)


def _build_group(group: GroupReference) -> dict[str, str]:
    found = {
        "GroupId": group.group_id,
        "VpcId": group.vpc_id,
        "VpcPeeringConnectionId": group.peering_id,
    }
    return {name: value for name, value in found.items() if value}
