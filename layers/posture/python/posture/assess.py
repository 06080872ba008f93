"""What every evaluation shares: judge one picture, compare with what is stored, record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from aws_lambda_powertools import Logger

from posture.analysis.matrix import record_of
from posture.aws.head import Dns, Json
from posture.aws.ownership_ids import ownership_of
from posture.aws.store import Evaluation, Outcome, Recorded, ScopeState, Store
from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve
from posture.lifecycle.diff import gone, transitions
from posture.lifecycle.waiving import Waivers
from posture.model.baseline import Baseline
from posture.model.change import Change
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.finding import Transition
from posture.model.network import Facet, Snapshot
from posture.model.scope import Scope
from posture.model.verdict import Verdict
from posture.rules.engine import judge_case, judge_service
from posture.rules.rule import VpcCase

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


@dataclass(frozen=True, slots=True)
class Assessment:
    """What one look at a scope came to."""

    scope: Scope
    outcome: Outcome
    transitions: tuple[Transition, ...] = ()


class Assessor:
    """Judges pictures by one baseline document and records what is new.

    Every method raises `ConflictError` when others kept writing the scope, so that it may be
    tried again, and `CorruptItemError` when a stored item cannot be read.
    """

    def __init__(self, store: Store, document: BaselineDocument) -> None:
        self._store = store
        self._document = document

    def vpc(
        self, snapshot: Snapshot, changes: Sequence[Change] = (), *, dns: Dns | None
    ) -> Assessment:
        """Judge a VPC and record what changed since it was last judged.

        `dns` are the DNS attributes to remember, with when they were truly seen.
        """
        baseline = resolve(self._document, snapshot.scope, snapshot.vpc.tags)
        whole = IDENTIFYING.isdisjoint(snapshot.unreadable)
        owned = ownership_of(snapshot) if whole else None
        evaluation = Evaluation(snapshot.scope, snapshot.observed_at, dns=dns, owned=owned)
        if baseline.exempt:
            return self._end(evaluation, f"{EXEMPT}: {baseline.exempt_reason}", changes)
        case = VpcCase(snapshot, baseline)
        covered = replace(evaluation, coverage=_coverage(case))
        return self._record(covered, judge_case(case), changes, baseline)

    def service(
        self, snapshot: EndpointServiceSnapshot, changes: Sequence[Change] = ()
    ) -> Assessment:
        """Judge an endpoint service and record what changed since it was last judged."""
        baseline = resolve(self._document, snapshot.scope, snapshot.tags)
        evaluation = Evaluation(snapshot.scope, snapshot.observed_at)
        if baseline.exempt:
            return self._end(evaluation, f"{EXEMPT}: {baseline.exempt_reason}", changes)
        return self._record(evaluation, judge_service(snapshot, baseline), changes, baseline)

    def gone(
        self, scope: Scope, observed_at: datetime, changes: Sequence[Change] = ()
    ) -> Assessment:
        """Resolve everything in a scope whose VPC or endpoint service no longer exists."""
        reason = VPC_GONE if scope.vpc_id else SERVICE_GONE
        evaluation = Evaluation(scope, observed_at, owned=frozenset(), exists=False)
        return self._end(evaluation, reason, changes)

    def _record(
        self,
        evaluation: Evaluation,
        verdicts: Sequence[Verdict],
        changes: Sequence[Change],
        baseline: Baseline,
    ) -> Assessment:
        waivers = Waivers(
            evaluation.scope, evaluation.observed_at, self._document.waivers, baseline
        )

        def compare(state: ScopeState) -> tuple[Transition, ...]:
            return transitions(
                evaluation.scope,
                state.findings,
                verdicts,
                observed_at=evaluation.observed_at,
                changes=changes,
                waivers=waivers,
            )

        return _assessment(evaluation.scope, self._store.record(evaluation, compare))

    def _end(self, evaluation: Evaluation, reason: str, changes: Sequence[Change]) -> Assessment:
        def compare(state: ScopeState) -> tuple[Transition, ...]:
            return gone(evaluation.scope, state.findings, evaluation.observed_at, reason, changes)

        return _assessment(evaluation.scope, self._store.record(evaluation, compare))


def _coverage(case: VpcCase) -> Json | None:
    """Give the coverage matrix to store; without it findings are still worth recording."""
    try:
        return record_of(case.coverage, case.analysis)
    except Exception:
        logger.exception("coverage not told", extra={"scope": str(case.snapshot.scope)})
        return None


def _assessment(scope: Scope, recorded: Recorded) -> Assessment:
    return Assessment(scope, recorded.outcome, recorded.transitions)
