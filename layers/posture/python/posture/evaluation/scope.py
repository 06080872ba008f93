"""What every evaluation shares: judge one picture, compare with what is stored, record.

A picture that was judged before is not judged again (docs/decisions/0046).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from aws_lambda_powertools import Logger

from posture.analysis.matrix import build_matrix_record
from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.lifecycle.diff import find_transitions, resolve_all
from posture.lifecycle.snapshot_digest import digest_snapshot
from posture.lifecycle.waiving import Waivers
from posture.model.change import Change
from posture.model.dns import DnsAttributes
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.finding import Transition
from posture.model.network import Facet, Snapshot, Tags
from posture.model.scope import Scope
from posture.model.verdict import Verdict
from posture.rules.engine import evaluate_context, evaluate_endpoint_service, is_rule_error
from posture.rules.rule import VpcContext
from posture.runtime.code_version import compute_code_digest
from posture.store.last_observed import Observation
from posture.store.resource_ids import collect_resource_ids
from posture.store.scope_record import Json
from posture.store.scope_store import Evaluation, ScopeState, Store, WriteOutcome, WriteResult

logger = Logger()

VPC_GONE = "VPC gone"
SERVICE_GONE = "endpoint service gone"
EXEMPT = "exempt"
# Where one of these is denied, the ids that lead to the scope are not all known.
IDENTIFYING = frozenset(Facet) - {
    Facet.DNS_ATTRIBUTES,
    Facet.PREFIX_LISTS,
    Facet.AWS_PREFIX_LISTS,
    Facet.SERVICES,
}


Compare = Callable[[ScopeState], Sequence[Transition]]


@dataclass(frozen=True, slots=True)
class ScopeResult:
    """What one look at a scope came to; not `judged` where its picture was the one judged last."""

    scope: Scope
    outcome: WriteOutcome
    transitions: tuple[Transition, ...] = ()
    evaluated: bool = True


@dataclass(frozen=True, slots=True)
class Look:
    """A picture that was taken of a scope, and what judges it once that turns out to be needed."""

    seen: Observation
    judge: Callable[[], tuple[Evaluation, Compare]]

    @property
    def scope(self) -> Scope:
        """What was looked at."""
        return self.seen.scope


class ScopeEvaluator:
    """Judges pictures by one baseline document and records what is new.

    What records raises `ConflictError` when others kept writing the scope, so that it may be tried
    again, and `CorruptItemError` when a stored item cannot be read.
    """

    def __init__(self, store: Store, document: BaselineDocument) -> None:
        self._store = store
        self._document = document

    def vpc(
        self, snapshot: Snapshot, changes: Sequence[Change] = (), *, dns: DnsAttributes | None
    ) -> Look:
        """Take a VPC's picture for judging.

        `dns` are the DNS attributes to remember, with when they were truly seen.
        """
        waivers = self._waivers(snapshot, snapshot.vpc.tags)
        seen = _seen(snapshot, waivers, dns)

        def judge() -> tuple[Evaluation, Compare]:
            whole = IDENTIFYING.isdisjoint(snapshot.unreadable)
            evaluation = _evaluation(seen, collect_resource_ids(snapshot) if whole else None)
            if waivers.baseline.exempt:
                return evaluation, _exempt(waivers, changes)
            case = VpcContext(snapshot, waivers.baseline)
            coverage, verdicts = _coverage(case), evaluate_context(case)
            lasting = _lasting(evaluation, verdicts, whole=coverage is not None)
            return replace(lasting, coverage=coverage), _comparing(waivers, verdicts, changes)

        return Look(seen, judge)

    def service(self, snapshot: EndpointServiceSnapshot, changes: Sequence[Change] = ()) -> Look:
        """Take an endpoint service's picture for judging."""
        waivers = self._waivers(snapshot, snapshot.tags)
        seen = _seen(snapshot, waivers, None)

        def judge() -> tuple[Evaluation, Compare]:
            evaluation = _evaluation(seen, None)
            if waivers.baseline.exempt:
                return evaluation, _exempt(waivers, changes)
            verdicts = evaluate_endpoint_service(snapshot, waivers.baseline)
            return _lasting(evaluation, verdicts), _comparing(waivers, verdicts, changes)

        return Look(seen, judge)

    def assess(self, look: Look, *, settled: bool = False, unknown: bool = False) -> ScopeResult:
        """Judge a picture and record what changed since the last one, unless it is the last one.

        With `settled` that is likely, and found out by one write instead of a read and a write.
        With `unknown` nothing is likely to be stored of the scope yet, so it is not read before it
        is written. Should either be wrong, the write's condition fails, and all is read and done.
        """
        seen, clocks = look.seen, self._store.last_observed
        if settled and seen.snapshot_digest and clocks.advance(seen):
            return unchanged(look.scope)
        state = ScopeState(look.scope, None, {}) if unknown else self._store.load(look.scope)
        if state.matches(seen.snapshot_digest) and clocks.advance(seen):
            return unchanged(look.scope)
        if state.record and state.record.is_newer_than(seen.observed_at, seen.dns):
            return ScopeResult(look.scope, WriteOutcome.STALE)
        evaluation, compare = look.judge()
        return _assessment(look.scope, self._store.record(evaluation, compare, state))

    def unchanged(self, looks: Iterable[Look]) -> frozenset[Scope]:
        """Give the scopes whose pictures are those judged last; that they were seen is recorded."""
        return self._store.last_observed.advance_all(look.seen for look in looks)

    def gone(
        self, scope: Scope, observed_at: datetime, changes: Sequence[Change] = ()
    ) -> ScopeResult:
        """Resolve everything in a scope whose VPC or endpoint service no longer exists."""
        reason = VPC_GONE if scope.vpc_id else SERVICE_GONE
        evaluation = Evaluation(scope, observed_at, resource_ids=frozenset(), exists=False)
        compare = _ending(scope, observed_at, reason, changes)
        return _assessment(scope, self._store.record(evaluation, compare))

    def _waivers(self, snapshot: Snapshot | EndpointServiceSnapshot, tags: Tags) -> Waivers:
        """Give what is accepted in a scope, with what is required of it."""
        baseline = resolve_baseline(self._document, snapshot.scope, tags)
        return Waivers(snapshot.scope, snapshot.observed_at, self._document.waivers, baseline)


