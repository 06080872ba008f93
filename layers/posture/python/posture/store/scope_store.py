"""Comparing an evaluation with what is stored, and writing what changed on condition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from posture.errors import ConflictError, OutdatedFactsError
from posture.lifecycle.diff import apply_transitions, digest_former_findings, is_bad
from posture.model.finding import Transition
from posture.model.instant import format_iso
from posture.model.verdict import Verdict
from posture.runtime.settings import Tables
from posture.store.actors import ActorDirectory
from posture.store.attribute_values import Item
from posture.store.conditional_writes import ConditionFailedError, transact, update
from posture.store.former_items import build_carry_over
from posture.store.hash_chain import Chain
from posture.store.items import TransitionItems, build_items
from posture.store.last_observed import LastObservedTimes
from posture.store.pending_causes import PendingCauses
from posture.store.resource_index import ResourceIndex, digest_ids
from posture.store.scope_evaluation import Evaluation, ScopeState, WriteOutcome, WriteResult
from posture.store.scope_reader import ScopeReader
from posture.store.scope_record import (
    FIRST,
    Guard,
    ScopeRecord,
    build_record_update,
    coverage_fields,
    dns_fields,
    index_fields,
    passed_fields,
    shared_fields,
    snapshot_fields,
    when_absent,
    when_following,
    when_newer_than,
)
from posture.store.snapshots import SnapshotTable
from posture.store.transactions import (
    MAX_ACTIONS,
    TransactionPart,
    TransactionParts,
    build_part_writes,
    split_into_parts,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

ATTEMPTS = 5


class Store(ScopeReader):
    """The findings and history tables, and the resource index that is kept with them."""

    def __init__(
        self, client: DynamoDBClient, tables: Tables, keep_resolved: timedelta | None = None
    ) -> None:
        """Create the store; resolved findings expire after `keep_resolved`, or never."""
        super().__init__(client, tables.findings)
        self._tables = tables
        self._keep_resolved = keep_resolved
        self.resource_index = ResourceIndex(client, tables.ownership)
        self._actors = ActorDirectory(client, tables.history)
        self.last_observed = LastObservedTimes(client, tables.findings)
        self.snapshots = SnapshotTable(client, tables.findings)
        self.pending_causes = PendingCauses(client, tables.findings)

    def record(
        self,
        evaluation: Evaluation,
        compare: Callable[[ScopeState], Sequence[Transition]],
        state: ScopeState | None = None,
    ) -> WriteResult:
        """Compare an evaluation with what is stored, and write what changed.

        The resource index is written in the transaction of the findings, or before them where it
        has no room: a crash in between leaves ids too many, which costs a needless evaluation,
        never ids too few.

        Args:
            evaluation: What was evaluated.
            compare: Returns the transitions from a state. It is called again with a fresh state
                when the scope was written meanwhile, so it must have no side effects.
            state: What is stored, where it was read just now.

        Raises:
            ConflictError: others kept writing; the evaluation may be tried again.
            CorruptItemError: a stored item cannot be read.
            OutdatedFactsError: later facts of the shared network were used meanwhile.
        """
        for _ in range(ATTEMPTS):
            state = state or self.load(evaluation.scope)
            was_ahead = state.is_ahead_of(evaluation.latest)
            if state.record and _is_stale(evaluation, state.record):
                return WriteResult(WriteOutcome.STALE, was_ahead=was_ahead)
            _require_facts(evaluation, state.record)
            if was_ahead and state.record:
                record = state.record.drop_times_after(evaluation.latest)
                state = replace(state, record=record)
            try:
                if self._carry_over(state, evaluation.verdicts):
                    state = self.load(evaluation.scope)
                steps = tuple(compare(state))
                if state.record and (known := self._add_resolved(state, steps)):
                    state, steps = known, tuple(compare(known))
                observed = _observed_fields(state, evaluation, steps)
                index = self._list_index_changes(state, evaluation)
                if evaluation.resource_ids is not None:
                    observed["ownership_digest"] = _digest_ids(evaluation)
                result = self._commit(state, evaluation, steps, observed, index)
                return replace(result, was_ahead=was_ahead)
            except ConditionFailedError:
                state = None
        raise ConflictError(f"{evaluation.scope}: gave up after {ATTEMPTS} attempts")

    def amend(
        self, state: ScopeState, evaluation: Evaluation, steps: Sequence[Transition]
    ) -> WriteResult:
        """Write transitions that amend causes after an observation that found nothing else new.

        Raises:
            ConflictError: the scope was written since it was read; it may be tried again.
            OutdatedFactsError: later facts of the shared network were used meanwhile.
        """
        observed = {
            **snapshot_fields(evaluation.snapshot_digest, evaluation.observed_at),
            **dns_fields(evaluation.dns, evaluation.observed_at),
            **_shared_fields(state, evaluation),
        }
        try:
            return self._commit(state, evaluation, steps, observed)
        except ConditionFailedError as error:
            raise ConflictError(f"{evaluation.scope}: written since it was read") from error

    def _carry_over(self, state: ScopeState, verdicts: Sequence[Verdict]) -> bool:
        """Rewrite the findings of a former version in today's form; False where there are none.

        Raises:
            ConditionFailedError: the scope was written since it was read.
        """
        moved = dict.fromkeys(state.former.keys() - state.findings.keys())
        digests = moved | digest_former_findings(state.scope, state.findings, verdicts)
        if not digests or state.record is None:
            return False
        items = {name: state.former[name] for name in digests}
        record, keep = state.record, self._keep_resolved
        for writes in build_carry_over(self._table, items, digests, record, keep):
            transact(self._client, writes)
        return True

    def _list_index_changes(self, state: ScopeState, evaluation: Evaluation) -> tuple[Item, ...]:
        """List what is put into the resource index.

        Nothing is read where its digest is stored, or that of the ids of the stored snapshot.
        """
        record, ids, at = state.record, evaluation.resource_ids, evaluation.observed_at
        if ids is None or (record and record.ownership_digest == digest_ids(ids, at)):
            return ()
        known: frozenset[str] | None = frozenset()  # of a new scope
        if record:
            find = evaluation.find_former_ids
            known = find(state) if find else None
            if known is not None and record.ownership_digest != digest_ids(known, at):
                known = None
        return self.resource_index.list_changes(evaluation.scope, ids, at, known)

    def _commit(
        self,
        state: ScopeState,
        evaluation: Evaluation,
        steps: Sequence[Transition],
        observed: Mapping[str, Any],
        index: Sequence[Item] = (),
    ) -> WriteResult:
        guard = when_absent()
        if state.record:
            guard = when_newer_than(state.record, evaluation.latest, evaluation.shared_at)
        remembered = evaluation.remember(state, steps) if evaluation.remember else None
        others: Sequence[TransactWriteItemTypeDef] = ()
        if remembered:
            former = state.record.snapshot_at if state.record else None
            observed = {**observed, **remembered.to_attributes(former)}
            others = self.snapshots.build_writes(
                evaluation.scope, remembered, former, evaluation.observed_at
            )
        chain = state.record.chain if state.record else Chain()

        def build(step: Transition) -> TransitionItems:
            former_key = state.keys.get(step.finding.id, "")
            return build_items(step, former_key, self._keep_resolved, evaluation.at)

        parts = split_into_parts(steps, build, evaluation.at, chain, evaluation.name)
        others = (*others, *self._add_index(index, parts, others))
        if not steps:
            done = self._write(evaluation, None, observed, guard, others)
            return WriteResult(WriteOutcome.UNCHANGED if done else WriteOutcome.STALE)
        self._actors.remember(steps)
        written: tuple[Transition, ...] = ()
        for part in parts:
            last = part.is_last
            if not self._write(
                evaluation, part, observed if last else {}, guard, others if last else ()
            ):
                return WriteResult(WriteOutcome.STALE, written)
            written += part.transitions
            guard = when_following(part.commit, part.chain)
        return WriteResult(WriteOutcome.COMMITTED, written)

    def _add_index(
        self,
        index: Sequence[Item],
        parts: TransactionParts,
        others: Sequence[TransactWriteItemTypeDef],
    ) -> tuple[TransactWriteItemTypeDef, ...]:
        """Add changes of the resource index to the only transaction, or put them before it."""
        is_one = len(parts) == 1 or bool(others and not parts)
        more = len(others) + len(index) + 1
        if is_one and parts.count_writes_of_first() + more <= MAX_ACTIONS:
            return self.resource_index.build_puts(index)
        self.resource_index.put(index)
        return ()

    def _write(
        self,
        evaluation: Evaluation,
        part: TransactionPart | None,
        observed: Mapping[str, Any],
        guard: Guard,
        others: Sequence[TransactWriteItemTypeDef] = (),
    ) -> bool:
        """Write one part; False where the store holds a newer evaluation.

        Without a part only the scope record is written, so that no older snapshot can be written
        after it.

        Raises:
            ConditionFailedError: the findings compared with are no longer the stored ones.
            ConflictError: something other than this program wrote between two parts.
        """
        fields = {**_time_fields(evaluation), **observed}
        if part:
            fields |= {**part.chain.to_attributes(), "commit": part.commit}
        # What is known of changes is revised as well: two evaluations may learn different ones.
        write = build_record_update(
            self._table, evaluation.scope, fields, guard, revise=bool(part or others)
        )
        try:
            if part:
                writes = build_part_writes(part, self._tables)
                transact(self._client, [*writes, *others, {"Update": write}])
            elif others:
                transact(self._client, [*others, {"Update": write}])
            else:
                update(self._client, write)
        except ConditionFailedError:
            stored = self.load_record(evaluation.scope)
            if part and stored and (stored.commit, stored.chain) == (part.commit, part.chain):
                return True  # it was written, and only the answer was lost
            if stored and _is_stale(evaluation, stored):
                return False
            _require_facts(evaluation, stored)
            if part and part.number > 1:
                raise ConflictError(f"{evaluation.scope}: lost after {part.commit}") from None
            raise
        return True


def _observed_fields(
    state: ScopeState, evaluation: Evaluation, steps: Sequence[Transition]
) -> dict[str, Any]:
    """Return the scope record's fields on what was observed."""
    findings = apply_transitions(state.findings, steps).values()
    return {
        "counts": dict(Counter(each.status.value for each in findings if is_bad(each))),
        **snapshot_fields(evaluation.snapshot_digest, evaluation.observed_at),
        **coverage_fields(evaluation.coverage),
        **passed_fields(evaluation.passed),
        **(_repair_times(state.record, evaluation) if state.record else {}),
        **dns_fields(evaluation.dns, evaluation.observed_at),
        **_shared_fields(state, evaluation),
    }


