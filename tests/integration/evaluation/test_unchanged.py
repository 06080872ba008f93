"""A picture that was judged before is not judged again, and whatever makes it another one is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from monitor_stage import ANYBODY, Stage
from posture.baseline.document import BaselineDocument, Match, Override
from posture.evaluation import scope as assess
from posture.model.waiver import Waiver
from posture.rules.engine import evaluate_context
from posture.rules.rule_catalogue import VPC_RULES
from posture.store.baselines import BaselineTable
from posture.store.scope_store import WriteOutcome
from posture.store.waivers import WaiverTable
from sample_network import ACCOUNT
from stack_tables import TABLES


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the VPCs that are judged from now on, as they are."""
    told: list[str] = []

    def telling(case: Any) -> Any:
        told.append(case.snapshot.vpc.id)
        return evaluate_context(case)

    monkeypatch.setattr(assess, "evaluate_context", telling)
    return told


def require(stage: Stage, after: int = 0, **settings: Any) -> None:
    """Make a baseline of these settings for everybody the one that holds."""
    BaselineTable(stage.dynamodb, TABLES.baseline).apply(
        BaselineDocument(
            overrides=(Override("all", Match(accounts=frozenset({ACCOUNT})), settings),)
        ),
        after=after,
        applied_at=stage.clock(),
        applied_by="arn:aws:iam::111122223333:user/alice",
    )


def test_the_second_look_of_a_change_judges_nothing(stage: Stage, judged: list[str]) -> None:
    """Five minutes later all is as the first look found it: one write, and nothing is read back."""
    stage.open_group()
    records = stage.taken()
    stage.evaluate(*records)
    assert judged == [stage.network.vpc]
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
    assert judged == [stage.network.vpc]
    # The waivers, the baseline, whose group it is, the clock.
    assert calls == ["Query", "GetItem", "Query", "UpdateItem"]


def test_the_same_change_at_once_judges_nothing(stage: Stage, judged: list[str]) -> None:
    """A record that comes twice is looked at twice and judged once."""
    stage.open_group()
    (record,) = stage.taken()
    stage.evaluate(record)
    again = stage.evaluate(record)
    assert [(each.outcome, each.evaluated) for each in again.results] == [
        (WriteOutcome.UNCHANGED, False)
    ]
    assert judged == [stage.network.vpc]


def test_a_second_look_that_sees_more_judges_it(stage: Stage, judged: list[str]) -> None:
    """What changed without a trace since the first look is found by the second."""
    stage.alice.modify_vpc_attribute(VpcId=stage.network.vpc, EnableDnsSupport={"Value": True})
    records = stage.taken()
    stage.evaluate(*records)
    stage.network.ec2.authorize_security_group_ingress(
        GroupId=stage.network.group, IpPermissions=[ANYBODY]
    )
    stage.clock.time += timedelta(minutes=5)
    second = stage.evaluate(*records)
    assert [each.outcome for each in second.results] == [WriteOutcome.COMMITTED]
    assert judged == [stage.network.vpc] * 2
    assert stage.about(stage.network.group)


def test_only_what_changed_is_judged_by_a_sweep(stage: Stage, judged: list[str]) -> None:
    """One VPC of three."""
    stage.sweep()
    judged.clear()
    stage.network.ec2.authorize_security_group_ingress(
        GroupId=stage.network.group, IpPermissions=[ANYBODY]
    )
    swept = stage.sweep()
    assert judged == [stage.network.vpc]
    assert sum(not each.evaluated for each in swept.results) == 2


def test_another_baseline_judges_all(stage: Stage, judged: list[str]) -> None:
    """Whatever is required of a VPC is part of its picture."""
    stage.sweep()
    judged.clear()
    require(stage, required_services=("kms",))
    stage.sweep()
    assert len(judged) == 3


def test_an_exempt_scope_is_the_same_until_it_is_not(stage: Stage) -> None:
    """What is exempt has no findings, is not looked into again, and is judged when it may be."""
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
    """Though nothing in the network or the baseline moved."""
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
    """Every scope is judged once a day, whatever its head says."""
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
    patch.setattr(assess, "build_matrix_record", _fail)


def _rule(patch: pytest.MonkeyPatch) -> None:
    first, *others = VPC_RULES
    broken = (replace(first, evaluate=_fail), *others)
    patch.setattr(assess, "evaluate_context", partial(evaluate_context, rules=broken))


def _fail(*_: object) -> Any:
    raise MemoryError


@pytest.mark.parametrize("break_it", [_matrix, _rule])
def test_what_was_judged_by_mistake_is_judged_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, break_it: Callable[[Any], None]
) -> None:
    """A failure of our own may pass: nobody is held to what it left behind."""
    with monkeypatch.context() as patch:
        break_it(patch)
        stage.sweep()
    assert all(each.evaluated for each in stage.sweep().results)
    assert not any(each.evaluated for each in stage.sweep().results)
    head = stage.store.load(stage.network.scope).record
    assert head is not None
    assert head.coverage is not None


def test_a_picture_without_a_digest_is_judged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, judged: list[str]
) -> None:
    """Should a digest ever not be made, all is judged and recorded as if there were none."""
    monkeypatch.setattr(assess, "digest_snapshot", _fail)
    stage.open_group()
    records = stage.taken()
    stage.evaluate(*records)
    stage.clock.time += timedelta(minutes=5)
    stage.evaluate(*records)
    assert judged == [stage.network.vpc] * 2
    assert stage.about(stage.network.group)
