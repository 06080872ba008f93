"""Parses the parameters of a request, as boto3 takes them, to an edit.

The fields of the edit's class say which parameters the operation has and what they hold.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache, partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from posture.edits.edit import Edit, VpcEdit
from posture.edits.operations import SHARED_OPERATIONS
from posture.edits.permissions import normalize_rules, read_permissions
from posture.errors import MalformedRequestError
from posture.model.network import EndpointType, SecurityGroupRule

# The class of each operation on a VPC, by the operation's name.
OPERATIONS: Mapping[str, type[Edit]] = {each.__name__: each for each in get_args(VpcEdit)}

# Parameters of many operations that have no effect on a network.
WITHOUT_EFFECT = frozenset(
    {"TagSpecifications", "TagSpecification", "Tags", "ClientToken", "DryRun", "Description"}
)
ADDRESS_TYPES = (IPv4Address, IPv6Address)
NETWORK_TYPES = (IPv4Network, IPv6Network)
EXPECTED = {str: "text", bool: "true or false", int: "a whole number"}


def parse_request(operation: str, params: Mapping[str, Any]) -> Edit:
    """Parse a request to EC2, Route 53, its Resolver or its Profiles.

    Args:
        operation: The operation's name, such as `CreateRoute`.
        params: Its parameters as boto3 takes them, such as `{"RouteTableId": "rtb-1"}`.

    Raises:
        MalformedRequestError: The operation or a parameter is not known, is missing or has another
            form than EC2 expects; the message names it.
    """
    kind: Any = find_kind(operation)
    if kind is None:
        known = ", ".join(sorted((*OPERATIONS, *SHARED_OPERATIONS)))
        raise MalformedRequestError(f"{operation}: expected one of the operations {known}")
    if params.get("DryRun"):
        raise MalformedRequestError(f"{operation}: DryRun: a dry run changes nothing")
    params = {name: value for name, value in params.items() if value is not None}
    if SecurityGroupRule in _item_types(kind):
        params = normalize_rules(operation, params)
    return cast("Edit", _read_members(kind, params, operation))


def find_kind(operation: str) -> type[Edit] | None:
    """Find the class of an operation by its name."""
    if operation not in SHARED_OPERATIONS:
        return OPERATIONS.get(operation)
    from posture.edits import shared_edit  # noqa: PLC0415 - few requests are of these

    return cast("type[Edit]", getattr(shared_edit, operation))


def name_parameter(field_name: str) -> str:
    """Return the name of the parameter that a field of an edit holds."""
    return "".join(part[:1].upper() + part[1:] for part in field_name.split("_"))


@cache
def name_member(member: Field[Any]) -> str:
    """Return the name of the parameter that a field holds, with the capitals of its service."""
    return str(member.metadata.get("name") or name_parameter(member.name))


@cache
def list_members(kind: type) -> Mapping[str, Field[Any]]:
    """List the fields of a structure that parameters of a request set, by the parameter's name."""
    members = cast("Iterable[Field[Any]]", fields(kind))
    return {name_member(each): each for each in members if each.metadata.get("parameter", True)}


@cache
def _item_types(kind: type) -> frozenset[Any]:
    return frozenset(argument for hint in _hints(kind).values() for argument in get_args(hint))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read_members(kind: Any, params: Mapping[str, Any], place: str) -> Any:
    """Read the members of a structure; `place` is where it is, for errors."""
    members = list_members(kind)
    for name in params:
        if name not in members and name not in WITHOUT_EFFECT:
            names = ", ".join(members)
            raise MalformedRequestError(f"{place}: {name}: expected one of {names}")
    return kind(**dict(_read_fields(kind, members, params, place)))


def _read_fields(
    kind: Any, members: Mapping[str, Field[Any]], params: Mapping[str, Any], place: str
) -> Iterator[tuple[str, Any]]:
    for name, member in members.items():
        if name in params:
            value, at = params[name], f"{place}: {name}"
            if wrapper := member.metadata.get("member"):
                value, at = _unwrap(value, wrapper, at), f"{at}.{wrapper}"
            yield member.name, _read(_hints(kind)[member.name], value, at)
        elif member.default is MISSING:
            raise MalformedRequestError(f"{place}: {name} is missing")


def _unwrap(value: Any, member: str, place: str) -> Any:
    if not isinstance(value, Mapping) or set(value) != {member}:
        raise MalformedRequestError(f'{place}: expected {{"{member}": true or false}}')
    return value[member]


def _read(hint: Any, value: Any, place: str) -> Any:
    """Read a value of the type that a field has."""
    return _choose_reader(hint)(value, place)


@cache
def _choose_reader(hint: Any) -> Callable[[Any, str], Any]:
    """Choose what reads the values of a type, at their place."""
    choices = (hint,)
    if get_origin(hint) in {types.UnionType, Union}:
        choices = tuple(each for each in get_args(hint) if each is not type(None))
    kind = choices[0]
    if get_origin(kind) is tuple:
        return partial(_read_list, get_args(kind)[0])
    if kind in NETWORK_TYPES or kind in ADDRESS_TYPES:
        return partial(_read_address, choices)
    if kind is EndpointType:
        return _read_endpoint_type
    return partial(_read_structure if is_dataclass(kind) else _read_plain, kind)


def _read_plain(kind: type, value: Any, place: str) -> Any:
    if type(value) is not kind or value == "":
        raise MalformedRequestError(f"{place}: expected {EXPECTED[kind]}, not {value!r}")
    return value


def _read_structure(kind: Any, value: Any, place: str) -> Any:
    if not isinstance(value, Mapping):
        raise MalformedRequestError(f"{place}: expected a structure, not {value!r}")
    return _read_members(kind, value, place)


def _read_list(item: Any, value: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise MalformedRequestError(f"{place}: expected a list, not {value!r}")
    if item is SecurityGroupRule:
        return read_permissions(value, place)
    return tuple(_read(item, each, f"{place}[{number}]") for number, each in enumerate(value))


def _read_address(types_: tuple[Any, ...], value: Any, place: str) -> Any:
    """Read an address or a CIDR block; EC2 clears the bits after the prefix of a block."""
    networks = types_[0] in NETWORK_TYPES
    try:
        parsed = ip_network(value, strict=False) if networks else ip_address(value)
    except (ValueError, TypeError):
        parsed = None
    if not isinstance(value, str) or not isinstance(parsed, types_):
        family = "IP" if len(types_) > 1 else f"IPv{types_[0](0).version}"
        noun = "CIDR block" if networks else "address"
        raise MalformedRequestError(f"{place}: expected an {family} {noun}, not {value!r}")
    return parsed


def _read_endpoint_type(value: Any, place: str) -> EndpointType:
    known = [each for each in EndpointType if each is not EndpointType.UNKNOWN]
    if value not in known:
        raise MalformedRequestError(f"{place}: expected one of {', '.join(known)}, not {value!r}")
    return EndpointType(value)
