"""Computes digests that are the same exactly for equal values.

Every field of a dataclass is part of the digest, also one that is added later.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from operator import attrgetter, itemgetter
from typing import Any

SIZE = 20  # bytes
FORMAT = 2  # the last version of marshal in which equal values have equal bytes

PLAIN = frozenset({str, int, float, bool, bytes, type(None)})


def fingerprint(value: Any) -> str:
    """Compute the digest of a value, in 40 hexadecimal digits.

    Raises:
        TypeError: the value contains an object of an unsupported type.
    """
    return blake2b(marshal.dumps(canonicalize(value), FORMAT), digest_size=SIZE).hexdigest()


def canonicalize(value: Any) -> Any:
    """Convert a value to tuples, sets, sorted dicts, text and numbers."""
    kind: Any = type(value)
    return value if kind in PLAIN else _find_converter(kind)(value)


@cache
def _find_converter(kind: Any) -> Callable[[Any], Any]:
    """Return the function that converts values of a type; each type is examined once."""
    for supported, convert in CONVERTERS:
        if issubclass(kind, supported):
            return convert
    if is_dataclass(kind):
        return _convert_fields(kind)
    raise TypeError(f"cannot compute a digest of {kind.__name__}")


def _convert_fields(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    names = [field.name for field in fields(kind)]
    return lambda value: (kind.__name__, *[canonicalize(getattr(value, name)) for name in names])


def _convert_mapping(items: Mapping[Any, Any]) -> dict[str, Any]:
    converted = [(str(key), canonicalize(value)) for key, value in items.items()]
    return dict(sorted(converted, key=itemgetter(0)))


def _convert_tuple(items: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(canonicalize, items))


def _convert_set(items: AbstractSet[Any]) -> frozenset[Any]:
    return frozenset(map(canonicalize, items))  # marshal sorts them


CONVERTERS: Sequence[tuple[type | tuple[type, ...], Callable[[Any], Any]]] = (
    ((IPv4Address, IPv6Address, IPv4Network, IPv6Network), str),
    (Enum, attrgetter("value")),
    (datetime, datetime.isoformat),
    (tuple, _convert_tuple),
    (AbstractSet, _convert_set),
    (Mapping, _convert_mapping),
)
