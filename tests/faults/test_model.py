"""Whatever happens, and in whatever order: in the end the findings tell the truth, once.

Hypothesis makes up stories of network changes, of deliveries that come twice, late, out of order or
never, and of invocations that are struck by faults or run into each other. `make faults` tells more
and longer stories; a failure prints the steps that lead to it and the seed.
"""

import contextlib
import os
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fault_changes import CHANGES
from fault_injection import Fault, Run
from faulty_monitor import FaultyMonitor, assert_history_replays, faulty, tampered
from posture.model.scope import Scope

STORIES = int(os.environ.get("FAULT_STORIES", "0"))
PROFILE = settings(
    max_examples=STORIES or 10,
    stateful_step_count=40 if STORIES else 12,
    derandomize=not STORIES,
    deadline=timedelta(minutes=5),
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
ACTS = ("evaluate", "sweep", "change", "notify")


def faults(calls: int) -> st.SearchStrategy[dict[int, Fault]]:
    """Give faults at some of about so many calls; one beyond the last call strikes nothing."""
    return st.dictionaries(
        st.integers(0, calls), st.sampled_from(list(Fault)), min_size=1, max_size=4
    )


def meanwhile(calls: int) -> st.SearchStrategy[tuple[int, str] | None]:
    """Give what goes on besides, and at which call, or nothing."""
    return st.none() | st.tuples(st.integers(0, calls), st.sampled_from(ACTS))


class Monitoring(RuleBasedStateMachine):
    """One story of a region and its monitor."""

    def __init__(self) -> None:
        super().__init__()
        self._exits = ExitStack()
        self.monitor: FaultyMonitor = self._exits.enter_context(faulty())
        self._clocks: dict[Scope, Any] = {}

    @initialize(sweep=st.booleans())
    def deploy(self, sweep: bool) -> None:
        """The monitor starts in a region it has seen, or not."""
        if sweep:
            self.monitor.sweep()
            self.monitor.notify()

    @rule(name=st.sampled_from(sorted(CHANGES)), arrives=st.booleans())
    def change(self, name: str, arrives: bool) -> None:
        """Somebody changes the network, or tries to; the record arrives at once or is under way."""
        with contextlib.suppress(ClientError):
            CHANGES[name](self.monitor.stage)
        if arrives:
            for record in self.monitor.stage.taken():
                self.monitor.send(record)

    @precondition(lambda self: self.monitor.stage.trail)
    @rule(pick=st.integers(0, 50), copies=st.integers(1, 3), again=st.booleans())
    def deliver(self, pick: int, copies: int, again: bool) -> None:
        """A record arrives: any of those under way, perhaps twice, perhaps once more later."""
        trail = self.monitor.stage.trail
        record = trail[pick % len(trail)] if again else trail.pop(pick % len(trail))
        for _ in range(copies):
            self.monitor.send(record)

    @precondition(lambda self: self.monitor.stage.trail)
    @rule(pick=st.integers(0, 50))
    def lose(self, pick: int) -> None:
        """A record never arrives."""
        self.monitor.stage.trail.pop(pick % len(self.monitor.stage.trail))

    @rule(name=st.sampled_from(sorted(CHANGES)), strikes=faults(26), telling=faults(10))
    def trouble(self, name: str, strikes: dict[int, Fault], telling: dict[int, Fault]) -> None:
        """A change is evaluated and told at once, each of them struck."""
        self.change(name, arrives=True)
        self.monitor.evaluate(list(self.monitor.queue), Run("evaluate", strikes))
        self.monitor.notify(Run("notify", telling))

    @precondition(lambda self: self.monitor.queue)
    @rule(
        strikes=faults(26), besides=meanwhile(26), start=st.integers(0, 5), size=st.integers(1, 9)
    )
    def evaluate(self, strikes: dict[int, Fault], besides: Any, start: int, size: int) -> None:
        """A batch is evaluated."""
        start %= len(self.monitor.queue)
        run = self._run("evaluate", strikes, besides)
        self.monitor.evaluate(self.monitor.queue[start : start + size], run)

    @rule(strikes=faults(34), besides=meanwhile(34))
    def sweep(self, strikes: dict[int, Fault], besides: Any) -> None:
        """The schedule's time has come."""
        self.monitor.sweep(self._run("sweep", strikes, besides))

    @rule(strikes=faults(10), besides=meanwhile(10), size=st.integers(1, 40))
    def notify(self, strikes: dict[int, Fault], besides: Any, size: int) -> None:
        """A batch of the stream is told."""
        self.monitor.notify(self._run("notify", strikes, besides), size)

    @invariant()
    def no_clock_goes_back(self) -> None:
        """An older picture never replaces a newer one."""
        clocks = self.monitor.clocks()
        for scope, before in self._clocks.items():
            assert clocks[scope][0] >= before[0]
            assert clocks[scope][1] >= before[1]
        self._clocks = clocks

    def teardown(self) -> None:
        """All is well again: the queue drains, a sweep comes, and what must hold holds."""
        try:
            self.monitor.settle()
            assert_true_to_the_network(self.monitor)
            assert_history_replays(self.monitor)
            assert_told_once(self.monitor)
        finally:
            self._exits.close()

    def _run(self, name: str, strikes: dict[int, Fault], besides: Any) -> Run:
        if besides is None:
            return Run(name, strikes)
        at, what = besides
        monitor = self.monitor
        acts = {
            "evaluate": lambda: monitor.evaluate(list(monitor.queue)),
            "sweep": monitor.sweep,
            "change": lambda: self.change("open the group", arrives=True),
            "notify": monitor.notify,
        }
        if what == name == "notify":
            return Run(name, strikes)  # a shard has one reader at a time
        return Run(name, strikes, {at: acts[what]})


def assert_true_to_the_network(monitor: FaultyMonitor) -> None:
    """The findings are those of a direct look at each VPC; what is gone has none."""
    truth = monitor.truth()
    for scope in monitor.scopes() | truth.keys():
        expected = truth.get(scope, {})
        stored = monitor.stored(scope)
        assert {name: _told_of(each) for name, each in expected.items()} == {
            name: _told_of(each) for name, each in stored.items()
        }, scope


def assert_told_once(monitor: FaultyMonitor) -> None:
    """Each step was alerted; more than once only where a fault struck its delivery."""
    told = monitor.told()
    steps = {
        (entry.transition.finding.id, entry.transition.finding.version)
        for scope in monitor.scopes()
        for entry in monitor.history(scope)
    }
    assert not monitor.abandoned
    assert told.keys() == steps
    assert {each for each, times in told.items() if times > 1} <= monitor.excused


def _told_of(finding: Any) -> tuple[Any, ...]:
    verdict = finding.verdict
    facts = sorted((each.text, sorted(each.record.items())) for each in verdict.evidence)
    return finding.status, finding.severity, verdict.summary, facts


def test_whatever_happens_in_the_end_the_findings_tell_the_truth_once() -> None:
    """Every story ends well, and what the suite tells are stories of faults, at many calls."""
    points = tampered()[1].points
    before = points.copy()
    run_state_machine_as_test(Monitoring, settings=PROFILE)
    if STORIES:
        return  # as many as somebody wants, be it one without a fault
    struck = points - before
    assert struck.total() >= 20
    assert {run for run, _, _ in struck} == {"evaluate", "sweep", "notify"}
    assert len({(run, call) for run, call, _ in struck}) >= 8
