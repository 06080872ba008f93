"""Calls that can stop the monitor become findings, which a person acknowledges by a waiver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter

from posture.attribution.events import build_cause
from posture.baseline.resolve import resolve_baseline
from posture.errors import ConflictError
from posture.evaluation.scope import ScopeResult
from posture.lifecycle.diff import find_transitions, is_bad, resolve_all
from posture.lifecycle.waiving import Waivers, attribute_approval
from posture.model.change import Change
from posture.model.finding import (
    MAX_CANDIDATES,
    Attribution,
    Finding,
    FindingStatus,
    Transition,
    finding_id,
)
from posture.model.instant import CLOCK_TOLERANCE
from posture.model.scope import Scope
from posture.model.waiver import Waiver
from posture.rules.tampering import MONITOR_TAMPERING, add_call, knows_call, name_tampered
from posture.runtime.clock import TimeSource
from posture.store.baselines import BaselineTable
from posture.store.scope_evaluation import Evaluation, ScopeState, WriteOutcome
from posture.store.scope_store import Store

ATTEMPTS = 5
INSTANT = timedelta(microseconds=1)


class TamperingRecorder:
    """Records the findings of an account's `monitor` scope."""

    def __init__(self, store: Store, baselines: BaselineTable, now: TimeSource) -> None:
        """Read the baseline document in force, which has the waivers.

        Raises:
            CorruptItemError: It cannot be read.
        """
        self._store = store
        self._document = baselines.load_applied().document
        self._now = now

    def record(self, scope: Scope, calls: Sequence[Change] = ()) -> ScopeResult:
        """Add calls to the findings, and resolve those that were acknowledged.

        Without calls, and with nothing to resolve, nothing is written.

        Raises:
            ConflictError: Others kept writing; it may be tried again.
            CorruptItemError: A stored item cannot be read.
        """
        for _ in range(ATTEMPTS):
            at = self._now()
            compare = partial(self._compare, at, sorted(calls, key=attrgetter("time")))
            state = self._store.load(scope)
            if not calls and not compare(state):
                return ScopeResult(scope, WriteOutcome.UNCHANGED)
            evaluation = Evaluation(scope, at, latest=at + CLOCK_TOLERANCE)
            result = self._store.record(evaluation, compare, state)
            # What is recorded here depends on no snapshot, so a later one makes it not outdated.
            if result.outcome is not WriteOutcome.STALE:
                return ScopeResult(scope, result.outcome, result.transitions)
        raise ConflictError(f"{scope}: gave up after {ATTEMPTS} attempts")

    def _compare(
        self, at: datetime, calls: Sequence[Change], state: ScopeState
    ) -> tuple[Transition, ...]:
        """Return the transitions from a state."""
        scope = state.scope
        baseline = resolve_baseline(self._document, scope, {})
        waivers = Waivers(scope, at, self._document.waivers, baseline)
        bad = {each.resource: each for each in state.findings.values() if is_bad(each)}
        verdicts = {resource: each.verdict for resource, each in bad.items()}
        causes: dict[str, list[Change]] = {}
        for call in calls:
            for resource in name_tampered(call):
                # A resolved finding that comes back is loaded then: a call that it names is known.
                stored = state.findings.get(finding_id(scope, MONITOR_TAMPERING.id, resource))
                known = verdicts.get(resource) or (stored.verdict if stored else None)
                if known is None or not knows_call(known, call):
                    verdicts[resource] = add_call(verdicts.get(resource), call, resource)
                    causes.setdefault(resource, []).append(call)
        acknowledged = {
            finding.id: waiver
            for resource, finding in bad.items()
            if resource not in causes and (waiver := _find_acknowledgement(finding, waivers))
        }
        steps: list[Transition] = []
        for name, waiver in acknowledged.items():
            finding = state.findings[name]
            del verdicts[finding.resource]
            reason = f"acknowledged by waiver {waiver.id}: {waiver.reason}"
            (step,) = resolve_all(scope, {name: finding}, at, reason)
            by = attribute_approval(waiver)
            resolved = replace(step.finding, caused_by=by, resolved_by=by)
            steps.append(replace(step, finding=resolved))
        others = {name: each for name, each in state.findings.items() if name not in acknowledged}
        found = find_transitions(scope, others, verdicts.values(), observed_at=at, waivers=waivers)
        steps += [_attribute(step, causes.get(step.finding.resource, ())) for step in found]
        names = self._document.name_scope(scope, {})
        return tuple(replace(it, finding=replace(it.finding, names=names)) for it in steps)


def _find_acknowledgement(finding: Finding, waivers: Waivers) -> Waiver | None:
    """Return the waiver that expired after it covered a finding; None while one is in force.

    One that was revoked acknowledges nothing.
    """
    rule, resource = finding.rule, finding.resource
    ended = waivers.find_ended(rule, resource)
    if ended is None or waivers.find_waiver(rule, resource):
        return None
    last = ended.expires_at - INSTANT
    was_in_force = replace(waivers, at=last).find_waiver(rule, resource) == ended
    is_over = ended.state(waivers.at) == "expired" and last >= finding.updated_at
    return ended if is_over and was_in_force else None


def _attribute(step: Transition, calls: Sequence[Change]) -> Transition:
    """Name the calls that caused a transition; what a waiver did has its cause."""
    if not calls:
        return step
    latest = [build_cause(each) for each in reversed(calls)][:MAX_CANDIDATES]
    attribution = Attribution(latest[0]) if len(calls) == 1 else Attribution(None, tuple(latest))
    finding = step.finding
    if finding.opened_at == finding.updated_at:
        finding = replace(finding, opened_by=attribution)
    if finding.status is not FindingStatus.WAIVED:
        finding = replace(finding, caused_by=attribution)
    return replace(step, finding=finding)
