"""Picks, for each finding, the first remediation that is proven on the snapshot. Pure.

A command is parsed as the AWS CLI reads it, applied to the snapshot, and the result is evaluated
with the same rules. It is proven for a finding if that finding is resolved, no finding of its
severity or a higher one opens or becomes worse anywhere in the scope, nothing stops traffic that
workloads need, and no subnet loses a path. A command that is not proven is not reported
(docs/decisions/0064-prove-remediations.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from posture.analysis.coverage import PARTS, find_same_parts
from posture.edits.apply import apply_edits
from posture.edits.command_line import parse_command
from posture.edits.edit import Edit
from posture.edits.format import name_operation
from posture.errors import EditError, MalformedRequestError, RefusedEditError, describe_error
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Snapshot
from posture.model.verdict import Remediation, Verdict
from posture.policy.decide import MAX_UNITS
from posture.remedies.descriptions import (
    describe_lost_cells,
    describe_lost_routes,
    describe_opened,
    describe_proof,
    describe_unresolved,
    describe_worsened,
)
from posture.remedies.effect import (
    STOPS_TRAFFIC,
    Effect,
    VerdictKey,
    compare_contexts,
    compare_verdicts,
    get_key,
    select_worst,
)
from posture.remedies.policies import find_denials
from posture.rules import endpoint_policies
from posture.rules.engine import evaluate_context, evaluate_endpoint_service
from posture.rules.evidence import join_names
from posture.rules.rule import EndpointServiceContext, VpcContext

NO_COMMAND = "No command is given"
NOT_CHECKED = (
    "one evaluation checks a limited number of commands, those of the most severe findings first; "
    "posture scan checks more"
)

# A command that sets policies only concerns these rules; a test shows that no other reads them.
POLICY_RULES = {rule.id: rule for rule in endpoint_policies.RULES}

AnyContext = VpcContext | EndpointServiceContext


@dataclass(frozen=True, slots=True)
class ProofLimits:
    """The work that the proofs of one evaluation may take.

    Attributes:
        trials: The commands that are applied and evaluated.
        cells: The cells of coverage matrices that are evaluated for them; the first trial is
            always made.
        policy_units: The work on endpoint policies that commands set.
    """

    trials: int
    cells: int
    policy_units: int


EVENT_LIMITS = ProofLimits(trials=24, cells=20_000, policy_units=MAX_UNITS)
SCAN_LIMITS = ProofLimits(trials=200, cells=500_000, policy_units=8 * MAX_UNITS)


@dataclass(frozen=True, slots=True)
class _Trial:
    """What a command does; `subject` names its operations.

    `problem` is why its effect is not known, or why it is not proven for any finding. Unless the
    `assumptions` are true, EC2 refuses it.
    """

    subject: str
    effect: Effect | None = None
    after: Mapping[VerdictKey, Verdict] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    problem: str = ""


class Prover:
    """Proves the remediations of one scope's verdicts; each command is tried once.

    Args:
        context: The scope before, with the analyses that its evaluation computed.
        verdicts: All verdicts on it, passes included.
        limits: The work that all proofs together may take.
    """

    def __init__(
        self, context: AnyContext, verdicts: Iterable[Verdict], limits: ProofLimits = EVENT_LIMITS
    ) -> None:
        self._context = context
        self._verdicts = tuple(verdicts)
        self._left = limits
        self._trials: dict[str, _Trial] = {}
        self._proven: dict[str, Remediation] = {}

    def prove_all(self, verdicts: Iterable[Verdict]) -> dict[VerdictKey, Verdict]:
        """Prove the remediations of verdicts, the most severe first.

        A command that resolves several of them is given for each.

        Returns:
            The verdicts with their proven remediations, by rule and resource.
        """
        ordered = sorted(verdicts, key=lambda each: (each.severity.rank, *get_key(each)))
        return {get_key(each): self.prove(each) for each in ordered}

    def prove(self, verdict: Verdict) -> Verdict:
        """Return the verdict with the first remediation that is proven for it.

        Where none is proven, the remediation has no command, and says what the best one would
        break.
        """
        if verdict.remediation is None:
            return verdict
        candidates = (verdict.remediation, *verdict.alternatives)
        return replace(verdict, remediation=self._choose(verdict, candidates), alternatives=())

    def _choose(self, verdict: Verdict, candidates: Sequence[Remediation]) -> Remediation:
        for command, proven in self._proven.items():
            if not _find_problem(verdict, self._trials[command]):
                return proven
        problems: list[str] = []
        for each in candidates:
            if not each.command:
                continue
            trial = self._try(each.command)
            problem = _find_problem(verdict, trial)
            if not problem and trial.effect:
                proven = replace(each, verified=describe_proof(trial.effect, trial.assumptions))
                self._proven[each.command] = proven
                return proven
            problems.append(problem)
        advice = next((each for each in candidates if not each.command), candidates[0])
        if not problems:
            return advice
        return Remediation(f"{advice.text} {NO_COMMAND}: {problems[0]}.")

    def _try(self, command: str) -> _Trial:
        if command not in self._trials:
            left = self._left
            if min(left.trials, left.cells, left.policy_units) <= 0:
                return _Trial("", problem=NOT_CHECKED)
            try:
                self._trials[command] = self._make_trial(command)
            except Exception as error:  # noqa: BLE001 - the findings are recorded all the same
                problem = f"checking it failed: internal error ({describe_error(error)})"
                self._trials[command] = _Trial("", problem=problem)
        return self._trials[command]

    def _make_trial(self, command: str) -> _Trial:
        """Apply a command and evaluate what it leads to."""
        snapshot = self._context.snapshot
        try:
            edits = parse_command(command, region=snapshot.scope.region)
        except MalformedRequestError as error:
            return _Trial("", problem=f"its effect cannot be checked ({error})")
        subject = _name_operations(edits)
        try:
            applied = apply_edits(snapshot, edits)
        except RefusedEditError as error:
            return _Trial(subject, problem=f"EC2 would refuse {subject} ({error})")
        except EditError as error:
            return _Trial(subject, problem=f"the effect of {subject} is not known ({error})")
        trial = self._evaluate(subject, applied.snapshot)
        return replace(trial, assumptions=applied.assumptions)

    def _evaluate(self, subject: str, snapshot: Snapshot | EndpointServiceSnapshot) -> _Trial:
        before = self._context
        if isinstance(before, VpcContext) and isinstance(snapshot, Snapshot):
            return self._evaluate_vpc(subject, before, snapshot)
        assert isinstance(snapshot, EndpointServiceSnapshot)  # noqa: S101 - by its context
        verdicts = evaluate_endpoint_service(snapshot, before.baseline)
        effect = compare_verdicts(self._verdicts, verdicts)
        self._pay(1, 0)
        return _Trial(subject, effect, select_worst(verdicts))

    def _evaluate_vpc(self, subject: str, before: VpcContext, snapshot: Snapshot) -> _Trial:
        units = min(before.policy_units, self._left.policy_units)
        after = VpcContext(snapshot, before.baseline, units, former=before)
        if find_same_parts(before.snapshot, snapshot) >= PARTS:
            others = (each for each in self._verdicts if each.rule not in POLICY_RULES)
            verdicts = (*others, *evaluate_context(after, POLICY_RULES.values()))
            effect, cells = compare_verdicts(self._verdicts, verdicts), 0
        else:
            verdicts = evaluate_context(after)
            effect = compare_contexts(before, after, self._verdicts, verdicts)
            cells = len(after.analysis.subnets) * len(after.coverage.services)
        denials = find_denials(before, after)
        self._pay(cells, denials.units)
        problem = next(iter(denials.clauses), "")
        return _Trial(subject, effect, select_worst(verdicts), problem=problem)

    def _pay(self, cells: int, units: int) -> None:
        left = self._left
        self._left = ProofLimits(left.trials - 1, left.cells - cells, left.policy_units - units)


def _name_operations(edits: Sequence[Edit]) -> str:
    return join_names(dict.fromkeys(name_operation(type(each)) for each in edits))


def _find_problem(verdict: Verdict, trial: _Trial) -> str:
    """Return why a command is not proven for a finding; "" if it is."""
    if trial.effect is None or trial.problem:
        return trial.problem
    problem = next(_list_damage(verdict, trial.effect, trial.subject), "")
    key = get_key(verdict)
    if problem or key in {get_key(each) for each in trial.effect.resolved}:
        return problem
    return describe_unresolved(trial.subject, trial.after.get(key))


def _list_damage(verdict: Verdict, effect: Effect, subject: str) -> Iterator[str]:
    """List what outweighs that a finding is resolved."""
    if effect.lost_cells:
        yield describe_lost_cells(subject, effect.lost_cells)
    if effect.lost_routes:
        yield describe_lost_routes(subject, effect.lost_routes)
    yield from (
        describe_opened(subject, each) for each in effect.opened if _is_as_bad(each, verdict)
    )
    yield from (
        describe_worsened(subject, each)
        for each in effect.worsened
        if _is_as_bad(each.after, verdict)
    )


def _is_as_bad(opened: Verdict, verdict: Verdict) -> bool:
    """Return whether a finding is as severe as another one, or traffic is stopped."""
    return opened.severity.rank <= verdict.severity.rank or opened.rule in STOPS_TRAFFIC
