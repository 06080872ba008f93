"""EC2's answers lag for a while; the second evaluation of each change reads the current state."""

import copy
from collections.abc import Callable
from typing import Any

from moto.ec2.models import ec2_backends

from monitor_stage import Stage
from posture.model.scope import Scope
from sample_network import ACCOUNT, REGION, create_endpoint


class Lag:
    """Lets EC2 answer every read as it answered it first, until it is caught up."""

    def __init__(self, ec2: Any) -> None:
        self._events = ec2.meta.events
        self._answers: dict[str, Any] = {}
        self.over = False
        self._events.register("before-call.ec2", self._remember_question)
        self._events.register_last("after-call.ec2", self._answer)

    def _remember_question(self, model: Any, params: Any, context: Any, **_: Any) -> None:
        context["question"] = f"{model.name} {sorted(params['body'].items())}"

    def _answer(self, parsed: Any, context: Any, **_: Any) -> None:
        older = self._answers.setdefault(context["question"], copy.deepcopy(parsed))
        if not self.over:
            parsed.clear()
            parsed.update(copy.deepcopy(older))


def looked_twice(stage: Stage, change: Callable[[], object]) -> tuple[list[str], list[str]]:
    """Return the open findings' rules after a first evaluation that lags, and after the second."""
    stage.sweep()
    lag = Lag(stage.network.ec2)
    stage.sweep()  # what EC2 shows now, it shows until the lag is over
    for vpc in (stage.network.vpc, stage.network.bare):
        stage.observer().collect_vpc(Scope(ACCOUNT, REGION, vpc))
    change()
    records = stage.taken()
    assert stage.evaluate(*records).failed == ()
    first = rules(stage)
    lag.over = True
    assert stage.evaluate(*records).failed == ()
    return first, rules(stage)


def rules(stage: Stage) -> list[str]:
    """Return the rules that have open findings, of both VPCs."""
    bare = Scope(ACCOUNT, REGION, stage.network.bare)
    return sorted(each.rule for each in [*stage.findings(), *stage.findings(bare)])


def test_a_lagging_read_is_corrected_by_the_second_evaluation(stage: Stage) -> None:
    """The opened group is not read at first, and then found with its cause."""
    first, second = looked_twice(stage, stage.open_group)
    assert len(second) > len(first)
    (finding,) = stage.about(stage.network.group)
    assert finding.cause is not None
    assert finding.cause.event_name == "AuthorizeSecurityGroupIngress"


def test_an_endpoint_that_is_not_visible_yet_is_found(stage: Stage) -> None:
    """A created endpoint that EC2 does not return yet is evaluated once it does."""

    def create() -> None:
        create_endpoint(stage.alice, stage.network.bare, "Gateway", "s3")

    first, second = looked_twice(stage, create)
    assert len(second) > len(first)


def test_a_pending_endpoint_is_evaluated_again(stage: Stage) -> None:
    """A pending endpoint is no finding at first; a failed one is at the second evaluation."""
    state = ec2_backends[ACCOUNT][REGION].vpc_end_points[stage.network.interface]
    state.state, state.creation_timestamp = "pending", stage.clock.time.replace(tzinfo=None)
    stage.open_group()
    (record,) = stage.taken()
    stage.evaluate(record)
    before = {each.rule for each in stage.findings()}
    state.state = "failed"
    stage.evaluate(record)
    assert {each.rule for each in stage.findings()} - before == {"endpoint-not-available"}


def test_a_second_evaluation_of_the_same_snapshot_writes_nothing(stage: Stage) -> None:
    """Where the first evaluation was right, no row of history is added."""
    stage.open_group()
    (record,) = stage.taken()
    stage.evaluate(record)
    rows = stage.rows()
    stage.evaluate(record)
    assert stage.rows() == rows
