"""A sweep finds what no event reported, and ends deleted scopes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from monitor_stage import ANY_ADDRESS, Stage, attribute_change
from posture.errors import SweepIncompleteError
from posture.evaluation import region_sweep
from posture.model.endpoint_service import ServiceFacet
from posture.model.finding import Finding
from posture.model.network import Facet
from posture.model.scope import Scope
from posture.store.scope_evaluation import WriteOutcome
from sample_network import ACCOUNT, REGION
from stack_tables import TABLES


def test_a_lost_event_is_repaired(stage: Stage) -> None:
    """A misconfiguration without a CloudTrail record is found, without a cause."""
    stage.sweep()
    assert stage.about(stage.network.group) == []
    stage.network.ec2.authorize_security_group_ingress(
        GroupId=stage.network.group, IpPermissions=[ANY_ADDRESS]
    )
    stage.sweep()
    (finding,) = stage.about(stage.network.group)
    assert finding.cause is None


def test_a_second_sweep_writes_nothing(stage: Stage) -> None:
    """No rule is evaluated; only the last-observed times advance."""
    first = stage.sweep()
    rows, before = stage.rows(), stage.store.load(stage.network.scope).record
    result = stage.sweep()
    assert {(each.outcome, each.evaluated) for each in result.results} == {
        (WriteOutcome.UNCHANGED, False)
    }
    assert {each.scope for each in result.results} == {each.scope for each in first.results}
    assert (
        first.count_metrics()["ScopesUnchanged"],
        result.count_metrics()["ScopesUnchanged"],
    ) == (
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


def test_a_deleted_vpc_is_ended_by_a_sweep(stage: Stage) -> None:
    """A VPC that was deleted without a trace has no open finding any more."""
    stage.sweep()
    stage.network.ec2.delete_vpc(VpcId=stage.network.bare)
    stage.sweep()
    scope = Scope(ACCOUNT, REGION, stage.network.bare)
    assert stage.findings(scope) == []
    assert scope not in {
        scope_record.scope
        for scope_record in stage.store.load_region_records(stage.observer().region, {})
    }


def test_no_vpc_is_ended_while_vpcs_cannot_be_read(stage: Stage) -> None:
    """A denied DescribeVpcs ends no scope; only that of the region itself is new."""
    stage.sweep()
    before = {
        scope_record.scope
        for scope_record in stage.store.load_region_records(stage.observer().region, {})
    }
    stage.fail("DescribeVpcs", "UnauthorizedOperation")
    stage.sweep()
    assert {
        scope_record.scope
        for scope_record in stage.store.load_region_records(stage.observer().region, {})
    } == before | {stage.observer().region.scope}


def list_unknown(stage: Stage) -> dict[str, str]:
    """List all findings that are unknown, by id, with their evidence."""
    stored = stage.dynamodb.query(
        TableName=TABLES.findings,
        IndexName="by-status",
        KeyConditionExpression="#status = :unknown",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":unknown": {"S": "unknown"}},
    )
    return {it["id"]["S"]: str(it.get("evidence")) for it in stored["Items"]}


def test_each_read_that_is_refused_is_unknown_until_it_is_allowed(stage: Stage) -> None:
    """One by one, as a policy of the organization refuses them: a finding names the call."""
    later = timedelta(days=2)  # DNS attributes are read in turns
    stage.network.associate_dhcp_options("AmazonProvidedDNS")
    stage.network.ec2.create_vpc_endpoint_service_configuration(
        NetworkLoadBalancerArns=[stage.load_balancer()]
    )
    for vpc in stage.network.ec2.describe_vpcs()["Vpcs"]:  # one is enough
        if vpc["IsDefault"] or vpc["VpcId"] == stage.network.bare:
            for subnet in stage.network.ec2.describe_subnets()["Subnets"]:
                if subnet["VpcId"] == vpc["VpcId"]:
                    stage.network.ec2.delete_subnet(SubnetId=subnet["SubnetId"])
            stage.network.ec2.delete_vpc(VpcId=vpc["VpcId"])
    stage.sweep()
    before = list_unknown(stage)
    missed = []
    for facet in (*Facet, *ServiceFacet):
        stage.clock.time += later
        allow = stage.fail(facet.value, "UnauthorizedOperation")
        stage.sweep()
        allow()
        if facet.value not in str(list_unknown(stage).values()):
            missed.append(facet.value)
    stage.clock.time += later
    stage.sweep()
    assert list_unknown(stage) == before
    assert missed == []


def test_a_scope_that_cannot_be_recorded_is_reported(stage: Stage) -> None:
    """The others are recorded; the sweep does not pass for done."""
    stage.sweep()
    stage.open_group()
    stage.dynamodb.update_item(  # a finding is edited by hand, and wrongly
        TableName="findings",
        Key={"scope": {"S": str(stage.network.scope)}, "item": {"S": "rule#sg-1"}},
        UpdateExpression="SET #kind = :kind",
        ExpressionAttributeNames={"#kind": "kind"},
        ExpressionAttributeValues={":kind": {"S": "finding"}},
    )
    result = stage.sweep()
    assert set(result.failed) == {stage.network.scope}
    assert len(result.results) > 0
    with pytest.raises(SweepIncompleteError, match=stage.network.vpc):
        result.require_complete()


def test_a_lost_attribute_change_is_found_within_a_day_and_a_half(stage: Stage) -> None:
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


def test_a_sweep_reads_the_attributes_of_a_share_of_vpcs(stage: Stage) -> None:
    """Known an hour ago, by an event or a sweep alike, they are remembered but for one VPC's."""
    stage.sweep()
    stage.evaluate(attribute_change(stage.network.vpc))
    stage.clock.time += timedelta(hours=1)
    calls = stage.network.record_calls()
    stage.sweep()
    assert calls.count("DescribeVpcAttribute") == 2


