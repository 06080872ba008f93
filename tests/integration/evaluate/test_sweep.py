"""A sweep finds what no event told, and ends what is gone."""

import pytest

from collect_world import ACCOUNT, REGION
from monitor_stage import ANYBODY, Stage
from posture.aws.store import Outcome
from posture.errors import SweepIncompleteError
from posture.model.scope import Scope


def test_a_lost_event_is_repaired(stage: Stage) -> None:
    """What was opened without a trace is found, with no cause guessed."""
    stage.sweep()
    assert stage.about(stage.world.group) == []
    stage.world.ec2.authorize_security_group_ingress(
        GroupId=stage.world.group, IpPermissions=[ANYBODY]
    )
    stage.sweep()
    (finding,) = stage.about(stage.world.group)
    assert finding.cause is None


def test_a_second_sweep_writes_nothing(stage: Stage) -> None:
    """All is as it was: only the heads' clocks move."""
    stage.sweep()
    rows = stage.rows()
    swept = stage.sweep()
    assert {each.outcome for each in swept.assessments} == {Outcome.UNCHANGED}
    assert stage.rows() == rows


def test_every_vpc_is_swept(stage: Stage) -> None:
    """The default VPC, too."""
    vpcs = {each["VpcId"] for each in stage.world.ec2.describe_vpcs()["Vpcs"]}
    assert {each.scope.subject for each in stage.sweep().assessments} == vpcs


def test_what_is_gone_is_ended(stage: Stage) -> None:
    """A VPC that was deleted without a trace has no open finding any more."""
    stage.sweep()
    stage.world.ec2.delete_vpc(VpcId=stage.world.bare)
    stage.sweep()
    scope = Scope(ACCOUNT, REGION, stage.world.bare)
    assert stage.findings(scope) == []
    assert scope not in {head.scope for head in stage.store.scopes_in(stage.observer().region)}


def test_nothing_is_gone_while_vpcs_cannot_be_read(stage: Stage) -> None:
    """A denied DescribeVpcs ends nothing."""
    stage.sweep()
    before = {head.scope for head in stage.store.scopes_in(stage.observer().region)}
    stage.fail("DescribeVpcs", "UnauthorizedOperation")
    stage.sweep()
    assert {head.scope for head in stage.store.scopes_in(stage.observer().region)} == before


def test_a_scope_that_cannot_be_recorded_is_told(stage: Stage) -> None:
    """The others are recorded; the sweep does not pass for done."""
    stage.sweep()
    stage.dynamodb.update_item(  # somebody edits a finding by hand, and wrongly
        TableName="findings",
        Key={"scope": {"S": str(stage.world.scope)}, "item": {"S": "rule#sg-1"}},
        UpdateExpression="SET #kind = :kind",
        ExpressionAttributeNames={"#kind": "kind"},
        ExpressionAttributeValues={":kind": {"S": "finding"}},
    )
    swept = stage.sweep()
    assert set(swept.failed) == {stage.world.scope}
    assert len(swept.assessments) > 0
    with pytest.raises(SweepIncompleteError, match=stage.world.vpc):
        swept.require_complete()
