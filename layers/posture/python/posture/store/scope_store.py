"""Findings, history and heads: read a scope, compare, commit on condition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from posture.errors import ConflictError
from posture.lifecycle.diff import apply_transitions
from posture.model.dns import DnsAttributes
from posture.model.finding import Finding, Transition
from posture.model.instant import format_iso
from posture.model.scope import Region, Scope
from posture.runtime.settings import Tables
from posture.store.attribute_values import serialize
from posture.store.conditional_writes import ConditionFailedError, transact, update
from posture.store.hash_chain import Chain
from posture.store.items import parse_finding
from posture.store.last_observed import LastObservedTimes
from posture.store.resource_index import ResourceIndex, digest_ids
from posture.store.scope_record import (
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
    """All that is stored of a scope: its head and its findings by id, resolved ones included."""

    scope: Scope
    record: ScopeRecord | None
    findings: Mapping[str, Finding]

    def matches(self, picture: str) -> bool:
        """Whether all of it is what judging this picture comes to."""
        return bool(picture) and self.record is not None and self.record.snapshot_digest == picture


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one look at a scope brings besides its findings.

    Args:
        scope: What was looked at.
        observed_at: When, taken before the first read.
        coverage: The coverage matrix as JSON; None forgets the stored one.
        dns: The VPC's DNS attributes, with when they were truly seen; None where nobody can tell.
            Older than the picture, they are a memory: never written, and void once a head knows
            newer ones.
        owned: Every id that leads to the scope; None keeps the stored ones.
        exists: False once the VPC or service is gone: the scope leaves its region's index.
        picture: The digest of all that it was judged by; "" where it must be judged again.
    """

    scope: Scope
    observed_at: datetime
    coverage: Json | None = None
    dns: DnsAttributes | None = None
    resource_ids: frozenset[str] | None = None
    exists: bool = True
    snapshot_digest: str = ""


