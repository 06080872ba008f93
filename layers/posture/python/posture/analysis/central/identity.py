"""Keep what is computed from a large immutable value without hashing it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

Value = TypeVar("Value")
Result = TypeVar("Result")


class _Same:
    """Equal only to itself with the same object; the object is kept, so its id is not reused."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


def cache_by_identity(
    maxsize: int,
) -> Callable[[Callable[[Value], Result]], Callable[[Value], Result]]:
    """Cache a function of one immutable argument by the argument's identity."""

    def decorate(function: Callable[[Value], Result]) -> Callable[[Value], Result]:
        @lru_cache(maxsize)
        def compute(same: _Same) -> Result:
            return function(same.value)  # type: ignore[arg-type]

        @wraps(function)
        def call(value: Value) -> Result:
            return compute(_Same(value))

        return call

    return decorate
