"""The rules' verdicts on an observed scope, and the transitions that they lead to.

The remediations of findings that open or change are proven before they are recorded
(docs/decisions/0064).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from posture.analysis.matrix import build_matrix_record
from posture.ec2.region import measure_size
from posture.errors import OutdatedFactsError
from posture.evaluation.observed_scope import ObservedScope
from posture.lean_dataclass import dataclass
from posture.lifecycle.diff import find_transitions, resolve_all
from posture.lifecycle.snapshot_digest import digest_snapshot
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.finding import Transition
from posture.model.network import EndpointType, Snapshot
from posture.model.region_access import RegionAccess
from posture.model.verdict import Verdict
from posture.policy.decided_policy import is_unfinished
from posture.rules import endpoint_policies
from posture.rules.contexts import VPC_POLICY_UNITS, EndpointServiceContext, VpcContext
from posture.rules.control_counts import list_passed_checks
from posture.rules.engine import (
    evaluate_context,
    evaluate_endpoint_service,
    evaluate_region_access,
    is_rule_error,
)
from posture.rules.rule_catalogue import VPC_RULES
from posture.runtime.code_version import compute_code_digest
from posture.store.scope_evaluation import ScopeState
from posture.store.scope_record import Json, ScopeRecord

if TYPE_CHECKING:
    from posture.remedies.prove import Prover

logger = Logger()

EXEMPT = "exempt"
POLICY_RULES = frozenset(each.id for each in endpoint_policies.RULES)
FIRST_POLICY_UNITS = VPC_POLICY_UNITS // 8  # a VPC whose policies take more is evaluated last
LARGE = 5  # thousands of rules; a VPC that has as many or more is evaluated last


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


class CostlyScopeError(Exception):
    """A VPC takes long to evaluate, so that other scopes go first."""


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
        CostlyScopeError: It has many rules, or its endpoint policies take more work than
            `policy_units`, which are less than they may take.
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
    if policy_units < VPC_POLICY_UNITS:
        if measure_size(snapshot) >= LARGE:
            raise CostlyScopeError("it has many rules")
        if not kept and _has_unfinished_policies(context):
            raise CostlyScopeError("its endpoint policies take long to decide")
    asked = {"rules": [it for it in VPC_RULES if it.id not in kept]} if kept else {}
    coverage, verdicts = _build_coverage(context), evaluate_context(context, **asked)
    repeatable = coverage is not None and not any(map(is_rule_error, verdicts))
    return RuleResults(verdicts, coverage, repeatable, context, is_first, kept=kept)


def list_kept_rules(observed: ObservedScope, record: ScopeRecord | None) -> frozenset[str]:
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


def compare_results(
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


def _build_coverage(context: VpcContext) -> Json | None:
    """Return the coverage matrix to store; without it, the findings are still recorded."""
    try:
        return build_matrix_record(context.coverage, context.analysis)
    except Exception:
        logger.exception("coverage not recorded", extra={"scope": str(context.snapshot.scope)})
        return None
