"""What one evaluation records besides its findings: causes, amended causes, and the snapshot.

Most evaluations find nothing new. What names causes is imported when something is to be named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from posture.attribution.events import READING, SharedChange, select_applied
from posture.errors import CorruptItemError
from posture.lean_dataclass import dataclass
from posture.lifecycle.waiving import Waivers
from posture.model.change import Change
from posture.model.finding import Transition
from posture.model.region_access import AnySnapshot
from posture.model.scope import NO_NAMES, Scope, ScopeNames
from posture.model.verdict import Verdict
from posture.rules.contexts import VpcContext
from posture.runtime.code_version import compute_code_digest
from posture.store.baselines import AppliedBaseline, BaselineTable
from posture.store.resource_ids import find_resource_ids
from posture.store.scope_evaluation import ScopeState
from posture.store.scope_record import ScopeRecord, digest_changes
from posture.store.scope_store import Store
from posture.store.snapshots import KEPT, Remembered, StoredSnapshot

if TYPE_CHECKING:
    from posture.evaluation.cause_finder import Amendments, CauseFinder
    from posture.evaluation.shared_facts import ScopeFacts
    from posture.evaluation.transient_finder import Followed

logger = Logger()

MAX_CHANGES = 100  # that are stored with a snapshot


def merge_changes(known: Iterable[Change], new: Iterable[Change]) -> tuple[Change, ...]:
    """Merge changes, each once, in order of time; the latest ones where there are too many."""
    return select_applied((*known, *new))[-MAX_CHANGES:]


def _merge_snapshots(
    amended: Iterable[StoredSnapshot], followed: Iterable[StoredSnapshot]
) -> tuple[StoredSnapshot, ...]:
    """Merge what is known of snapshots: of causes that are amended, and of transient findings."""
    merged = {each.observed_at: each for each in amended}
    for each in followed:
        other = merged.get(each.observed_at)
        if other:
            changes = merge_changes(other.changes, each.changes)
            each = replace(other, changes=changes, later=each.later)  # noqa: PLW2901
        merged[each.observed_at] = each
    return tuple(merged.values())


@dataclass(frozen=True, slots=True)
class EvaluatedScope:
    """What was evaluated, and what led to it.

    Attributes:
        scope: The scope.
        observed_at: When its snapshot was taken.
        snapshot: The snapshot; None if the scope is gone.
        changes: The changes that led to the evaluation.
        baseline: The baseline document, with its version.
        waivers: The waivers that were applied; None if the scope is gone.
        verdicts: The verdicts.
        context: What they were evaluated in, if the scope is a VPC.
        names: The names of the scope.
        facts: What it depends on in the shared network; None where that is not read.
    """

    scope: Scope
    observed_at: datetime
    snapshot: AnySnapshot | None
    changes: Sequence[Change]
    baseline: AppliedBaseline
    waivers: Waivers | None = None
    verdicts: Sequence[Verdict] = ()
    context: VpcContext | None = None
    names: ScopeNames = NO_NAMES
    facts: ScopeFacts | None = None

    @property
    def code(self) -> str:
        """The digest of the code that evaluates it."""
        return compute_code_digest()

    def find_shared_change(self, record: ScopeRecord | None) -> SharedChange | None:
        """Find whether what it depends on in the shared network changed since it was recorded."""
        known = record.shared if record else None
        if self.facts is None:
            return SharedChange(self.observed_at) if known and self.snapshot else None
        used = self.facts.used
        if record is None or (known and known.view == used.view):
            return None
        calls = self.facts.list_calls(known.changed_at) if known else ()
        return SharedChange(used.changed_at, calls)


class StoredSnapshots:
    """The stored snapshots of a scope, each read once.

    The finders know them instead of the recorder, which knows the finders: objects in a cycle, and
    the VPC's context with them, would wait for Python's garbage collector.
    """

    def __init__(self, store: Store, scope: Scope) -> None:
        self._store = store
        self._scope = scope
        self._loaded: dict[datetime, StoredSnapshot | None] = {}

    def load(self, at: datetime) -> StoredSnapshot | None:
        """Load the snapshot of a time; None where it is not stored.

        One that cannot be read counts as missing: only causes need it.
        """
        if at not in self._loaded:
            self._loaded[at] = None
            try:
                self._loaded[at] = self._store.snapshots.load(self._scope, at)
            except CorruptItemError:
                logger.exception("stored snapshot not read", extra={"scope": str(self._scope)})
        return self._loaded[at]

    def get_loaded(self, at: datetime) -> StoredSnapshot | None:
        """Return the snapshot of a time if it has been read."""
        return self._loaded.get(at)

    def forget(self) -> None:
        """Forget what was read."""
        self._loaded.clear()


class Recorder:
    """Names the causes of one evaluation's transitions, and says what is stored for later ones.

    It remembers what it read and found, until it is asked about a state that others wrote.
    """

    def __init__(self, store: Store, baselines: BaselineTable, evaluated: EvaluatedScope) -> None:
        self._store = store
        self._baselines = baselines
        self._evaluated = evaluated
        self._finder: CauseFinder | None = None
        self._amended: Amendments | None = None
        self._is_new = False  # whether the snapshot was evaluated, not only what was unsettled
        self._snapshots = StoredSnapshots(store, evaluated.scope)
        self._followed: dict[bool, tuple[StoredSnapshot, Followed] | None] = {}
        self._revision: int | None = None

    def amends(self, state: ScopeState) -> bool:
        """Whether the changes say more than was known of what happened before."""
        self._begin(state)
        found, followed = self._find_amendments(state), self._follow(state, is_new=False)
        if followed and state.record:
            _, it = followed
            if it.steps or it.snapshots or it.held_at != state.record.held_at:
                return True
        return found is not None and bool(found.snapshots)

    def compare(
        self,
        state: ScopeState,
        find: Callable[[ScopeState], tuple[Transition, ...]] | None = None,
    ) -> tuple[Transition, ...]:
        """Return the transitions from a state with their causes, and those that amend causes.

        Args:
            state: What is stored.
            find: Finds the transitions; None where the stored findings are those of the snapshot.
        """
        self._begin(state)
        self._is_new = find is not None
        amended = self._find_amendments(state)
        steps = {each.finding.id: each for each in amended.steps} if amended else {}
        followed = self._follow(state, is_new=self._is_new)
        transient = followed[1].steps if followed else ()
        if find is None:
            return (*steps.values(), *transient)
        # One step says both: what is amended, and what it became. So it is one version.
        known = {
            name: replace(step.finding, version=step.finding.version - 1)
            for name, step in steps.items()
            if name in state.findings
        }
        found = find(replace(state, findings={**state.findings, **known}) if known else state)
        if found:
            found = self._get_finder().name_causes(state, found)
        others = steps.keys() - {each.finding.id for each in found}
        return (*found, *(steps[name] for name in steps if name in others), *transient)

    def _begin(self, state: ScopeState) -> None:
        """Forget what was read and found if others wrote the scope since."""
        revision = state.record.revision if state.record else None
        if revision != self._revision:
            self._revision, self._finder, self._amended = revision, None, None
            self._snapshots.forget()
            self._followed.clear()

    def _drop_waived(self, steps: Sequence[Transition]) -> tuple[Transition, ...]:
        """Leave out what a waiver accepts."""
        waivers = self._evaluated.waivers
        return tuple(
            step
            for step in steps
            if not waivers or not waivers.find_waiver(step.finding.rule, step.finding.resource)
        )

    def remember(self, state: ScopeState, steps: Sequence[Transition]) -> Remembered:
        """Return what is stored to name causes later."""
        record, it = state.record, self._evaluated
        amended = self._find_amendments(state)
        unsettled_at = record.unsettled_at if record else None
        if amended:
            unsettled_at = amended.unsettled_at
        if unsettled_at and it.observed_at - unsettled_at > KEPT:
            unsettled_at = None
        followed = self._follow(state, is_new=self._is_new)
        held_at = record.held_at if record else None
        if followed:
            held_at = followed[1].held_at
        snapshots = _merge_snapshots(
            amended.snapshots if amended else (), followed[1].snapshots if followed else ()
        )
        if not self._is_new or (it.snapshot is None and not steps):
            known = self._digest_known(state, followed and followed[0], snapshots)
            return Remembered(None, snapshots, unsettled_at, held_at, known)
        later = followed[0].later if followed else ()
        unsettled: tuple[tuple[str, ...], ...] = ()
        if self._finder and steps:
            unsettled = self._finder.unsettled
        previous = record.snapshot_at if record else None
        if previous == it.observed_at:  # the same snapshot, with other facts of the shared network
            same = self._snapshots.load(previous)
            previous = same.previous if same else None
            later = same.changes if same else later
            unsettled = tuple(dict.fromkeys((*(same.unsettled if same else ()), *unsettled)))
        shared = it.find_shared_change(record)
        stored = StoredSnapshot(
            scope=it.scope,
            observed_at=it.observed_at,
            snapshot=it.snapshot,
            version=it.baseline.version,
            code=it.code,
            changes=merge_changes(later, it.changes),
            previous=previous,
            confirmed_at=record.observed_at if record and record.snapshot_digest else None,
            unsettled=unsettled,
            shared_at=it.facts.used.changed_at if it.facts else None,
            view=it.facts.used.view if it.facts else "",
            shared_calls=shared.calls if shared else (),
        )
        at = it.observed_at if unsettled else unsettled_at
        known = self._digest_known(state, followed and followed[0], (*snapshots, stored))
        return Remembered(stored, snapshots, at, held_at, known)

    def _digest_known(
        self,
        state: ScopeState,
        latest: StoredSnapshot | None,
        snapshots: Iterable[StoredSnapshot],
    ) -> str:
        """Digest the changes that are known by now: events that come again say nothing new."""
        listed = [*snapshots, *([latest] if latest else [])]
        changes = [it for each in listed for it in (*each.changes, *each.later)]
        if latest is None and state.record and not listed:
            return state.record.known_changes
        latest_ones = merge_changes(changes, self._evaluated.changes)
        return digest_changes(each.event_id for each in latest_ones)

    def _follow(self, state: ScopeState, *, is_new: bool) -> tuple[StoredSnapshot, Followed] | None:
        """Follow the changes between observations; None where no request says what one did."""
        record, it = state.record, self._evaluated
        if record is None or record.snapshot_at is None:
            return None
        if all(each.request is None for each in it.changes):
            return None
        if is_new not in self._followed:
            latest = self._snapshots.load(record.snapshot_at)
            self._followed[is_new] = None
            if latest:
                from posture.evaluation.transient_finder import TransientFinder  # noqa: PLC0415

                finder = TransientFinder(it, self._snapshots.load)
                found = finder.find(state, latest, is_new=is_new)
                steps = self._store.drop_recorded(it.scope, self._drop_waived(found.steps))
                self._followed[is_new] = latest, replace(found, steps=steps)
        return self._followed[is_new]

    def _find_amendments(self, state: ScopeState) -> Amendments | None:
        """Find what the changes say of earlier transitions; None where they cannot."""
        record = state.record
        if record is None or record.unsettled_at is None:
            return None
        if not select_applied(self._evaluated.changes, until=record.unsettled_at + READING):
            return None
        if self._amended is None:
            self._amended = self._get_finder().amend(state)
        return self._amended

    def find_former_ids(self, state: ScopeState) -> frozenset[str] | None:
        """Find the ids that led to the scope in the stored snapshot, where that has been read."""
        at = state.record.snapshot_at if state.record else None
        stored = self._snapshots.get_loaded(at) if at else None
        return find_resource_ids(stored.snapshot) if stored and stored.snapshot else None

    def _get_finder(self) -> CauseFinder:
        if self._finder is None:
            from posture.evaluation.cause_finder import CauseFinder  # noqa: PLC0415

            load = self._snapshots.load
            self._finder = CauseFinder(self._store, self._baselines, self._evaluated, load)
        return self._finder
