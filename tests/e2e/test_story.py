"""The demo: template, functions, queue, stream and topic in an emulated AWS."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from posture_cli.demo.demo_run import DemoRun, DemoStep, StepKind
from posture_cli.demo.scenarios import SCENARIOS, SHARED_SCENARIOS
from posture_cli.embedded.aws import EmbeddedAws
from stack_template import PATH

SUBJECT_LIMIT = 100  # characters; SNS rejects longer subjects


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """Yield an emulated AWS with the stack."""
    with EmbeddedAws(PATH.parent, parameters={"SharedNetwork": "on"}) as aws:
        yield aws


@pytest.fixture(scope="module")
def demo(aws: EmbeddedAws) -> DemoRun:
    """Build the demo's organization."""
    demo = DemoRun(aws)
    demo.build()
    return demo


@pytest.fixture(scope="module")
def steps(demo: DemoRun) -> list[DemoStep]:
    """Run the demo to its end."""
    return list(demo.run())


def find_step(steps: list[DemoStep], title: str, phase: StepKind = StepKind.BREAK) -> DemoStep:
    """Return the step whose title starts with a text."""
    (found,) = [each for each in steps if each.phase is phase and each.title.startswith(title)]
    return found


def test_every_change_is_detected_reported_and_resolved(steps: list[DemoStep]) -> None:
    """The demo's own checks find no fault."""
    assert [fault for each in steps for fault in each.faults] == []
    assert len(steps) == 2 * len([*SCENARIOS, *SHARED_SCENARIOS]) + 2


@pytest.mark.parametrize(
    ("title", "rules"),
    [
        (
            "A more specific route",
            {
                "gateway-service-bypasses-endpoint",
                "gateway-endpoint-route-shadowed",
                "nat-gateway-charges-avoidable",
            },
        ),
        (
            "The DynamoDB endpoint loses",
            {
                "gateway-service-bypasses-endpoint",
                "subnet-without-gateway-endpoint-route",
                "nat-gateway-charges-avoidable",
            },
        ),
        ("The S3 endpoint's policy", {"endpoint-policy-allows-full-access"}),
        ("The endpoints' security group", {"endpoint-security-group-open"}),
        ("DNS hostnames are disabled", {"endpoint-private-dns-ineffective"}),
        ("A subnet moves", {"subnet-without-gateway-endpoint-route"}),
        ("The KMS endpoint", {"required-service-without-endpoint"}),
        ("The transit gateway's route table", {"required-service-without-endpoint"}),
    ],
)
def test_each_scenario_opens_the_findings_of_its_misconfiguration(
    steps: list[DemoStep], title: str, rules: set[str]
) -> None:
    """No other rule has a finding."""
    assert {finding.rule for finding in find_step(steps, title).findings} == rules


def test_the_cause_is_the_call_that_did_it(steps: list[DemoStep]) -> None:
    """Of two calls in the same second, the one that moved the subnet."""
    (finding,) = find_step(steps, "A subnet moves").findings
    assert finding.cause is not None
    assert finding.cause.event_name == "ReplaceRouteTableAssociation"


def test_a_lost_route_of_the_transit_gateway_is_named_with_its_remedy(
    steps: list[DemoStep], demo: DemoRun
) -> None:
    """Each spoke has an alert: the step that decides first, the caller, and a proven command."""
    hub = demo.organization.hub
    assert hub is not None
    step = find_step(steps, "The transit gateway's route table")
    assert {alert.body["scope_name"] for alert in step.alerts} == {"orders", "billing"}
    for alert in step.alerts:
        evidence = alert.text.partition("Evidence:")[2].splitlines()[1]
        assert f"Transit gateway route, broken: {hub.spokes_table} has no route to" in evidence
        assert "with DeleteTransitGatewayRoute at" in alert.text
        assert "aws ec2 enable-transit-gateway-route-table-propagation" in alert.text
        assert "Verified: resolves this; opens nothing" in alert.text
    repaired = find_step(steps, "The transit gateway's route table", StepKind.REPAIR)
    assert {finding.status.value for finding in repaired.findings} == {"resolved"}
    assert len(repaired.alerts) == 2


