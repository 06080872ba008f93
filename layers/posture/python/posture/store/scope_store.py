"""Reading a scope, comparing it with an evaluation, and writing what changed on condition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from posture.errors import ConflictError
from posture.lifecycle.diff import apply_transitions, digest_former_findings
from posture.model.dns import DnsAttributes
from posture.model.finding import Finding, Transition
from posture.model.instant import format_iso
from posture.model.scope import Region, Scope
from posture.model.verdict import Verdict
from posture.runtime.settings import Tables
from posture.store.attribute_values import StoredItem
from posture.store.conditional_writes import ConditionFailedError, transact, update
from posture.store.former_items import build_carry_over
from posture.store.hash_chain import Chain
from posture.store.items import parse_finding
from posture.store.last_observed import LastObservedTimes
from posture.store.queries import StoredTable
from posture.store.resource_index import ResourceIndex, digest_ids
from posture.store.scope_record import (
    ANY_TIME,
    RECORD_KEY,
    Guard,
    Json,
    ScopeRecord,
    build_record_update,
    coverage_fields,
    dns_fields,
    index_fields,
    parse_scope_record,
    record_key,
    snapshot_fields,
    when_absent,
    when_following,
    when_newer_than,
)
from posture.store.transactions import TransactionPart, build_part_writes, split_into_parts

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class ScopeState:
    """All that is stored of a scope: its record and its findings by id, resolved ones included.

    `former` holds the items of the findings that a former version wrote.
    """

    scope: Scope
    record: ScopeRecord | None
    findings: Mapping[str, Finding]
    former: Mapping[str, StoredItem] = field(default_factory=dict)

    def matches(self, snapshot_digest: str) -> bool:
        """Whether it is the result of evaluating the snapshot with this digest."""
        return bool(
            snapshot_digest and self.record and self.record.snapshot_digest == snapshot_digest
        )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation of a scope brings besides its transitions.

    Attributes:
        scope: What was evaluated.
        observed_at: When its snapshot was taken, before the first read.
        coverage: The coverage matrix as JSON; None removes the stored one.
        dns: The VPC's DNS attributes, with when they were read; None where they are unknown. Those
            read before the snapshot are never written, and make the evaluation stale once the
            scope record holds later ones.
        resource_ids: Every id that leads to the scope; None keeps the stored ones.
        exists: False once the VPC or service is gone: the scope leaves its region's index.
        snapshot_digest: The digest of all that it depends on; "" where it must be repeated.
        verdicts: The verdicts, for findings that a former version worded.
        latest: The latest time that can be stored by now. A scope record with a later one is
            overwritten as if it were older: it would make every evaluation stale.
    """

    scope: Scope
    observed_at: datetime
    coverage: Json | None = None
    dns: DnsAttributes | None = None
    resource_ids: frozenset[str] | None = None
    exists: bool = True
    snapshot_digest: str = ""
    verdicts: Sequence[Verdict] = ()
    latest: datetime = ANY_TIME


