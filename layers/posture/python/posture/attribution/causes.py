"""Attributes transitions to the events that can have produced them. Pure.

The cause of a transition is the last event whose state shows the new verdict where the state before
did not. It is certain only if what no known event explains cannot have produced the verdict
(docs/decisions/0075-attribute-by-applying-changes.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from posture.attribution.differences import WHOLE
from posture.attribution.events import build_cause, select_applied
from posture.attribution.states import State, Trace
from posture.attribution.verdicts import StateVerdicts, Verdicts
from posture.lean_dataclass import dataclass
from posture.lifecycle.diff import get_material
from posture.model.change import Change
from posture.model.finding import (
    MAX_CANDIDATES,
    UNKNOWN_CAUSE,
    Attribution,
    Cause,
    Finding,
    Step,
    Transition,
)
from posture.model.verdict import Status, Verdict
from posture.remedies.effect import GOOD, VerdictKey

MAX_EVALUATIONS = 24  # of states, for one evaluation of a scope

Shows = Callable[[Verdict | None], bool]  # whether a state's verdict is the new one


@dataclass(frozen=True, slots=True)
class Answer:
    """The cause of a transition; not `settled` where an event that is known later may matter.

    The event of another call always may: an earlier one that did the same, or one in between.
    """

    attribution: Attribution
    settled: bool


def select_candidates(causes: Iterable[Cause]) -> Attribution:
    """Return these causes as candidates, the latest first, each once."""
    known = sorted(dict.fromkeys(causes), key=lambda it: (it.time, it.event_id), reverse=True)
    return Attribution(candidates=tuple(known[:MAX_CANDIDATES]))


def list_touching(changes: Iterable[Change], about: frozenset[str], subject: str) -> Attribution:
    """List the calls that name a resource that a verdict concerns as candidates.

    This is all that can be said where no earlier snapshot is known. The scope itself counts only
    where a call names nothing else.
    """
    near = about - {subject}
    return select_candidates(
        build_cause(each)
        for each in select_applied(changes)
        if each.resource_ids & near or each.resource_ids == {subject}
    )


class Attributor:
    """Attributes the transitions of one evaluation.

    Args:
        trace: The states that led to the present one.
        states: The verdicts on them.
        present: The present verdicts, by rule and resource.
        subject: The id of the scope's VPC or endpoint service.
    """

    def __init__(
        self, trace: Trace, states: StateVerdicts, present: Verdicts, subject: str
    ) -> None:
        self._trace = trace
        self._states = states
        self._present = present
        self._subject = subject

    def attribute(self, step: Transition) -> Answer:
        """Find what caused a transition of a finding."""
        if answer := self._answer_at_once():
            return answer
        key = step.finding.rule, step.finding.resource
        about = step.finding.verdict.concerns | {step.finding.resource}
        answers = (self._search(key, shows) for shows in self._list_tests(step, key))
        found = next((each for each in answers if each), None)
        return found or Answer(self._list_unapplied(key, about), settled=False)

    def _answer_at_once(self) -> Answer | None:
        """Answer for all transitions where one event, or none, explains the present snapshot."""
        states, trace = self._trace.states, self._trace
        if len(states) > 2 or (len(states) == 2 and states[0].cause):  # noqa: PLR2004 - an event
            return None
        if trace.unexplained and (len(states) == 2 or states[0].cause):  # noqa: PLR2004
            return None
        last = states[-1]
        if last.cause is None:
            return Answer(UNKNOWN_CAUSE, settled=not trace.unexplained)
        if last.candidates:
            return Answer(select_candidates(last.candidates), settled=True)
        if any(self._list_together(last)):
            return None
        return Answer(Attribution(last.cause), settled=last.change is None and last.exact)

    def _list_tests(self, step: Transition, key: VerdictKey) -> Sequence[Shows]:
        """List what tells a state with the new verdict, the most exact test first."""
        if step.step is Step.RESOLVED:
            return (lambda it: it is None or it.status in GOOD,)
        now = self._present.get(key, step.finding.verdict)
        same_status: Shows = lambda it: it is not None and it.status is now.status  # noqa: E731
        if step.step is not Step.CHANGED:
            return (same_status,)
        return (
            lambda it: it is not None and get_material(it) == get_material(now),
            lambda it: same_status(it) and it is not None and it.severity is now.severity,
        )

    def _search(self, key: VerdictKey, shows: Shows) -> Answer | None:
        """Search the event that led to a verdict; None where no state shows it."""
        last = len(self._trace.states) - 1
        find, unexplained = self._states.find, self._trace.unexplained

        def is_shown(number: int) -> bool:
            return shows(find(number).get(key))

        def is_shown_completed(number: int) -> bool:
            return shows(self._states.find_completed(number).get(key))

        if is_shown(last):
            number = self._find_first(last, is_shown)
            if number is None:
                return Answer(UNKNOWN_CAUSE, settled=True)
            alone = bool(unexplained) and number > 0 and is_shown_completed(0)
            return self._conclude(number, alone=alone)
        if not unexplained or not is_shown_completed(last):
            return None
        number = self._find_first(last, is_shown_completed)
        if not number:  # what no known event explains is enough to produce it
            return Answer(UNKNOWN_CAUSE, settled=False)
        return self._conclude(number, alone=True)

    def _find_first(self, last: int, is_shown: Callable[[int], bool]) -> int | None:
        """Find the state from which on the verdict is shown; None where that takes too long."""
        number = last
        while number and self._states.evaluated < MAX_EVALUATIONS and is_shown(number - 1):
            number -= 1
        return number if self._states.evaluated < MAX_EVALUATIONS else None

    def _conclude(self, number: int, *, alone: bool) -> Answer:
        """Conclude that an event led to a verdict, or may have.

        Args:
            number: The number of the state after it.
            alone: Whether what no known event explains may have done it as well.
        """
        state = self._trace.states[number]
        if state.cause is None:
            return Answer(UNKNOWN_CAUSE, settled=True)
        if state.candidates:
            return Answer(select_candidates(state.candidates), settled=True)
        rivals = tuple(self._list_together(state) if state.exact else self._list_rivals(state))
        if rivals or alone:
            return Answer(select_candidates((state.cause, *rivals)), settled=False)
        settled = state.change is None and state.exact and not self._trace.unexplained
        return Answer(Attribution(state.cause), settled=settled)

    def _list_together(self, state: State) -> Iterator[Cause]:
        """List the calls of the same second that did the same, or were refused after it.

        Their order is not known, so that any of them may have come first. A call that creates or
        deletes a resource has its place before or after those that change it.
        """
        did = _list_elements(state)
        for other in self._trace.states[1:]:
            same_time = other is not state and other.at == state.at
            if same_time and other.cause and did & _list_elements(other):
                yield other.cause
        yield from (
            build_cause(each) for each in self._list_refused(state) if each.time == state.at
        )

    def _list_rivals(self, state: State) -> Iterator[Cause]:
        """List the other calls that may have done what was read off the present snapshot."""
        for other in self._trace.states[1:]:
            if other is not state and other.cause and _overlap(other, state):
                yield other.cause
        yield from map(build_cause, self._list_refused(state))

    def _list_refused(self, state: State) -> Iterator[Change]:
        """List the calls without an effect here that name what an event changed."""
        ids = {each for _, each in state.changed}
        for change in self._trace.unapplied:
            if (change.resource_ids - change.vpc_ids) & ids:
                yield change

    def _list_unapplied(self, key: VerdictKey, about: frozenset[str]) -> Attribution:
        """List the calls without a known effect, where a fact could not be read before or now."""
        before, now = self._states.find(0).get(key), self._present.get(key)
        unread = Status.UNKNOWN in {each.status for each in (before, now) if each}
        if not unread and not any(each.part == "unreadable" for each in self._trace.unexplained):
            return UNKNOWN_CAUSE
        return list_touching(self._trace.unapplied, about, self._subject)


def name_cause(step: Transition, attribution: Attribution) -> Transition:
    """Return a transition with its cause, as what opened, resolved or changed the finding."""
    finding = step.finding
    opened = _opens(step)
    if step.step is Step.RESOLVED:
        changed = replace(finding, resolved_by=attribution, caused_by=attribution)
    elif step.step is Step.WAIVED:  # by its waiver, whatever led to the failure
        changed = replace(finding, opened_by=attribution if opened else finding.opened_by)
    elif opened:
        changed = replace(finding, opened_by=attribution, caused_by=attribution)
    else:
        changed = replace(finding, caused_by=attribution)
    return replace(step, finding=changed)


def needs_cause(step: Transition) -> bool:
    """Whether the verdict of a transition is new, so that an event must have produced it."""
    return _opens(step) or step.step in {Step.RESOLVED, Step.CHANGED}


def _opens(step: Transition) -> bool:
    """Whether a finding begins with the transition: it was not just waived, or no longer waived."""
    return step.step in {Step.OPENED, Step.WAIVED} and _is_new(step.finding)


def _is_new(finding: Finding) -> bool:
    return finding.opened_at == finding.updated_at


def _list_elements(state: State) -> set[tuple[object, ...]]:
    """List the parts of resources that an event changed, without whole resources."""
    parts = (each for each in state.differences if each.name != WHOLE)
    return {(each.part, each.id, each.name, each.element) for each in parts}


def _overlap(one: State, other: State) -> bool:
    """Whether two events changed the same part of a resource."""
    parts = {(each.part, each.id): set[object]() for each in one.differences}
    for each in one.differences:
        parts[each.part, each.id].add((each.name, each.element))
    for each in other.differences:
        known = parts.get((each.part, each.id), set())
        whole = (WHOLE, None) in known or each.name == WHOLE
        if (each.name, each.element) in known or (known and whole):
            return True
    return False
