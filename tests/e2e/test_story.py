"""The whole monitor on an emulated AWS: the real template, handlers, queue, stream and topic."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from posture_cli.demo.demo_run import DemoRun, DemoStep, StepKind
from posture_cli.demo.scenarios import SCENARIOS
from posture_cli.embedded.aws import EmbeddedAws
from stack_template import PATH

SUBJECT = 100  # characters SNS refuses from


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """Give an emulated AWS with the stack in it."""
    with EmbeddedAws(PATH.parent) as aws:
        yield aws


@pytest.fixture(scope="module")
def demo(aws: EmbeddedAws) -> DemoRun:
    """Give the organisation that the demo is about."""
    demo = DemoRun(aws)
    demo.build()
    return demo


@pytest.fixture(scope="module")
def steps(demo: DemoRun) -> list[DemoStep]:
    """Play the demo to its end."""
    return list(demo.run())


def find_step(steps: list[DemoStep], title: str, phase: StepKind = StepKind.BREAK) -> DemoStep:
    """Give the beat whose title begins so."""
    (found,) = [each for each in steps if each.phase is phase and each.title.startswith(title)]
    return found


def test_every_change_is_found_told_and_taken_back(steps: list[DemoStep]) -> None:
    """The story's own checks have nothing to complain about."""
    assert [fault for each in steps for fault in each.faults] == []
    assert len(steps) == 2 * len(SCENARIOS) + 2


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
    ],
)
def test_each_act_opens_just_what_it_breaks(
    steps: list[DemoStep], title: str, rules: set[str]
) -> None:
    """No rule speaks that has no cause to."""
    assert {finding.rule for finding in find_step(steps, title).findings} == rules


def test_the_cause_is_the_call_that_did_it(steps: list[DemoStep]) -> None:
    """Of two calls in the same second the one that moved the subnet."""
    (finding,) = find_step(steps, "A subnet moves").findings
    assert finding.cause is not None
    assert finding.cause.event_name == "ReplaceRouteTableAssociation"


def test_an_alert_reads_well(steps: list[DemoStep]) -> None:
    """What, where, who, since when, why, and the command that repairs it."""
    (alert,) = find_step(steps, "A more specific route").alerts
    assert re.fullmatch(
        r"\[HIGH\] S3/DynamoDB leaves by internet, 2 subnets - vpc-\w+ \d{12} eu-west-1",
        alert.subject,
    )
    assert len(alert.subject) < SUBJECT
    for part in (
        "sends part of s3 out by NAT gateway past vpce-",
        "goes by NAT gateway nat-",
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
    assert f"IMPACT: {impact['told']}" in alert.text


def test_a_refused_call_tells_nobody_anything(steps: list[DemoStep]) -> None:
    """It never reaches the queue."""
    (refused,) = [each for each in steps if each.phase is StepKind.REFUSED]
    assert len(refused.records) == 1
    assert (refused.findings, refused.alerts) == ([], [])


def test_the_monitors_own_vpc_passes_its_own_rules(
    aws: EmbeddedAws, demo: DemoRun, steps: list[DemoStep]
) -> None:
    """Nothing was ever found there, and it was looked at."""
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
    """Duplicates, late and all at once: the same findings, no alert."""
    assert steps
    before = demo.load_findings()
    for record in list(aws.trail):
        aws.put_record(record)
    aws.settle()
    assert demo.load_findings() == before
    assert aws.mailbox.collect() == []


def test_nothing_is_left_in_any_dead_letter_queue(aws: EmbeddedAws, steps: list[DemoStep]) -> None:
    """Everything was handled."""
    assert steps
    sqs = aws.session.client("sqs")
    for name, url in aws.stack.outputs.items():
        if name.endswith("QueueUrl"):
            numbers = sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            )
            assert numbers["Attributes"]["ApproximateNumberOfMessages"] == "0", name


def logged(aws: EmbeddedAws) -> list[dict[str, Any]]:
    """Give the lines the functions logged."""
    return [json.loads(line) for line in aws.logs() if line.startswith("{")]


def test_logs_lead_from_the_event_to_the_evaluation(
    aws: EmbeddedAws, steps: list[DemoStep]
) -> None:
    """The correlation id is CloudTrail's event id; nothing failed on the way."""
    lines = logged(aws)
    (record,) = find_step(steps, "The KMS endpoint").records
    about = [each for each in lines if record["eventID"] in each.get("event_ids", [])]
    assert any(each["message"] == "scope evaluated" for each in about)
    assert not [each for each in lines if each.get("level") in {"ERROR", "CRITICAL"}]


def test_metrics_are_emitted(aws: EmbeddedAws, steps: list[DemoStep]) -> None:
    """In the embedded metric format, under the names that alarms and people go by."""
    assert steps
    names = {
        metric["Name"]
        for line in logged(aws)
        if "_aws" in line
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }
    assert {"ChangesReceived", "ScopesEvaluated", "ScopesSwept", "FindingsAnnounced"} <= names
