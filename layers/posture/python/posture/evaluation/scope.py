"""The evaluation of one scope: digest the snapshot, evaluate the rules, record what changed.

The remediations of findings that open or change are proven before they are recorded
(docs/decisions/0064).

A snapshot with the digest that was evaluated last is not evaluated again (docs/decisions/0046).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from posture.analysis.matrix import build_matrix_record
from posture.attribution.events import READING, select_concerning
from posture.baseline.resolve import resolve_baseline
from posture.errors import ConflictError, OutdatedFactsError
from posture.evaluation.recorder import EvaluatedScope, Recorder
from posture.lean_dataclass import dataclass
from posture.lifecycle.diff import READABLE_AGAIN, find_transitions, resolve_all
from posture.lifecycle.snapshot_digest import digest_snapshot
from posture.lifecycle.waiving import Waivers
from posture.model.change import Change
from posture.model.dns import DnsAttributes
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.finding import Transition
from posture.model.network import EndpointType, Snapshot
from posture.model.region_access import AnySnapshot, RegionAccess
from posture.model.scope import NO_NAMES, Scope, ScopeNames
from posture.model.verdict import Verdict
from posture.policy.decided_policy import is_unfinished
from posture.rules import endpoint_policies
from posture.rules.control_counts import list_passed_checks
from posture.rules.engine import (
    evaluate_context,
    evaluate_endpoint_service,
    evaluate_region_access,
    is_rule_error,
)
from posture.rules.rule import VPC_POLICY_UNITS, EndpointServiceContext, VpcContext
from posture.rules.rule_catalogue import VPC_RULES
from posture.runtime.clock import TimeSource
from posture.runtime.code_version import compute_code_digest
from posture.store.baselines import BaselineTable
from posture.store.last_observed import Observation
from posture.store.resource_ids import find_resource_ids
from posture.store.scope_record import CLOCK_TOLERANCE, Json, ScopeRecord
from posture.store.scope_store import (
    Evaluation,
    ScopeState,
    Store,
    WriteOutcome,
    WriteResult,
)

if TYPE_CHECKING:
    from posture.evaluation.shared_facts import ScopeFacts, SharedFacts
    from posture.remedies.prove import Prover

logger = Logger()

VPC_GONE = "VPC gone"
SERVICE_GONE = "endpoint service gone"
EXEMPT = "exempt"
ATTEMPTS = 3  # with later facts of the shared network each time
POLICY_RULES = frozenset(each.id for each in endpoint_policies.RULES)
FIRST_POLICY_UNITS = VPC_POLICY_UNITS // 8  # a VPC whose policies take more is evaluated last


@dataclass(frozen=True, slots=True)
class ScopeResult:
    """What became of a scope; not `evaluated` where its snapshot was the one evaluated last.

    `was_ahead` where its record held a time that had not come yet. `denied` is the reason where not
    even its existence could be read.
    """

    scope: Scope
    outcome: WriteOutcome
    transitions: tuple[Transition, ...] = ()
    evaluated: bool = True
    was_ahead: bool = False
    denied: str = ""


@dataclass(frozen=True, slots=True)
class ObservedScope:
    """A snapshot, its digest, and all else that its evaluation depends on."""

    snapshot: AnySnapshot
    waivers: Waivers  # with the scope's baseline
    observation: Observation
    changes: Sequence[Change]
    names: ScopeNames = NO_NAMES
    facts: ScopeFacts | None = None  # of the shared network, for a VPC where it is read

    @property
    def scope(self) -> Scope:
        """The scope of the snapshot."""
        return self.snapshot.scope


@dataclass(frozen=True)
class RuleResults:
    """The verdicts on a scope, and its coverage matrix.

    They are not `repeatable` where a rule or the matrix failed: the next evaluation may succeed.
    `context` is what they were evaluated in; None where they have no remediations to prove. `kept`
    are the rules that were not evaluated: what is stored of them is their answer.
    """

    verdicts: tuple[Verdict, ...] = ()
    coverage: Json | None = None
    repeatable: bool = True
    context: VpcContext | EndpointServiceContext | None = None
    is_first: bool = False  # of its scope, so that most of its findings are new
    proofs: ProofAllowance | None = None  # None where there is no limit for many scopes
    kept: frozenset[str] = frozenset()

    def list_passed(self, record: ScopeRecord | None) -> frozenset[str]:
        """List the checks that passed, of the rules that were not evaluated as they are stored."""
        passed = frozenset(map(str, list_passed_checks(self.verdicts)))
        stored = (record.passed if record and self.kept else None) or frozenset()
        return passed | {each for each in stored if each.partition("/")[0] in self.kept}

    def prove(self, steps: tuple[Transition, ...]) -> tuple[Transition, ...]:
        """Replace the remediations of findings that open or change by proven ones."""
        if not steps or self.context is None:
            return steps
        # Imported when something changed: most evaluations, and a cold start, need neither.
        from posture.remedies.transitions import prove_transitions  # noqa: PLC0415

        return prove_transitions(self._prover, self.verdicts, steps)

    @cached_property
    def _prover(self) -> Prover:
        """The prover, which remembers what it tried if others wrote the scope meanwhile."""
        from posture.remedies.prove import (  # noqa: PLC0415
            EVENT_LIMITS,
            FIRST_LIMITS,
            NO_LIMITS,
            Prover,
        )

        assert self.context is not None  # noqa: S101 - as `prove` checks
        limits = FIRST_LIMITS if self.is_first else EVENT_LIMITS
        if self.proofs and not self.proofs.take():
            limits = NO_LIMITS
        return Prover(self.context, self.verdicts, limits)


class ProofAllowance:
    """The number of scopes whose remediations are proven, where one change concerns many scopes."""

    def __init__(self, scopes: int) -> None:
        self._left = iter(range(scopes))
        self.is_spent = False

    def take(self) -> bool:
        """Whether those of one more scope are proven."""
        self.is_spent = self.is_spent or next(self._left, None) is None
        return not self.is_spent


class CostlyPoliciesError(Exception):
    """The endpoint policies of a VPC take long to decide, so that other scopes go first."""


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
            CostlyPoliciesError: They take more, and may take more when its turn comes again.
        """
        if is_new:
            state = ScopeState(observed.scope, None, {})
        for _ in range(ATTEMPTS):
            try:
                result, is_first = self._evaluate(observed, settled, state, policy_units)
            except OutdatedFactsError:
                pass
            else:
                if not is_first or not self._must_repeat(observed):
                    return result
            state = None
            observed = self._observe_again(observed)
        raise ConflictError(f"{observed.scope}: others kept evaluating it with later facts")

    def _evaluate(
        self, observed: ObservedScope, settled: bool, state: ScopeState | None, policy_units: int
    ) -> tuple[ScopeResult, bool]:
        """Evaluate a scope once; return the result, and whether nothing was stored of it."""
        scope, observation = observed.scope, observed.observation
        last_observed = self._store.last_observed
        if settled and observation.snapshot_digest and last_observed.advance(observation):
            return unchanged(scope), False
        state = state or self._store.load(scope)
        latest, record = self.latest(), state.record
        was_ahead = record is not None and record.is_ahead_of(latest)
        matches = not was_ahead and state.matches(observation.snapshot_digest)
        if matches and (amended := self._amend(observed, state)):
            return amended, False
        if matches and last_observed.advance(
            replace(observation, since=None, silent_since=None, changes=frozenset())
        ):
            return unchanged(scope), False
        at, shared_at = observation.observed_at, observation.shared_at
        if record and record.is_newer_than(at, observation.dns, latest, shared_at):
            return ScopeResult(scope, WriteOutcome.STALE, was_ahead=was_ahead), False
        if record and record.has_later_facts(shared_at, latest):
            raise OutdatedFactsError(f"{scope}: evaluated with later shared facts")
        proposes = not (self._proofs and self._proofs.is_spent)
        kept = frozenset() if proposes else _list_kept_rules(observed, record)
        results = evaluate_rules(
            observed, policy_units, is_first=record is None, proposes=proposes, kept=kept
        )
        if self._proofs:
            results = replace(results, proofs=self._proofs)
        return self._record(observed, results, state), record is None

    def _must_repeat(self, observed: ObservedScope) -> bool:
        """Whether the shared network changed before the scope was known, so that nothing else will.

        Once it is, what a changed fact concerns is evaluated again.
        """
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
        scope, at = snapshot.scope, snapshot.observed_at
        facts = self._find_facts(snapshot, changes)
        since = max(at, facts.used.changed_at) if facts else at
        tags = snapshot.vpc.tags if isinstance(snapshot, Snapshot) else snapshot.tags
        baseline = resolve_baseline(self._document, scope, tags)
        waivers = Waivers(scope, since, self._document.waivers, baseline)
        view = facts.used.view if facts else ""
        try:
            digest = digest_snapshot(snapshot, waivers, compute_code_digest(), view)
        except Exception:
            logger.exception("snapshot not digested", extra={"scope": str(scope)})
            digest = ""  # the scope is evaluated now, and again the next time
        names = self._document.name_scope(scope, tags)
        return ObservedScope(
            snapshot,
            waivers,
            Observation(
                scope,
                at,
                digest,
                dns,
                since=_find_oldest(changes),
                silent_since=_find_oldest(each for each in changes if each.request is None),
                changes=_list_with_requests(changes),
                shared_at=facts.used.changed_at if facts else None,
            ),
            changes,
            names,
            facts,
        )

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
                stored, lambda now: _compare(observed, results, now, state)
            ),
            state,
        )
        return _result(observed.scope, recorded)


