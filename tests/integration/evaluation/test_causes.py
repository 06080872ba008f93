"""Who or what is named for a transition: exactly what can have produced the verdict."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor_stage import Stage
from posture.attribution import verdicts
from posture.baseline.document import BaselineDocument, Match, Override
from posture.evaluation import observed_scope, recorder, rule_results
from posture.model.finding import Attribution, CauseKind, Finding, FindingStatus, Step
from posture.model.scope import Scope
from posture.rules.engine import evaluate_context
from posture.store.baselines import BaselineTable
from posture.store.history import History
from posture.store.scope_evaluation import WriteOutcome
from sample_network import ACCOUNT, REGION
from stack_tables import TABLES
from stored_findings import read_stored_findings

OPEN = "endpoint-security-group-open"
ALICE = "arn:aws:iam::111122223333:user/alice"


def require(stage: Stage, **settings: Any) -> None:
    """Apply another version of the baseline, with these settings for all scopes."""
    table = BaselineTable(stage.dynamodb, TABLES.baseline)
    match = Match(accounts=frozenset({ACCOUNT}))
    table.apply(
        BaselineDocument(overrides=(Override("all", match, settings),)),
        after=table.load_current().version,
        applied_at=stage.clock(),
        applied_by=ALICE,
    )


def find(stage: Stage, rule: str = OPEN) -> Finding:
    """Return the one finding of a rule, resolved or not."""
    (found,) = (
        each
        for each in read_stored_findings(stage.store, stage.network.scope).values()
        if each.rule == rule
    )
    return found


def name(attribution: Attribution | None) -> list[str]:
    """Return the names of the possible causes; a certain one alone and marked."""
    assert attribution is not None
    if attribution.cause:
        return [f"= {attribution.cause.event_name}"]
    return [each.event_name for each in attribution.candidates]


def rows(stage: Stage) -> list[tuple[Step, str]]:
    """Return the steps of the open group's finding, with their causes."""
    history = History(stage.dynamodb, TABLES.history)
    return [
        (row.transition.step, ", ".join(name(row.transition.finding.caused_by)))
        for row in history.find_by("id", find(stage).id)
    ]


def test_the_first_observation_names_candidates_only(stage: Stage) -> None:
    """Nothing is known of before, so that the finding may be older than the call."""
    stage.open_group()
    stage.evaluate()
    assert name(find(stage).opened_by) == ["AuthorizeSecurityGroupIngress"]


def test_what_opened_and_what_resolved_are_known_apart(watched: Stage) -> None:
    """The resolved finding says both."""
    watched.open_group()
    watched.evaluate()
    watched.clock.time += timedelta(minutes=1)
    watched.close_group()
    watched.evaluate()
    found = find(watched)
    assert found.status is FindingStatus.RESOLVED
    assert name(found.opened_by) == ["= AuthorizeSecurityGroupIngress"]
    assert name(found.resolved_by) == ["= RevokeSecurityGroupIngress"]


def test_an_unrelated_event_that_arrives_first_is_not_named(watched: Stage) -> None:
    """A subnet was created; what opened the group arrives later, and the cause is amended."""
    watched.open_group()
    (late,) = watched.taken()
    watched.alice.create_subnet(VpcId=watched.network.vpc, CidrBlock="10.0.240.0/24")
    (unrelated,) = watched.taken()
    watched.evaluate(unrelated)
    assert name(find(watched).opened_by) == []
    watched.clock.time += timedelta(minutes=7)
    result = watched.evaluate(late)
    assert [each.outcome for each in result.results] == [WriteOutcome.COMMITTED]
    found = find(watched)
    assert name(found.opened_by) == name(found.caused_by) == ["= AuthorizeSecurityGroupIngress"]
    assert rows(watched) == [
        (Step.OPENED, ""),
        (Step.AMENDED, "= AuthorizeSecurityGroupIngress"),
    ]
    again = watched.evaluate(late)
    assert [each.outcome for each in again.results] == [WriteOutcome.UNCHANGED]
    assert len(rows(watched)) == 2


