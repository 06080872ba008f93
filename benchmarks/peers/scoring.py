"""Compare answers with labels, and count the outcomes."""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

CORRECT = {True: "TP", False: "TN"}
WRONG = {True: "FN", False: "FP"}
NONE = "none"  # no answer: neither correct nor wrong
OUTCOMES = ("TP", "TN", "FP", "FN", NONE)


def score(*, bad: bool, called_bad: bool | None) -> str:
    """Return TP, TN, FP or FN, or `none` for no answer (None)."""
    if called_bad is None:
        return NONE
    return (CORRECT if called_bad == bad else WRONG)[bad]


def is_called_bad(
    resources: AbstractSet[str],
    *,
    bad: AbstractSet[str],
    undecided: AbstractSet[str] = frozenset(),
    silent: bool = False,
) -> bool | None:
    """Whether a tool reports a case by any of its resources.

    None: the tool cannot decide it, or has not answered the question at all.
    """
    if silent or resources & undecided:
        return None
    return bool(resources & bad)


def format_counts(outcomes: Iterable[str]) -> str:
    """Return the outcomes that occur, with their numbers."""
    numbers = Counter(outcomes)
    return " ".join(f"{name} {numbers[name]}" for name in OUTCOMES if numbers[name])


def count_correct(outcomes: Iterable[str]) -> int:
    """Return the number of correct answers."""
    return sum(each in CORRECT.values() for each in outcomes)


def format_head(*columns: object) -> str:
    """Return the first two rows of a table in Markdown."""
    return f"{format_row(*columns)}\n{format_row(*['---'] * len(columns))}"


def format_row(*cells: object) -> str:
    """Return a row of a table in Markdown."""
    return f"| {' | '.join(map(str, cells))} |"