def _result(scope: Scope, recorded: WriteResult) -> ScopeResult:
    if recorded.was_ahead:
        logger.error("stored time was in the future", extra={"scope": str(scope)})
    return ScopeResult(scope, recorded.outcome, recorded.transitions, was_ahead=recorded.was_ahead)


def unchanged(scope: Scope) -> ScopeResult:
    """Return the result for a scope whose snapshot is the one evaluated last."""
    return ScopeResult(scope, WriteOutcome.UNCHANGED, evaluated=False)


def evaluate_rules(
    observed: ObservedScope,
    policy_units: int = VPC_POLICY_UNITS,
    *,
    is_first: bool = False,
    proposes: bool = True,
    kept: frozenset[str] = frozenset(),
) -> RuleResults:
    """Evaluate all rules for a snapshot; none for an exempt scope.

    Unless it `proposes`, no commands are built for remediations, since none would be proven. Rules
    whose stored answers are `kept` are left out.

    Raises:
        CostlyPoliciesError: Its endpoint policies take more work than `policy_units`, which are
            less than they may take.
    """
    snapshot, baseline = observed.snapshot, observed.waivers.baseline
    if baseline.exempt:
        return RuleResults()
    if isinstance(snapshot, EndpointServiceSnapshot):
        verdicts = evaluate_endpoint_service(snapshot, baseline)
        repeatable = not any(map(is_rule_error, verdicts))
        service = EndpointServiceContext(snapshot, baseline)
        return RuleResults(verdicts, None, repeatable, service, is_first)
    if isinstance(snapshot, RegionAccess):
        return RuleResults(evaluate_region_access(snapshot, baseline))
    shared = observed.facts.network if observed.facts else None
    whole = observed.facts.whole if observed.facts else None
    context = VpcContext(
        snapshot, baseline, policy_units, proposes=proposes, shared=shared, whole=whole
    )
    if not kept and policy_units < VPC_POLICY_UNITS and _has_unfinished_policies(context):
        raise CostlyPoliciesError("its endpoint policies take long to decide")
    asked = {"rules": [it for it in VPC_RULES if it.id not in kept]} if kept else {}
    coverage, verdicts = _coverage(context), evaluate_context(context, **asked)
    repeatable = coverage is not None and not any(map(is_rule_error, verdicts))
    return RuleResults(verdicts, coverage, repeatable, context, is_first, kept=kept)


