"""A snapshot is not evaluated twice, unless something that it depends on changes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from monitor_stage import ANY_ADDRESS, Stage
from posture.baseline.document import BaselineDocument, Match, Override
from posture.evaluation import observed_scope, rule_results
from posture.model.waiver import Waiver
from posture.rules.engine import evaluate_context
from posture.rules.rule_catalogue import VPC_RULES
from posture.store.baselines import BaselineTable
from posture.store.scope_evaluation import WriteOutcome
from posture.store.waivers import WaiverTable
from sample_network import ACCOUNT
from stack_tables import TABLES


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of the VPCs that are evaluated from now on."""
    vpc_ids: list[str] = []

    def recording(case: Any) -> Any:
        vpc_ids.append(case.snapshot.vpc.id)
        return evaluate_context(case)

    monkeypatch.setattr(rule_results, "evaluate_context", recording)
    return vpc_ids


def require(stage: Stage, after: int = 0, **settings: Any) -> None:
    """Apply a baseline with these settings for all scopes."""
    BaselineTable(stage.dynamodb, TABLES.baseline).apply(
        BaselineDocument(
            overrides=(Override("all", Match(accounts=frozenset({ACCOUNT})), settings),)
        ),
        after=after,
        applied_at=stage.clock(),
        applied_by="arn:aws:iam::111122223333:user/alice",
    )


def test_the_second_evaluation_of_a_change_runs_no_rule(stage: Stage, evaluated: list[str]) -> None:
    """Five minutes later nothing has changed: one write, and no finding is read."""
    stage.sweep()
    stage.clock.time += timedelta(minutes=5)
    evaluated.clear()
    stage.open_group()
    records = stage.taken()
    stage.evaluate(*records)
    assert evaluated == [stage.network.vpc]
    stage.clock.time += timedelta(minutes=5)
    calls: list[str] = []
    stage.dynamodb.meta.events.register(
        "provide-client-params.dynamodb.*", lambda model, **_: calls.append(model.name)
    )
    second = stage.evaluate(*records)
    assert [(each.outcome, each.evaluated) for each in second.results] == [
        (WriteOutcome.UNCHANGED, False)
    ]
    assert second.count_metrics()["ScopesUnchanged"] == 1
    assert evaluated == [stage.network.vpc]
    # The waivers, the baseline, the scope of the group, the last-observed time.
    assert calls == ["Query", "GetItem", "Query", "UpdateItem"]


def test_a_repeated_change_runs_no_rule(stage: Stage, evaluated: list[str]) -> None:
    """A record that arrives twice leads to two snapshots and one evaluation."""
    stage.open_group()
    (record,) = stage.taken()
    stage.evaluate(record)
    again = stage.evaluate(record)
    assert [(each.outcome, each.evaluated) for each in again.results] == [
        (WriteOutcome.UNCHANGED, False)
    ]
    assert evaluated == [stage.network.vpc]


def test_a_second_evaluation_of_another_snapshot_runs_the_rules(
    stage: Stage, evaluated: list[str]
) -> None:
    """A change without a record since the first evaluation is found by the second."""
    stage.alice.modify_vpc_attribute(VpcId=stage.network.vpc, EnableDnsSupport={"Value": True})
    records = stage.taken()
    stage.evaluate(*records)
    stage.network.ec2.authorize_security_group_ingress(
        GroupId=stage.network.group, IpPermissions=[ANY_ADDRESS]
    )
    stage.clock.time += timedelta(minutes=5)
    second = stage.evaluate(*records)
    assert [each.outcome for each in second.results] == [WriteOutcome.COMMITTED]
    assert evaluated == [stage.network.vpc] * 2
    assert stage.about(stage.network.group)


def test_only_what_changed_is_evaluated_by_a_sweep(stage: Stage, evaluated: list[str]) -> None:
    """One VPC of three."""
    stage.sweep()
    evaluated.clear()
    stage.network.ec2.authorize_security_group_ingress(
        GroupId=stage.network.group, IpPermissions=[ANY_ADDRESS]
    )
    result = stage.sweep()
    assert evaluated == [stage.network.vpc]
    assert sum(not each.evaluated for each in result.results) == 2


