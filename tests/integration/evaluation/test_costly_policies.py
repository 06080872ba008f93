"""A VPC that takes long is evaluated last, and none is lost: costly policies, many rules."""

import json
from collections.abc import Callable

import pytest

from monitor_stage import Stage, attribute_change, batch
from posture.evaluation import rule_results
from posture.evaluation.region_sweep import RegionSweep
from posture.model.scope import Scope
from posture.model.verdict import Status
from posture.policy.decide import TOO_COMPLEX
from posture.runtime.deadline import Deadline
from posture.store.baselines import BaselineTable
from sample_network import ACCOUNT, REGION, create_endpoint
from stack_tables import TABLES

RULE = "endpoint-policy-allows-untrusted-principal"
PATTERNS = [f"*{number % 10}*{number}*" for number in range(1400)]
HOSTILE = {
    "Version": "2012-10-17",
    "Statement": {
        "Sid": "Costly",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "*",
        "Resource": "*",
        "Condition": {"StringLike": {"aws:PrincipalAccount": PATTERNS}},
    },
}


@pytest.fixture
def hostile(stage: Stage) -> Scope:
    """Add a policy that is made to be hard to the bare VPC; return its scope."""
    vpc = stage.network.bare
    create_endpoint(stage.network.ec2, vpc, "Gateway", "s3", PolicyDocument=json.dumps(HOSTILE))
    return Scope(ACCOUNT, REGION, vpc)


def is_recorded(stage: Stage, scope: Scope) -> bool:
    """Return whether a scope was evaluated."""
    return stage.store.load_record(scope) is not None


def end_after(stage: Stage, *innocent: Scope) -> Deadline:
    """Return a deadline that is over as soon as these scopes are recorded."""
    return Deadline(lambda: 0 if all(is_recorded(stage, each) for each in innocent) else 900)


def list_innocent(stage: Stage, hostile: Scope) -> list[Scope]:
    """Return the other VPCs of the Region."""
    found = [each["VpcId"] for each in stage.network.ec2.describe_vpcs()["Vpcs"]]
    return [Scope(ACCOUNT, REGION, each) for each in found if each != hostile.subject]


def build_records(*scopes: Scope) -> list[dict[str, object]]:
    """Return a change of each scope."""
    return [attribute_change(each.subject) | {"eventID": each.subject} for each in scopes]


def assert_unknown(stage: Stage, hostile: Scope) -> None:
    """Assert that a finding names the statement that costs."""
    stored = stage.store.load(hostile).findings.values()
    (found,) = (each for each in stored if each.verdict.rule == RULE)
    assert found.verdict.status is Status.UNKNOWN
    assert TOO_COMPLEX in found.verdict.summary
    assert "StringLike aws:PrincipalAccount of statement 1 (Costly)" in found.verdict.summary


def test_a_batch_records_the_innocent_first(stage: Stage, hostile: Scope) -> None:
    """The costly VPC came first in the batch, is recorded last, and is unknown."""
    innocent = list_innocent(stage, hostile)
    found = stage.evaluate(*build_records(hostile, *innocent))

    assert found.failed == ()
    assert {each.scope for each in found.results} == {hostile, *innocent}
    assert found.results[-1].scope == hostile
    assert_unknown(stage, hostile)


def test_a_vpc_with_many_rules_is_recorded_last(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is evaluated alone, after the others that were read with it."""
    large = stage.network.bare
    monkeypatch.setattr(rule_results, "measure_size", lambda it: 5 * (it.scope.subject == large))
    scope = Scope(ACCOUNT, REGION, large)
    innocent = list_innocent(stage, scope)

    found = stage.evaluate(*build_records(scope, *innocent))

    assert found.failed == ()
    assert found.results[-1].scope == scope
    assert is_recorded(stage, scope)


def test_a_vpc_alone_in_a_batch_is_evaluated_at_once(stage: Stage, hostile: Scope) -> None:
    """Nothing waits for it, so it is read once."""
    calls: list[str] = []
    meta = stage.network.ec2.meta
    meta.events.register("before-call", lambda model, **_: calls.append(model.name))
    stage.evaluate(*build_records(hostile))

    assert_unknown(stage, hostile)
    assert calls.count("DescribeRouteTables") == 1


def test_a_message_without_time_for_it_comes_again(stage: Stage, hostile: Scope) -> None:
    """All others are recorded, and the next delivery evaluates the costly VPC."""
    innocent = list_innocent(stage, hostile)
    records = build_records(hostile, *innocent)
    found = stage.evaluator().evaluate(batch(*records), end_after(stage, *innocent))

    assert found.failed == ("m-1",)
    assert {each.scope for each in found.results} == set(innocent)
    assert not is_recorded(stage, hostile)

    assert stage.evaluate(records[0]).failed == ()
    assert_unknown(stage, hostile)


@pytest.fixture
def sweep(stage: Stage) -> Callable[[Deadline], set[Scope]]:
    """Return a function that sweeps the Region and returns the scopes that failed."""

    def run(deadline: Deadline) -> set[Scope]:
        baselines = BaselineTable(stage.dynamodb, TABLES.baseline)
        found = RegionSweep(stage.observer(), stage.store, baselines).run((), deadline)
        assert found.remaining == ()
        return set(found.failed)

    return run


def test_a_sweep_without_time_for_it_names_the_scope(
    stage: Stage, hostile: Scope, sweep: Callable[[Deadline], set[Scope]]
) -> None:
    """The others of its slice are recorded; the next sweep evaluates it."""
    innocent = list_innocent(stage, hostile)

    assert sweep(end_after(stage, *innocent)) == {hostile}
    assert all(is_recorded(stage, each) for each in innocent)
    assert not is_recorded(stage, hostile)

    assert sweep(Deadline()) == set()
    assert_unknown(stage, hostile)