def test_an_earlier_call_that_did_the_same_arrives_later(watched: Stage) -> None:
    """The second call changed nothing, so that the first one had made private DNS ineffective."""
    for _ in range(2):
        watched.clock.time += timedelta(seconds=20)
        watched.alice.modify_vpc_attribute(
            VpcId=watched.network.vpc, EnableDnsHostnames={"Value": False}
        )
    first, second = watched.taken()
    for late, cause in ((second, second), (first, first)):
        watched.clock.time += timedelta(minutes=4)
        watched.evaluate(late)
        opened = find(watched, "endpoint-private-dns-ineffective").opened_by.cause
        assert opened is not None
        assert opened.event_id == cause["eventID"]


def test_a_later_call_that_did_it_again_arrives_later(watched: Stage) -> None:
    """What the first call opened was closed again before the third one opened it."""
    watched.open_group()
    watched.clock.time += timedelta(seconds=20)
    watched.close_group()
    watched.clock.time += timedelta(seconds=20)
    watched.open_group()
    first, *others = watched.taken()
    watched.evaluate(first)
    watched.clock.time += timedelta(minutes=4)
    watched.evaluate(*others)
    opened = find(watched).opened_by.cause
    assert opened is not None
    assert opened.event_id == others[-1]["eventID"]


def test_the_cause_of_what_a_sweep_found_is_amended(watched: Stage) -> None:
    """The sweep comes before the event."""
    watched.open_group()
    records = watched.taken()
    watched.sweep()
    assert name(find(watched).opened_by) == []
    watched.evaluate(*records)
    assert name(find(watched).opened_by) == ["= AuthorizeSecurityGroupIngress"]


def test_the_cause_of_a_finding_that_was_resolved_meanwhile_is_amended(watched: Stage) -> None:
    """Its opener arrives after its resolver; the time of the resolution stays."""
    watched.open_group()
    opened = watched.taken()
    watched.sweep()
    watched.clock.time += timedelta(minutes=3)
    watched.close_group()
    watched.evaluate()
    before = find(watched)
    assert name(before.opened_by) == []
    watched.clock.time += timedelta(minutes=3)
    watched.evaluate(*opened)
    after = find(watched)
    assert name(after.opened_by) == ["= AuthorizeSecurityGroupIngress"]
    assert name(after.resolved_by) == ["= RevokeSecurityGroupIngress"]
    assert (after.updated_at, after.status) == (before.updated_at, before.status)


def test_an_event_of_another_resource_amends_nothing(watched: Stage) -> None:
    """It was no cause, whenever it arrives."""
    watched.open_group()
    watched.taken()
    watched.alice.create_route_table(VpcId=watched.network.vpc)
    other = watched.taken()
    watched.sweep()
    watched.evaluate(*other)
    assert name(find(watched).opened_by) == []
    assert len(rows(watched)) == 1


def test_two_calls_of_a_batch_are_told_apart(watched: Stage) -> None:
    """The route has another author than the group."""
    table = watched.network.ec2.describe_route_tables(
        Filters=[{"Name": "vpc-id", "Values": [watched.network.vpc]}]
    )["RouteTables"][0]["RouteTableId"]
    watched.open_group()
    watched.clock.time += timedelta(seconds=2)
    gateway = watched.network.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    attached = {"InternetGatewayId": gateway, "VpcId": watched.network.vpc}
    watched.network.ec2.attach_internet_gateway(**attached)
    watched.alice.create_route(
        RouteTableId=table, DestinationCidrBlock="198.51.100.0/24", GatewayId=gateway
    )
    watched.evaluate()
    assert name(find(watched).opened_by) == ["= AuthorizeSecurityGroupIngress"]