def test_another_baseline_evaluates_all(stage: Stage, evaluated: list[str]) -> None:
    """The requirements of a VPC are part of its digest."""
    stage.sweep()
    evaluated.clear()
    require(stage, required_services=("kms",))
    stage.sweep()
    assert len(evaluated) == 3


def test_an_exempt_scope_is_the_same_until_it_is_not(stage: Stage) -> None:
    """An exempt scope has no findings, and is evaluated again when it is no longer exempt."""
    stage.sweep()
    before = {each.id for each in stage.findings()}
    assert before
    require(stage, exempt=True, exempt_reason="sandbox")
    stage.sweep()
    assert stage.findings() == []
    assert not any(each.evaluated for each in stage.sweep().results)
    require(stage, after=1)
    stage.sweep()
    assert {each.id for each in stage.findings()} == before


def test_a_waiver_that_expires_opens_again(stage: Stage) -> None:
    """Though neither network nor baseline changed."""
    stage.open_group()
    stage.evaluate()
    (finding,) = stage.about(stage.network.group)
    now = stage.clock()
    WaiverTable(stage.dynamodb, TABLES.baseline, TABLES.history).add(
        Waiver(
            id="w-1",
            rule=finding.rule,
            resource="*",
            scope="*",
            reason="being replaced",
            ticket="SEC-1",
            requested_by="arn:aws:iam::111122223333:user/alice",
            requested_at=now,
            expires_at=now + timedelta(minutes=30),
            approved_by="arn:aws:iam::111122223333:user/alice",
            approved_at=now,
        )
    )
    stage.sweep()
    assert stage.about(stage.network.group) == []
    stage.clock.time += timedelta(minutes=29)
    assert stage.about(stage.network.group) == []
    stage.clock.time += timedelta(minutes=1)
    stage.sweep()
    (opened,) = stage.about(stage.network.group)
    assert opened.version == finding.version + 2


def test_what_is_edited_by_hand_is_mended_within_a_day(stage: Stage) -> None:
    """Every scope is evaluated once a day, whatever its record holds."""
    stage.open_group()
    stage.evaluate()
    (finding,) = stage.about(stage.network.group)
    stage.dynamodb.update_item(
        TableName=TABLES.findings,
        Key={
            "scope": {"S": str(finding.scope)},
            "item": {"S": f"{finding.rule}#{finding.resource}"},
        },
        UpdateExpression="SET #status = :status",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": {"S": "resolved"}},
    )
    assert stage.about(stage.network.group) == []
    for _ in range(24):
        stage.clock.time += timedelta(hours=1)
        stage.sweep()
    assert stage.about(stage.network.group)


def _matrix(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rule_results, "build_matrix_record", _fail)


def _rule(patch: pytest.MonkeyPatch) -> None:
    first, *others = VPC_RULES
    broken = (replace(first, evaluate=_fail), *others)
    patch.setattr(rule_results, "evaluate_context", partial(evaluate_context, rules=broken))


def _fail(*_: object) -> Any:
    raise MemoryError


@pytest.mark.parametrize("break_it", [_matrix, _rule])
def test_an_evaluation_with_a_rule_error_is_repeated(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, break_it: Callable[[Any], None]
) -> None:
    """A failure of the monitor may be temporary, so its result is not kept."""
    with monkeypatch.context() as patch:
        break_it(patch)
        stage.sweep()
    assert all(each.evaluated for each in stage.sweep().results)
    assert not any(each.evaluated for each in stage.sweep().results)
    scope_record = stage.store.load(stage.network.scope).record
    assert scope_record is not None
    assert scope_record.coverage is not None


def test_a_snapshot_without_a_digest_is_evaluated(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, evaluated: list[str]
) -> None:
    """Where a digest cannot be computed, the scope is evaluated and recorded each time."""
    monkeypatch.setattr(observed_scope, "digest_snapshot", _fail)
    stage.open_group()
    records = stage.taken()
    stage.evaluate(*records)
    stage.clock.time += timedelta(minutes=5)
    stage.evaluate(*records)
    assert evaluated == [stage.network.vpc] * 2
    assert stage.about(stage.network.group)
