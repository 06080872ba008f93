"""Findings that were open only for a while between two observations. Pure.

A call opened something and another put it back, or hid it, before the monitor looked. Each state
between is evaluated. A run of states in which a rule fails, more severely than before and after it,
is a transient finding (docs/decisions/0078-record-transient-findings.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from posture.attribution.calls import RefusedCallError, UnknownEffectError, apply_call
from posture.attribution.states import State
from posture.attribution.verdicts import StateVerdicts, Verdicts
from posture.lean_dataclass import dataclass
from posture.lifecycle.bounds import bound_verdict
from posture.model.finding import (
    UNKNOWN_CAUSE,
    Attribution,
    Finding,
    FindingStatus,
    Step,
    Transition,
)
from posture.model.scope import NO_NAMES, Scope, ScopeNames
from posture.model.verdict import Severity, Status, Verdict
from posture.rules.record import CHANGES_NOT_FOLLOWED

MAX_FOLLOWED = 24  # states between, that one evaluation of a scope follows
# How long to wait for the call that put something back: every change is evaluated again after five
# minutes, when most others have been delivered.
HELD = timedelta(minutes=4)
PUT_BACK = "put back between two observations"
POSSIBLE = "possible: "
LOWEST = len(Severity)


@dataclass(frozen=True, slots=True)
class Observed:
    """The observation at the end of the states.

    Attributes:
        scope: The scope.
        at: When it was observed.
        verdicts: The verdicts then.
        names: The names of the scope.
    """

    scope: Scope
    at: datetime
    verdicts: Verdicts
    names: ScopeNames = NO_NAMES


@dataclass(frozen=True, slots=True)
class _Run:
    """Consecutive states in which a rule fails: from the one at `first` to the one before `end`.

    It `follows_skipped` where the state before it was not evaluated.
    """

    first: int
    end: int
    follows_skipped: bool = False


def find_transients(
    states: StateVerdicts,
    observed: Observed,
    *,
    now: datetime | None = None,
    known: frozenset[str] = frozenset(),
) -> tuple[Transition, ...]:
    """Find what was open in a state between, and neither before nor after it.

    Args:
        states: The verdicts on the states, the earlier snapshot's first.
        observed: The observation at the end of the states.
        now: The time of the present observation, where that is a later one.
        known: The ids of the changes that an earlier evaluation followed.

    Returns:
        A transition for each, whose finding says who opened it and who put it back, the most severe
        first. Its reason begins with POSSIBLE unless the requests say it all. What no
        caller is known to have put back is left out until it is HELD old. If there were too many
        states, one more transition says how many changes were not followed.
    """
    number = len(states.trace.states)
    found = [
        _build(states, observed, run, verdict)
        for run, verdict in _list_runs(states, observed)
        if run.end < number or (now or observed.at) - states.trace.states[run.first].at >= HELD
    ]
    found.sort(key=lambda step: (step.finding.severity.rank, step.finding.opened_at))
    skipped = [
        state
        for state in states.trace.states[1 : _find_begin(states) + 1]
        if state.change is None or state.change.event_id not in known
    ]
    return (*found, *([_count_unfollowed(skipped, observed)] if skipped else ()))


def find_held(states: StateVerdicts, observed: Observed) -> datetime | None:
    """Find when the latest change was made that no caller is known to have put back yet."""
    known = states.trace.states
    held = (known[run.first].at for run, _ in _list_runs(states, observed) if run.end >= len(known))
    return max((each for each in held if observed.at - each < HELD), default=None)


def _find_begin(states: StateVerdicts) -> int:
    """Find the number of the last state that is not followed; 0 where all are."""
    return max(0, _find_last(states) - 1 - MAX_FOLLOWED)


def _find_last(states: StateVerdicts) -> int:
    """Find the number of the end: what no known event explains happened after the last state."""
    return len(states.trace.states) - (0 if states.trace.unexplained else 1)


def _list_runs(states: StateVerdicts, observed: Observed) -> Iterator[tuple[_Run, Verdict]]:
    """List the runs of all rules and resources, each with its worst verdict."""
    begin = _find_begin(states)
    between = [states.find(number) for number in (0, *range(begin + 1, _find_last(states)))]
    sequence = [*between, observed.verdicts]
    for key in sorted({key for verdicts in between[1:] for key in verdicts}):
        ratings = [_rate(verdicts.get(key)) for verdicts in sequence]
        for run in _find_runs(ratings):
            worst = max(range(run.first, run.end), key=lambda number: ratings[number])
            yield _shift(run, begin), sequence[worst][key]


def _rate(verdict: Verdict | None) -> int:
    """Rate a verdict: 0 unless it fails, more for a higher severity."""
    if verdict is None or verdict.status is not Status.FAIL:
        return 0
    return LOWEST - verdict.severity.rank


def _find_runs(ratings: Sequence[int]) -> Iterator[_Run]:
    """Find the runs that touch neither end, with a rating above those at both sides.

    A run within another one is part of it.
    """
    taken: list[_Run] = []
    for level in sorted(set(ratings) - {0}):
        start = None
        for number, rating in enumerate((*ratings, 0)):
            if rating >= level and start is None:
                start = number
            if rating < level and start is not None:
                run, start = _Run(start, number), None
                inner = any(it.first <= run.first and run.end <= it.end for it in taken)
                if run.first > 0 and run.end < len(ratings) and not inner:
                    taken.append(run)
    return iter(sorted(taken, key=lambda it: it.first))


def _shift(run: _Run, begin: int) -> _Run:
    return _Run(run.first + begin, run.end + begin, begin > 0 and run.first == 1)


def _build(states: StateVerdicts, observed: Observed, run: _Run, verdict: Verdict) -> Transition:
    """Build the transition of a run."""
    known = states.trace.states
    opened, closed = known[run.first], known[run.end] if run.end < len(known) else None
    worst = bound_verdict(verdict)
    resolved_by = Attribution(closed.cause) if closed and closed.cause else UNKNOWN_CAUSE
    finding = Finding(
        scope=observed.scope,
        rule=worst.rule,
        resource=worst.resource,
        status=FindingStatus.RESOLVED,
        severity=worst.severity,
        verdict=replace(worst, remediation=None),
        version=0,
        opened_at=opened.at,
        updated_at=closed.at if closed else observed.at,
        opened_by=Attribution(opened.cause),
        resolved_by=resolved_by,
        caused_by=Attribution(opened.cause),
        names=observed.names,
    )
    doubt = _find_doubt(states, run, worst)
    return Transition(Step.TRANSIENT, finding, f"{POSSIBLE}{doubt}" if doubt else PUT_BACK)


def _find_doubt(states: StateVerdicts, run: _Run, verdict: Verdict) -> str:
    """Return why it is not certain that a rule failed; "" if the requests say so."""
    trace = states.trace
    if run.end >= len(trace.states):
        return "what put it back is not known"
    if run.follows_skipped:
        return "changes before it were not followed"
    about = verdict.concerns | {verdict.resource}
    near = about - {verdict.resource} if verdict.resource.startswith("vpc-") else about
    opened, closed = trace.states[run.first], trace.states[run.end]
    for state in trace.states[1 : run.end + 1]:
        if not state.exact and state.cause and {each for _, each in state.changed} & about:
            return f"what {state.cause.event_name} did is not known exactly"
    for change in trace.unapplied:
        if change.time <= closed.at and (change.resource_ids - change.vpc_ids) & near:
            return f"what {change.event_name} did is not known"
    if opened.at == closed.at and not _is_ordered(states, run):
        return "the order of calls within one second is not known"
    return ""


def _is_ordered(states: StateVerdicts, run: _Run) -> bool:
    """Whether the call that put it back would have been refused before the one that opened it."""
    before, closed = states.trace.states[run.first - 1], states.trace.states[run.end]
    if closed.change is None or before.snapshot is None:
        return False
    try:
        apply_call(before.snapshot, closed.change, before.snapshot.scope, None)
    except RefusedCallError:
        return True
    except UnknownEffectError:
        return False
    return False


def _count_unfollowed(skipped: Sequence[State], observed: Observed) -> Transition:
    """Say that the states after the first changes were not evaluated."""
    count = len(skipped)
    scope, noun = observed.scope, "change" if count == 1 else "changes"
    verdict = Verdict(
        CHANGES_NOT_FOLLOWED.id,
        scope.subject,
        Status.FAIL,
        CHANGES_NOT_FOLLOWED.severity,
        f"{count} {noun} of {scope.subject} between two observations were not followed one by one: "
        "what they opened and others put back is not known",
    )
    finding = Finding(
        scope=scope,
        rule=verdict.rule,
        resource=verdict.resource,
        status=FindingStatus.RESOLVED,
        severity=verdict.severity,
        verdict=verdict,
        version=0,
        opened_at=skipped[0].at,
        updated_at=skipped[-1].at,
        opened_by=_select_ends(skipped),
        resolved_by=UNKNOWN_CAUSE,
        caused_by=_select_ends(skipped),
        names=observed.names,
    )
    reason = f"{POSSIBLE}{count} {noun} were not followed"
    return Transition(Step.TRANSIENT, finding, reason)


def _select_ends(skipped: Sequence[State]) -> Attribution:
    """Return the first and the last of the changes that were not followed."""
    causes = dict.fromkeys(each.cause for each in (skipped[-1], skipped[0]) if each.cause)
    return Attribution(candidates=tuple(causes))
