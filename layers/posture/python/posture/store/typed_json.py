"""Frozen dataclasses to and from JSON by the types of their fields. Pure.

No class is named in the JSON, so that what is read can only become what the caller asks for. Fields
that are missing have their defaults, so that a field can be added; unknown ones are refused.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Model = TypeVar("Model")
Convert = Callable[[Any], Any]

SCALARS = (str, int, bool)
NETWORKS = {IPv4Network, IPv6Network}
ADDRESSES = {IPv4Address, IPv6Address}
AS_TEXT = (IPv4Network, IPv6Network, IPv4Address, IPv6Address)


def to_json(value: Any) -> Any:
    """Convert a value to what `json` writes; fields that have their defaults are left out."""
    kind: Any = type(value)
    if kind in SCALARS or value is None:
        return value
    return _find_writer(kind)(value)


def from_json(kind: type[Model], value: Any) -> Model:
    """Convert JSON to a dataclass.

    Raises:
        ValueError, TypeError, KeyError: It is not what `to_json` returns for one.
    """
    hint: Any = kind
    return cast("Model", _find_reader(hint)(value))


@cache
def _find_writer(kind: Any) -> Convert:  # noqa: PLR0911 - one line a type
    if issubclass(kind, Enum):
        return lambda value: value.value
    if issubclass(kind, AS_TEXT):
        return str
    if issubclass(kind, datetime):
        return datetime.isoformat
    if issubclass(kind, Mapping):
        return lambda value: {str(key): to_json(each) for key, each in value.items()}
    if issubclass(kind, tuple | list):
        return lambda value: [to_json(each) for each in value]
    if issubclass(kind, frozenset | set):
        return lambda value: sorted(to_json(each) for each in value)
    if is_dataclass(kind):
        return _build_writer(kind)
    raise TypeError(f"{kind.__name__} cannot be written as JSON")


def _build_writer(kind: Any) -> Convert:
    defaults = {
        each.name: each.default_factory()
        if each.default_factory is not MISSING
        else each.default  # MISSING is equal to no value
        for each in fields(kind)
    }

    def write(value: Any) -> Any:
        found = {}
        for name, default in defaults.items():
            each = getattr(value, name)
            if each is not default and each != default:
                found[name] = to_json(each)
        return found

    return write


@cache
def _find_reader(hint: Any) -> Convert:  # noqa: PLR0911 - one line a type
    if hint is Any:
        return lambda value: value
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {types.UnionType, Union}:
        return _build_union_reader(frozenset(arguments))
    if origin is tuple:
        read = _find_reader(arguments[0])
        return lambda value: tuple(map(read, value))
    if origin is frozenset:
        read = _find_reader(arguments[0])
        return lambda value: frozenset(map(read, value))
    if origin is not None and issubclass(origin, Mapping):
        key, read = _find_reader(arguments[0]), _find_reader(arguments[1])
        return lambda value: {key(name): read(each) for name, each in value.items()}
    if hint in SCALARS:
        return _build_scalar_reader(hint)
    if hint is datetime:
        return datetime.fromisoformat
    if is_dataclass(hint):
        return _build_reader(hint)
    if issubclass(hint, (Enum, *AS_TEXT)):
        return cast("Convert", hint)
    raise TypeError(f"{hint} cannot be read from JSON")


def _build_scalar_reader(kind: Any) -> Convert:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"expected {kind.__name__}, not {value!r}")
        return value

    return read


def _build_union_reader(choices: frozenset[Any]) -> Convert:
    some = choices - {types.NoneType}
    read: Convert
    if some == NETWORKS:
        read = ip_network
    elif some == ADDRESSES:
        read = ip_address
    elif len(some) == 1:
        read = _find_reader(next(iter(some)))
    elif all(issubclass(each, Enum) for each in some):
        members = {member.value: member for each in some for member in each}
        read = members.__getitem__
    else:
        raise TypeError(f"{choices} cannot be distinguished in JSON")
    if types.NoneType not in choices:
        return read
    return lambda value: None if value is None else read(value)


def _build_reader(kind: Any) -> Convert:
    hints = get_type_hints(kind)
    readers = {each.name: _find_reader(hints[each.name]) for each in fields(kind)}

    def read(value: Any) -> Any:
        return kind(**{name: readers[name](each) for name, each in value.items()})

    return read
