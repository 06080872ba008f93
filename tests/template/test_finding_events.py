"""Events about findings: the pipe, its schema, and the samples of receivers."""

import json
from collections.abc import Mapping
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from moto import mock_aws
from moto.events.models import EventPattern

from event_transformer import transform_event, transform_record
from finding_builders import SCOPE, at, change, find_caused_transitions, findings, opened, verdict
from posture.alerts.event_texts import build_event_texts
from posture.lifecycle.diff import apply_transitions, find_transitions
from posture.lifecycle.waiving import Waivers
from posture.model.finding import Transition
from posture.model.scope import Scope
from posture.model.verdict import Severity, Status, Verdict
from posture.model.waiver import Waiver
from posture.store.items import build_items
from posture_cli.embedded.translation import read_template
from stack_template import PATH, RESOURCES, TEMPLATE, as_list

SCHEMA = json.loads(
    (Path(build_event_texts.__code__.co_filename).parent / "schemas/finding-event.json").read_text()
)
PIPE = RESOURCES["FindingsPipe"]["Properties"]
SAMPLES = {path.stem: path for path in (PATH.parent / "docs/samples").glob("*.yaml")}
RECEIVERS = Path(__file__).parent / "receivers"
SECRETS = {"pagerduty": {"routing_key": "0" * 32}}  # that EventBridge adds to the body
HOSTILE = '"}, <!channel> \\ {"$.id"} <id>\n\u202e'

REGION = Scope("111122223333", "eu-west-1", "eu-west-1")
SERVICE = Scope("111122223333", "eu-west-1", "vpce-svc-0a1b2c3d4e5f60718")
WAIVER = Waiver(
    id="w-1",
    rule="route-missing",
    resource="*",
    scope="*",
    reason="planned",
    ticket="",
    requested_by="arn:aws:iam::111122223333:user/alice",
    requested_at=at(0),
    expires_at=at(9_000),
    approved_by="arn:aws:iam::111122223333:user/bob",
    approved_at=at(1),
)


BEFORE = findings(verdict())


TRANSITIONS: dict[str, tuple[Transition, ...]] = {
    "opened": opened(verdict(), changes=[change("e-1", "rtb-0a")]),
    "opened, cause unknown": opened(verdict()),
    "unknown": opened(verdict(status=Status.UNKNOWN)),
    "without a remediation": opened(Verdict("r", "subnet-1", Status.FAIL, Severity.LOW, "Bad.")),
    "changed": find_transitions(SCOPE, BEFORE, [verdict(summary="Worse.")], observed_at=at(5)),
    "resolved": find_caused_transitions(
        SCOPE, BEFORE, [], observed_at=at(5), changes=[change("e-2")]
    ),
    "waived": find_transitions(
        SCOPE, BEFORE, [verdict()], observed_at=at(5), waivers=Waivers(SCOPE, at(5), (WAIVER,))
    ),
    "a Region": opened(verdict(resource="111122223333"), scope=REGION),
    "an endpoint service": opened(verdict(resource=SERVICE.subject), scope=SERVICE),
    "hostile texts": opened(verdict(HOSTILE, HOSTILE, summary=HOSTILE, command=HOSTILE)),
}
each_transition = pytest.mark.parametrize("steps", TRANSITIONS.values(), ids=TRANSITIONS)


def stream_record(step: Transition, name: str = "INSERT") -> dict[str, Any]:
    """Return the record of the history's stream about the row of a transition."""
    row = build_items(step).row
    return {"eventName": name, "eventSource": "aws:dynamodb", "dynamodb": {"NewImage": row}}


def publish(step: Transition) -> dict[str, Any]:
    """Return the event that the pipe publishes."""
    parameters = PIPE["TargetParameters"]
    bus = parameters["EventBridgeEventBusParameters"]
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": bus["DetailType"],
        "source": bus["Source"],
        "account": "111122223333",
        "time": "2026-01-31T12:00:01Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": transform_record(parameters["InputTemplate"], stream_record(step)),
    }


def validate(schema: Mapping[str, Any], document: Any) -> None:
    """Check a document against a schema, formats included."""
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(document)


def matches(pattern: Any, event: Mapping[str, Any]) -> bool:
    """Return whether EventBridge's pattern matches an event."""
    read = json.loads(pattern) if isinstance(pattern, str) else pattern
    document: Any = dict(event)
    return bool(EventPattern(json.dumps(read), read).matches_event(document))