def test_an_alert_has_all_parts(steps: list[DemoStep]) -> None:
    """Finding, place, actor, time, reason and the command that repairs it."""
    (alert,) = find_step(steps, "A more specific route").alerts
    assert re.fullmatch(
        r"\[HIGH\] S3/DynamoDB traffic bypasses the endpoint, 2 subnets - vpc-\w+ \d{12}",
        alert.subject,
    )
    assert len(alert.subject) < SUBJECT_LIMIT
    for part in (
        "sends some s3 traffic over the internet (NAT gateway), bypassing vpce-",
        "is routed to NAT gateway nat-",
        "CAUSE: CreateRoute at ",
        "assumed-role/NetworkAdmin/alice from 198.51.100.7",
        "aws ec2 delete-route --route-table-id rtb-",
        "WHY IT MATTERS",
    ):
        assert part in alert.text
    assert alert.attributes["severity"]
    assert {each["rule"] for each in alert.body["findings"]} == {
        "gateway-service-bypasses-endpoint",
        "gateway-endpoint-route-shadowed",
        "nat-gateway-charges-avoidable",
    }
    (impact,) = alert.body["impacts"]
    assert impact["resources"] == {"subnets": 2, "route table": 1}
    assert f"IMPACT: {impact['description']}" in alert.text


def test_a_rejected_call_sends_no_alert(steps: list[DemoStep]) -> None:
    """It does not reach the queue."""
    (refused,) = [each for each in steps if each.phase is StepKind.REFUSED]
    assert len(refused.records) == 1
    assert (refused.findings, refused.alerts) == ([], [])


def test_the_monitors_own_vpc_passes_its_own_rules(
    aws: EmbeddedAws, demo: DemoRun, steps: list[DemoStep]
) -> None:
    """It was evaluated and has no finding."""
    own = aws.stack.outputs["MonitorVpcId"]
    assert steps
    assert [each for each in demo.load_findings().values() if each.scope.subject == own] == []
    heads = aws.session.client("dynamodb").query(
        TableName=aws.stack.outputs["FindingsTableName"],
        IndexName="by-region",
        KeyConditionExpression="head_of = :region",
        ExpressionAttributeValues={":region": {"S": f"{aws.account}/{aws.region}"}},
    )["Items"]
    assert own in {each["scope"]["S"].rpartition("/")[2] for each in heads}


def test_replaying_every_change_writes_nothing(
    aws: EmbeddedAws, demo: DemoRun, steps: list[DemoStep]
) -> None:
    """Late duplicates, all at once: the same findings, no alert."""
    assert steps
    before = demo.load_findings()
    for record in list(aws.trail):
        aws.put_record(record)
    aws.settle()
    assert demo.load_findings() == before
    assert aws.mailbox.collect() == []


def test_all_queues_are_empty(aws: EmbeddedAws, steps: list[DemoStep]) -> None:
    """Including the dead-letter queues."""
    assert steps
    sqs = aws.session.client("sqs")
    for name, url in aws.stack.outputs.items():
        if name.endswith("QueueUrl"):
            numbers = sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            )
            assert numbers["Attributes"]["ApproximateNumberOfMessages"] == "0", name


def logged(aws: EmbeddedAws) -> list[dict[str, Any]]:
    """Return the log records of the functions."""
    return [json.loads(line) for line in aws.logs() if line.startswith("{")]


def test_logs_contain_the_event_id_of_the_evaluation(
    aws: EmbeddedAws, steps: list[DemoStep]
) -> None:
    """The correlation id is CloudTrail's event id; no error is logged."""
    lines = logged(aws)
    (record,) = find_step(steps, "The KMS endpoint").records
    about = [each for each in lines if record["eventID"] in each.get("event_ids", [])]
    assert any(each["message"] == "scope evaluated" for each in about)
    assert not [each for each in lines if each.get("level") in {"ERROR", "CRITICAL"}]
    assert not [line for line in aws.logs() if line.startswith("[ERROR]")]


def test_metrics_are_emitted(aws: EmbeddedAws, steps: list[DemoStep]) -> None:
    """In the embedded metric format, under the names that alarms use."""
    assert steps
    emitted = [line for line in logged(aws) if "_aws" in line]
    names = {
        metric["Name"]
        for line in emitted
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }
    assert all(line["stack"] for line in emitted)
    assert all("stack" in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0] for line in emitted)
    assert {"ChangesReceived", "ScopesEvaluated", "ScopesSwept", "FindingsAnnounced"} <= names
