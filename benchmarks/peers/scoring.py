"""What an answer is worth beside a label, and what many of them come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

RIGHT = {True: "TP", False: "TN"}
WRONG = {True: "FN", False: "FP"}
NONE = "none"  # no answer: neither right nor wrong
OUTCOMES = ("TP", "TN", "FP", "FN", NONE)


def outcome(*, bad: bool, called_bad: bool | None) -> str:
    """Give TP, TN, FP or FN, or `none` for no answer (None)."""
    if called_bad is None:
        return NONE
    return (RIGHT if called_bad == bad else WRONG)[bad]


def called(
    resources: AbstractSet[str],
    *,
    bad: AbstractSet[str],
    undecided: AbstractSet[str] = frozenset(),
    silent: bool = False,
) -> bool | None:
    """Tell whether a tool calls a set-up bad, by any of the resources it is known by.

    None: it says that it cannot tell, or has said nothing at all about the question.
    """
    if silent or resources & undecided:
        return None
    return bool(resources & bad)


def counted(found: Iterable[str]) -> str:
    """Give outcomes as counts, those that there are."""
    numbers = Counter(found)
    return " ".join(f"{name} {numbers[name]}" for name in OUTCOMES if numbers[name])


def right(found: Iterable[str]) -> int:
    """Count the right answers."""
    return sum(each in RIGHT.values() for each in found)