@each_transition
def test_every_event_has_the_form_of_the_schema(steps: tuple[Transition, ...]) -> None:
    """Each path of the template exists in every row, and each text arrives as it is."""
    for step in steps:
        event = publish(step)
        validate(SCHEMA, event)
        detail, finding = event["detail"], step.finding
        assert (detail["id"], detail["version"]) == (finding.id, str(finding.version))
        assert (detail["summary"], detail["rule"]) == (finding.verdict.summary, finding.rule)
        assert detail["resource"] == finding.resource


def test_the_schema_describes_every_field_and_no_other() -> None:
    """A field that is added to the template is added to the schema."""
    (step,) = TRANSITIONS["opened"]
    described = SCHEMA["properties"]["detail"]
    detail = publish(step)["detail"]
    assert list(detail) == list(described["properties"]) == described["required"]


def test_all_events_of_a_finding_have_one_key_and_rising_versions() -> None:
    """A receiver joins them by `id`, and resolves what it opened."""
    (first,) = TRANSITIONS["opened"]
    state = apply_transitions({}, (first,))
    (second,) = find_transitions(SCOPE, state, [verdict(summary="Worse.")], observed_at=at(1))
    (third,) = find_transitions(SCOPE, apply_transitions(state, (second,)), [], observed_at=at(2))
    details = [publish(step)["detail"] for step in (first, second, third)]
    assert len({each["id"] for each in details}) == 1
    assert [each["version"] for each in details] == ["1", "2", "3"]
    assert [each["step"] for each in details] == ["opened", "changed", "resolved"]


def test_an_event_says_what_a_person_on_call_asks_first() -> None:
    """What, where, since when, by whom, what to do, and a link."""
    (step,) = TRANSITIONS["opened"]
    detail = publish(step)["detail"]
    assert detail["caused_by"] == detail["opened_by"] == "arn:aws:iam::111122223333:user/alice"
    assert detail["command"].startswith("aws ec2 modify-vpc-endpoint")
    assert detail["link"] == (
        "https://eu-west-1.console.aws.amazon.com/vpcconsole/home?region=eu-west-1"
        "#SubnetDetails:subnetId=subnet-0a"
    )


def test_the_pipe_takes_new_rows_of_findings_only() -> None:
    """Waivers and rejected changes have rows of other kinds; a row that is removed is no event."""
    [condition] = PIPE["SourceParameters"]["FilterCriteria"]["Filters"]
    (step,) = TRANSITIONS["opened"]
    record = stream_record(step)
    assert matches(condition["Pattern"], record)
    assert not matches(condition["Pattern"], stream_record(step, "REMOVE"))
    record["dynamodb"]["NewImage"]["kind"] = {"S": "waiver"}
    assert not matches(condition["Pattern"], record)


def test_it_is_off_by_default() -> None:
    """Without the parameter there is neither a stream of the history nor a pipe."""
    assert TEMPLATE["Parameters"]["FindingEvents"]["Default"] == "off"
    made = [name for name, it in RESOURCES.items() if it.get("Condition") == "PublishFindings"]
    assert made == [
        "EventFailuresQueue",
        "EventFailuresQueuePolicy",
        "FindingsBus",
        "FindingsPipe",
        "FindingsPipeRole",
        "EventFailuresAlarm",
    ]


def test_only_this_pipe_has_the_role_and_only_its_queue_and_bus() -> None:
    """It reads one stream, and no function or endpoint of the private VPC takes part."""
    role = RESOURCES["FindingsPipeRole"]["Properties"]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "pipes.amazonaws.com"}
    assert trust["Condition"]["StringEquals"].keys() == {"aws:SourceAccount", "aws:SourceArn"}
    [policy] = role["Policies"]
    allowed = {
        action
        for statement in policy["PolicyDocument"]["Statement"]
        for action in as_list(statement["Action"])
    }
    assert allowed == {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "events:PutEvents",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "sqs:SendMessage",
    }


def test_what_cannot_be_published_is_kept_and_encrypted() -> None:
    """The bus and the queue have the stack's key; the pipe retries for half a day."""
    bus = RESOURCES["FindingsBus"]["Properties"]
    source = PIPE["SourceParameters"]["DynamoDBStreamParameters"]
    queue = {"Fn::GetAtt": ["EventFailuresQueue", "Arn"]}
    assert bus["KmsKeyIdentifier"] == {"Fn::GetAtt": ["Key", "Arn"]}
    assert bus["DeadLetterConfig"]["Arn"] == source["DeadLetterConfig"]["Arn"] == queue
    assert source["MaximumRecordAgeInSeconds"] == timedelta(hours=12).total_seconds()
    assert source["OnPartialBatchItemFailure"] == "AUTOMATIC_BISECT"


