"""Text that fits a box of a drawing: shortened where it shows least, never cut at its end."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from unicodedata import combining, east_asian_width

ELLIPSIS = "…"


def columns(text: str) -> int:
    """Give how wide text is, in letters: an ideograph takes two, an accent none."""
    return sum(map(_columns, text))


def _columns(letter: str) -> int:
    if combining(letter):
        return 0
    return 2 if east_asian_width(letter) in "WF" else 1


def shortened(text: str, width: int) -> str:
    """Give text that is at most so wide, without its middle: names differ at their ends.

    Args:
        text: A name, or several.
        width: In letters; at least three.
    """
    if columns(text) <= width:
        return text
    end = _fitting(text[::-1], (width - 1) // 2)[::-1]
    start = _fitting(text, width - 1 - columns(end))
    return f"{start}{ELLIPSIS}{end}"


def _fitting(text: str, width: int) -> str:
    return text[: sum(used <= width for used in accumulate(map(_columns, text)))]


def lines(names: Sequence[str], width: int, most: int) -> tuple[str, ...]:
    """Give a line a name, each at most so wide; of more names than `most`, how many are left."""
    if len(names) <= most:
        return tuple(shortened(each, width) for each in names)
    named = [shortened(each, width) for each in names[: most - 1]]
    return (*named, f"and {len(names) - len(named)} more")


def listed(names: Sequence[str], width: int) -> str:
    """Give as many names on one line as fit, and how many are left."""
    for number in range(len(names), 1, -1):
        left = len(names) - number
        text = ", ".join(names[:number]) + (f" and {left} more" if left else "")
        if columns(text) <= width:
            return text
    rest = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return "".join(shortened(each, width - len(rest)) for each in names[:1]) + rest