class WriteOutcome(StrEnum):
    """What became of an evaluation."""

    COMMITTED = "committed"
    UNCHANGED = "unchanged"  # nothing new: only the head's clock moved
    STALE = "stale"  # somebody with a newer picture, or newer DNS attributes, was faster


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of an evaluation, and the transitions that were written."""

    outcome: WriteOutcome
    transitions: tuple[Transition, ...] = field(default=())


class Store:
    """The findings and history tables, and the reverse index that is kept with them."""

    def __init__(self, client: DynamoDBClient, tables: Tables) -> None:
        self._client = client
        self._tables = tables
        self.resource_index = ResourceIndex(client, tables.ownership)
        self.last_observed = LastObservedTimes(client, tables.findings)

    def load(self, scope: Scope) -> ScopeState:
        """Read a scope, consistently and whole.

        Raises:
            CorruptItemError: an item cannot be read.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._tables.findings,
            KeyConditionExpression="#scope = :scope",
            ExpressionAttributeNames={"#scope": "scope"},
            ExpressionAttributeValues=serialize({":scope": str(scope)}),
            ConsistentRead=True,
        )
        items = [item for page in pages for item in page["Items"]]
        heads = [parse_scope_record(item) for item in items if item["item"] == {"S": RECORD_KEY}]
        findings = [parse_finding(item) for item in items if item["item"] != {"S": RECORD_KEY}]
        return ScopeState(
            scope, heads[0] if heads else None, {finding.id: finding for finding in findings}
        )

    def record(
        self,
        evaluation: Evaluation,
        compare: Callable[[ScopeState], Sequence[Transition]],
        state: ScopeState | None = None,
    ) -> WriteResult:
        """Compare an evaluation with what is stored and write what is new.

        `state` is what is stored, where it was read just now. `compare` is called again with a
        fresh one when somebody else wrote the scope meanwhile, so it must be free of side effects.
        The reverse index is written before the findings: a crash in between leaves ids too many,
        which costs a look in vain, never ids too few.

        Raises:
            ConflictError: others kept writing; the evaluation may be tried again.
            CorruptItemError: a stored item cannot be read.
        """
        for _ in range(ATTEMPTS):
            state = state or self.load(evaluation.scope)
            if state.record and state.record.is_newer_than(evaluation.observed_at, evaluation.dns):
                return WriteResult(WriteOutcome.STALE)
            steps = tuple(compare(state))
            seen = self._seen(state, evaluation, steps)
            try:
                return self._commit(state, evaluation, steps, seen)
            except ConditionFailedError:
                state = None
        raise ConflictError(f"{evaluation.scope}: gave up after {ATTEMPTS} attempts")

    def load_record(self, scope: Scope) -> ScopeRecord | None:
        """Read a scope's head, consistently.

        Raises:
            CorruptItemError: it cannot be read.
        """
        answer = self._client.get_item(
            TableName=self._tables.findings, Key=record_key(scope), ConsistentRead=True
        )
        return parse_scope_record(answer["Item"]) if "Item" in answer else None

    def load_region_records(self, region: Region) -> tuple[ScopeRecord, ...]:
        """Give the heads of all scopes of a region that exist as far as is known.

        They come from an index, so they may be a moment old and carry no coverage.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._tables.findings,
            IndexName="by-region",
            KeyConditionExpression="#head_of = :region",
            ExpressionAttributeNames={"#head_of": "head_of"},
            ExpressionAttributeValues=serialize({":region": str(region)}),
        )
        return tuple(parse_scope_record(item) for page in pages for item in page["Items"])

    def _seen(
        self, state: ScopeState, evaluation: Evaluation, steps: Sequence[Transition]
    ) -> dict[str, Any]:
        """Give the head's fields that tell what was seen, the ownership remembered on the way."""
        findings = apply_transitions(state.findings, steps).values()
        seen = {
            "counts": dict(Counter(finding.status.value for finding in findings)),
            **snapshot_fields(evaluation.snapshot_digest, evaluation.observed_at),
            **coverage_fields(evaluation.coverage),
            **dns_fields(evaluation.dns, evaluation.observed_at),
        }
        if evaluation.resource_ids is None:
            return seen
        digest = digest_ids(evaluation.resource_ids, evaluation.observed_at)
        if state.record is None or state.record.ownership_digest != digest:
            self.resource_index.remember(
                evaluation.scope,
                evaluation.resource_ids,
                evaluation.observed_at,
                new=state.record is None,
            )
        return {**seen, "ownership_digest": digest}

    def _commit(
        self,
        state: ScopeState,
        evaluation: Evaluation,
        steps: Sequence[Transition],
        seen: Mapping[str, Any],
    ) -> WriteResult:
        guard = when_newer_than(state.record) if state.record else when_absent()
        if not steps:
            return self._touch(evaluation, seen, guard)
        written: tuple[Transition, ...] = ()
        chain = state.record.chain if state.record else Chain()
        for part in split_into_parts(steps, evaluation.observed_at, chain):
            if not self._write(evaluation, part, seen if part.is_last else {}, guard):
                return WriteResult(WriteOutcome.STALE, written)
            written += part.transitions
            guard = when_following(part.commit, part.chain)
        return WriteResult(WriteOutcome.COMMITTED, written)

    def _touch(self, evaluation: Evaluation, seen: Mapping[str, Any], guard: Guard) -> WriteResult:
        """Move the head's clock, so that no older picture can be written after this one."""
        fields = {**self._clock(evaluation), **seen}
        head = build_record_update(
            self._tables.findings, evaluation.scope, fields, guard, revise=False
        )
        try:
            update(self._client, head)
        except ConditionFailedError:
            if self._overtaken(evaluation):
                return WriteResult(WriteOutcome.STALE)
            raise
        return WriteResult(WriteOutcome.UNCHANGED)

    def _write(
        self, evaluation: Evaluation, part: TransactionPart, seen: Mapping[str, Any], guard: Guard
    ) -> bool:
        """Write one part; False when a newer evaluation was faster.

        Raises:
            ConditionFailedError: the findings compared with are no longer the stored ones.
            ConflictError: the head moved between two parts in a way that none of us does.
        """
        fields = {
            **self._clock(evaluation),
            **seen,
            **part.chain.to_attributes(),
            "commit": part.commit,
        }
        head = build_record_update(
            self._tables.findings, evaluation.scope, fields, guard, revise=True
        )
        try:
            transact(self._client, [*build_part_writes(part, self._tables), {"Update": head}])
        except ConditionFailedError:
            stored = self.load_record(evaluation.scope)
            if stored and (stored.commit, stored.chain) == (part.commit, part.chain):
                return True  # it was written, and only the answer was lost
            if self._overtaken(evaluation):
                return False
            if part.number > 1:
                raise ConflictError(f"{evaluation.scope}: lost after {part.commit}") from None
            raise
        return True

    def _clock(self, evaluation: Evaluation) -> dict[str, Any]:
        """Give the head's new time, vouching for no picture: `_seen` does, once all is written."""
        return {
            **index_fields(evaluation.scope, exists=evaluation.exists),
            **snapshot_fields("", evaluation.observed_at),
            "observed_at": format_iso(evaluation.observed_at),
        }

    def _overtaken(self, evaluation: Evaluation) -> bool:
        stored = self.load_record(evaluation.scope)
        return stored is not None and stored.is_newer_than(evaluation.observed_at, evaluation.dns)
