"""One digest for all that is equal. Pure.

Frozen dataclasses are walked field by field, so that a field which is added later is in the digest
without anybody thinking of it.
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

SIZE = 20  # bytes: as hard to forge as a commit's name
FORMAT = 2  # of marshal: the last one in which equal values have equal bytes

PLAIN = frozenset({str, int, float, bool, bytes, type(None)})


def fingerprint(value: Any) -> str:
    """Give a digest in 40 hexadecimal digits: the same for what is equal, and for nothing else.

    Raises:
        TypeError: something in it is of a type that has no form here.
    """
    return blake2b(marshal.dumps(canonical(value), FORMAT), digest_size=SIZE).hexdigest()


def canonical(value: Any) -> Any:
    """Give the value in tuples, sets, dicts in order of their keys, texts and numbers."""
    kind: Any = type(value)
    return value if kind in PLAIN else _form(kind)(value)


@cache
def _form(kind: Any) -> Callable[[Any], Any]:
    """Give what brings a value of this type into its form; a type is looked at once."""
    for of_kind, form in FORMS:
        if issubclass(kind, of_kind):
            return form
    if is_dataclass(kind):
        return _fields(kind)
    raise TypeError(f"{kind.__name__} has no form that a digest could be made of")


def _fields(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    names = [field.name for field in fields(kind)]
    return lambda value: (kind.__name__, *[canonical(getattr(value, name)) for name in names])


def _mapped(items: Mapping[Any, Any]) -> dict[str, Any]:
    told = [(str(key), canonical(value)) for key, value in items.items()]
    return dict(sorted(told, key=itemgetter(0)))


def _listed(items: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(canonical, items))


def _collected(items: AbstractSet[Any]) -> frozenset[Any]:
    return frozenset(map(canonical, items))  # marshal puts them in an order of their own


FORMS: Sequence[tuple[type | tuple[type, ...], Callable[[Any], Any]]] = (
    ((IPv4Address, IPv6Address, IPv4Network, IPv6Network), str),
    (Enum, attrgetter("value")),
    (datetime, datetime.isoformat),
    (tuple, _listed),
    (AbstractSet, _collected),
    (Mapping, _mapped),
)
