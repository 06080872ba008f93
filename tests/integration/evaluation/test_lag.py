"""EC2 answers with the past for a while; the second look of each change sees the truth."""

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
    """Give the open findings' rules after a first look that lags, and after the second."""
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
    """Give the rules that have open findings, of both VPCs."""
    bare = Scope(ACCOUNT, REGION, stage.network.bare)
    return sorted(each.rule for each in [*stage.findings(), *stage.findings(bare)])


def test_a_lagging_read_is_put_right_by_the_second_look(stage: Stage) -> None:
    """Opening the group is not seen at first, and then found with its cause."""
    first, second = looked_twice(stage, stage.open_group)
    assert len(second) > len(first)
    (finding,) = stage.about(stage.network.group)
    assert finding.cause is not None
    assert finding.cause.event_name == "AuthorizeSecurityGroupIngress"


def test_an_endpoint_that_is_not_visible_yet_is_found(stage: Stage) -> None:
    """A created endpoint that EC2 does not show yet is judged once it does."""

    def create() -> None:
        create_endpoint(stage.alice, stage.network.bare, "Gateway", "s3")

    first, second = looked_twice(stage, create)
    assert len(second) > len(first)


def test_a_pending_endpoint_is_looked_at_again(stage: Stage) -> None:
    """Pending at the first look is no finding; failed at the second one is."""
    state = ec2_backends[ACCOUNT][REGION].vpc_end_points[stage.network.interface]
    state.state, state.creation_timestamp = "pending", stage.clock.time.replace(tzinfo=None)
    stage.open_group()
    (record,) = stage.taken()
    stage.evaluate(record)
    before = {each.rule for each in stage.findings()}
    state.state = "failed"
    stage.evaluate(record)
    assert {each.rule for each in stage.findings()} - before == {"endpoint-not-available"}


def test_a_second_look_at_what_was_seen_says_nothing(stage: Stage) -> None:
    """Where the first look saw the truth, history has no row more."""
    stage.open_group()
    (record,) = stage.taken()
    stage.evaluate(record)
    rows = stage.rows()
    stage.evaluate(record)
    assert stage.rows() == rows
