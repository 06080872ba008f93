"""Reads a call's parameters from its record, as boto3 takes them.

A record names parameters in another way than boto3, and in two forms (`posture.changes.
record_shapes`). `request_shapes.json`, which `make docs` writes from the model of EC2, says which
parameters an operation has. A record that says anything else about its request has none that can
be read: a request that is understood in part would say that the rest did not happen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from posture.changes.record_shapes import ACCOUNT_DIGITS, list_members, unwrap

PATH = Path(__file__).with_name("request_shapes.json")
Shapes = dict[str, dict[str, Any]]

INTEGER = re.compile(r"-?[0-9]+")
ACCOUNTS = ("OwnerId", "UserId")  # the ends of the names of parameters that are account ids
# The parameter that names rules by their ids, and the member of a response that says what they are.
RULE_IDS = "SecurityGroupRuleIds"
REVOKED = "revokedSecurityGroupRuleSet"
PEERS = {
    "cidrIpv4": ("IpRanges", "CidrIp"),
    "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "prefixListId": ("PrefixListIds", "PrefixListId"),
    "referencedGroupId": ("UserIdGroupPairs", "GroupId"),
}


class _UnreadableError(Exception):
    """The record says something about the request that is not understood."""


def read_request(
    operation: str, parameters: Any, response: Any = None, failed: frozenset[str] = frozenset()
) -> dict[str, Any] | None:
    """Read the parameters of a call from its record.

    Args:
        operation: The operation's name.
        parameters: The record's `requestParameters`.
        response: The record's `responseElements`.
        failed: The ids for which the call failed although it succeeded for others.

    Returns:
        The parameters as boto3 takes them, without `failed`; None if the record has them in no form
        that can be read, or the operation is none of those that an edit models.
    """
    shape = _load_shapes()["requests"].get(operation)
    if shape is None:
        return None
    try:
        found = _read_structure(shape, _unwrap(parameters))
        for name, value in found.items():
            if isinstance(value, list) and failed:
                found[name] = [each for each in value if each not in failed]
        return _name_rules(found, unwrap(response)) if RULE_IDS in found else found
    except (_UnreadableError, RecursionError):
        return None


def find_created(operation: str, response: Any) -> str:
    """Find the id of what a call created, as its response says; "" if it says none."""
    value: Any = unwrap(response)
    path = _load_shapes()["created"].get(operation)
    for name in path.split(".") if path else ():
        value = value.get(name[:1].lower() + name[1:]) if isinstance(value, Mapping) else None
    return value if path and isinstance(value, str) else ""


@cache
def _load_shapes() -> Shapes:
    shapes: Shapes = json.loads(PATH.read_text(encoding="utf-8"))
    return shapes


def _unwrap(parameters: Any) -> Mapping[str, Any]:
    if parameters in (None, ""):
        return {}
    if not isinstance(parameters, Mapping):
        raise _UnreadableError
    inner = unwrap(parameters)
    if not inner and parameters and next(iter(parameters.values())) not in ("", {}, None):
        raise _UnreadableError  # one parameter, in no known form
    return inner


def _read_structure(shape: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    members = _list_members(shape)
    found: dict[str, Any] = {}
    for recorded, each in value.items():
        if recorded == "tag" and not isinstance(each, Mapping | list):
            continue  # the number of a list's member
        if recorded.casefold() not in members:
            raise _UnreadableError
        name, member = members[recorded.casefold()]
        if name in found:
            raise _UnreadableError
        if isinstance(member, str):
            found[name] = _read_scalar(member, each, name)
        elif each not in ("", {}, [], None):
            found[name] = _read_compound(member, each, name)
    return found


def _list_members(shape: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """List the members of a structure by each name that a record may give them."""
    members: dict[str, tuple[str, Any]] = {}
    for names, member in shape.items():
        name, *others = names.split("/")
        for each in (name, *others):
            members[each.casefold()] = name, member
            if isinstance(member, list):
                members[f"{each.casefold()}set"] = name, member
    return members


def _read_compound(member: Any, value: Any, name: str) -> Any:
    if isinstance(member, Mapping):
        if not isinstance(value, Mapping):
            raise _UnreadableError
        return _read_structure(member, value)
    (item,) = member
    if isinstance(item, str):
        return [_read_scalar(item, _unwrap_item(each), name) for each in list_members(value)]
    return [_read_compound(item, each, name) for each in list_members(value)]


def _unwrap_item(value: Any) -> Any:
    """Return a scalar of a list, which older records hold as a structure with one member."""
    if not isinstance(value, Mapping):
        return value
    values = [each for name, each in value.items() if name != "tag"]
    if len(values) != 1:
        raise _UnreadableError
    return values[0]


def _read_scalar(kind: str, value: Any, name: str) -> Any:
    """Read a scalar, whose type the conversion from XML may have changed without loss."""
    if isinstance(value, str | int):
        if kind == "string":
            return _read_text(value, name)
        if kind == "boolean" and value in (True, False, "true", "false"):
            return value in (True, "true")
        if kind == "integer" and INTEGER.fullmatch(str(value)):
            return int(value)
    raise _UnreadableError


def _read_text(value: str | int, name: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else _format_number(value, name)


def _format_number(value: int, name: str) -> str:
    """Format a number that was text; an account id has lost its leading zeros."""
    return str(value).zfill(ACCOUNT_DIGITS) if name.endswith(ACCOUNTS) else str(value)


def _name_rules(request: dict[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the ids of revoked rules by the rules, if the response says what they were.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokedSecurityGroupRule.html
    """
    rules = list_members(response.get(REVOKED))
    revoked = {each.get("securityGroupRuleId"): each for each in rules if isinstance(each, Mapping)}
    ids = request[RULE_IDS]
    if request.get("IpPermissions") or not ids or not revoked.keys() >= set(ids):
        return request
    rest = {name: value for name, value in request.items() if name != RULE_IDS}
    groups = {revoked[each].get("groupId") for each in ids}
    if len(groups) != 1 or groups != {rest.setdefault("GroupId", *groups)}:
        return request
    return {**rest, "IpPermissions": [_build_permission(revoked[each]) for each in ids]}


def _build_permission(rule: Mapping[str, Any]) -> dict[str, Any]:
    peers = [(PEERS[name], rule[name]) for name in PEERS if rule.get(name)]
    if len(peers) != 1:
        raise _UnreadableError
    (((member, key), peer),) = peers
    ports = {"FromPort": rule.get("fromPort"), "ToPort": rule.get("toPort")}
    return {
        "IpProtocol": _read_scalar("string", rule.get("ipProtocol"), ""),
        **{
            name: _read_scalar("integer", port, "")
            for name, port in ports.items()
            if port is not None
        },
        member: [{key: _read_scalar("string", peer, "")}],
    }