def _list_kept_rules(observed: ObservedScope, record: ScopeRecord | None) -> frozenset[str]:
    """List the rules whose stored answers hold: only the facts of the shared network changed.

    That is so if the digest with the former facts is the stored one. The rules about endpoint
    policies, which take a third of an evaluation, read of these facts only who may use an interface
    endpoint.
    """
    snapshot, known = observed.snapshot, record.shared if record else None
    if not (record and record.passed is not None and known and isinstance(snapshot, Snapshot)):
        return frozenset()
    if any(each.type is EndpointType.INTERFACE for each in snapshot.endpoints.values()):
        return frozenset()
    code = compute_code_digest()
    former = digest_snapshot(snapshot, observed.waivers, code, known.view)
    return POLICY_RULES if former == record.snapshot_digest else frozenset()


def _has_unfinished_policies(context: VpcContext) -> bool:
    """Return whether a policy takes more work than it was given; an error is left to the rules."""
    try:
        return any(map(is_unfinished, context.policies.values()))
    except Exception:
        logger.exception("policies not decided", extra={"scope": str(context.snapshot.scope)})
        return False


def _compare(
    observed: ObservedScope, results: RuleResults, state: ScopeState, read: ScopeState
) -> tuple[Transition, ...]:
    """Return what changed since the stored state.

    Raises:
        OutdatedFactsError: Rules were left out by what was `read`, and others wrote meanwhile.
    """
    if results.kept and state.record != read.record:
        raise OutdatedFactsError(f"{observed.scope}: evaluated by others meanwhile")
    waivers = observed.waivers
    if waivers.baseline.exempt:
        reason = f"{EXEMPT}: {waivers.baseline.exempt_reason}"
        return resolve_all(observed.scope, state.findings, waivers.at, reason)
    steps = find_transitions(
        observed.scope,
        {name: it for name, it in state.findings.items() if it.rule not in results.kept},
        results.verdicts,
        observed_at=waivers.at,
        waivers=waivers,
    )
    return tuple(
        replace(step, finding=replace(step.finding, names=observed.names))
        for step in results.prove(steps)
    )


def _list_with_requests(changes: Sequence[Change]) -> frozenset[str]:
    """List the ids of the changes that say what they did."""
    return frozenset(each.event_id for each in changes if each.request is not None)


def _find_oldest(changes: Iterable[Change]) -> datetime | None:
    """Return the time since which evaluations may have seen the effect of the changes."""
    return min((each.time - READING for each in changes), default=None)


def _coverage(context: VpcContext) -> Json | None:
    """Return the coverage matrix to store; without it, the findings are still recorded."""
    try:
        return build_matrix_record(context.coverage, context.analysis)
    except Exception:
        logger.exception("coverage not recorded", extra={"scope": str(context.snapshot.scope)})
        return None