class WriteOutcome(StrEnum):
    """What became of an evaluation."""

    COMMITTED = "committed"
    UNCHANGED = "unchanged"  # no transition: only the last-observed time advanced
    STALE = "stale"  # the store holds a newer snapshot, or newer DNS attributes


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of an evaluation, and the transitions that were written.

    `was_ahead` where the scope record held a time that had not come yet.
    """

    outcome: WriteOutcome
    transitions: tuple[Transition, ...] = ()
    was_ahead: bool = False


class Store(StoredTable):
    """The findings and history tables, and the resource index that is kept with them."""

    def __init__(self, client: DynamoDBClient, tables: Tables) -> None:
        super().__init__(client, tables.findings)
        self._tables = tables
        self.resource_index = ResourceIndex(client, tables.ownership)
        self.last_observed = LastObservedTimes(client, tables.findings)

    def load(self, scope: Scope) -> ScopeState:
        """Read all that is stored of a scope, consistently.

        Raises:
            CorruptItemError: an item cannot be read.
        """
        record, findings, former = None, {}, {}
        for item in self._query("scope", str(scope)):
            if item["item"] == {"S": RECORD_KEY}:
                record = parse_scope_record(item)
                continue
            finding = parse_finding(item)
            findings[finding.id] = finding
            if finding.verdict_digest == "":
                former[finding.id] = item
        return ScopeState(scope, record, findings, former)

    def load_record(self, scope: Scope) -> ScopeRecord | None:
        """Read a scope's record, consistently.

        Raises:
            CorruptItemError: it cannot be read.
        """
        item = self._get(record_key(scope))
        return parse_scope_record(item) if item else None

    def load_region_records(self, region: Region) -> tuple[ScopeRecord, ...]:
        """Read the records of all scopes of a region that exist as far as is known.

        They come from an index, so they may be a moment old and carry no coverage.
        """
        items = self._query("head_of", str(region), index="by-region")
        return tuple(map(parse_scope_record, items))

    def record(
        self,
        evaluation: Evaluation,
        compare: Callable[[ScopeState], Sequence[Transition]],
        state: ScopeState | None = None,
    ) -> WriteResult:
        """Compare an evaluation with what is stored, and write what changed.

        The resource index is written before the findings: a crash in between leaves ids too many,
        which costs a needless evaluation, never ids too few.

        Args:
            evaluation: What was evaluated.
            compare: Returns the transitions from a state. It is called again with a fresh state
                when the scope was written meanwhile, so it must have no side effects.
            state: What is stored, where it was read just now.

        Raises:
            ConflictError: others kept writing; the evaluation may be tried again.
            CorruptItemError: a stored item cannot be read.
        """
        for _ in range(ATTEMPTS):
            state = state or self.load(evaluation.scope)
            was_ahead = state.record is not None and state.record.is_ahead_of(evaluation.latest)
            if state.record and _is_stale(evaluation, state.record):
                return WriteResult(WriteOutcome.STALE, was_ahead=was_ahead)
            try:
                if self._carry_over(state, evaluation.verdicts):
                    state = self.load(evaluation.scope)
                steps = tuple(compare(state))
                observed = self._observed_fields(state, evaluation, steps)
                result = self._commit(state, evaluation, steps, observed)
                return replace(result, was_ahead=was_ahead)
            except ConditionFailedError:
                state = None
        raise ConflictError(f"{evaluation.scope}: gave up after {ATTEMPTS} attempts")

    def _carry_over(self, state: ScopeState, verdicts: Sequence[Verdict]) -> bool:
        """Rewrite the findings of a former version in today's form; False where there are none.

        Raises:
            ConditionFailedError: the scope was written since it was read.
        """
        digests = digest_former_findings(state.scope, state.findings, verdicts)
        if not digests or state.record is None:
            return False
        for writes in build_carry_over(self._table, state.former, digests, state.record):
            transact(self._client, writes)
        return True

    def _observed_fields(
        self, state: ScopeState, evaluation: Evaluation, steps: Sequence[Transition]
    ) -> dict[str, Any]:
        """Return the scope record's fields on what was observed, and update the resource index."""
        findings = apply_transitions(state.findings, steps).values()
        fields = {
            "counts": dict(Counter(finding.status.value for finding in findings)),
            **snapshot_fields(evaluation.snapshot_digest, evaluation.observed_at),
            **coverage_fields(evaluation.coverage),
            **(
                {"dns": None}
                if state.record and state.record.is_ahead_of(evaluation.latest)
                else {}
            ),
            **dns_fields(evaluation.dns, evaluation.observed_at),
        }
        ids = evaluation.resource_ids
        if ids is None:
            return fields
        digest = digest_ids(ids, evaluation.observed_at)
        if state.record is None or state.record.ownership_digest != digest:
            self.resource_index.remember(
                evaluation.scope, ids, evaluation.observed_at, new=state.record is None
            )
        return {**fields, "ownership_digest": digest}

    def _commit(
        self,
        state: ScopeState,
        evaluation: Evaluation,
        steps: Sequence[Transition],
        observed: Mapping[str, Any],
    ) -> WriteResult:
        guard = when_absent()
        if state.record:
            guard = when_newer_than(state.record, evaluation.latest)
        if not steps:
            done = self._write(evaluation, None, observed, guard)
            return WriteResult(WriteOutcome.UNCHANGED if done else WriteOutcome.STALE)
        written: tuple[Transition, ...] = ()
        chain = state.record.chain if state.record else Chain()
        for part in split_into_parts(steps, evaluation.observed_at, chain):
            if not self._write(evaluation, part, observed if part.is_last else {}, guard):
                return WriteResult(WriteOutcome.STALE, written)
            written += part.transitions
            guard = when_following(part.commit, part.chain)
        return WriteResult(WriteOutcome.COMMITTED, written)

    def _write(
        self,
        evaluation: Evaluation,
        part: TransactionPart | None,
        observed: Mapping[str, Any],
        guard: Guard,
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
        write = build_record_update(
            self._table, evaluation.scope, fields, guard, revise=part is not None
        )
        try:
            if part:
                transact(self._client, [*build_part_writes(part, self._tables), {"Update": write}])
            else:
                update(self._client, write)
        except ConditionFailedError:
            stored = self.load_record(evaluation.scope)
            if part and stored and (stored.commit, stored.chain) == (part.commit, part.chain):
                return True  # it was written, and only the answer was lost
            if stored and _is_stale(evaluation, stored):
                return False
            if part and part.number > 1:
                raise ConflictError(f"{evaluation.scope}: lost after {part.commit}") from None
            raise
        return True


def _is_stale(evaluation: Evaluation, record: ScopeRecord) -> bool:
    return record.is_newer_than(evaluation.observed_at, evaluation.dns, evaluation.latest)


def _time_fields(evaluation: Evaluation) -> dict[str, Any]:
    """Return the fields of every write; the snapshot digest follows once all is written."""
    return {
        **index_fields(evaluation.scope, exists=evaluation.exists),
        **snapshot_fields("", evaluation.observed_at),
        "observed_at": format_iso(evaluation.observed_at),
    }
