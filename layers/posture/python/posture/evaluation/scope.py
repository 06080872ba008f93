"""The evaluation of one scope: digest the snapshot, evaluate the rules, record what changed.

A snapshot with the digest that was evaluated last is not evaluated again (docs/decisions/0046).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from posture.attribution.events import select_concerning
from posture.errors import ConflictError, OutdatedFactsError
from posture.evaluation.observed_scope import ObservedScope, observe_scope
from posture.evaluation.recorder import EvaluatedScope, Recorder
from posture.evaluation.rule_results import (
    ProofAllowance,
    RuleResults,
    compare_results,
    evaluate_rules,
    list_kept_rules,
)
from posture.lean_dataclass import dataclass
from posture.lifecycle.diff import READABLE_AGAIN, resolve_all
from posture.model.change import Change
from posture.model.dns import DnsAttributes
from posture.model.finding import Transition
from posture.model.instant import CLOCK_TOLERANCE
from posture.model.network import Snapshot
from posture.model.region_access import AnySnapshot
from posture.model.scope import Scope
from posture.rules.contexts import VPC_POLICY_UNITS, VpcContext
from posture.runtime.clock import TimeSource
from posture.store.baselines import BaselineTable
from posture.store.resource_ids import find_resource_ids
from posture.store.scope_evaluation import Evaluation, ScopeState, WriteOutcome, WriteResult
from posture.store.scope_store import Store

if TYPE_CHECKING:
    from posture.evaluation.shared_facts import ScopeFacts, SharedFacts
    from posture.store.scope_record import ScopeRecord

logger = Logger()

VPC_GONE = "VPC gone"
SERVICE_GONE = "endpoint service gone"
ATTEMPTS = 3  # each with later facts


@dataclass(frozen=True, slots=True)
class ScopeResult:
    """What became of a scope; not `evaluated` where its snapshot was the one evaluated last.

    `was_ahead` where its record or a finding held a time that had not come yet. `denied` is the
    reason where not even its existence could be read.
    """

    scope: Scope
    outcome: WriteOutcome
    transitions: tuple[Transition, ...] = ()
    evaluated: bool = True
    was_ahead: bool = False
    denied: str = ""


class ScopeEvaluator:
    """Evaluates scopes by one baseline document and one clock.

    What records raises `ConflictError` when others kept writing the scope, so that it may be tried
    again, and `CorruptItemError` when a stored item cannot be read.
    """

    def __init__(
        self,
        store: Store,
        baselines: BaselineTable,
        now: TimeSource,
        shared: SharedFacts | None = None,
        proofs: ProofAllowance | None = None,
    ) -> None:
        """Read the baseline in force, and the shared network if it is used.

        Raises:
            ConflictError: the shared network was written each time while it was read.
            CorruptItemError: one of them cannot be read.
        """
        self._store = store
        self._baselines = baselines
        self._baseline = baselines.load_applied()
        self._document = self._baseline.document
        self._now = now
        self._proofs = proofs
        self._shared = shared
        self._network = shared.load() if shared else None

    def evaluate(
        self,
        observed: ObservedScope,
        *,
        settled: bool = False,
        is_new: bool = False,
        policy_units: int = VPC_POLICY_UNITS,
        state: ScopeState | None = None,
    ) -> ScopeResult:
        """Evaluate an observed scope and record what changed, unless its digest is the stored one.

        Args:
            observed: The scope as `observe` returns it.
            settled: Whether the digest is probably the stored one: one conditional write finds out,
                instead of a read and a write.
            is_new: Whether nothing is stored of the scope as far as is known: it is not read before
                it is written. Where that is wrong, the write's condition fails and it is read.
            policy_units: The work that the endpoint policies of a VPC may take.
            state: What is stored of the scope, where it was read just now.

        Raises:
            ConflictError: Others kept evaluating it with later facts of the shared network.
            CostlyScopeError: They take more, or it has many rules, which it may when its turn
                comes again.
        """
        if is_new:
            state = ScopeState(observed.scope, None, {})
        for _ in range(ATTEMPTS):
            try:
                result, is_linked = self._evaluate(observed, settled, state, policy_units)
            except OutdatedFactsError:
                pass
            else:
                if is_linked or not self._has_later_facts(observed):
                    return result
            state = None
            observed = self._observe_again(observed)
        raise ConflictError(f"{observed.scope}: others kept evaluating it with later facts")

    def _evaluate(
        self, observed: ObservedScope, settled: bool, state: ScopeState | None, policy_units: int
    ) -> tuple[ScopeResult, bool]:
        """Evaluate a scope once; return the result, and whether its links were stored before.

        Where they are, it is evaluated again once a fact of the shared network changes that they
        lead to.
        """
        scope, observation = observed.scope, observed.observation
        last_observed = self._store.last_observed
        if settled and observation.snapshot_digest and last_observed.advance(observation):
            return unchanged(scope), True
        state = state or self._store.load(scope)
        latest, record = self.latest(), state.record
        was_ahead = state.is_ahead_of(latest)
        matches = not was_ahead and state.matches(observation.snapshot_digest)
        if matches and (amended := self._amend(observed, state)):
            return amended, True
        if matches and last_observed.advance(
            replace(observation, since=None, silent_since=None, changes=frozenset())
        ):
            return unchanged(scope), True
        at, shared_at = observation.observed_at, observation.shared_at
        if record and record.is_newer_than(at, observation.dns, latest, shared_at):
            return ScopeResult(scope, WriteOutcome.STALE, was_ahead=was_ahead), True
        if record and record.has_later_facts(shared_at, latest):
            raise OutdatedFactsError(f"{scope}: evaluated with later shared facts")
        proposes = not (self._proofs and self._proofs.is_spent)
        kept = frozenset() if proposes or was_ahead else list_kept_rules(observed, record)
        results = evaluate_rules(
            observed, policy_units, is_first=record is None, proposes=proposes, kept=kept
        )
        if self._proofs:
            results = replace(results, proofs=self._proofs)
        return self._record(observed, results, state), _has_links(record, observed)

    def _has_later_facts(self, observed: ObservedScope) -> bool:
        """Whether the shared network changed since it was loaded for a scope."""
        return bool(
            observed.facts and self._shared and self._shared.has_changed(observed.facts.stored)
        )

    def _observe_again(self, observed: ObservedScope) -> ObservedScope:
        """Observe a scope with the present shared network."""
        if self._shared:
            self._network = self._shared.load()
        return self.observe(observed.snapshot, observed.changes, observed.observation.dns)

    def observe(
        self,
        snapshot: AnySnapshot,
        changes: Sequence[Change] = (),
        dns: DnsAttributes | None = None,
    ) -> ObservedScope:
        """Digest a snapshot together with its baseline and waivers.

        Args:
            snapshot: What was read.
            changes: What led to the evaluation; none in a scheduled sweep.
            dns: The DNS attributes to store, with when they were read.
        """
        facts = self._find_facts(snapshot, changes)
        return observe_scope(snapshot, self._document, changes, dns, facts)

    def _find_facts(self, snapshot: AnySnapshot, changes: Sequence[Change]) -> ScopeFacts | None:
        """Return what a VPC depends on in the shared network; None where that is not read."""
        if self._shared is None or self._network is None or not isinstance(snapshot, Snapshot):
            return None
        facts = self._shared.find_facts(self._network, snapshot, changes)
        self._network = facts.stored  # with a central VPC that others use
        return facts

    def latest(self) -> datetime:
        """Return the latest time that can be stored by now."""
        return self._now() + CLOCK_TOLERANCE

    def find_unchanged(self, observed: Iterable[ObservedScope]) -> frozenset[Scope]:
        """Return the scopes whose digest is the stored one, and advance their observation times."""
        return self._store.last_observed.advance_all(each.observation for each in observed)

    def end(
        self,
        scope: Scope,
        observed_at: datetime,
        changes: Sequence[Change] = (),
        reason: str = "",
    ) -> ScopeResult:
        """Resolve all findings of a scope that is gone, or of a region that can be read again.

        Args:
            scope: The scope.
            observed_at: When it was gone.
            changes: Those that led there.
            reason: The reason; "": that of the kind of scope.
        """
        if not reason:
            reason = VPC_GONE if scope.vpc_id else SERVICE_GONE
            reason = READABLE_AGAIN if scope.is_region else reason
        if self._shared and self._network:
            self._shared.remove_central(self._network, scope, observed_at)
        evaluated = EvaluatedScope(scope, observed_at, None, changes, self._baseline)
        recorder = Recorder(self._store, self._baselines, evaluated)
        recorded = self._store.record(
            Evaluation(
                scope,
                observed_at,
                resource_ids=frozenset(),
                exists=False,
                latest=self.latest(),
                remember=recorder.remember,
            ),
            lambda state: recorder.compare(
                state, lambda now: resolve_all(scope, now.findings, observed_at, reason)
            ),
        )
        return _result(scope, recorded)

    def _amend(self, observed: ObservedScope, state: ScopeState) -> ScopeResult | None:
        """Amend causes by changes that arrived late; None where they say nothing new."""
        recorder = self._build_recorder(observed)
        if not recorder.amends(state):
            return None
        observation = observed.observation
        evaluation = Evaluation(
            observed.scope,
            observation.observed_at,
            dns=observation.dns,
            snapshot_digest=observation.snapshot_digest,
            latest=self.latest(),
            shared=observed.facts.used if observed.facts else None,
            remember=recorder.remember,
        )
        steps = recorder.compare(state)
        recorded = self._store.amend(state, evaluation, steps)
        return replace(_result(observed.scope, recorded), evaluated=False)

    def _build_recorder(
        self, observed: ObservedScope, results: RuleResults | None = None
    ) -> Recorder:
        evaluated = EvaluatedScope(
            observed.scope,
            observed.observation.observed_at,
            observed.snapshot,
            select_concerning(observed.changes, observed.snapshot),
            self._baseline,
            observed.waivers,
            results.verdicts if results else (),
            results.context if results and isinstance(results.context, VpcContext) else None,
            observed.names,
            observed.facts,
        )
        return Recorder(self._store, self._baselines, evaluated)

    def _record(
        self, observed: ObservedScope, results: RuleResults, state: ScopeState
    ) -> ScopeResult:
        observation, recorder = observed.observation, self._build_recorder(observed, results)
        facts, snapshot = observed.facts, observed.snapshot
        if facts and self._shared and isinstance(snapshot, Snapshot):
            self._shared.keep_catalogue(snapshot, facts.used.catalogue)
        evaluation = Evaluation(
            observed.scope,
            observation.observed_at,
            coverage=results.coverage,
            dns=observation.dns,
            resource_ids=find_resource_ids(observed.snapshot),
            snapshot_digest=observation.snapshot_digest if results.repeatable else "",
            verdicts=results.verdicts,
            passed=results.list_passed(state.record),
            latest=self.latest(),
            shared=facts.used if facts else None,
            remember=recorder.remember,
            find_former_ids=recorder.find_former_ids,
        )
        recorded = self._store.record(
            evaluation,
            lambda stored: recorder.compare(
                stored, lambda now: compare_results(observed, results, now, state)
            ),
            state,
        )
        return _result(observed.scope, recorded)


def _has_links(record: ScopeRecord | None, observed: ObservedScope) -> bool:
    """Whether a record holds where the VPC begins in the shared network, as it is observed now."""
    known, facts = record and record.shared, observed.facts
    return not facts or bool(known and known.links == facts.used.links)


def _result(scope: Scope, recorded: WriteResult) -> ScopeResult:
    if recorded.was_ahead:
        logger.error("stored time was in the future", extra={"scope": str(scope)})
    return ScopeResult(scope, recorded.outcome, recorded.transitions, was_ahead=recorded.was_ahead)


def unchanged(scope: Scope) -> ScopeResult:
    """Return the result for a scope whose snapshot is the one evaluated last."""
    return ScopeResult(scope, WriteOutcome.UNCHANGED, evaluated=False)
