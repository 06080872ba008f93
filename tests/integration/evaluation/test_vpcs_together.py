"""The VPCs of a batch are read together, and none of them fails another."""

from typing import Any

from botocore.exceptions import ClientError

from monitor_stage import HOME, Stage, attribute_change, batch
from posture.evaluation.changes import BatchResult
from posture.model.scope import Scope
from sample_network import ACCOUNT, REGION


def evaluate(stage: Stage) -> BatchResult:
    """Evaluate a batch about the full VPC (`m-1`) and the bare one (`m-2`)."""
    records = [
        attribute_change(vpc) | {"eventID": vpc} for vpc in (stage.network.vpc, stage.network.bare)
    ]
    return stage.evaluator().evaluate(batch(*records))


def both(stage: Stage) -> set[str]:
    """Return the two VPCs."""
    return {stage.network.vpc, stage.network.bare}


def subjects(evaluated: BatchResult) -> list[str]:
    """Return what was observed."""
    return sorted(each.scope.subject for each in evaluated.results)


def refuse(stage: Stage, *vpcs: str) -> None:
    """Throttle every read of subnets that asks for all of these VPCs."""

    def answer(params: Any, **_: Any) -> None:
        if set(vpcs) <= set(map(str, params["body"].values())):
            raise ClientError({"Error": {"Code": "RequestLimitExceeded"}}, "DescribeSubnets")

    stage.network.ec2.meta.events.register("before-call.ec2.DescribeSubnets", answer)


def test_vpcs_of_a_batch_take_the_same_requests(stage: Stage) -> None:
    """One of each kind for both; only the DNS attributes are asked for one by one."""
    calls = stage.network.record_calls()
    evaluated = evaluate(stage)
    assert (evaluated.failed, subjects(evaluated)) == ((), sorted(both(stage)))
    assert calls.count("DescribeVpcAttribute") == 4
    once = {"DescribeVpcs", "DescribeSubnets", "DescribeRouteTables", "DescribeSecurityGroups"}
    assert {name: calls.count(name) for name in once} == dict.fromkeys(once, 1)


def test_vpcs_read_together_have_the_same_findings_as_alone(stage: Stage) -> None:
    """A shared snapshot leads to the same findings, with the change as their cause."""
    stage.open_group()
    stage.alice.modify_vpc_attribute(VpcId=stage.network.bare, EnableDnsSupport={"Value": True})
    records = stage.taken()
    for record in records:
        stage.evaluate(record)
    before = {each.id: each.verdict for each in stage.findings()}
    assert before
    assert stage.evaluate(*records).failed == ()
    assert {each.id: each.verdict for each in stage.findings()} == before


def test_a_deleted_vpc_is_ended_beside_an_existing_one(stage: Stage) -> None:
    """Its id in the filter returns no row, which fails no other VPC."""
    stage.sweep()
    stage.network.ec2.delete_vpc(VpcId=stage.network.bare)
    evaluated = evaluate(stage)
    assert (evaluated.failed, subjects(evaluated)) == ((), sorted(both(stage)))
    assert stage.network.bare not in {
        each.scope.subject for each in stage.store.load_region_records(HOME, {})
    }


def test_nothing_is_ended_where_vpcs_cannot_be_read(stage: Stage) -> None:
    """A denied VPC is not deleted: both are evaluated with what can be read, and retried."""
    stage.sweep()
    before = {each.scope for each in stage.store.load_region_records(HOME, {})}
    stage.fail("DescribeVpcs", "UnauthorizedOperation")
    evaluated = evaluate(stage)
    assert (evaluated.failed, subjects(evaluated)) == (("m-1", "m-2"), sorted(both(stage)))
    assert {each.scope for each in stage.store.load_region_records(HOME, {})} == before


def test_what_cannot_be_read_together_is_read_one_by_one(stage: Stage) -> None:
    """When the shared read fails, each VPC is read alone."""
    refuse(stage, *both(stage))
    calls = stage.network.record_calls()
    evaluated = evaluate(stage)
    assert (evaluated.failed, subjects(evaluated)) == ((), sorted(both(stage)))
    assert calls.count("DescribeSubnets") == 3


def test_one_that_cannot_be_read_at_all_comes_again_alone(stage: Stage) -> None:
    """The other one is recorded."""
    refuse(stage, stage.network.bare)
    evaluated = evaluate(stage)
    assert (evaluated.failed, subjects(evaluated)) == (("m-2",), [stage.network.vpc])


def test_attributes_are_read_afresh(stage: Stage) -> None:
    """DNS attributes are read for an event, even where they are cached."""
    stage.sweep()
    stage.network.ec2.modify_vpc_attribute(
        VpcId=stage.network.vpc, EnableDnsHostnames={"Value": False}
    )
    evaluate(stage)
    assert "endpoint-private-dns-ineffective" in {each.rule for each in stage.findings()}
    head = stage.store.load_record(Scope(ACCOUNT, REGION, stage.network.vpc))
    assert head is not None
    assert head.dns is not None
    assert (head.dns.hostnames, head.dns.observed_at) == (False, head.observed_at)
