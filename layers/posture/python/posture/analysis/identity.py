"""Keep what is computed from a large immutable value without hashing it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class _Same:
    """Equal only to itself with the same objects; they are kept, so no id is reused."""

    __slots__ = ("values",)

    def __init__(self, values: tuple[object, ...]) -> None:
        self.values = values

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.values)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and all(
            mine is its for mine, its in zip(self.values, other.values, strict=True)
        )


def cache_by_identity(
    maxsize: int,
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Cache a function of immutable positional arguments by their identity."""

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @lru_cache(maxsize)
        def compute(same: _Same) -> Result:
            return function(*same.values)  # type: ignore[call-arg, arg-type]

        @wraps(function)
        def call(*values: Parameters.args, **named: Parameters.kwargs) -> Result:
            if named:
                raise TypeError(named)
            return compute(_Same(values))

        return call

    return decorate
