"""Builds the remediations of rules: edits, printed as one command that can be pasted.

A rule lists its candidates, the least intrusive first. The first one that is proven to resolve the
finding and to open nothing is reported (`posture.remedies`). Edits that need each other are one
sequence, in their order. Where an argument is not known, there is a sentence and no command.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from posture.edits.edit import Edit
from posture.edits.format import format_sequence
from posture.model.verdict import Remediation


def build_remediation(text: str, edits: Iterable[Edit] | None = None) -> Remediation:
    """Return a remediation; without edits, one that is a sentence only."""
    return Remediation(text, _format(tuple(edits or ())))


@lru_cache(maxsize=128)  # several findings have one remediation
def _format(edits: tuple[Edit, ...]) -> str:
    return format_sequence(edits)


def list_remediations(
    *candidates: tuple[str, Iterable[Edit] | None], otherwise: str
) -> tuple[Remediation, ...]:
    """Return the candidates that have edits, or a sentence if none has.

    Args:
        candidates: A sentence and its edits, the least intrusive first; None or no edits for a
            candidate that is not possible here.
        otherwise: What to do if no candidate is possible.
    """
    found: dict[str, Remediation] = {}
    for text, edits in candidates:
        built = build_remediation(text, edits)
        if built.command:
            found.setdefault(built.command, built)
    return tuple(found.values()) or (Remediation(otherwise),)
