"""A VPC with very many rules takes its own time: the others of its batch are recorded first.

Within AWS's quotas, the rules of a group times the groups of an interface are 1,000, the entries of
prefix lists included, and an ACL has 40 rules each way.
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
"""

from typing import Any

import pytest

from monitor_stage import Stage, attribute_change
from posture.model.scope import Scope
from posture.store.scope_evaluation import WriteOutcome
from sample_network import ACCOUNT, REGION


def add_rules(stage: Stage, count: int) -> None:
    """Let EC2 report further rules of the endpoint's group, each for a block of its own."""
    blocks = (
        f"{11 + n * 7 % 89}.{n >> 12 & 255}.{n >> 4 & 255}.{n * 16 & 255}/30" for n in range(count)
    )
    ranges = [{"CidrIp": each} for each in blocks]
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": ranges}

    def add(parsed: dict[str, Any], **_: Any) -> None:
        for each in parsed["SecurityGroups"]:
            if each["GroupId"] == stage.network.group:
                each["IpPermissions"] = [*each["IpPermissions"], permission]

    stage.network.ec2.meta.events.register("after-call.ec2.DescribeSecurityGroups", add)


@pytest.fixture
def innocent(stage: Stage) -> list[Scope]:
    """Return the scopes of the other VPCs, with one more."""
    stage.network.ec2.create_vpc(CidrBlock="10.8.0.0/16")
    found = [each["VpcId"] for each in stage.network.ec2.describe_vpcs()["Vpcs"]]
    return [Scope(ACCOUNT, REGION, each) for each in found if each != stage.network.vpc]


def test_the_others_of_its_batch_come_first(stage: Stage, innocent: list[Scope]) -> None:
    """It came first in the batch, and its own finding is recorded as well."""
    add_rules(stage, 3_000)
    scopes = [stage.network.scope, *innocent]
    found = stage.evaluate(
        *(attribute_change(each.subject) | {"eventID": each.subject} for each in scopes)
    )

    assert found.failed == ()
    assert found.results[-1].scope == stage.network.scope
    assert {each.scope for each in found.results} == set(scopes)
    assert found.results[-1].outcome is WriteOutcome.COMMITTED


def test_a_sweep_records_the_others_first(stage: Stage, innocent: list[Scope]) -> None:
    """Its own turn is the last one of the slice."""
    add_rules(stage, 3_000)
    order = [each.scope for each in stage.sweep().results if each.scope.vpc_id]

    assert order[-1] == stage.network.scope
    assert set(order) == {stage.network.scope, *innocent}
