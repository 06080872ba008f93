"""Names what caused the transitions of one evaluation, by the snapshot that is stored of before.

Events may arrive after the evaluation that found their effect. The causes of earlier transitions
are then named, or named anew (docs/decisions/0077-amend-causes.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from posture.attribution.calls import BIRTHS
from posture.attribution.causes import (
    Answer,
    Attributor,
    list_touching,
    name_cause,
    needs_cause,
)
from posture.attribution.events import (
    LAG,
    READING,
    BaselineVersion,
    Earlier,
    Present,
    SharedChange,
    build_baseline_cause,
    select_applied,
)
from posture.attribution.states import State, Trace, resolve_for, trace_states
from posture.attribution.verdicts import StateVerdicts
from posture.evaluation.recorder import EvaluatedScope
from posture.evaluation.windows import load_windows
from posture.lean_dataclass import dataclass
from posture.model.change import Change
from posture.model.finding import (
    UNKNOWN_CAUSE,
    Attribution,
    Finding,
    FindingStatus,
    Step,
    Transition,
)
from posture.model.instant import parse_iso
from posture.model.region_access import AnySnapshot
from posture.remedies.effect import select_worst
from posture.store.baselines import AppliedBaseline, BaselineTable
from posture.store.scope_evaluation import ScopeState
from posture.store.scope_store import Store
from posture.store.snapshots import StoredSnapshot, add_shared

MAX_VERSIONS = 5  # of the baseline that are followed one by one
MAX_WINDOWS = 5  # evaluations whose causes one observation amends
INSTANT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Amendments:
    """What later events say of earlier transitions, and the snapshots with these events."""

    steps: tuple[Transition, ...] = ()
    snapshots: tuple[StoredSnapshot, ...] = ()
    unsettled_at: datetime | None = None


class CauseFinder:
    """Finds the causes of one evaluation's transitions.

    It remembers what it read, for all transitions of the evaluation.
    """

    def __init__(
        self,
        store: Store,
        baselines: BaselineTable,
        evaluated: EvaluatedScope,
        load: Callable[[datetime], StoredSnapshot | None],
    ) -> None:
        self._store = store
        self._baselines = baselines
        self._evaluated = evaluated
        self._load = load
        self._attributors: dict[datetime | None, tuple[Earlier, Attributor] | None] = {}
        self._versions: dict[int, BaselineVersion | None] = {}
        self.unsettled: tuple[tuple[str, str], ...] = ()

    def name_causes(self, state: ScopeState, steps: Iterable[Transition]) -> tuple[Transition, ...]:
        """Name the causes of transitions, as far as they are known.

        `unsettled` then holds the findings whose cause a later event may amend.
        """
        named: list[Transition] = []
        unsettled: list[tuple[str, str]] = []
        for step in steps:
            finding = step.finding
            if needs_cause(step):
                answer = self._answer(state, step)
                named.append(name_cause(step, answer.attribution))
                if not answer.settled:
                    unsettled.append((finding.rule, finding.resource))
            elif step.step is Step.OPENED and finding.caused_by == UNKNOWN_CAUSE:
                cause = self._find_stricter_baseline(state, finding)
                named.append(replace(step, finding=replace(finding, caused_by=cause)))
            else:
                named.append(step)
        self.unsettled = tuple(unsettled)
        return tuple(named)

    def _answer(self, state: ScopeState, step: Transition) -> Answer:
        known = self._find_attributor(state)
        if known:
            return known[1].attribute(step)
        about = step.finding.verdict.concerns | {step.finding.resource}
        subject = self._evaluated.scope.subject
        changes = select_applied(self._evaluated.changes, until=self._evaluated.observed_at)
        return Answer(list_touching(changes, about, subject), settled=False)

    def _find_attributor(self, state: ScopeState) -> tuple[Earlier, Attributor] | None:
        """Find what attributes by the earlier snapshot; None where none is known."""
        key = state.record.snapshot_at if state.record else None
        if key not in self._attributors:
            self._attributors[key] = self._build_attributor(state)
        return self._attributors[key]

    def _build_attributor(self, state: ScopeState) -> tuple[Earlier, Attributor] | None:
        it, record = self._evaluated, state.record
        stored = None
        if record and record.snapshot_at:
            stored = self._load(record.snapshot_at)
        number = stored.version if stored else it.baseline.version
        present = self._build_present(number, it.baseline, it.snapshot, it.observed_at, it.code)
        present = replace(present, shared=it.find_shared_change(record))
        confirmed = record.observed_at if record and record.snapshot_digest else None
        earlier = self._find_earlier(
            stored, present, it.changes, confirmed, is_first=record is None
        )
        if earlier is None:
            return None
        changes = (*(stored.later if stored else ()), *it.changes)
        trace = trace_states(earlier, present, changes)
        states = StateVerdicts(trace, it.context)
        verdicts = select_worst(it.verdicts)
        return earlier, Attributor(trace, states, verdicts, it.scope.subject)

    def _find_earlier(
        self,
        stored: StoredSnapshot | None,
        present: Present,
        changes: Sequence[Change],
        confirmed_at: datetime | None,
        *,
        is_first: bool,
    ) -> Earlier | None:
        """Return the state before; of a scope that was created since, that it did not exist."""
        if stored:
            snapshot = stored.snapshot and add_shared(stored.snapshot, self._evaluated.snapshot)
            at = stored.observed_at
            confirmed = max(at, confirmed_at or at)
            return Earlier(
                stored.scope,
                at,
                snapshot,
                stored.version,
                stored.code,
                min(confirmed, present.observed_at),
            )
        births = [
            each.time
            for each in select_applied(changes, until=present.observed_at + READING)
            if each.event_name in BIRTHS
            and present.scope.subject in {*each.vpc_ids, *each.service_ids, each.created}
        ]
        if not is_first or not births:
            return None
        before = min(births) - INSTANT
        number = present.versions[-1].number
        return Earlier(present.scope, before, None, number, present.code, before)

    def _build_present(
        self,
        since: int,
        current: AppliedBaseline | int,
        snapshot: AnySnapshot | None,
        observed_at: datetime,
        code: str,
    ) -> Present:
        """Build the present, with the versions of the baseline from `since` on."""
        last = current if isinstance(current, int) else current.version
        numbers = range(since, last + 1)[-MAX_VERSIONS:] or range(last, last + 1)
        versions = tuple(filter(None, map(self._load_version, numbers)))
        versions = versions or (to_version(self._evaluated.baseline),)
        return Present(self._evaluated.scope, observed_at, snapshot, versions, code)

    def _load_version(self, number: int) -> BaselineVersion | None:
        if number == self._evaluated.baseline.version:
            return to_version(self._evaluated.baseline)
        if number not in self._versions:
            loaded = self._baselines.load_version(number)
            self._versions[number] = to_version(loaded) if loaded else None
        return self._versions[number]

    def _find_stricter_baseline(self, state: ScopeState, finding: Finding) -> Attribution:
        """Find the version of the baseline since which a waiver does not count any more."""
        known, it = self._find_attributor(state), self._evaluated
        if known is None or it.waivers is None:
            return UNKNOWN_CAUSE
        present = self._build_present(
            known[0].version, it.baseline, it.snapshot, it.observed_at, it.code
        )
        for version in present.versions:
            baseline = resolve_for(version.document, it.scope, it.snapshot)
            waivers = replace(it.waivers, baseline=baseline)
            if waivers.find_waiver(finding.rule, finding.resource):
                continue
            if version.number == known[0].version:
                return UNKNOWN_CAUSE
            return Attribution(build_baseline_cause(version, it.observed_at))
        return UNKNOWN_CAUSE

    def amend(self, state: ScopeState) -> Amendments:
        """Find what the changes say of transitions that an earlier evaluation could not attribute.

        Where they say nothing new, there are no steps and no snapshots.
        """
        record = state.record
        unsettled_at = record.unsettled_at if record else None
        changes = select_applied(self._evaluated.changes)
        if record is None or unsettled_at is None or not changes:
            return Amendments(unsettled_at=unsettled_at)
        steps: dict[str, Transition] = {}
        snapshots: list[StoredSnapshot] = []
        for stored, new in self._select_windows(record.snapshot_at or unsettled_at, changes):
            if not new:
                continue
            found, left = self._amend_window(stored, new)
            steps |= {each.finding.id: each for each in found if each.finding.id not in steps}
            snapshots.append(
                replace(stored, changes=(*stored.changes, *new), unsettled=tuple(left))
            )
        if snapshots and snapshots[0].observed_at == unsettled_at and not snapshots[0].unsettled:
            unsettled_at = next((it.observed_at for it in snapshots if it.unsettled), None)
        return Amendments(tuple(steps.values()), tuple(snapshots), unsettled_at)

    def _select_windows(
        self, latest: datetime, changes: Sequence[Change]
    ) -> Iterator[tuple[StoredSnapshot, Sequence[Change]]]:
        """Select the snapshots whose causes are not settled, with the changes that are new."""
        times = [each.time for each in changes]
        windows = load_windows(self._load, latest, min(times), READING)
        left = MAX_WINDOWS
        for window in windows.listed:
            stored = window.end
            # A call is no cause of what an observation after it did not see.
            seen_at = stored.confirmed_at
            if not left:
                return
            if stored.unsettled and (seen_at is None or max(times) > seen_at - LAG):
                until = stored.observed_at + READING
                yield stored, [it for it in changes if windows.is_new(it) and it.time <= until]
                left -= 1

    def _amend_window(
        self, stored: StoredSnapshot, new: Sequence[Change]
    ) -> tuple[list[Transition], list[tuple[str, ...]]]:
        """Attribute an evaluation's transitions anew; return what differs, and what is left."""
        scope, changes = stored.scope, (*stored.changes, *new)
        before = None
        if stored.previous:
            before = self._load(stored.previous)
            if before is None:
                return [], []  # it has expired
        number = before.version if before else stored.version
        snapshot = stored.snapshot and add_shared(stored.snapshot, self._evaluated.snapshot)
        present = self._build_present(
            number, stored.version, snapshot, stored.observed_at, stored.code
        )
        earlier = self._find_earlier(
            before, present, changes, stored.confirmed_at, is_first=stored.previous is None
        )
        if before and before.view != stored.view and stored.shared_at:
            change = SharedChange(stored.shared_at, stored.shared_calls)
            present = replace(present, shared=change)
        ask = self._prepare(earlier, present, changes)
        keys = [(key[0], key[1]) for key in stored.unsettled]
        findings = self._store.load_findings(scope, keys)
        found: list[Transition] = []
        left: list[tuple[str, ...]] = []
        for finding in findings:
            amended, is_settled = _amend_finding(finding, stored.at, ask)
            if amended:
                found.append(amended)
            if not is_settled:
                left.append((finding.rule, finding.resource))
        return found, left

    def _prepare(
        self, earlier: Earlier | None, present: Present, changes: Sequence[Change]
    ) -> _Ask:
        subject = present.scope.subject
        if earlier is None:
            return _Ask(None, select_applied(changes, until=present.observed_at), subject)
        trace = trace_states(earlier, present, changes)
        states = StateVerdicts(trace, self._evaluated.context)
        baseline = resolve_for(present.versions[-1].document, present.scope, present.snapshot)
        now = State(None, None, present.observed_at, present.snapshot, baseline)
        verdicts = states.evaluate(now) if _needs_verdicts(trace) else {}
        return _Ask(Attributor(trace, states, verdicts, subject), (), subject)