def _repair_times(record: ScopeRecord, evaluation: Evaluation) -> dict[str, Any]:
    """Return the fields that replace times that have not come yet and are not written anyway."""
    dns, first, latest = record.dns, record.first_stored_at, evaluation.latest
    return {
        **({"dns": None} if dns and dns.observed_at > latest else {}),
        **({FIRST: format_iso(evaluation.observed_at)} if first and first > latest else {}),
    }


def _digest_ids(evaluation: Evaluation) -> str:
    """Digest the ids that lead to the scope."""
    return digest_ids(evaluation.resource_ids or frozenset(), evaluation.observed_at)


def _is_stale(evaluation: Evaluation, record: ScopeRecord) -> bool:
    return record.is_newer_than(
        evaluation.observed_at, evaluation.dns, evaluation.latest, evaluation.shared_at
    )


def _require_facts(evaluation: Evaluation, record: ScopeRecord | None) -> None:
    """Require facts of the shared network that are no older than those that were used before.

    Raises:
        OutdatedFactsError: They are older.
    """
    if record and record.has_later_facts(evaluation.shared_at, evaluation.latest):
        raise OutdatedFactsError(f"{evaluation.scope}: evaluated with later shared facts")


def _shared_fields(state: ScopeState, evaluation: Evaluation) -> dict[str, Any]:
    """Return the fields on the shared network; none where it was never read for the scope."""
    known = evaluation.shared or (state.record and state.record.shared)
    return shared_fields(evaluation.shared) if known else {}


def _time_fields(evaluation: Evaluation) -> dict[str, Any]:
    """Return the fields of every write; the snapshot digest follows once all is written."""
    used = evaluation.shared_at
    return {
        **index_fields(evaluation.scope, exists=evaluation.exists),
        **snapshot_fields("", evaluation.observed_at),
        "observed_at": format_iso(evaluation.observed_at),
        **({"shared_at": format_iso(used)} if used else {}),
    }
