"""Picks, for each finding, the first remediation that is proven on the snapshot. Pure.

A command is parsed as the AWS CLI reads it, applied to the snapshot, and the result is evaluated
with the same rules. It is proven for a finding if that finding is resolved, no finding of its
severity or a higher one opens or becomes worse anywhere in the scope, nothing stops traffic that
workloads need, and no subnet loses a path. A command that is not proven is not reported
(docs/decisions/0064-prove-remediations.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from posture.analysis.kept_parts import PARTS, find_same_parts
from posture.analysis.routing import count_entries
from posture.edits.apply import apply_edits
from posture.edits.command_line import parse_command
from posture.edits.edit import Edit
from posture.edits.format import name_operation
from posture.edits.operations import find_service
from posture.errors import EditError, MalformedRequestError, RefusedEditError, describe_error
from posture.lean_dataclass import dataclass
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Snapshot
from posture.model.shared_network import SharedNetwork
from posture.model.verdict import Remediation, Verdict
from posture.policy.decide import MAX_UNITS
from posture.remedies.changed_rules import evaluate_changed, evaluate_policies
from posture.remedies.descriptions import (
    describe_lost_cells,
    describe_lost_routes,
    describe_opened,
    describe_proof,
    describe_unresolved,
    describe_worsened,
)
from posture.remedies.effect import (
    GOOD,
    STOPS_TRAFFIC,
    Effect,
    VerdictKey,
    compare_contexts,
    compare_verdicts,
    get_key,
    select_worst,
)
from posture.remedies.policies import find_denials
from posture.rules.contexts import EndpointServiceContext, VpcContext
from posture.rules.engine import evaluate_endpoint_service
from posture.rules.evidence import join_names
from posture.rules.trial import build_trial, get_network

NO_COMMAND = "No command is given"
# Linux takes no longer argument (MAX_ARG_STRLEN), and what is stored of a finding is far shorter.
LONGEST_COMMAND = 65_536
TOO_LONG = (
    "the commands are too long for a shell; change the rules in the console or with a program"
)
NOT_CHECKED = (
    "a limited number of commands is checked at a time, those of the most severe findings first"
)

if TYPE_CHECKING:
    from posture.remedies.central import CentralEffect

AnyContext = VpcContext | EndpointServiceContext
_Applied = tuple[Snapshot | EndpointServiceSnapshot, SharedNetwork | None, tuple[str, ...]]
_Evaluated = tuple[Effect, tuple[Verdict, ...], str]
GATE_UNITS_PER_ANSWER = 40
ANY_SEVERITY = 0  # the rank of damage that no finding is worth


@dataclass(frozen=True, slots=True)
class ProofLimits:
    """The work that the proofs of one evaluation may take.

    Attributes:
        trials: The commands that are applied and evaluated.
        answers: The verdicts, and the cells of coverage matrices, that are evaluated for them, and
            the routes that are; the first trial is always made.
        policy_units: The work on endpoint policies that commands set.
        more: What checks the commands beyond these limits, as a clause.
    """

    trials: int
    answers: int
    policy_units: int
    more: str = "posture scan --vpc checks those of one VPC"

    @property
    def not_checked(self) -> str:
        """Why a command beyond these limits is not given, as a clause."""
        return f"{NOT_CHECKED}; {self.more}"


EVENT_LIMITS = ProofLimits(trials=24, answers=40_000, policy_units=MAX_UNITS)
# Of the first evaluation of a scope, whose findings all open: no change waits for it.
FIRST_LIMITS = ProofLimits(trials=200, answers=200_000, policy_units=4 * MAX_UNITS)
NO_LIMITS = ProofLimits(trials=0, answers=0, policy_units=0)  # no command is checked
# Of a VPC that a user names, and waits for.
SCAN_LIMITS = ProofLimits(
    trials=400,
    answers=1_000_000,
    policy_units=8 * MAX_UNITS,
    more="posture fix --live checks that of one finding",
)


@dataclass(frozen=True, slots=True)
class _Damage:
    """What outweighs that a finding of this severity rank or a lower one is resolved."""

    rank: int
    problem: str


@dataclass(frozen=True, slots=True)
class _Trial:
    """What a command does: the findings that it resolves, and the damage that it does.

    Attributes:
        proof: What it does, as it is reported.
        problem: Why its effect is not known, or why it is no remedy for any finding.
        verdicts: All verdicts after it.
    """

    subject: str = ""
    proof: str = ""
    problem: str = ""
    resolved: frozenset[VerdictKey] = frozenset()
    damage: tuple[_Damage, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    def find_problem(self, verdict: Verdict) -> str:
        """Return why the command is not proven for a finding; "" if it is."""
        if self.problem:
            return self.problem
        rank, key = verdict.severity.rank, get_key(verdict)
        problem = next((each.problem for each in self.damage if each.rank <= rank), "")
        if problem or key in self.resolved:
            return problem
        bad = (it for it in self.verdicts if get_key(it) == key and it.status not in GOOD)
        return describe_unresolved(self.subject, select_worst(bad).get(key))


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
        self._bad = tuple(each for each in self._verdicts if each.status not in GOOD)
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

    def find_problem(self, command: str, verdict: Verdict) -> str:
        """Return why a command is not proven for a verdict, as a clause; "" if it is."""
        return self._try(command).find_problem(verdict)

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
        key = get_key(verdict)
        for command, proven in self._proven.items():
            trial = self._trials[command]
            if key in trial.resolved and not trial.find_problem(verdict):
                return proven
        problems: list[str] = []
        for each in candidates:
            if not each.command:
                continue
            trial = self._try(each.command)
            problem = trial.find_problem(verdict)
            if not problem:
                proven = replace(each, verified=trial.proof)
                self._proven[each.command] = proven
                return proven
            problems.append(problem)
        advice = next((each for each in candidates if not each.command), candidates[0])
        if not problems and not self._context.proposes:
            problems.append(self._left.not_checked)
        if not problems:
            return advice
        return Remediation(f"{advice.text} {NO_COMMAND}: {problems[0]}.")

    def _try(self, command: str) -> _Trial:
        if len(command) > LONGEST_COMMAND:
            return _Trial(problem=TOO_LONG)
        if command not in self._trials:
            left = self._left
            if min(left.trials, left.answers, left.policy_units) <= 0:
                return _Trial(problem=left.not_checked)
            try:
                self._trials[command] = self._make_trial(command)
            except Exception as error:  # noqa: BLE001 - the findings are recorded all the same
                problem = f"checking it failed: internal error ({describe_error(error)})"
                self._trials[command] = _Trial(problem=problem)
        return self._trials[command]

    def _make_trial(self, command: str) -> _Trial:
        """Apply a command and evaluate what it leads to."""
        scope = self._context.snapshot.scope
        try:
            edits = parse_command(command, region=scope.region)
        except MalformedRequestError as error:
            return _Trial(problem=f"its effect cannot be checked ({error})")
        subject = _name_operations(edits)
        try:
            snapshot, shared, assumptions = self._apply(edits)
        except RefusedEditError as error:
            who = "EC2" if all(find_service(type(each)) == "ec2" for each in edits) else "AWS"
            return _Trial(subject, problem=f"{who} would refuse {subject} ({error})")
        except EditError as error:
            return _Trial(subject, problem=f"the effect of {subject} is not known ({error})")
        effect, verdicts, problem = self._evaluate(snapshot, shared)
        return _Trial(
            subject,
            describe_proof(effect, assumptions),
            problem,
            frozenset(map(get_key, effect.resolved)),
            tuple(_list_damage(effect, subject)),
            verdicts,
        )

    def _apply(self, edits: Sequence[Edit]) -> _Applied:
        """Apply edits to the scope, and to the network that it shares with others if it is read."""
        context = self._context
        network = get_network(context) if isinstance(context, VpcContext) else None
        if network:
            from posture.edits.state import NetworkState, apply_to_state  # noqa: PLC0415 - if it is read

            state = NetworkState((context.snapshot,), network)
            applied = apply_to_state(state, edits)
            return applied.state.snapshots[0], applied.state.shared, applied.assumptions
        alone = apply_edits(context.snapshot, edits)
        return alone.snapshot, None, alone.assumptions

    def _evaluate(
        self, snapshot: Snapshot | EndpointServiceSnapshot, shared: SharedNetwork | None
    ) -> _Evaluated:
        before = self._context
        if isinstance(before, VpcContext) and isinstance(snapshot, Snapshot):
            effect, verdicts, problem = self._evaluate_vpc(before, snapshot, shared)
            for other in _list_central_effects(before, shared):
                effect = effect.join(other.effect)
                self._pay_more(other.answers)
            return effect, verdicts, problem
        assert isinstance(snapshot, EndpointServiceSnapshot)  # noqa: S101 - by its context
        verdicts = evaluate_endpoint_service(snapshot, before.baseline)
        self._pay(len(verdicts), 0)
        return compare_verdicts(self._bad, verdicts), verdicts, ""

    def _evaluate_vpc(
        self, before: VpcContext, snapshot: Snapshot, shared: SharedNetwork | None
    ) -> _Evaluated:
        units = min(before.policy_units, self._left.policy_units)
        same_network = shared is get_network(before)
        if same_network and find_same_parts(before.snapshot, snapshot) >= PARTS:
            after, verdicts = evaluate_policies(before, snapshot, units, self._verdicts)
            effect, work = compare_verdicts(self._bad, verdicts), 0
        else:
            after = build_trial(before, snapshot, shared, units)
            verdicts = evaluate_changed(before, after, self._verdicts)
            effect = compare_contexts(before, after, self._bad, verdicts)
            cells = len(after.analysis.subnets) * len(after.coverage.services)
            work = cells + _count_work(before, after)
        denials = find_denials(before, after)
        self._pay(len(verdicts) + work, denials.units)
        return effect, verdicts, next(iter(denials.clauses), "")

    def _pay(self, answers: int, units: int) -> None:
        left = self._left
        self._left = replace(
            left,
            trials=left.trials - 1,
            answers=left.answers - answers,
            policy_units=left.policy_units - units,
        )

    def _pay_more(self, answers: int) -> None:
        self._left = replace(self._left, answers=self._left.answers - answers)


def prove_verdicts(
    context: AnyContext, verdicts: Sequence[Verdict], limits: ProofLimits
) -> tuple[Verdict, ...]:
    """Return all verdicts on a scope, those that are bad with proven remediations or none."""
    bad = [each for each in verdicts if each.status not in GOOD]
    proven = Prover(context, verdicts, limits).prove_all(select_worst(bad).values())
    return tuple(
        proven.get(get_key(each), each) if each.status not in GOOD else each for each in verdicts
    )


def _count_work(before: VpcContext, after: VpcContext) -> int:
    """Count the work on routes and gates that a trial did anew, as answers that take as long."""
    is_routed_anew = after.analysis.paths is not before.analysis.paths
    gates, former = after.analysis.reachability, before.analysis.reachability
    units = gates.spent_units if gates is not former else 0
    entries = count_entries(after.snapshot) if is_routed_anew else 0
    return entries + units // GATE_UNITS_PER_ANSWER


def _list_central_effects(
    before: VpcContext, shared: SharedNetwork | None
) -> Iterator[CentralEffect]:
    if shared is not None:
        # Few changes are of the shared network, and its edits take time to load.
        from posture.remedies.central import find_central_effects  # noqa: PLC0415

        yield from find_central_effects(before, shared)


def _name_operations(edits: Sequence[Edit]) -> str:
    return join_names(dict.fromkeys(name_operation(type(each)) for each in edits))


def _list_damage(effect: Effect, subject: str) -> Iterator[_Damage]:
    """List what a command breaks, the worst first."""
    if lost := effect.lost_cells:
        yield _Damage(ANY_SEVERITY, describe_lost_cells(subject, lost))
    if effect.lost_routes:
        yield _Damage(ANY_SEVERITY, describe_lost_routes(subject, effect.lost_routes))
    for opened in effect.opened:
        yield _Damage(_get_rank(opened), describe_opened(subject, opened))
    for change in effect.worsened:
        yield _Damage(_get_rank(change.after), describe_worsened(subject, change))


def _get_rank(opened: Verdict) -> int:
    """Return the rank of the least severe finding that a new finding outweighs."""
    return ANY_SEVERITY if opened.rule in STOPS_TRAFFIC else opened.severity.rank
