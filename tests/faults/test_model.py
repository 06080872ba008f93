"""After any faults, in any order, findings become correct and are reported once.

Hypothesis makes up stories of network changes, of deliveries that come twice, late, out of order or
never, and of invocations that are struck by faults or run into each other. `make faults` runs more
and longer stories; a failure prints the steps that lead to it and the seed.
"""

import contextlib
import os
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
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

from fault_changes import CHANGES, FLIPS
from fault_injection import Fault, Point, Run, Strikes
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
# Where others get in between or a fault strikes: a call by its number, or one that matters.
READS = ("DescribeVpcs", "DescribeSecurityGroups", "DescribeNetworkInterfaces")
WRITES = ("Query", "GetItem", "TransactWriteItems", "UpdateItem", "BatchWriteItem", "PutItem")
NOTIFIER_CALLS = ("Query", "PutItem", "UpdateItem", "Publish", "GetItem", "DeleteItem")
# Between what an evaluation saw and what it writes of it: here the winner is decided.
RACES = ("DescribeNetworkInterfaces", "Query", "TransactWriteItems", "UpdateItem")
STEPS = ("evaluate", "sweep", "notify", "none yet")

Besides = tuple[Point, list[tuple[str | None, str]]]


def points(calls: int, *names: str) -> st.SearchStrategy[Point]:
    """Return one of about so many calls; one beyond the last call is none."""
    return st.integers(0, calls) | st.sampled_from(names)


def faults(where: st.SearchStrategy[Point]) -> st.SearchStrategy[Any]:
    """Return faults at some calls."""
    return st.dictionaries(where, st.sampled_from(list(Fault)), min_size=1, max_size=4)


def besides(where: st.SearchStrategy[Point]) -> st.SearchStrategy[Besides]:
    """Return what happens just before a call: changes, each evaluated by another process or not."""
    change = st.none() | st.sampled_from(sorted(FLIPS))
    return st.tuples(
        where, st.lists(st.tuples(change, st.sampled_from(STEPS)), min_size=1, max_size=2)
    )


EVALUATING = points(26, *READS, *WRITES)
SWEEPING = points(34, *READS, *WRITES)
NOTIFYING = points(10, *NOTIFIER_CALLS)


class Monitoring(RuleBasedStateMachine):
    """One story of a region and its monitor."""

    def __init__(self) -> None:
        super().__init__()
        self._exits = ExitStack()
        self.monitor: FaultyMonitor = self._exits.enter_context(faulty())
        self._clocks: dict[Scope, Any] = {}
        self._lost = False

    @initialize(sweep=st.booleans(), most=st.sampled_from([2, 49]), many=st.sampled_from([0, 5]))
    def deploy(self, sweep: bool, most: int, many: int) -> None:
        """The monitor starts in a region that it has swept, or not.

        Few transitions are split into several transactions and few commits reported in digests,
        as if they were many.
        """
        patch = self._exits.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("posture.store.transactions.MAX_WRITES", 2 * most)
        patch.setattr("posture.notification.notify.MAX_SINGLE_ALERTS", many)
        if sweep:
            self.monitor.sweep()
            self.monitor.notify()

    @rule(name=st.sampled_from(sorted(CHANGES)), arrives=st.booleans())
    def change(self, name: str, arrives: bool) -> None:
        """The network is changed, or a change is tried; the record arrives at once or later."""
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
        self._lost = True

    @rule(
        name=st.sampled_from(sorted(FLIPS)),
        back=st.booleans(),
        at=st.sampled_from(RACES),
        meanwhile=besides(st.sampled_from(RACES)),
    )
    def race(self, name: str, back: bool, at: str, meanwhile: Besides) -> None:
        """While a change is evaluated it is reverted, or other changes are made and evaluated."""
        self.change(name, arrives=True)
        others: Besides = (at, [(name, "evaluate")]) if back else meanwhile
        self.monitor.evaluate(list(self.monitor.queue), self._run("evaluate", {}, others))
        if back and not (self.monitor.misled or self.monitor.region_misled):
            self.monitor.drain()
            assert_true_to_the_network(self.monitor, {self.monitor.stage.network.scope})

    @rule(
        name=st.sampled_from(sorted(CHANGES)),
        strikes=faults(EVALUATING),
        notifying=faults(NOTIFYING),
    )
    def trouble(self, name: str, strikes: Strikes, notifying: Strikes) -> None:
        """A change is evaluated and reported at the same time, each with faults."""
        self.change(name, arrives=True)
        self.monitor.evaluate(list(self.monitor.queue), Run("evaluate", strikes))
        self.monitor.notify(Run("notify", notifying))

    @precondition(lambda self: self.monitor.queue)
    @rule(
        strikes=faults(EVALUATING),
        meanwhile=st.none() | besides(EVALUATING),
        start=st.integers(0, 5),
        size=st.integers(1, 9),
    )
    def evaluate(self, strikes: Strikes, meanwhile: Any, start: int, size: int) -> None:
        """A batch is evaluated."""
        start %= len(self.monitor.queue)
        run = self._run("evaluate", strikes, meanwhile)
        self.monitor.evaluate(self.monitor.queue[start : start + size], run)

    @rule(strikes=faults(SWEEPING), meanwhile=st.none() | besides(SWEEPING))
    def sweep(self, strikes: Strikes, meanwhile: Any) -> None:
        """The schedule's time has come."""
        self.monitor.sweep(self._run("sweep", strikes, meanwhile))

    @rule(
        strikes=faults(NOTIFYING),
        meanwhile=st.none() | besides(NOTIFYING),
        size=st.integers(1, 40),
    )
    def notify(self, strikes: Strikes, meanwhile: Any, size: int) -> None:
        """A batch of the stream is reported."""
        self.monitor.notify(self._run("notify", strikes, meanwhile), size)

    @invariant()
    def no_clock_goes_back(self) -> None:
        """An older snapshot never replaces a newer one."""
        clocks = self.monitor.last_observed()
        for scope, before in self._clocks.items():
            assert clocks[scope][0] >= before[0]
            assert clocks[scope][1] >= before[1]
        self._clocks = clocks

    def teardown(self) -> None:
        """Faults end: changes restore what they must, and after a sweep everything is correct."""
        try:
            monitor = self.monitor
            for record in monitor.stage.taken():
                monitor.send(record)
            monitor.redrive()
            monitor.drain()
            if monitor.misled:
                monitor.send_again(monitor.records)
                monitor.drain()
            ends = monitor.injector.ends
            if not self._lost and not monitor.region_misled:
                changed = {each for each in monitor.scopes() if not each.is_region}
                assert_true_to_the_network(monitor, changed)  # only sweeps list a Region
                ends["stories true by changes alone"] += 1
            monitor.settle()
            assert_true_to_the_network(monitor, monitor.scopes() | monitor.truth().keys())
            assert_history_replays(monitor)
            assert_reported_once(monitor)
            reported = monitor.count_reported()
            ends["stories true after a sweep"] += 1
            ends["transitions reported"] += len(reported)
            ends["transitions reported again"] += reported.total() - len(reported)
        finally:
            self._exits.close()

    def _run(self, name: str, strikes: Strikes, meanwhile: Besides | None) -> Run:
        if meanwhile is None:
            return Run(name, strikes)
        at, others = meanwhile
        return Run(name, strikes, {at: lambda: self._others(name, others)})

    def _others(self, name: str, others: Sequence[tuple[str | None, str]]) -> None:
        with self.monitor.beside():
            for change, step in others:
                if change:
                    self.change(change, arrives=True)
                if step == "evaluate":
                    self.monitor.evaluate(list(self.monitor.queue))
                elif step == "sweep":
                    self.monitor.sweep()
                elif step == "notify" != name:  # a shard has one reader at a time
                    self.monitor.notify()
        self.no_clock_goes_back()  # not behind what others wrote meanwhile, either


