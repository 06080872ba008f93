"""What an operator sees: parameters, alarms, outputs and the dashboard."""

import json
import re
from typing import Any

import pytest

from posture.evaluation.changes import BatchResult
from posture.evaluation.member_sweep import AskedMembers, MemberResult
from posture.evaluation.refresh import RefreshResult
from posture.evaluation.sweep_result import SweepResult
from posture.model.member import MemberFigures
from posture.model.scope import Region
from posture.survey.surveyor import SurveyResult
from stack_template import PATH, RESOURCES, TEMPLATE, properties_by_type

INTERFACE = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
ALARMS = properties_by_type("AWS::CloudWatch::Alarm")
WORK = {"ChangesQueue", "SecondLooksQueue", "SurveyQueue", "SecondSurveyQueue"}
DEAD_LETTERS = [name for name in properties_by_type("AWS::SQS::Queue") if name not in WORK]
OF_THE_STACK = {"Name": "stack", "Value": {"Ref": "AWS::StackName"}}
FUNCTIONS = list(properties_by_type("AWS::Serverless::Function"))


def alarmed(metric: str) -> set[str]:
    """Return the logical ids of the resources with an alarm on a metric."""
    watched = set()
    for alarm in ALARMS.values():
        if alarm.get("MetricName") == metric:
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
    """CloudFormation rejects a wrong value before it creates resources; every default works."""
    parameter: dict[str, Any] = TEMPLATE["Parameters"][name]
    assert parameter["Description"]
    assert "Default" in parameter
    assert {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys()


@pytest.mark.parametrize("name", TEMPLATE["Outputs"])
def test_every_output_has_a_description(name: str) -> None:
    """An operator does not need to read the template."""
    assert TEMPLATE["Outputs"][name]["Description"]


def test_every_dead_letter_queue_has_an_alarm() -> None:
    """No failure goes unnoticed."""
    assert set(DEAD_LETTERS) == alarmed("ApproximateNumberOfMessagesVisible")


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_has_an_alarm(metric: str) -> None:
    """On errors and on throttles."""
    assert set(FUNCTIONS) == alarmed(metric)


@pytest.mark.parametrize(
    ("metric", "watched"),
    [
        ("ApproximateAgeOfOldestMessage", {"ChangesQueue", "SurveyQueue"}),
        ("IteratorAge", {"NotifyFunction", "RefreshFunction", "SweepMemberFunction"}),
        ("Invocations", {"SweepFunction", "ExportFunction", "SurveyFunction"}),
    ],
)
def test_delays_have_an_alarm(metric: str, watched: set[str]) -> None:
    """A backlog of changes or of alerts, and a day without a sweep, an export or a survey."""
    assert watched == alarmed(metric)


@pytest.mark.parametrize(
    ("name", "metric"), [("FutureTimes", "FutureTimes"), ("Stale", "StaleEvaluations")]
)
def test_what_the_functions_count_has_an_alarm(name: str, metric: str) -> None:
    """The evaluator and the sweep count it, each with an alarm of its own."""
    for function in ("Evaluate", "Sweep"):
        alarm = ALARMS[f"{function}{name}Alarm"]
        variables = RESOURCES[f"{function}Function"]["Properties"]["Environment"]["Variables"]
        service = variables["POWERTOOLS_SERVICE_NAME"]
        assert alarm["MetricName"] == metric
        assert alarm["Dimensions"] == [{"Name": "service", "Value": service}, OF_THE_STACK]
    assert metric in BatchResult().count_metrics()
    assert metric in SweepResult(Region("111122223333", "eu-west-1")).count_metrics()


@pytest.mark.parametrize(
    "function", ["Evaluate", "Sweep", "SweepMember", "Survey", "Refresh", "Notify"]
)
def test_a_time_that_has_not_come_raises_an_alarm(function: str) -> None:
    """In each function that counts it, where the function exists."""
    name, alarm = f"{function}FutureTimesAlarm", ALARMS[f"{function}FutureTimesAlarm"]
    deployed = RESOURCES[f"{function}Function"]
    service = deployed["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    assert alarm["MetricName"] == "FutureTimes"
    assert alarm["Dimensions"] == [{"Name": "service", "Value": service}, OF_THE_STACK]
    assert RESOURCES[name].get("Condition") == deployed.get("Condition")
    app = PATH.parent / deployed["Properties"]["CodeUri"] / "app.py"
    assert 'build_counter(metrics, "FutureTimes")' in app.read_text("utf-8")


def test_an_account_that_was_not_swept_raises_an_alarm() -> None:
    """From the sweep's own count, for as long as hourly sweeps miss it."""
    alarm = ALARMS["AccountsNotSweptAlarm"]
    assert alarm["MetricName"] in SweepResult(Region("111122223333", "eu-west-1")).count_metrics()
    assert alarm["Dimensions"] == [{"Name": "service", "Value": "sweep"}, OF_THE_STACK]


@pytest.mark.parametrize(
    ("figures", "raised"),
    [
        ({"published": 3}, True),  # no subscriber, or none that is confirmed
        ({"published": 3, "delivered": 1}, False),
        ({"published": 3, "failed": 3}, False),  # AlertDeliveryAlarm
        ({"published": 3, "filtered": 3}, False),  # left out on purpose
        ({"published": 0}, False),
        ({"delivered": 1}, False),  # what was published just before
    ],
)
def test_an_alert_without_a_subscriber_raises_an_alarm(
    figures: dict[str, int], raised: bool
) -> None:
    """SNS counts nothing but the publication then: its other metrics are missing, not zero."""
    alarm = ALARMS["AlertSubscribersAlarm"]
    expression, *metrics = alarm["Metrics"]
    stats = {it["Id"]: it["MetricStat"] for it in metrics}
    assert {it["Metric"]["MetricName"] for it in stats.values()} == {
        "NumberOfMessagesPublished",
        "NumberOfNotificationsDelivered",
        "NumberOfNotificationsFailed",
        "NumberOfNotificationsFilteredOut",
    }
    assert {it["Period"] for it in stats.values()} == {900}
    # Each metric is compared for itself: a comparison takes what is missing as 0, while a sum might
    # be missing as a whole. No invocation publishes a million alerts.
    text = expression["Expression"]
    compared = re.fullmatch(" AND ".join([r"\((\w+) > 1000000 \* (\w+)\)"] * 3), text)
    assert compared
    pairs = list(zip(compared.groups()[::2], compared.groups()[1::2], strict=True))
    assert pairs == [("published", each) for each in ("delivered", "failed", "filtered")]
    value = all(figures.get(one, 0) > 1_000_000 * figures.get(other, 0) for one, other in pairs)
    assert (value > alarm["Threshold"]) is raised


def test_an_alert_that_is_not_delivered_raises_an_alarm() -> None:
    """The first one, whatever the subscriber is."""
    alarm = ALARMS["AlertDeliveryAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SNS", "NumberOfNotificationsFailed")
    assert alarm["Dimensions"][0]["Value"] == {"Fn::GetAtt": ["AlertTopic", "TopicName"]}
    assert (alarm["EvaluationPeriods"], alarm["Threshold"]) == (1, 0)


def test_silence_of_the_heartbeat_raises_an_alarm() -> None:
    """Without data or with zero: two of three heartbeats may be lost, not all of them."""
    schedule = RESOURCES["HeartbeatSchedule"]["Properties"]
    assert schedule["ScheduleExpression"] == "rate(10 minutes)"
    missing, late = ALARMS["HeartbeatMissingAlarm"], ALARMS["HeartbeatLateAlarm"]
    assert missing["MetricName"] in BatchResult().count_metrics()
    assert missing["Dimensions"] == late["Dimensions"]
    assert missing["Dimensions"] == [{"Name": "service", "Value": "evaluate"}, OF_THE_STACK]
    assert (missing["Statistic"], missing["Threshold"]) == ("Sum", 1)
    assert missing["ComparisonOperator"] == "LessThanThreshold"
    assert missing["TreatMissingData"] == "breaching"
    assert (missing["Period"], missing["EvaluationPeriods"]) == (1800, 1)


def test_missing_data_of_the_sweep_raises_an_alarm() -> None:
    """Without data no sweep was started."""
    assert ALARMS["SweepMissingAlarm"]["TreatMissingData"] == "breaching"


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_notifies_a_topic(name: str) -> None:
    """The topic of the parameter, else the stack's own."""
    topic = {"Fn::If": ["OwnAlarmTopic", {"Ref": "AlarmTopic"}, {"Ref": "AlarmTopicArn"}]}
    assert ALARMS[name]["AlarmActions"] == ALARMS[name]["OKActions"] == [topic]


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_is_documented(name: str) -> None:
    """docs/operations.md has the response to each alarm."""
    handbook = (PATH.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    assert f"`{name}`" in handbook


def test_the_costs_count_every_metric_with_an_alarm() -> None:
    """An alarm on an expression is billed for each metric in it; those of the export are extra."""
    metrics = sum(
        sum("MetricStat" in it for it in alarm.get("Metrics", [{"MetricStat": {}}]))
        for name, alarm in ALARMS.items()
        if "Condition" not in RESOURCES[name]
    )
    handbook = (PATH.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    assert f"| alarms | {metrics} metrics with an alarm" in handbook


@pytest.mark.parametrize(
    ("conditions", "parameter"),
    [
        ({"SharesNetwork"}, "SharedNetwork=on"),
        ({"ExportsChainEnds"}, "EvidenceBucket"),
        ({"MembersInTable", "ListsMembers"}, "MembersFrom=organization"),
    ],
)
def test_the_costs_count_the_alarms_of_optional_features(
    conditions: set[str], parameter: str
) -> None:
    """In the row of the feature."""
    alarms = sum(RESOURCES[name].get("Condition") in conditions for name in ALARMS)
    handbook = (PATH.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    assert f"| `{parameter}` | {alarms} metrics with an alarm × $0.10" in handbook


def test_only_the_functions_can_reach_the_endpoints() -> None:
    """No security group of the stack allows inbound traffic from an address."""
    ingress = properties_by_type("AWS::EC2::SecurityGroupIngress").values()
    assert all(it["SourceSecurityGroupId"] == {"Ref": "FunctionsSecurityGroup"} for it in ingress)
    groups = properties_by_type("AWS::EC2::SecurityGroup").values()
    assert not [it for it in groups if "SecurityGroupIngress" in it]


def test_the_network_has_no_internet_access() -> None:
    """The template has no NAT gateway, no internet gateway and no route."""
    kinds = {it["Type"].removeprefix("AWS::EC2::") for it in RESOURCES.values()}
    assert not kinds & {"NatGateway", "InternetGateway", "EgressOnlyInternetGateway", "Route"}


def fill(body: str, shared: str = "", members: str = "") -> str:
    """Return the dashboard with the widgets of features that are off by default."""
    return body.replace("${SharedNetwork}", shared).replace("${Members}", members)


def test_the_dashboard_shows_metrics_that_the_functions_emit() -> None:
    """It is JSON, and its custom metrics are those that the functions count."""
    body, more = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    condition, shared, nothing = more["SharedNetwork"]["Fn::If"]
    assert (condition, nothing) == ("SharesNetwork", "")
    condition, (members, rows), nothing = (
        it["Fn::Sub"] if isinstance(it, dict) else it for it in more["Members"]["Fn::If"]
    )
    assert (condition, nothing) == ("MembersInTable", "")
    below, instead = rows["Row"]["Fn::If"][1:]
    without_shared = fill(body, "", members.replace("${Row}", str(instead)))
    text = fill(body, shared["Fn::Sub"], members.replace("${Row}", str(below)))
    widgets = json.loads(text)["widgets"]
    for listed in (widgets, *(json.loads(it)["widgets"] for it in (fill(body), without_shared))):
        places = [(it["x"], it["y"]) for it in listed]
        assert len(set(places)) == len(places)
        assert {y for _, y in places} == set(range(0, max(y for _, y in places) + 1, 6))
    counted = {
        *BatchResult().count_metrics(),
        *SweepResult(Region("111122223333", "eu-west-1")).count_metrics(),
        *SurveyResult(Region("111122223333", "eu-west-1")).count_metrics(),
        *RefreshResult(SweepResult(Region("111122223333", "eu-west-1"))).count_metrics(),
    }
    counted |= {*AskedMembers(MemberFigures()).count_metrics()}
    counted |= {*MemberResult(Region("111122223333", "eu-west-1")).count_metrics()}
    counted |= {"DetectionLatency", "LongestSinceMemberSweep"}
    drawn: list[str] = []
    ours = False
    assert text.count('"VpcEndpointPosture"') == text.count('"stack", "${AWS::StackName}"')
    for row in (row for it in widgets for row in it["properties"]["metrics"]):
        ours = row[0] == "VpcEndpointPosture" or (ours and row[0] == ".")
        if ours and len(row) > 1:
            drawn.append(row[1])
    assert len(drawn) >= 8
    assert set(drawn) <= counted
