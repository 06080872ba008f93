"""Shortens names so that they fit a box of a drawing; the middle is cut, both ends stay."""

from collections.abc import Sequence
from itertools import accumulate
from unicodedata import combining, east_asian_width

ELLIPSIS = "…"


def measure_width(text: str) -> int:
    """Return the width of text in characters: an ideograph counts as two, an accent as none."""
    return sum(map(_measure, text))


def _measure(character: str) -> int:
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def shorten(text: str, width: int) -> str:
    """Cut the middle of text that is wider than `width`, because names differ at their ends.

    Args:
        text: A name.
        width: The maximum width in characters; at least three.
    """
    if measure_width(text) <= width:
        return text
    end = _cut(text[::-1], (width - 1) // 2)[::-1]
    start = _cut(text, width - 1 - measure_width(end))
    return f"{start}{ELLIPSIS}{end}"


def _cut(text: str, width: int) -> str:
    return text[: sum(used <= width for used in accumulate(map(_measure, text)))]


def fit_lines(names: Sequence[str], width: int, most: int) -> tuple[str, ...]:
    """Return one line per name; of more than `most` names, the last line counts the rest."""
    if len(names) <= most:
        return tuple(shorten(each, width) for each in names)
    named = [shorten(each, width) for each in names[: most - 1]]
    return (*named, f"and {len(names) - len(named)} more")


def fit_list(names: Sequence[str], width: int) -> str:
    """Return as many names as fit on one line, and the number of the rest."""
    for number in range(len(names), 1, -1):
        left = len(names) - number
        text = ", ".join(names[:number]) + (f" and {left} more" if left else "")
        if measure_width(text) <= width:
            return text
    rest = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return "".join(shorten(each, width - len(rest)) for each in names[:1]) + rest
