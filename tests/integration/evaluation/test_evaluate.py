"""A batch of changes leads to the current state, in whatever order its records arrive."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from monitor_stage import ANY_ADDRESS, Stage, attribute_change, batch, event
from posture.analysis.matrix import list_row_answers as outcomes_of
from posture.errors import MalformedChangeError
from posture.model.finding import FindingStatus
from posture.model.scope import Scope, ScopeNames
from posture.model.verdict import Verdict
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context
from posture.store.scope_evaluation import WriteOutcome
from stack_tables import TABLES
from stored_findings import read_stored_findings


def outcomes(evaluated: Any) -> list[WriteOutcome]:
    """Return what became of each evaluation of a batch."""
    return [each.outcome for each in evaluated.results]


def test_a_change_becomes_a_finding_that_names_its_cause(stage: Stage) -> None:
    """Opening the endpoint's security group opens a finding that names the actor."""
    stage.sweep()
    stage.open_group()
    record = stage.trail[0]
    assert stage.evaluate().failed == ()
    (finding,) = stage.about(stage.network.group)
    assert finding.cause is not None
    assert finding.cause.event_id == record["eventID"]
    assert finding.cause.actor == record["userIdentity"]["arn"]
    assert "0.0.0.0/0" in " ".join(fact.text for fact in finding.verdict.evidence)


def test_a_finding_keeps_the_name_of_its_vpc(stage: Stage) -> None:
    """It is the `Name` tag at the time of the transition; later evaluations leave it as it was."""
    vpc, ec2 = stage.network.vpc, stage.network.ec2
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "payments"}])
    stage.open_group()
    assert stage.evaluate().failed == ()
    (finding,) = stage.about(stage.network.group)
    assert finding.names == ScopeNames("payments")


def test_a_tag_of_the_monitors_own_vpc_is_a_heartbeat(stage: Stage) -> None:
    """Its delay is measured once it is evaluated; a tag of another VPC is no heartbeat."""
    tags: Any = [{"Key": "posture-heartbeat", "Value": "posture"}]
    for vpc in (stage.network.vpc, stage.network.bare):
        stage.alice.create_tags(Resources=[vpc], Tags=tags)
    records = stage.taken()
    stage.clock.time += timedelta(seconds=20)
    evaluated = stage.evaluate(*records)
    assert evaluated.failed == ()
    assert len(evaluated.results) == 2
    (delay,) = evaluated.heartbeat_delays
    called = datetime.fromisoformat(records[0]["eventTime"])
    assert 20 <= delay <= (stage.clock.time - called).total_seconds()
    assert evaluated.count_metrics()["Heartbeats"] == 1


def test_a_heartbeat_that_cannot_be_evaluated_does_not_count(stage: Stage) -> None:
    """The alarm is raised as well when EC2 or the findings table cannot be reached."""
    tags: Any = [{"Key": "posture-heartbeat", "Value": "posture"}]
    stage.alice.create_tags(Resources=[stage.network.vpc], Tags=tags)
    stage.dynamodb.delete_table(TableName=TABLES.findings)
    assert stage.evaluate().heartbeat_delays == ()


def test_a_change_of_a_group_of_another_vpc_reaches_the_endpoint_that_has_it(stage: Stage) -> None:
    """AssociateSecurityGroupVpc: the group is in one VPC, and an endpoint of another one has it."""
    shared = stage.network.share_group()
    stage.sweep()
    stage.alice.authorize_security_group_ingress(GroupId=shared, IpPermissions=[ANY_ADDRESS])
    record = stage.trail[0]
    evaluated = stage.evaluate()
    assert evaluated.failed == ()
    assert {each.scope.subject for each in evaluated.results} == {
        stage.network.vpc,
        stage.network.bare,
    }
    (finding,) = (each for each in stage.about(shared) if each.rule.endswith("group-open"))
    assert finding.scope == stage.network.scope
    assert finding.cause is not None
    assert finding.cause.event_id == record["eventID"]
    assert finding.cause.actor == record["userIdentity"]["arn"]


def test_a_snapshot_is_no_newer_than_its_first_read(stage: Stage) -> None:
    """A change during the reads is newer than the snapshot, and must not be dropped."""
    first_reads = []
    stage.network.ec2.meta.events.register(
        "before-call.ec2.DescribeVpcs", lambda **_: first_reads.append(stage.clock.time)
    )
    stage.open_group()
    assert stage.evaluate().failed == ()
    scope_record = stage.store.load_record(stage.network.scope)
    assert scope_record is not None
    assert scope_record.observed_at <= first_reads[0]


