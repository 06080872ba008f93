"""Changes that no event reported: a sweep found their effect, and no late event explains it.

CloudTrail delivers most events within 15 minutes, so the first sweep after half an hour decides
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from posture.ec2.describe import chunked
from posture.evaluation.scope import ScopeResult
from posture.model.finding import Finding, Step
from posture.model.scope import Region, Scope
from posture.runtime.clock import TimeSource
from posture.store.pending_causes import PendingCause, PendingCauses
from posture.store.scope_evaluation import WriteOutcome
from posture.store.scope_store import Store
from posture.store.snapshots import StoredSnapshot

WAIT = timedelta(minutes=30)  # for events, and for their second evaluation
CONSISTENT = timedelta(minutes=6)  # EC2's answers may be five minutes old (docs/decisions/0040)
FOUND = frozenset({Step.OPENED, Step.CHANGED, Step.RESOLVED})
MAX_NAMED = 5  # changes that a log line names
TOGETHER = 25  # scopes whose snapshots are in memory at once

logger = Logger()


class MissedChanges:
    """The changes without an event in one store's scopes. A failure here fails no sweep."""

    def __init__(self, store: Store, now: TimeSource) -> None:
        self._store = store
        self._pending: PendingCauses = store.pending_causes
        self._now = now

    def note(self, results: Iterable[ScopeResult], known: Container[Scope]) -> None:
        """Note what a sweep found in known scopes, where only a call that is not known does it."""
        found: dict[Scope, list[Finding]] = {}
        for result in results:
            if result.outcome is not WriteOutcome.COMMITTED or result.scope not in known:
                continue
            findings = [it.finding for it in result.transitions if it.step in FOUND]
            if unknown := [each for each in findings if not each.caused_by.possible]:
                found[result.scope] = unknown
        for part in chunked(tuple(found), TOGETHER):
            try:
                self._note_together({scope: found[scope] for scope in part})
            except Exception:
                extra = {"scopes": [str(each) for each in part]}
                logger.exception("causes not looked for", extra=extra)

    def _note_together(self, found: Mapping[Scope, Sequence[Finding]]) -> None:
        """Note what was found in scopes that were evaluated just now."""
        load = self._store.snapshots.load_many
        after = load((scope, its[0].updated_at) for scope, its in found.items())
        before = load((scope, it.previous) for scope, it in after.items() if it.previous)
        for scope, was in before.items():
            its = found[scope]
            if changed := self._find_changes(was, after[scope]):
                keys = [(each.rule, each.resource) for each in its]
                self._pending.add(PendingCause(scope, its[0].updated_at, keys, changed))

    def _find_changes(self, before: StoredSnapshot, after: StoredSnapshot) -> list[str]:
        """Find what a call must have changed between two snapshots of a scope."""
        # Imported where it is needed: most sweeps find nothing.
        from posture.attribution.missing_calls import find_missing_calls  # noqa: PLC0415

        # What was made well before the scope was last seen as it was, is part of that.
        since = (after.confirmed_at or before.observed_at) - CONSISTENT
        known = (*before.changes, *before.later, *after.changes)
        changes = [each for each in known if each.time >= since]
        found = find_missing_calls(before.snapshot, after.snapshot, changes)
        return [f"{it.part} {it.id} {it.name}".strip() for it in found][:MAX_NAMED]

    def count(self, region: Region) -> int:
        """Count the scopes in which earlier sweeps found changes that no event tells of by now.

        Each counts once. What cannot be decided now is decided by the next sweep. What cannot be
        read may be such a change: it counts until DynamoDB or a person deletes it.
        """
        try:
            found = self._pending.find(region, self._now())
        except Exception:
            logger.exception("causes not looked for again", extra={"region": str(region)})
            return 0
        for name, reason in found.unreadable.items():
            logger.error("pending cause not read", extra={"item": name, "reason": reason})
        due = (each for each in found.causes if each.at <= self._now() - WAIT)
        return len(found.unreadable) + sum(map(self._settle, due))

    def _settle(self, cause: PendingCause) -> bool:
        """Decide whether no event tells of a change by now, and remove what was noted of it."""
        is_missed, extra = False, {"scope": str(cause.scope), "at": str(cause.at)}
        try:
            findings = self._store.load_findings(cause.scope, cause.findings)
            is_missed = any(_is_unexplained(each, cause.at) for each in findings)
            if is_missed:
                changed = {"changed": list(cause.changed)}
                logger.error("change without an event", extra={**extra, **changed})
            self._pending.remove(cause)
        except Exception:
            logger.exception("cause not looked for again", extra=extra)
        return is_missed


def _is_unexplained(finding: Finding, at: datetime) -> bool:
    """Whether a finding still is as it was found then, and its cause is not known.

    What is otherwise by now was perhaps an old answer of EC2, which is eventually consistent.
    """
    return finding.updated_at == at and not finding.caused_by.possible
