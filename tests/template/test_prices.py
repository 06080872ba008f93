"""The costs in docs/operations.md are those of the templates: what has no price fails a test."""

import re
from collections import Counter
from pathlib import Path

import pytest

from posture.evaluation.changes import BatchResult
from posture.evaluation.sweep_result import SweepResult
from posture.model.scope import Region
from posture_cli.embedded.translation import read_template
from stack_template import PATH, RESOURCES, TEMPLATE, properties_by_type

ROOT = PATH.parent
COSTS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").partition("## Costs")[2]
COSTS = COSTS.partition("### Prices")[0]
ROWS = dict(re.findall(r"^\| ([^|]+) \|(.*)\|$", COSTS, re.MULTILINE))
MEMBERS = "members in the baseline table"
SHARED = "survey and refresh; forwarded events add $1.00 per million"
EXPORT = "export of chain ends; the bucket's owner pays for 60 small objects a month"
ROW_OF_FUNCTION = {
    "EvaluateFunction": "evaluate",
    "SweepFunction": "sweep",
    "NotifyFunction": "notify",
    "ExportFunction": EXPORT,
    "SurveyFunction": SHARED,
    "RefreshFunction": SHARED,
    "SweepMemberFunction": MEMBERS,
}
ROW_OF_ENDPOINT = {  # by condition
    "OwnEc2Endpoint": "interface endpoints",
    "OwnSnsEndpoint": "interface endpoints",
    "OwnStsEndpoint": "STS endpoint",
    "OwnSecurityHubEndpoint": "Security Hub endpoint",
    "OwnDynamoDbEndpoint": "gateway endpoint",
    "OwnS3Endpoint": "gateway endpoint",
}
# Pairs of step and severity that the metric Findings has in a usual month, of 30 that are possible.
USUAL_PAIRS = 7
WITH_MEMBERS = {"LongestSinceMemberSweep"}  # counted in the row of the members


def test_every_function_has_a_row_with_its_duration() -> None:
    """Lambda bills each of them by its memory."""
    assert ROW_OF_FUNCTION.keys() == properties_by_type("AWS::Serverless::Function").keys()
    for row in ROW_OF_FUNCTION.values():
        assert "GB × $0.0000133334" in ROWS[row], row


def test_every_endpoint_has_a_row_with_its_hours() -> None:
    """An interface endpoint for each zone; a gateway endpoint costs nothing."""
    found = {name: it for name, it in RESOURCES.items() if it["Type"] == "AWS::EC2::VPCEndpoint"}
    rows = Counter(ROW_OF_ENDPOINT[it["Condition"]] for it in found.values())
    assert f"{rows['interface endpoints']} endpoints × 2 zones × 730" in ROWS["interface endpoints"]
    for name, endpoint in found.items():
        kind = endpoint["Properties"].get("VpcEndpointType", "Gateway")
        gateway = ROW_OF_ENDPOINT[endpoint["Condition"]] == "gateway endpoint"
        assert gateway == (kind == "Gateway"), name
        assert gateway or "730 hours × $0.01" in ROWS[ROW_OF_ENDPOINT[endpoint["Condition"]]]


@pytest.mark.parametrize(
    ("kind", "row", "text"),
    [
        ("AWS::KMS::Key", "key", "{} key × $1.00"),
        ("AWS::CloudWatch::Dashboard", "dashboard", "{} dashboard × $3.00"),
    ],
)
def test_the_number_of_such_resources_is_that_of_the_template(
    kind: str, row: str, text: str
) -> None:
    """Each costs the same each month."""
    assert text.format(len(properties_by_type(kind))) in ROWS[row]


def test_every_custom_metric_is_counted() -> None:
    """Of the functions that every stack has, each with the function as a dimension."""
    sources = [
        *(ROOT / "functions" / name / "app.py" for name in ("evaluate", "sweep", "notify")),
        ROOT / "layers/posture/python/posture/notification/metrics.py",
    ]
    named = set(
        re.findall(
            r'(?:add_metric\(|build_counter\(metrics, |single_metric\(\s*name=)"(\w+)"',
            read(*sources),
        )
    )
    counts = [
        BatchResult().count_metrics(),
        SweepResult(Region("111122223333", "eu-west-1")).count_metrics(),
    ]
    names = len(named - WITH_MEMBERS) + sum(map(len, counts))
    always, sometimes = map(int, re.findall(r"(\d+) metrics", ROWS["custom metrics"]))
    assert always + sometimes == names - 1 + USUAL_PAIRS  # Findings is in the pairs


def read(*paths: Path) -> str:
    """Return the text of files."""
    return "".join(path.read_text(encoding="utf-8") for path in paths)


# The row that has the costs of a type's resources, in the central stack. The numbers of some
# of them are compared above, and those of alarms in test_operation.py.
ROW_OF_TYPE = {
    "AWS::CloudWatch::Alarm": "alarms",
    "AWS::CloudWatch::Dashboard": "dashboard",
    "AWS::DynamoDB::Table": "DynamoDB storage",
    "AWS::EC2::VPCEndpoint": "interface endpoints",
    "AWS::Events::EventBus": "forwarded events, paid by the members",
    "AWS::KMS::Key": "key",
    "AWS::Logs::LogGroup": "logs",
    "AWS::Pipes::Pipe": "events about findings; receivers add $0.20 per million",
    "AWS::SNS::Topic": "alerts",
    "AWS::SQS::Queue": "queues",
    "AWS::Serverless::Function": "evaluate",
    "AWS::StepFunctions::StateMachine": MEMBERS,
}
FREE = {
    "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::Subnet",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPC",
    "AWS::Events::EventBusPolicy",
    # https://aws.amazon.com/eventbridge/pricing/: events of AWS services, and their rules
    "AWS::Events::Rule",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Role",
    "AWS::IAM::RolePolicy",
    "AWS::KMS::Alias",
    "AWS::Lambda::Permission",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SSM::Document",
    "AWS::Scheduler::Schedule",  # some 5,000 starts a month of 14 million that are free
    "AWS::Serverless::LayerVersion",
}


@pytest.mark.parametrize("name", ["member.yaml", "shared-events.yaml", "remediation.yaml"])
def test_other_templates_have_nothing_that_costs_at_rest(name: str) -> None:
    """Forwarded events have a row, and no function polls the queues."""
    kinds = {it["Type"] for it in read_template(ROOT / name)["Resources"].values()}
    assert kinds <= FREE | {"AWS::SNS::Topic", "AWS::SQS::Queue"}


def test_every_type_of_resource_has_a_row_or_is_free() -> None:
    """A resource of a new type needs a price before it is added."""
    kinds = {it["Type"] for it in RESOURCES.values()}
    assert kinds - FREE == ROW_OF_TYPE.keys()
    assert set(ROW_OF_TYPE.values()) <= ROWS.keys()


def test_what_functions_cost_beside_their_time_has_rows() -> None:
    """They are traced, and send alerts."""
    assert TEMPLATE["Globals"]["Function"]["Tracing"] == "Active"
    assert "million traces ×" in ROWS["traces"]
    assert "million e-mails ×" in ROWS["alerts"]