def test_what_failed_is_reported_by_its_message(stage: Stage) -> None:
    """Lambda deletes every message that the answer does not name."""
    stage.open_group()
    evaluated = stage.evaluate("no JSON", *stage.taken(), "nor this")
    assert evaluated.build_response() == {
        "batchItemFailures": [{"itemIdentifier": "m-1"}, {"itemIdentifier": "m-3"}]
    }


def test_the_repair_resolves_the_finding(stage: Stage) -> None:
    """What is mended is resolved, and its history stays."""
    stage.sweep()
    stage.open_group()
    stage.evaluate()
    (opened,) = stage.about(stage.network.group)
    stage.close_group()
    stage.evaluate()
    assert stage.about(stage.network.group) == []
    stored = read_stored_findings(stage.store, stage.network.scope)[opened.id]
    assert stored.status is FindingStatus.RESOLVED
    assert stored.version == opened.version + 1


def test_a_batch_about_one_vpc_is_one_evaluation(stage: Stage) -> None:
    """Many records about one VPC lead to one evaluation."""
    stage.open_group()
    stage.alice.create_tags(Resources=[stage.network.group], Tags=[{"Key": "a", "Value": "b"}])
    stage.alice.modify_vpc_attribute(VpcId=stage.network.vpc, EnableDnsSupport={"Value": True})
    assert len(stage.evaluate().results) == 1


def test_an_evaluation_stores_the_coverage_matrix(stage: Stage) -> None:
    """In the scope record: how the traffic of each subnet is routed in the snapshot."""
    stage.open_group()
    stage.evaluate()
    scope_record = stage.store.load(stage.network.scope).record
    assert scope_record is not None
    assert scope_record.coverage is not None
    row = outcomes_of(scope_record.coverage, stage.network.subnet)
    short = [each["short"] for each in scope_record.coverage["services"]]
    assert dict(zip(short, row, strict=True))["s3"]["summary"] == (
        f"all traffic is routed to {stage.network.gateway}"
    )


def test_the_same_change_twice_writes_once(stage: Stage) -> None:
    """Twice in a batch and once more in the next: one finding, one row of history."""
    stage.open_group()
    (record,) = stage.taken()
    first = stage.evaluate(record, record)
    rows = stage.rows()
    second = stage.evaluate(record)
    assert outcomes(first) == [WriteOutcome.COMMITTED]
    assert outcomes(second) == [WriteOutcome.UNCHANGED]
    assert stage.rows() == rows
    assert [each.version for each in stage.about(stage.network.group)] == [1]


def test_order_does_not_matter(stage: Stage) -> None:
    """Opened and closed, reported in the opposite order: no finding is open."""
    stage.open_group()
    stage.close_group()
    opened, closed = stage.taken()
    stage.evaluate(closed)
    stage.evaluate(opened)
    assert stage.about(stage.network.group) == []


def test_a_stale_snapshot_never_overwrites_a_newer_one(stage: Stage) -> None:
    """An evaluation that read before another one and writes after it is dropped."""
    stage.open_group()
    (record,) = stage.taken()
    before = stage.clock.time - timedelta(minutes=1)
    stage.evaluate(record)
    rows = stage.rows()
    stage.network.ec2.revoke_security_group_ingress(
        GroupId=stage.network.group, IpPermissions=[ANY_ADDRESS]
    )
    late = stage.evaluator(stage.observer(now=lambda: before)).evaluate(batch(record))
    assert outcomes(late) == [WriteOutcome.STALE]
    assert late.failed == ()
    assert stage.rows() == rows
    assert stage.about(stage.network.group)


def test_a_failed_call_changes_nothing(stage: Stage) -> None:
    """A record of a refused call is ignored."""
    with pytest.raises(ClientError):
        stage.alice.delete_route(
            RouteTableId=stage.network.table, DestinationCidrBlock="192.0.2.0/24"
        )
    evaluated = stage.evaluate()
    assert (evaluated.ignored, evaluated.results, evaluated.failed) == (1, (), ())


@pytest.mark.parametrize(
    ("body", "field"),
    [("{", "body"), ("[]", "record"), ('{"detail": 1}', "detail"), ('{"a": 1}', "Account")],
)
def test_a_malformed_record_never_blocks_its_batch(stage: Stage, body: str, field: str) -> None:
    """It alone fails, its reason names the field and is kept; the other record is evaluated."""
    stage.open_group()
    (record,) = stage.taken()
    evaluated = stage.evaluate(body, record)
    assert evaluated.failed == ("m-1",)
    assert field in stage.refused()["m-1"]
    assert stage.about(stage.network.group)


