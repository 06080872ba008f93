"""How every verb takes its options: one that counts once is not given twice in silence."""

from __future__ import annotations

from collections import Counter
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption


class Verb(TyperCommand):
    """A verb that refuses an option that is repeated although only its last value would count."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments.

        Raises:
            BadParameter: an option that holds one value is given several.
        """
        given = list(args)  # the parser empties the list it is handed
        rest = super().parse_args(ctx, args)
        _, _, order = self.make_parser(ctx).parse_args(given)
        for parameter, times in Counter(order).items():
            if times > 1 and isinstance(parameter, TyperOption) and _holds_one(parameter):
                raise typer.BadParameter(f"given {times} times; it takes one value", ctx, parameter)
        return rest


def _holds_one(option: TyperOption) -> bool:
    return not (option.multiple or option.count or option.is_flag)
