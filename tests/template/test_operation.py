"""What an operator sees: parameters, alarms, outputs."""

import json
from typing import Any

import pytest

from posture.evaluation.changes import BatchResult
from posture.evaluation.sweep_result import SweepResult
from posture.model.scope import Region
from stack_template import PATH, RESOURCES, TEMPLATE, of_type

INTERFACE = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
ALARMS = of_type("AWS::CloudWatch::Alarm")
WORK = {"ChangesQueue", "SecondLooksQueue"}
DEAD_LETTERS = [name for name in of_type("AWS::SQS::Queue") if name not in WORK]
FUNCTIONS = list(of_type("AWS::Serverless::Function"))


def alarmed(metric: str) -> set[str]:
    """Give the logical ids of what an alarm watches a metric of."""
    watched = set()
    for alarm in ALARMS.values():
        if alarm["MetricName"] == metric:
            [dimension] = alarm["Dimensions"]
            value = dimension["Value"]
            watched.add(value.get("Ref") or value["Fn::GetAtt"][0])
    return watched


def test_every_parameter_is_grouped_and_labelled() -> None:
    """The console shows no parameter under "Other"."""
    grouped = [name for group in INTERFACE["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"]) == sorted(INTERFACE["ParameterLabels"])


@pytest.mark.parametrize("name", TEMPLATE["Parameters"])
def test_every_parameter_is_explained_and_constrained(name: str) -> None:
    """A wrong value is refused before anything is made, and every default works."""
    parameter: dict[str, Any] = TEMPLATE["Parameters"][name]
    assert parameter["Description"]
    assert "Default" in parameter
    assert {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys()


@pytest.mark.parametrize("name", TEMPLATE["Outputs"])
def test_every_output_is_explained(name: str) -> None:
    """An operator need not look into the template."""
    assert TEMPLATE["Outputs"][name]["Description"]


def test_every_dead_letter_rings() -> None:
    """No queue of failures fills up unseen."""
    assert set(DEAD_LETTERS) == alarmed("ApproximateNumberOfMessagesVisible")


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_in_trouble_rings(metric: str) -> None:
    """Errors and throttles of each function are watched."""
    assert set(FUNCTIONS) == alarmed(metric)


@pytest.mark.parametrize(
    ("metric", "watched"),
    [
        ("ApproximateAgeOfOldestMessage", "ChangesQueue"),
        ("IteratorAge", "NotifyFunction"),
        ("Invocations", "SweepFunction"),
    ],
)
def test_what_comes_late_rings(metric: str, watched: str) -> None:
    """A backlog of changes, a backlog of alerts, and a day without a sweep are noticed."""
    assert {watched} == alarmed(metric)


def test_silence_of_the_sweep_is_an_alarm() -> None:
    """No data at all means that no sweep was started."""
    assert ALARMS["SweepMissingAlarm"]["TreatMissingData"] == "breaching"


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_tells_somebody(name: str) -> None:
    """Alarms go to the topic named by a parameter, else to the stack's own."""
    topic = {"Fn::If": ["OwnAlarmTopic", {"Ref": "AlarmTopic"}, {"Ref": "AlarmTopicArn"}]}
    assert ALARMS[name]["AlarmActions"] == ALARMS[name]["OKActions"] == [topic]


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_is_in_the_operators_handbook(name: str) -> None:
    """What to do is written down before it rings."""
    handbook = (PATH.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    assert f"`{name}`" in handbook


def test_the_only_way_in_is_from_the_functions() -> None:
    """No security group of the stack admits an address."""
    ingress = of_type("AWS::EC2::SecurityGroupIngress").values()
    assert all(it["SourceSecurityGroupId"] == {"Ref": "FunctionsSecurityGroup"} for it in ingress)
    groups = of_type("AWS::EC2::SecurityGroup").values()
    assert not [it for it in groups if "SecurityGroupIngress" in it]


def test_the_network_has_no_way_out() -> None:
    """Neither NAT nor internet gateway nor route of our own is in the template."""
    kinds = {it["Type"].removeprefix("AWS::EC2::") for it in RESOURCES.values()}
    assert not kinds & {"NatGateway", "InternetGateway", "EgressOnlyInternetGateway", "Route"}


def test_the_dashboard_draws_what_the_functions_measure() -> None:
    """It is JSON, and each metric of ours on it is one that a function counts."""
    text = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(text)["widgets"]
    counted = {
        *BatchResult().count_metrics(),
        *SweepResult(Region("111122223333", "eu-west-1")).count_metrics(),
    }
    counted |= {"DetectionLatency"}
    drawn: list[str] = []
    ours = False
    for row in (row for it in widgets for row in it["properties"]["metrics"]):
        ours = row[0] == "VpcEndpointPosture" or (ours and row[0] == ".")
        if ours and len(row) > 1:
            drawn.append(row[1])
    assert len(drawn) >= 8
    assert set(drawn) <= counted