def test_a_stricter_baseline_is_the_cause_of_what_it_forbids(watched: Stage) -> None:
    """It is not attributed to the next person who touches the VPC."""
    require(watched, required_services=("com.amazonaws.eu-west-1.kms",))
    watched.open_group()
    watched.evaluate()
    found = find(watched, "required-service-without-endpoint")
    assert found.opened_by.cause is not None
    cause = found.opened_by.cause
    assert (cause.kind, cause.actor, cause.event_id) == (
        CauseKind.BASELINE,
        ALICE,
        "1",
    )
    assert name(find(watched).opened_by) == ["= AuthorizeSecurityGroupIngress"]


def test_each_version_of_the_baseline_is_told_apart(watched: Stage) -> None:
    """The one that forbids it is named, not the last one."""
    require(watched, required_services=("com.amazonaws.eu-west-1.kms",))
    services = ("com.amazonaws.eu-west-1.kms", "com.amazonaws.eu-west-1.logs")
    require(watched, required_services=services)
    watched.sweep()
    stored = read_stored_findings(watched.store, watched.network.scope).values()
    openers = {
        each.resource: each.opened_by.cause and each.opened_by.cause.event_id
        for each in stored
        if each.rule == "required-service-without-endpoint"
    }
    assert sorted(map(str, openers.values())) == ["1", "2"]


def test_an_exemption_by_the_baseline_resolves(watched: Stage) -> None:
    """The findings of an exempt scope were resolved by the version that exempts it."""
    require(watched, exempt=True, exempt_reason="sandbox")
    watched.sweep()
    found = [*read_stored_findings(watched.store, watched.network.scope).values()]
    assert found
    assert {each.status for each in found} == {FindingStatus.RESOLVED}
    causes = {
        each.resolved_by.cause.kind for each in found if each.resolved_by and each.resolved_by.cause
    }
    assert causes == {CauseKind.BASELINE}


def test_a_tag_that_exempts_a_vpc_is_a_call_of_its_own(stage: Stage) -> None:
    """CreateTags is the cause, and not the next call."""
    BaselineTable(stage.dynamodb, TABLES.baseline).apply(
        BaselineDocument(
            overrides=(
                Override(
                    "sandboxes",
                    Match(tags={"stage": frozenset({"sandbox"})}),
                    {"exempt": True, "exempt_reason": "sandbox"},
                ),
            )
        ),
        after=0,
        applied_at=stage.clock(),
        applied_by=ALICE,
    )
    stage.sweep()
    stage.clock.time += timedelta(hours=1)
    stage.alice.create_tags(
        Resources=[stage.network.vpc], Tags=[{"Key": "stage", "Value": "sandbox"}]
    )
    stage.clock.time += timedelta(seconds=5)
    stage.open_group()
    stage.evaluate()
    stored = read_stored_findings(stage.store, stage.network.scope).values()
    resolved = [each for each in stored if each.status is FindingStatus.RESOLVED]
    assert resolved
    assert {tuple(name(each.resolved_by)) for each in resolved} == {("= CreateTags",)}