def send(sample: str, step: Transition) -> list[Any]:
    """Return the requests that the rules of a sample send about a transition."""
    event = publish(step)
    rules = [
        it["Properties"]
        for it in read_template(SAMPLES[sample])["Resources"].values()
        if it["Type"] == "AWS::Events::Rule"
    ]
    return [
        transform_event(target["InputTransformer"], event) | SECRETS.get(sample, {})
        for rule in rules
        if matches(rule["EventPattern"], event)
        for target in rule["Targets"]
    ]


@pytest.mark.parametrize("sample", SAMPLES)
@each_transition
def test_every_request_has_the_form_that_the_receiver_publishes(
    sample: str, steps: tuple[Transition, ...]
) -> None:
    """At most one request for an event, whatever the resource is called."""
    schema = json.loads((RECEIVERS / f"{sample}.json").read_text())
    for step in steps:
        requests = send(sample, step)
        assert len(requests) <= 1
        for request in requests:
            validate(schema, request)


@pytest.mark.parametrize("severity", Severity)
def test_pagerduty_and_servicenow_open_and_close_one_alert(severity: Severity) -> None:
    """Of every severity, by the finding's id; a waived finding is closed as well."""
    first = opened(verdict(severity=severity))
    state = apply_transitions({}, first)
    last = find_transitions(SCOPE, state, [], observed_at=at(2))
    waived = find_transitions(
        SCOPE,
        state,
        [verdict(severity=severity)],
        observed_at=at(5),
        waivers=Waivers(SCOPE, at(5), (WAIVER,)),
    )
    [trigger], [resolve] = send("pagerduty", first[0]), send("pagerduty", last[0])
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"] == first[0].finding.id
    assert send("pagerduty", waived[0]) == [resolve]
    [[new], [clear]] = (
        [record for request in send("servicenow", each[0]) for record in request["records"]]
        for each in (first, last)
    )
    assert new["message_key"] == clear["message_key"] == first[0].finding.id
    assert (new["resolution_state"], clear["resolution_state"]) == ("New", "Closing")
    assert clear["severity"] == "0" < new["severity"]


def test_slack_gets_what_was_opened_and_how_it_ended() -> None:
    """As plain text, in which a name notifies no one."""
    [request] = send("slack", TRANSITIONS["opened"][0])
    texts = json.dumps(request)
    assert "subnet-0a reaches S3 through a NAT gateway" in texts
    assert '"mrkdwn"' not in texts
    assert send("slack", TRANSITIONS["resolved"][0])
    assert not send("slack", TRANSITIONS["waived"][0])


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_keeps_what_the_receiver_refuses(sample: str) -> None:
    """Each target has a dead-letter queue, and the secret is no plain parameter."""
    template = read_template(SAMPLES[sample])
    kinds = [it["Type"] for it in template["Resources"].values()]
    rules = [it["Properties"] for it in template["Resources"].values() if "Rule" in it["Type"]]
    assert {"AWS::Events::ApiDestination", "AWS::Events::Connection"} <= set(kinds)
    assert all(target["DeadLetterConfig"] for rule in rules for target in rule["Targets"])
    assert any(it.get("NoEcho") for it in template["Parameters"].values())
    assert template["Parameters"]["FindingsBusName"]["Default"] == "posture-findings"


HOME = "arn:aws:events:eu-west-1:123456789012:event-bus/posture-findings"
PUBLISHED = PIPE["TargetParameters"]["EventBridgeEventBusParameters"]["DetailType"]
FORWARDING = ("FindingsBus", "FindingsHomeRule", "FindingsHomeRole", "EventFailuresQueue")


def forwarding_template() -> dict[str, Any]:
    """Return the part of the template that forwards events, without the key."""
    resources = {name: deepcopy(RESOURCES[name]) for name in FORWARDING}
    del resources["FindingsBus"]["Properties"]["KmsKeyIdentifier"]
    del resources["EventFailuresQueue"]["Properties"]["KmsMasterKeyId"]
    names = ("FindingEvents", "FindingsHomeBusArn", "PermissionsBoundaryArn", "RolePath")
    conditions = ("PublishFindings", "ForwardsFindings", "HasPermissionsBoundary", "HasRolePath")
    return {
        "Parameters": {name: TEMPLATE["Parameters"][name] for name in names},
        "Conditions": {name: TEMPLATE["Conditions"][name] for name in conditions},
        "Resources": resources,
    }


