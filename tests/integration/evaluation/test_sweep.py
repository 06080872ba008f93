"""A sweep finds what no event told, and ends what is gone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor_stage import ANYBODY, Stage, attribute_change
from posture.errors import SweepIncompleteError
from posture.model.finding import Finding
from posture.model.scope import Scope
from posture.store.scope_store import WriteOutcome
from sample_network import ACCOUNT, REGION


def test_a_lost_event_is_repaired(stage: Stage) -> None:
    """What was opened without a trace is found, with no cause guessed."""
    stage.sweep()
    assert stage.about(stage.network.group) == []
    stage.network.ec2.authorize_security_group_ingress(
        GroupId=stage.network.group, IpPermissions=[ANYBODY]
    )
    stage.sweep()
    (finding,) = stage.about(stage.network.group)
    assert finding.cause is None


def test_a_second_sweep_writes_nothing(stage: Stage) -> None:
    """All is as it was: nothing is judged, only the heads' clocks move."""
    first = stage.sweep()
    rows, before = stage.rows(), stage.store.load(stage.network.scope).record
    swept = stage.sweep()
    assert {(each.outcome, each.evaluated) for each in swept.results} == {
        (WriteOutcome.UNCHANGED, False)
    }
    assert {each.scope for each in swept.results} == {each.scope for each in first.results}
    assert (first.count_metrics()["ScopesUnchanged"], swept.count_metrics()["ScopesUnchanged"]) == (
        0,
        3,
    )
    assert stage.rows() == rows
    after = stage.store.load(stage.network.scope).record
    assert before
    assert after
    assert after.observed_at > before.observed_at
    assert replace(after, observed_at=before.observed_at, dns=before.dns) == before


def test_every_vpc_is_swept(stage: Stage) -> None:
    """The default VPC, too."""
    vpcs = {each["VpcId"] for each in stage.network.ec2.describe_vpcs()["Vpcs"]}
    assert {each.scope.subject for each in stage.sweep().results} == vpcs


def test_what_is_gone_is_ended(stage: Stage) -> None:
    """A VPC that was deleted without a trace has no open finding any more."""
    stage.sweep()
    stage.network.ec2.delete_vpc(VpcId=stage.network.bare)
    stage.sweep()
    scope = Scope(ACCOUNT, REGION, stage.network.bare)
    assert stage.findings(scope) == []
    assert scope not in {
        head.scope for head in stage.store.load_region_records(stage.observer().region)
    }


def test_nothing_is_gone_while_vpcs_cannot_be_read(stage: Stage) -> None:
    """A denied DescribeVpcs ends nothing."""
    stage.sweep()
    before = {head.scope for head in stage.store.load_region_records(stage.observer().region)}
    stage.fail("DescribeVpcs", "UnauthorizedOperation")
    stage.sweep()
    assert {
        head.scope for head in stage.store.load_region_records(stage.observer().region)
    } == before


def test_a_scope_that_cannot_be_recorded_is_told(stage: Stage) -> None:
    """The others are recorded; the sweep does not pass for done."""
    stage.sweep()
    stage.open_group()
    stage.dynamodb.update_item(  # somebody edits a finding by hand, and wrongly
        TableName="findings",
        Key={"scope": {"S": str(stage.network.scope)}, "item": {"S": "rule#sg-1"}},
        UpdateExpression="SET #kind = :kind",
        ExpressionAttributeNames={"#kind": "kind"},
        ExpressionAttributeValues={":kind": {"S": "finding"}},
    )
    swept = stage.sweep()
    assert set(swept.failed) == {stage.network.scope}
    assert len(swept.results) > 0
    with pytest.raises(SweepIncompleteError, match=stage.network.vpc):
        swept.require_complete()


def test_a_lost_attribute_change_is_found_in_its_turn(stage: Stage) -> None:
    """While a memory stands it is believed; within a day and a half every VPC is asked again."""
    stage.sweep()
    stage.evaluate(attribute_change(stage.network.vpc))  # so that it is another one's turn
    stage.network.ec2.modify_vpc_attribute(
        VpcId=stage.network.vpc, EnableDnsHostnames={"Value": False}
    )
    stage.sweep()
    before = len(dns_findings(stage))
    stage.clock.time += timedelta(hours=36)
    stage.sweep()
    assert (before, len(dns_findings(stage))) == (0, 1)


def test_a_sweep_asks_for_no_more_attributes_than_its_turn(stage: Stage) -> None:
    """Known an hour ago, by an event or a sweep alike, they are remembered but for one VPC's."""
    stage.sweep()
    stage.evaluate(attribute_change(stage.network.vpc))
    stage.clock.time += timedelta(hours=1)
    calls = stage.network.record_calls()
    stage.sweep()
    assert calls.count("DescribeVpcAttribute") == 2


def test_an_attribute_change_of_nobody_knows_which_vpc_asks_for_all(stage: Stage) -> None:
    """No memory stands for what an event says has moved."""
    vpcs = len(stage.sweep().results)
    stage.network.ec2.modify_vpc_attribute(
        VpcId=stage.network.vpc, EnableDnsHostnames={"Value": False}
    )
    calls = stage.network.record_calls()
    assert stage.evaluate(attribute_change("")).regions_swept == 1
    assert calls.count("DescribeVpcAttribute") == 2 * vpcs
    assert len(dns_findings(stage)) == 1


def test_a_newer_look_at_the_attributes_beats_a_sweeps_memory(stage: Stage) -> None:
    """An event is evaluated while a sweep reads: the sweep's older attributes never win."""
    stage.sweep()
    stage.evaluate(attribute_change(stage.network.vpc))  # so that it is another one's turn
    stage.network.ec2.modify_vpc_attribute(
        VpcId=stage.network.vpc, EnableDnsHostnames={"Value": False}
    )

    def evaluate_meanwhile(**_: Any) -> None:
        stage.network.ec2.meta.events.unregister("before-call.ec2.DescribeVpcs", evaluate_meanwhile)
        stage.evaluate(attribute_change(stage.network.vpc))

    stage.network.ec2.meta.events.register("before-call.ec2.DescribeVpcs", evaluate_meanwhile)
    swept = {each.scope: each.outcome for each in stage.sweep().results}
    assert len(dns_findings(stage)) == 1
    assert swept[stage.network.scope] is WriteOutcome.STALE


def dns_findings(stage: Stage) -> list[Finding]:
    """Give the open findings on private names that do not resolve."""
    return [each for each in stage.findings() if each.rule == "endpoint-private-dns-ineffective"]