@dataclass(frozen=True, slots=True)
class _Ask:
    """What answers for the transitions of an earlier evaluation."""

    attributor: Attributor | None
    changes: tuple[Change, ...]
    subject: str

    def answer(self, step: Transition) -> Answer:
        """Answer for one of them."""
        if self.attributor:
            return self.attributor.attribute(step)
        about = step.finding.verdict.concerns | {step.finding.resource}
        return Answer(list_touching(self.changes, about, self.subject), settled=False)


def _needs_verdicts(trace: Trace) -> bool:
    return len(trace.states) > 1 or bool(trace.unexplained)


def _amend_finding(finding: Finding, at: datetime, ask: _Ask) -> tuple[Transition | None, bool]:
    """Attribute anew what an evaluation at a time did to a finding.

    Returns:
        The transition that amends it, None where nothing is known better; whether it is settled.
    """
    amended, settled = finding, True
    what: list[str] = []
    was_opened, was_updated = finding.opened_at == at, finding.updated_at == at
    resolved = finding.status is FindingStatus.RESOLVED
    if was_opened:
        answer = ask.answer(Transition(Step.OPENED, finding))
        settled &= answer.settled
        if _is_better(answer.attribution, finding.opened_by):
            amended = replace(amended, opened_by=answer.attribution)
            what.append("opened")
    if was_updated and (resolved or not was_opened) and finding.status is not FindingStatus.WAIVED:
        step = Step.RESOLVED if resolved else Step.CHANGED
        answer = ask.answer(Transition(step, finding))
        settled &= answer.settled
        if _is_better(answer.attribution, finding.caused_by):
            amended = replace(amended, caused_by=answer.attribution)
            what.append("resolved" if resolved else "changed")
    if not what:
        return None, settled
    if "resolved" in what:
        amended = replace(amended, resolved_by=amended.caused_by)
    if was_opened and was_updated and finding.status is not FindingStatus.WAIVED and not resolved:
        amended = replace(amended, caused_by=amended.opened_by)
    amended = replace(amended, version=finding.version + 1)
    return Transition(Step.AMENDED, amended, f"what {' and '.join(what)} it is known now"), settled


def _is_better(answer: Attribution, known: Attribution) -> bool:
    """Whether more events are known now, or others."""
    return answer not in {UNKNOWN_CAUSE, known}


def to_version(applied: AppliedBaseline) -> BaselineVersion:
    """Return a version of the baseline as events name it."""
    at = parse_iso(applied.applied_at) if applied.applied_at else None
    return BaselineVersion(applied.version, applied.document, at, applied.applied_by)