def test_a_refused_message_keeps_one_reason(stage: Stage) -> None:
    """The queue hands it out several times; one row records it."""
    stage.evaluate("{")
    stage.evaluate("{")
    assert list(stage.refused()) == ["m-1"]


def test_another_accounts_change_is_dropped(stage: Stage) -> None:
    """It is counted, and does not come again: no other account can fill the dead-letter queue."""
    stage.open_group()
    (record,) = stage.taken()
    evaluated = stage.evaluate({**record, "recipientAccountId": "444455556666"})
    assert (evaluated.failed, evaluated.unmonitored) == ((), 1)
    assert stage.refused() == {}


def test_an_unresolved_change_sweeps_the_region(stage: Stage) -> None:
    """A record about unknown ids leads to a sweep."""
    stage.open_group()
    (record,) = stage.taken()
    text = json.dumps(record).replace(stage.network.group, "sg-00000000000000000")
    evaluated = stage.evaluate(json.loads(text))
    assert evaluated.regions_swept == 1
    assert stage.about(stage.network.group)


def test_a_deleted_vpc_ends_its_findings(stage: Stage) -> None:
    """All its findings are resolved, and it leaves the list of existing scopes."""
    scope = Scope(stage.network.scope.account, stage.network.scope.region, stage.network.bare)
    stage.evaluate(attribute_change(stage.network.bare))
    stage.alice.delete_vpc(VpcId=stage.network.bare)
    stage.evaluate()
    assert stage.findings(scope) == []
    assert scope not in {
        scope_record.scope
        for scope_record in stage.store.load_region_records(stage.observer().region, {})
    }


def test_throttling_hands_the_change_out_again(stage: Stage) -> None:
    """When EC2 does not answer, the message is reported as failed and no item is written."""
    stage.open_group()
    (record,) = stage.taken()
    heal = stage.fail("DescribeSubnets", "RequestLimitExceeded")
    assert stage.evaluate(record).failed == ("m-1",)
    assert stage.rows() == 0
    heal()
    assert stage.evaluate(record).failed == ()
    assert stage.about(stage.network.group)


def test_a_mistake_of_ours_about_one_vpc_holds_up_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its message comes again, those of the others are done."""

    def mistaken(case: VpcContext) -> tuple[Verdict, ...]:
        if case.snapshot.vpc.id == stage.network.bare:
            raise KeyError("unexpected")
        return evaluate_context(case)

    monkeypatch.setattr("posture.evaluation.rule_results.evaluate_context", mistaken)
    evaluated = stage.evaluate(
        attribute_change(stage.network.bare) | {"eventID": "other"},
        attribute_change(stage.network.vpc),
    )
    assert evaluated.failed == ("m-1",)
    assert [each.scope.subject for each in evaluated.results] == [stage.network.vpc]
    assert [scope.subject for scope in stage.sweep().failed] == [stage.network.bare]


def test_a_single_eventbridge_event_is_a_batch_of_one(stage: Stage) -> None:
    """As `sam local invoke` hands it over."""
    stage.open_group()
    (record,) = stage.taken()
    evaluated = stage.evaluator().evaluate(json.loads(event(record)))
    assert outcomes(evaluated) == [WriteOutcome.COMMITTED]


def test_an_event_of_another_kind_is_an_error(stage: Stage) -> None:
    """It names what was expected."""
    with pytest.raises(MalformedChangeError, match="Records"):
        stage.evaluator().evaluate({"hello": "network"})


def test_an_endpoint_service_is_a_scope_of_its_own(stage: Stage) -> None:
    """Open to all principals: a finding in its own scope, resolved when it is deleted."""
    made = stage.network.ec2.create_vpc_endpoint_service_configuration(
        NetworkLoadBalancerArns=[stage.load_balancer()], AcceptanceRequired=True
    )
    service = made["ServiceConfiguration"]["ServiceId"]
    scope = Scope(stage.network.scope.account, stage.network.scope.region, service)
    stage.sweep()
    stage.alice.modify_vpc_endpoint_service_permissions(
        ServiceId=service, AddAllowedPrincipals=["*"]
    )
    assert stage.evaluate().failed == ()
    (finding,) = [
        each
        for each in stage.findings(scope)
        if each.rule == "endpoint-service-allows-untrusted-principal"
    ]
    assert finding.cause is not None
    assert finding.cause.event_name == "ModifyVpcEndpointServicePermissions"
    stage.alice.delete_vpc_endpoint_service_configurations(ServiceIds=[service])
    assert stage.evaluate().failed == ()
    assert stage.findings(scope) == []
