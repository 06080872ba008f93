"""Suggests what the caller may have meant by a name that does not exist."""

import difflib
from collections.abc import Iterable

SUGGESTIONS = 4


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the end of an error: the names that are nearest to one that does not exist.

    Args:
        name: What was given.
        known: The names that exist; if none is near, the first ones are named.
    """
    names = sorted(set(known))
    within = [each for each in names if name and name in each]
    within.sort(key=lambda each: (not each.startswith(name), len(each)))
    close = difflib.get_close_matches(name, names, n=SUGGESTIONS, cutoff=0.5)
    if similar := list(dict.fromkeys([*within, *close]))[:SUGGESTIONS]:
        return f"; did you mean {' or '.join(similar)}?"
    rest = len(names) - SUGGESTIONS
    listed = ", ".join(names[:SUGGESTIONS]) + (f" and {rest} more" if rest > 0 else "")
    return f"; there are {listed}" if listed else ""