def test_an_upgrade_is_the_cause_of_what_it_judges_in_another_way(
    watched: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network did not change."""
    stored = read_stored_findings(watched.store, watched.network.scope).values()
    evaluate = evaluate_context

    def judge(case: Any) -> Any:
        return tuple(
            replace(each, resource=f"{each.resource}-b") if each.rule in rules else each
            for each in evaluate(case)
        )

    rules = {each.rule for each in stored}
    assert rules
    monkeypatch.setattr(rule_results, "evaluate_context", judge)
    monkeypatch.setattr(observed_scope, "compute_code_digest", lambda: "next")
    monkeypatch.setattr(recorder, "compute_code_digest", lambda: "next")
    monkeypatch.setattr(verdicts, "evaluate_context", judge)
    watched.sweep()
    now = read_stored_findings(watched.store, watched.network.scope).values()
    kinds = {
        each.opened_by.cause.kind if each.opened_by.cause else None
        for each in now
        if each.resource.endswith("-b")
    }
    assert kinds == {CauseKind.UPGRADE}


def test_deleting_a_vpc_resolves_its_findings(watched: Stage) -> None:
    """The call that deleted it is named."""
    bare = Scope(ACCOUNT, REGION, watched.network.bare)
    require(watched, required_services=("com.amazonaws.eu-west-1.kms",))
    watched.sweep()
    watched.clock.time += timedelta(hours=1)
    for subnet in watched.network.ec2.describe_subnets(
        Filters=[{"Name": "vpc-id", "Values": [bare.subject]}]
    )["Subnets"]:
        watched.network.ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    watched.alice.delete_vpc(VpcId=bare.subject)
    watched.evaluate()
    found = read_stored_findings(watched.store, bare).values()
    assert found
    assert {each.status for each in found} == {FindingStatus.RESOLVED}
    assert {tuple(name(each.resolved_by)) for each in found} == {("= DeleteVpc",)}


def test_a_call_that_another_one_hid_is_not_named(watched: Stage) -> None:
    """Of three calls on one group, the last one that opened it and was not undone is named."""
    watched.open_group()
    watched.clock.time += timedelta(seconds=2)
    watched.close_group()
    watched.clock.time += timedelta(seconds=2)
    watched.open_group()
    last = watched.trail[-1]["eventID"]
    watched.evaluate()
    cause = find(watched).opened_by.cause
    assert cause is not None
    assert cause.event_id == last


def test_an_endpoint_service_is_attributed_as_well(watched: Stage) -> None:
    """The service existed, unobserved by events."""
    made = watched.network.ec2.create_vpc_endpoint_service_configuration(
        NetworkLoadBalancerArns=[watched.load_balancer()], AcceptanceRequired=True
    )
    service = made["ServiceConfiguration"]["ServiceId"]
    watched.sweep()
    watched.clock.time += timedelta(hours=1)
    watched.alice.modify_vpc_endpoint_service_permissions(
        ServiceId=service, AddAllowedPrincipals=["*"]
    )
    watched.clock.time += timedelta(seconds=5)
    watched.alice.create_tags(Resources=[service], Tags=[{"Key": "a", "Value": "b"}])
    watched.evaluate()
    found = read_stored_findings(watched.store, Scope(ACCOUNT, REGION, service)).values()
    (opened,) = (
        each for each in found if each.rule == "endpoint-service-allows-untrusted-principal"
    )
    assert name(opened.opened_by) == ["= ModifyVpcEndpointServicePermissions"]


def test_a_new_vpc_is_attributed_from_its_creation_on(stage: Stage) -> None:
    """It did not exist before; each finding is that of the call that made the fault."""
    vpc = stage.alice.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    stage.clock.time += timedelta(seconds=2)
    stage.alice.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")
    stage.clock.time += timedelta(seconds=2)
    endpoint = stage.alice.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.eu-west-1.s3", VpcEndpointType="Gateway"
    )["VpcEndpoint"]["VpcEndpointId"]
    stage.evaluate()
    found = read_stored_findings(stage.store, Scope(ACCOUNT, REGION, vpc)).values()
    assert {tuple(name(each.opened_by)) for each in found if each.resource == endpoint} == {
        ("= CreateVpcEndpoint",)
    }


def test_a_snapshot_that_cannot_be_read_costs_only_certainty(watched: Stage) -> None:
    """The change is still recorded, and the call that names the group is a candidate."""
    for item in watched.dynamodb.scan(TableName=TABLES.findings)["Items"]:
        if item["kind"] == {"S": "snapshot"}:
            broken: Any = {**item, "data": {"B": b"no data"}}
            watched.dynamodb.put_item(TableName=TABLES.findings, Item=broken)
    watched.open_group()
    watched.evaluate()
    assert name(find(watched).opened_by) == ["AuthorizeSecurityGroupIngress"]