def test_an_attribute_change_without_a_vpc_reads_all_attributes(stage: Stage) -> None:
    """No memory stands for what an event says has moved."""
    vpcs = len(stage.sweep().results)
    stage.network.ec2.modify_vpc_attribute(
        VpcId=stage.network.vpc, EnableDnsHostnames={"Value": False}
    )
    calls = stage.network.record_calls()
    assert stage.evaluate(attribute_change("")).regions_swept == 1
    assert calls.count("DescribeVpcAttribute") == 2 * vpcs
    assert len(dns_findings(stage)) == 1


def test_newer_attributes_win_over_cached_ones(stage: Stage) -> None:
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
    result = {each.scope: each.outcome for each in stage.sweep().results}
    assert len(dns_findings(stage)) == 1
    assert result[stage.network.scope] is WriteOutcome.STALE


def dns_findings(stage: Stage) -> list[Finding]:
    """Return the open findings on private names that do not resolve."""
    return [each for each in stage.findings() if each.rule == "endpoint-private-dns-ineffective"]


def test_a_vpc_that_cannot_be_read_fails_no_other(stage: Stage) -> None:
    """EC2 answers one request about it with an error; its slice is read without it."""
    others = [stage.network.ec2.create_vpc(CidrBlock="10.9.0.0/16") for _ in range(5)]
    vpcs = {each["VpcId"] for each in stage.network.ec2.describe_vpcs()["Vpcs"]}
    bad = others[2]["Vpc"]["VpcId"]

    def refuse(params: Any, **_: Any) -> None:
        if params["body"].get("VpcId") == bad:
            error = {"Error": {"Code": "InternalError", "Message": "as the test wants it"}}
            raise ClientError(error, "DescribeVpcAttribute")  # type: ignore[arg-type]

    stage.network.ec2.meta.events.register("before-call.ec2.DescribeVpcAttribute", refuse)
    result = stage.sweep()
    assert {scope.subject for scope in result.failed} == {bad}
    assert {each.scope.subject for each in result.results} == vpcs - {bad}


@pytest.mark.parametrize(
    ("code", "most"),
    [("InternalError", region_sweep.MAX_FAILED_READS + 8), ("RequestLimitExceeded", 1)],
)
def test_a_slice_that_cannot_be_read_at_all_takes_few_requests(
    stage: Stage, code: str, most: int
) -> None:
    """Halves are read while they may help, and never while EC2 throttles."""
    for _ in range(30):
        stage.network.ec2.create_vpc(CidrBlock="10.9.0.0/16")
    calls: list[str] = []
    stage.fail("DescribeSubnets", code)
    events = stage.network.ec2.meta.events
    events.register("provide-client-params.ec2.DescribeSubnets", lambda **_: calls.append("read"))
    result = stage.sweep()
    assert len(result.failed) == len(stage.network.ec2.describe_vpcs()["Vpcs"])
    assert len(calls) <= most