def assert_true_to_the_network(monitor: FaultyMonitor, scopes: Collection[Scope]) -> None:
    """The findings are those of a direct evaluation of each VPC; a deleted VPC has none."""
    truth = monitor.truth()
    for scope in scopes:
        expected = truth.get(scope, {})
        stored = monitor.stored(scope)
        assert {name: _facts_of(each) for name, each in expected.items()} == {
            name: _facts_of(each) for name, each in stored.items()
        }, scope


def assert_reported_once(monitor: FaultyMonitor) -> None:
    """Each step was alerted; more than once only where a fault struck its delivery."""
    count_reported = monitor.count_reported()
    # Transient findings have no version of their own: 0 may occur several times.
    steps = Counter(
        (entry.transition.finding.id, entry.transition.finding.version)
        for scope in monitor.scopes()
        for entry in monitor.history(scope)
    )
    assert not monitor.abandoned
    assert count_reported.keys() == steps.keys()
    repeated = {each for each, times in count_reported.items() if times > steps[each]}
    assert repeated <= monitor.excused


def _facts_of(finding: Any) -> tuple[Any, ...]:
    verdict = finding.verdict
    facts = sorted((each.text, sorted(each.record.items())) for each in verdict.evidence)
    return finding.status, finding.severity, verdict.summary, facts


def test_after_any_story_findings_are_true_and_reported_once() -> None:
    """Every story ends well, and the suite's stories contain faults at many calls."""
    points = tampered()[1].points
    before = points.copy()
    run_state_machine_as_test(Monitoring, settings=PROFILE)
    if STORIES:
        return  # as many as were asked for, even if none has a fault
    struck = points - before
    assert struck.total() >= 20
    assert {run for run, _, _ in struck} == {"evaluate", "sweep", "notify"}
    assert len({(run, call) for run, call, _ in struck}) >= 8


def test_a_modified_attribute_survives_an_evaluation_that_used_the_stored_ones() -> None:
    """A story that random search found: the evaluation of the modifying call was overtaken."""
    story = Monitoring()
    story.deploy(sweep=True, most=2, many=0)
    story.trouble(
        name="turn host names off",
        strikes={"UpdateItem": Fault.CONDITION, "TransactWriteItems": Fault.THROTTLED},
        notifying={5: Fault.KILLED_AFTER},
    )
    nothing: Besides = ("DescribeNetworkInterfaces", [])
    story.race(name="flip the group", back=True, at=nothing[0], meanwhile=nothing)
    story.teardown()


def test_a_denied_read_of_entries_is_not_kept_for_other_changes() -> None:
    """A story that random search found: what all VPCs share was kept for an hour, denied or not."""
    story = Monitoring()
    story.deploy(sweep=False, most=2, many=0)
    story.change(name="disassociate the table", arrives=True)
    story.trouble(
        name="tag the group", strikes={"GetManagedPrefixListEntries": Fault.DENIED}, notifying={}
    )
    story.teardown()