def unchanged(scope: Scope) -> ScopeResult:
    """Give what a look comes to that shows the picture which was judged last."""
    return ScopeResult(scope, WriteOutcome.UNCHANGED, evaluated=False)


def _seen(
    snapshot: Snapshot | EndpointServiceSnapshot, waivers: Waivers, dns: DnsAttributes | None
) -> Observation:
    try:
        picture = digest_snapshot(snapshot, waivers, compute_code_digest())
    except Exception:
        logger.exception("picture not told", extra={"scope": str(snapshot.scope)})
        picture = ""  # of no use to anybody but itself: it is judged, and will be again
    return Observation(snapshot.scope, snapshot.observed_at, picture, dns)


def _evaluation(seen: Observation, owned: frozenset[str] | None) -> Evaluation:
    return Evaluation(
        seen.scope,
        seen.observed_at,
        dns=seen.dns,
        resource_ids=owned,
        snapshot_digest=seen.snapshot_digest,
    )


def _lasting(
    evaluation: Evaluation, verdicts: Iterable[Verdict], *, whole: bool = True
) -> Evaluation:
    """Let a picture be judged again that was judged by mistake: the next time it may go well."""
    if whole and not any(map(is_rule_error, verdicts)):
        return evaluation
    return replace(evaluation, snapshot_digest="")


def _comparing(waivers: Waivers, verdicts: Sequence[Verdict], changes: Sequence[Change]) -> Compare:
    return lambda state: find_transitions(
        waivers.scope,
        state.findings,
        verdicts,
        observed_at=waivers.at,
        changes=changes,
        waivers=waivers,
    )


def _exempt(waivers: Waivers, changes: Sequence[Change]) -> Compare:
    reason = f"{EXEMPT}: {waivers.baseline.exempt_reason}"
    return _ending(waivers.scope, waivers.at, reason, changes)


def _ending(scope: Scope, at: datetime, reason: str, changes: Sequence[Change]) -> Compare:
    return lambda state: resolve_all(scope, state.findings, at, reason, changes)


def _coverage(case: VpcContext) -> Json | None:
    """Give the coverage matrix to store; without it findings are still worth recording."""
    try:
        return build_matrix_record(case.coverage, case.analysis)
    except Exception:
        logger.exception("coverage not told", extra={"scope": str(case.snapshot.scope)})
        return None


def _assessment(scope: Scope, recorded: WriteResult) -> ScopeResult:
    return ScopeResult(scope, recorded.outcome, recorded.transitions)
