"""Reading a scope, comparing it with an evaluation, and writing what changed on condition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from posture.errors import ConflictError, OutdatedFactsError
from posture.lean_dataclass import dataclass
from posture.lifecycle.diff import apply_transitions, digest_former_findings, is_bad
from posture.model.dns import DnsAttributes
from posture.model.finding import Finding, FindingStatus, Step, Transition
from posture.model.instant import format_iso
from posture.model.rule_ids import first_rule_id
from posture.model.scope import Region, Scope
from posture.model.verdict import Verdict
from posture.runtime.settings import Tables
from posture.store.actors import ActorDirectory
from posture.store.attribute_values import Item, StoredItem
from posture.store.conditional_writes import ConditionFailedError, transact, update
from posture.store.former_items import build_carry_over
from posture.store.hash_chain import Chain
from posture.store.items import (
    build_items,
    is_finding_key,
    list_finding_keys,
    open_key,
    parse_finding,
    resolved_key,
    transient_key,
)
from posture.store.last_observed import LastObservedTimes
from posture.store.pending_causes import PendingCauses
from posture.store.queries import KeyRange, StoredTable
from posture.store.resource_index import ResourceIndex, digest_ids
from posture.store.scope_record import (
    ANY_TIME,
    RECORD_KEY,
    Guard,
    Json,
    ScopeRecord,
    UsedNetwork,
    build_record_update,
    coverage_fields,
    dns_fields,
    index_fields,
    parse_scope_record,
    passed_fields,
    record_key,
    shared_fields,
    snapshot_fields,
    when_absent,
    when_following,
    when_newer_than,
)
from posture.store.snapshots import Remembered, SnapshotTable
from posture.store.transactions import (
    MAX_ACTIONS,
    TransactionPart,
    build_part_writes,
    split_into_parts,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

ATTEMPTS = 5
PUT_BACK_BY = "who put it back is known now"
UNRESOLVED_ITEMS = KeyRange("item", "#", "}")  # the scope record, and the findings before RESOLVED
DNS_ATTRIBUTES = ("scope", "item", "observed_at", "revision", "shared_at", "dns")
MAX_FORMER = 1_000  # items of a former version that one evaluation rewrites


@dataclass(frozen=True, slots=True)
class ScopeState:
    """What is stored of a scope: its record, and its findings by id.

    Resolved findings are among them only where they come back; `keys` holds the sort key of each.
    `former` holds the items that are to be rewritten as this version stores them, MAX_FORMER at
    most. `misplaced` where resolved findings are stored among the others, as former versions did.
    """

    scope: Scope
    record: ScopeRecord | None
    findings: Mapping[str, Finding]
    former: Mapping[str, StoredItem] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    misplaced: bool = False

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
        passed: The checks that passed.
        latest: The latest time that can be stored by now. A scope record with a later one is
            overwritten as if it were older: it would make every evaluation stale.
        shared: What it used of the shared network; None where that is not read.
        remember: Returns what is stored of the snapshot with the transitions from a state; None
            leaves what is stored as it is.
        find_former_ids: Returns the ids of the stored snapshot where that has been read; None where
            it has not.
    """

    scope: Scope
    observed_at: datetime
    coverage: Json | None = None
    dns: DnsAttributes | None = None
    resource_ids: frozenset[str] | None = None
    exists: bool = True
    snapshot_digest: str = ""
    verdicts: Sequence[Verdict] = ()
    passed: frozenset[str] = frozenset()
    latest: datetime = ANY_TIME
    shared: UsedNetwork | None = None
    remember: Callable[[ScopeState, Sequence[Transition]], Remembered] | None = None
    find_former_ids: Callable[[ScopeState], frozenset[str] | None] | None = None

    @property
    def shared_at(self) -> datetime | None:
        """The time of the facts of the shared network."""
        return self.shared.changed_at if self.shared else None

    @property
    def at(self) -> datetime:
        """When what it found was so: the snapshot, and the facts of the shared network."""
        return max(self.observed_at, self.shared_at or self.observed_at)

    @property
    def name(self) -> str:
        """The rest of the names of its commits.

        Two evaluations may be of one time: of one snapshot with other facts, or the reverse.
        """
        if self.shared_at is None:
            return ""
        other = self.shared_at if self.at == self.observed_at else self.observed_at
        return f"#{format_iso(other)}"


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

    def load(self, scope: Scope) -> ScopeState:
        """Read a scope's record and unresolved findings, consistently.

        What is read does not grow with the findings that were ever resolved.

        Raises:
            CorruptItemError: an item cannot be read.
        """
        return self._load(scope, UNRESOLVED_ITEMS)

    def load_all(self, scope: Scope) -> ScopeState:
        """Read a scope's record and all its findings, consistently.

        Raises:
            CorruptItemError: an item cannot be read.
        """
        return self._load(scope, None)

    def _load(self, scope: Scope, between: KeyRange | None) -> ScopeState:
        record, misplaced = None, False
        findings: dict[str, Finding] = {}
        former: dict[str, StoredItem] = {}
        keys: dict[str, str] = {}
        for item in self._query("scope", str(scope), between=between):
            if item["item"] == {"S": RECORD_KEY}:
                record = parse_scope_record(item)
                continue
            if not is_finding_key(str(item["item"].get("S"))):
                continue  # a mark or a snapshot, of which no evaluation reads all
            moves = between is not None and item.get("status") == {"S": FindingStatus.RESOLVED}
            misplaced |= moves
            if moves and len(former) >= MAX_FORMER:
                continue  # neither parsed nor kept: there may be very many
            finding = parse_finding(item)
            if moves or finding.verdict_digest == "":
                former[finding.id] = item
            if not moves:
                findings[finding.id] = finding
                keys[finding.id] = str(item["item"].get("S"))
        return ScopeState(scope, record, findings, former, keys, misplaced)

    def _add_resolved(self, state: ScopeState, steps: Iterable[Transition]) -> ScopeState | None:
        """Add the resolved findings that come back, so that their versions continue."""
        lasting = (step.finding for step in steps if step.is_lasting)
        new = (finding for finding in lasting if finding.id not in state.findings)
        wanted = {key for finding in new for key in _resolved_keys(finding, state)}
        items = self._get_all({"scope": str(state.scope), "item": key} for key in sorted(wanted))
        findings, keys = dict(state.findings), dict(state.keys)
        for item in items:
            finding = parse_finding(item)
            findings[finding.id], keys[finding.id] = finding, str(item["item"].get("S"))
        return replace(state, findings=findings, keys=keys) if items else None

    def drop_recorded(self, scope: Scope, steps: Sequence[Transition]) -> tuple[Transition, ...]:
        """Leave out the transient findings that were recorded before: events come more than once.

        So is what the same call had opened as a lasting finding: the times of records are whole
        seconds, so that two calls right after a snapshot look like two calls before it. What was
        put back earlier than is recorded, as a later event says, amends the record. If the scope's
        record was read before, the condition of the commit on it holds for what is read here as
        well.
        """
        known, opened = self._read_recorded(scope, steps)
        kept: list[Transition] = []
        for step in steps:
            mark, until = transient_key(step), format_iso(step.finding.updated_at)
            name, *begun = step.origin
            if any((name, event_id) in opened for event_id in begun):
                continue
            if mark in known and until >= known[mark]:
                continue
            amends = mark in known
            kept.append(replace(step, step=Step.AMENDED, reason=PUT_BACK_BY) if amends else step)
            known[mark] = until
        return tuple(kept)

    def _read_recorded(
        self, scope: Scope, steps: Iterable[Transition]
    ) -> tuple[dict[str, str], set[tuple[str, str]]]:
        """Read the ends of the transient findings by mark, and which call opened which finding."""
        keys: set[str] = set()
        for step in steps:
            finding = step.finding
            keys |= {transient_key(step), *list_finding_keys(finding.rule, finding.resource)}
        ends: dict[str, str] = {}
        opened: set[tuple[str, str]] = set()
        for item in self._get_all({"scope": str(scope), "item": key} for key in sorted(keys)):
            key = str(item["item"].get("S"))
            if not is_finding_key(key):
                ends[key] = str(item.get("until", {}).get("S", ""))
            elif (finding := parse_finding(item)).opened_by.cause:
                opened.add((finding.id, finding.opened_by.cause.event_id))
        return ends, opened

    def load_record(self, scope: Scope) -> ScopeRecord | None:
        """Read a scope's record, consistently.

        Raises:
            CorruptItemError: it cannot be read.
        """
        item = self._get(record_key(scope))
        return parse_scope_record(item) if item else None

    def load_dns_records(self, scopes: Iterable[Scope]) -> tuple[ScopeRecord, ...]:
        """Read the times and the DNS attributes of the records of many scopes, consistently.

        Raises:
            CorruptItemError: one of them cannot be read.
        """
        keys = [{"scope": str(each), "item": RECORD_KEY} for each in scopes]
        return tuple(map(parse_scope_record, self._get_all(keys, attributes=DNS_ATTRIBUTES)))

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
            was_ahead = state.record is not None and state.record.is_ahead_of(evaluation.latest)
            if state.record and _is_stale(evaluation, state.record):
                return WriteResult(WriteOutcome.STALE, was_ahead=was_ahead)
            _require_facts(evaluation, state.record)
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

    def load_findings(self, scope: Scope, keys: Iterable[tuple[str, str]]) -> tuple[Finding, ...]:
        """Read findings by rule and resource, resolved or not."""
        wanted = (
            {"scope": str(scope), "item": key}
            for rule, resource in keys
            for key in list_finding_keys(rule, resource)
        )
        return tuple(map(parse_finding, self._get_all(wanted)))

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
        items = (
            build_items(
                step,
                state.keys.get(step.finding.id, ""),
                self._keep_resolved,
                evaluation.at,
            )
            for step in steps
        )
        parts = split_into_parts(items, evaluation.at, chain, evaluation.name)
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
        parts: Sequence[TransactionPart],
        others: Sequence[TransactWriteItemTypeDef],
    ) -> tuple[TransactWriteItemTypeDef, ...]:
        """Add changes of the resource index to the only transaction, or put them before it."""
        is_one = len(parts) == 1 or bool(others and not parts)
        size = sum(each.count_writes() for each in parts) + len(others) + len(index) + 1
        if is_one and size <= MAX_ACTIONS:
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
    is_ahead = state.record is not None and state.record.is_ahead_of(evaluation.latest)
    return {
        "counts": dict(Counter(each.status.value for each in findings if is_bad(each))),
        **snapshot_fields(evaluation.snapshot_digest, evaluation.observed_at),
        **coverage_fields(evaluation.coverage),
        **passed_fields(evaluation.passed),
        **({"dns": None} if is_ahead else {}),
        **dns_fields(evaluation.dns, evaluation.observed_at),
        **_shared_fields(state, evaluation),
    }


def _digest_ids(evaluation: Evaluation) -> str:
    """Digest the ids that lead to the scope."""
    return digest_ids(evaluation.resource_ids or frozenset(), evaluation.observed_at)


def _resolved_keys(finding: Finding, state: ScopeState) -> Iterator[str]:
    """Return the keys that a finding may be stored under since it was resolved."""
    yield resolved_key(finding)
    if state.misplaced:
        yield open_key(finding)
        yield open_key(replace(finding, rule=first_rule_id(finding.rule)))


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
