"""The verdicts on the states of a trace, each state evaluated once, when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from posture.attribution.differences import make_changes
from posture.attribution.states import State, Trace
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Snapshot
from posture.model.verdict import Verdict
from posture.remedies.effect import VerdictKey, select_worst
from posture.rules.contexts import VpcContext
from posture.rules.engine import (
    evaluate_context,
    evaluate_endpoint_service,
    evaluate_region_access,
)

Verdicts = Mapping[VerdictKey, Verdict]


class StateVerdicts:
    """The verdicts on the states of a trace.

    Args:
        trace: The states.
        present: What the present snapshot was evaluated in, whose analyses are shared; None where
            it was not.
    """

    def __init__(self, trace: Trace, present: VpcContext | None = None) -> None:
        self.trace = trace
        self._present = present
        self._known: dict[tuple[int, bool], Verdicts] = {}

    @property
    def evaluated(self) -> int:
        """How many states were evaluated."""
        return len(self._known)

    def find(self, number: int) -> Verdicts:
        """Find the verdicts after an event, by rule and resource; number 0 is the earlier state."""
        return self._find(number, completed=False)

    def find_completed(self, number: int) -> Verdicts:
        """Find the verdicts on a state in which all that no known event explains has happened."""
        return self._find(number, completed=True)

    def _find(self, number: int, *, completed: bool) -> Verdicts:
        key = number, completed and bool(self.trace.unexplained)
        if key not in self._known:
            state = self.trace.states[number]
            if key[1] and state.snapshot is not None:
                snapshot = make_changes(state.snapshot, self.trace.unexplained)
                state = replace(state, snapshot=snapshot)
            self._known[key] = self.evaluate(state)
        return self._known[key]

    def evaluate(self, state: State) -> Verdicts:
        """Evaluate a state, which may be none of the trace."""
        snapshot, baseline = state.snapshot, state.baseline
        if snapshot is None or baseline.exempt:
            return {}
        snapshot = replace(snapshot, observed_at=state.at)
        if isinstance(snapshot, EndpointServiceSnapshot):
            return select_worst(evaluate_endpoint_service(snapshot, baseline))
        if isinstance(snapshot, Snapshot):
            context = VpcContext(snapshot, baseline, former=self._present)
            if present := self._present:
                context = replace(
                    context,
                    policy_units=present.policy_units,
                    shared=present.shared,
                    whole=present.whole,
                )
            return select_worst(evaluate_context(context))
        return select_worst(evaluate_region_access(snapshot, baseline))
