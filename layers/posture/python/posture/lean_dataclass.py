"""Data classes whose methods are compiled when the first instance is made.

The standard library compiles six methods of each frozen class while its module is imported, two
thirds of a millisecond for a class: a third of a cold start. What depends only on the names of the
fields is shared here, and `__init__` is compiled at its first call, so that a class that is not
used costs next to nothing. Fields, slots, `replace` and matching are the standard library's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial
from operator import attrgetter
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any


def _decorate(cls: type | None = None, /, **options: Any) -> Any:
    """Make a data class, as `dataclasses.dataclass` does."""
    return partial(_make, **options) if cls is None else _make(cls, **options)


if TYPE_CHECKING:  # to type checkers it is the standard library's
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - exported
else:
    dataclass = _decorate


def _make(
    cls: type, *, frozen: bool = False, order: bool = False, eq: bool = True, **options: Any
) -> type:
    if order or not frozen:  # few classes
        return dataclasses.dataclass(cls, frozen=frozen, order=order, eq=eq, **options)
    made: Any = dataclasses.dataclass(cls, init=False, repr=False, eq=False, **options)
    methods: dict[str, Any] = {"__init__": _postpone_init(made), "__repr__": _represent}
    if eq:
        methods |= _build_comparison(dataclasses.fields(made))
    methods |= {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
    if options.get("slots"):
        methods |= {"__getstate__": _read_state, "__setstate__": _write_state}
    for name, method in methods.items():
        if cls.__dict__.get(name) is None:  # a method of the class itself stays
            setattr(made, name, method)
    return made  # type: ignore[no-any-return]


def _postpone_init(cls: Any) -> Callable[..., None]:
    def __init__(self: Any, /, *arguments: Any, **options: Any) -> None:  # noqa: N807 - a method
        cls.__init__ = _compile_init(cls)
        cls.__init__(self, *arguments, **options)

    return __init__


def _compile_init(cls: Any) -> Any:
    """Compile `__init__`, which sets slots by their descriptors: twice as fast as by name."""
    names: dict[str, Any] = {"_missing": dataclasses.MISSING, "_set": object.__setattr__}
    positional, keywords, body = ["self"], ["*"], []
    for each in dataclasses.fields(cls):
        name = parameter = value = each.name
        if each.default is not dataclasses.MISSING:
            parameter = f"{name}=_default_{name}"
            names[f"_default_{name}"] = each.default
        elif each.default_factory is not dataclasses.MISSING:
            parameter = f"{name}=_missing"
            value = f"_create_{name}() if {name} is _missing else {name}"
            names[f"_create_{name}"] = each.default_factory
        (keywords if each.kw_only else positional).append(parameter)
        slot = getattr(cls, name, None)
        if isinstance(slot, MemberDescriptorType):
            names[f"_set_{name}"] = slot.__set__
            body.append(f"_set_{name}(self, {value})")
        else:
            body.append(f"_set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join(positional + (keywords if len(keywords) > 1 else []))
    code = f"def __init__({parameters}):\n " + "\n ".join(body or ["pass"])
    exec(code, names)  # noqa: S102 - written here, of the names of fields
    method = names["__init__"]
    method.__qualname__ = f"{cls.__qualname__}.__init__"  # errors name it
    return method


def _build_comparison(members: Iterable[dataclasses.Field[Any]]) -> dict[str, Any]:
    read = _build_reader([each.name for each in members if each.compare])
    read_hashed = _build_reader(
        [each.name for each in members if (each.compare if each.hash is None else each.hash)]
    )

    def __eq__(self: Any, other: object) -> Any:  # noqa: N807 - a method
        if other.__class__ is not self.__class__:
            return NotImplemented
        return read(self) == read(other)

    return {"__eq__": __eq__, "__hash__": lambda self: hash(read_hashed(self))}


def _build_reader(names: list[str]) -> Callable[[Any], Any]:
    """Return what reads the value of the only field, or those of several as a tuple."""
    return attrgetter(*names) if names else lambda _: ()


def _represent(self: Any) -> str:
    names = (each.name for each in dataclasses.fields(self) if each.repr)
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
    return f"{self.__class__.__qualname__}({shown})"


def _refuse_to_set(self: Any, name: str, value: object) -> None:  # noqa: ARG001 - a method
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> None:  # noqa: ARG001 - a method
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _read_state(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _write_state(self: Any, state: Iterable[Any]) -> None:
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)
