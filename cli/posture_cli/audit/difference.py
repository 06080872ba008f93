"""How posture differs between two times."""

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
    """A finding that was something else at the first time; `was` is None where it was not known."""

    was: FindingStatus | None
    now: Finding

    @property
    def kind(self) -> str:
        """Whether it is new, gone, or both bad and different."""
        good = {None, FindingStatus.RESOLVED}
        if self.was in good:
            return "opened"
        return "resolved" if self.now.status is FindingStatus.RESOLVED else "changed"


def find_differences(
    history: History, scopes: Iterable[Scope], first: datetime, second: datetime
) -> Iterator[Difference]:
    """Give what was different at the second time, from each scope's history up to it.

    What was opened and resolved in between is no difference; `posture history` tells of it.

    Raises:
        CorruptItemError: a row of history cannot be read.
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
            if was != finding and not (_good(was) and _good(finding)):
                yield Difference(was.status if was else None, finding)


def _good(finding: Finding | None) -> bool:
    return finding is None or finding.status is FindingStatus.RESOLVED
