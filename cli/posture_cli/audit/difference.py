"""Compares the findings of two times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from posture.lifecycle.diff import apply_transitions
from posture.model.finding import Finding, FindingStatus
from posture.model.scope import Scope
from posture.store.history import History


@dataclass(frozen=True, slots=True)
class Difference:
    """A finding that differs; `was` is its status at the first time, or None if there was none."""

    was: FindingStatus | None
    now: Finding

    @property
    def kind(self) -> str:
        """The kind of difference: opened, resolved or changed."""
        good = {None, FindingStatus.RESOLVED}
        if self.was in good:
            return "opened"
        return "resolved" if self.now.status is FindingStatus.RESOLVED else "changed"


def find_differences(
    history: History, scopes: Iterable[Scope], first: datetime, second: datetime
) -> Iterator[Difference]:
    """Find the findings that differ, from the history of each scope up to the second time.

    A finding that was opened and resolved in between does not differ.

    Raises:
        CorruptItemError: A history row cannot be parsed.
    """
    for scope in scopes:
        before: dict[str, Finding] = {}
        after: dict[str, Finding] = {}
        for row in history.find_by_scope(scope, until=second):
            after = apply_transitions(after, [row.transition])
            if row.observed_at <= first:
                before = after
        for name, finding in after.items():
            was = before.get(name)
            if was != finding and not (_is_resolved(was) and _is_resolved(finding)):
                yield Difference(was.status if was else None, finding)


def _is_resolved(finding: Finding | None) -> bool:
    return finding is None or finding.status is FindingStatus.RESOLVED
