"""What is stored of a scope, what an evaluation of it brings, and what became of writing that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from posture.lean_dataclass import dataclass
from posture.model.dns import DnsAttributes
from posture.model.finding import Finding, Transition
from posture.model.instant import format_iso
from posture.model.scope import Scope
from posture.model.verdict import Verdict
from posture.store.attribute_values import StoredItem
from posture.store.scope_record import ANY_TIME, Json, ScopeRecord, UsedNetwork
from posture.store.snapshots import Remembered


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

    def is_ahead_of(self, latest: datetime) -> bool:
        """Whether it holds a time after `latest`: a clock was wrong, or an item was edited."""
        if self.record and self.record.is_ahead_of(latest):
            return True
        return any(each.is_ahead_of(latest) for each in self.findings.values())

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

    `was_ahead` where the scope record or a finding held a time that had not come yet.
    """

    outcome: WriteOutcome
    transitions: tuple[Transition, ...] = ()
    was_ahead: bool = False