def create_forwarding(region: str, **parameters: str) -> set[str]:
    """Create that part in a Region; return what was created."""
    client = boto3.client("cloudformation", region_name=region)
    client.create_stack(
        StackName="posture",
        TemplateBody=json.dumps(forwarding_template()),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
    )
    found = client.describe_stack_resources(StackName="posture")["StackResources"]
    return {it["LogicalResourceId"] for it in found if it.get("PhysicalResourceId")}


@mock_aws
def test_every_region_but_the_home_forwards_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same parameters everywhere: the stack in the bus's own Region forwards nothing."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    everywhere = {"FindingEvents": "on", "FindingsHomeBusArn": HOME}
    forwarding = {"FindingsHomeRule", "FindingsHomeRole"}
    assert not create_forwarding("eu-west-1", **everywhere) & forwarding
    assert create_forwarding("us-east-1", **everywhere) >= forwarding
    assert not create_forwarding("eu-central-1", FindingEvents="on") & forwarding
    queue = boto3.client("sqs", region_name="eu-west-1")
    url = queue.create_queue(QueueName="received")["QueueUrl"]
    home = boto3.client("events", region_name="eu-west-1")
    home.put_rule(
        Name="all", EventBusName="posture-findings", EventPattern='{"source": [{"prefix": ""}]}'
    )
    arn = "arn:aws:sqs:eu-west-1:123456789012:received"
    home.put_targets(Rule="all", EventBusName="posture-findings", Targets=[{"Id": "q", "Arn": arn}])
    (step,) = TRANSITIONS["opened"]
    detail = json.dumps(publish(step)["detail"])
    for region, kind in (
        ("us-east-1", PUBLISHED),
        ("us-east-1", "other"),
        ("eu-central-1", PUBLISHED),
    ):
        boto3.client("events", region_name=region).put_events(
            Entries=[
                {
                    "Source": "vpc-endpoint-posture",
                    "DetailType": kind,
                    "Detail": detail,
                    "EventBusName": "posture-findings",
                }
            ]
        )
    [received] = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert json.loads(received["Body"])["detail"] == json.loads(detail)


@pytest.mark.parametrize("field", ["source", "detail-type", "account", "region"])
def test_an_event_of_elsewhere_is_not_forwarded_again(field: str) -> None:
    """Two Regions that name each other's bus would send it back and forth: it costs, forever."""
    pattern = json.loads(
        json.dumps(RESOURCES["FindingsHomeRule"]["Properties"]["EventPattern"])
        .replace('{"Ref": "AWS::AccountId"}', '"111122223333"')
        .replace('{"Ref": "AWS::Region"}', '"eu-west-1"')
    )
    (step,) = TRANSITIONS["opened"]
    event = publish(step) | {"account": "111122223333", "region": "eu-west-1"}
    assert matches(pattern, event)
    assert not matches(pattern, event | {field: "elsewhere"})


def test_the_rule_may_only_put_events_on_the_home_bus() -> None:
    """No other rule can use the role, and undelivered events are kept where an alarm watches."""
    role = RESOURCES["FindingsHomeRole"]["Properties"]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "events.amazonaws.com"}
    [policy] = role["Policies"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "events:PutEvents"
    assert statement["Resource"] == {"Ref": "FindingsHomeBusArn"}
    rule = RESOURCES["FindingsHomeRule"]["Properties"]
    arn = trust["Condition"]["StringEquals"]["aws:SourceArn"]["Fn::Sub"]
    assert arn.endswith(f":rule/${{AWS::StackName}}-findings/{rule['Name']['Fn::Sub']}")
    [target] = rule["Targets"]
    assert target["Arn"] == {"Ref": "FindingsHomeBusArn"}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["EventFailuresQueue", "Arn"]}}
    [allowed, _] = RESOURCES["EventFailuresQueuePolicy"]["Properties"]["PolicyDocument"][
        "Statement"
    ]
    assert {"Fn::Sub": arn} in allowed["Condition"]["ArnEquals"]["aws:SourceArn"]
