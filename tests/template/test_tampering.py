"""Calls that can blind the monitor are reported by EventBridge and SNS alone."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from moto.events.models import EventPattern

from stack_template import MEMBER, MEMBERS_BUS, RESOURCES

LIMIT = 2048  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
LONGEST_NAME = "s" * 50  # of a stack, as docs/operations.md says
RULES = {name: it for name, it in RESOURCES.items() if name.startswith("Tampering")}
ACCOUNT_RULES = {name: it for name, it in RULES.items() if name != "TamperingMemberRule"}
TOPICS = ["AlertTopicPolicy", "AlarmTopicPolicy"]

QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/{}-ChangesQueue-AB12"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:{}-AlertTopic-AB12"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:{}-notify"
TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/{}-FindingsTable-AB12"
POLICY = "arn:aws:iam::111122223333:policy/{}-FunctionsPolicy-AB12"

# What a call names, with {} for the name of the stack whose resource it is.
NAMED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("events", "DisableRule", {"name": "{}-ChangesRule-AB12"}),
    ("events", "PutRule", {"name": "{}-ChangesRule-AB12"}),
    ("events", "DeleteRule", {"name": "{}-SweepRule-AB12"}),
    ("events", "RemoveTargets", {"rule": "{}-ChangesRule-AB12", "ids": ["changes"]}),
    ("events", "PutTargets", {"rule": "{}-ChangesRule-AB12", "targets": []}),
    ("events", "DeleteEventBus", {"name": "{}-members"}),
    ("events", "RemovePermission", {"eventBusName": "{}-members"}),
    ("sqs", "DeleteQueue", {"queueUrl": QUEUE}),
    ("sqs", "PurgeQueue", {"queueUrl": QUEUE}),
    ("sqs", "SetQueueAttributes", {"queueUrl": QUEUE}),
    ("sns", "DeleteTopic", {"topicArn": TOPIC}),
    ("sns", "SetTopicAttributes", {"topicArn": TOPIC}),
    ("sns", "Unsubscribe", {"subscriptionArn": TOPIC + ":0a1b"}),
    ("sns", "SetSubscriptionAttributes", {"subscriptionArn": TOPIC + ":0a1b"}),
    ("sns", "Subscribe", {"topicArn": TOPIC, "protocol": "https"}),
    ("lambda", "UpdateFunctionCode20150331v2", {"functionName": "{}-evaluate"}),
    ("lambda", "UpdateFunctionConfiguration20150331v2", {"functionName": FUNCTION}),
    ("lambda", "DeleteFunction20150331", {"functionName": FUNCTION}),
    ("lambda", "PutFunctionConcurrency20171031", {"functionName": "{}-notify"}),
    ("iam", "PutRolePolicy", {"roleName": "{}-EvaluateRole-AB12"}),
    ("iam", "UpdateAssumeRolePolicy", {"roleName": "{}-SweepRole-AB12"}),
    ("iam", "DetachRolePolicy", {"roleName": "{}-NotifyRole-AB12", "policyArn": POLICY}),
    ("iam", "CreatePolicyVersion", {"policyArn": POLICY}),
    ("dynamodb", "DeleteTable", {"tableName": "{}-FindingsTable-AB12"}),
    ("dynamodb", "UpdateTable", {"tableName": TABLE}),
    ("dynamodb", "PutResourcePolicy", {"resourceArn": TABLE}),
    ("logs", "DeleteLogGroup", {"logGroupName": "/aws/lambda/{}-evaluate"}),
    ("monitoring", "DeleteAlarms", {"alarmNames": ["other", "{}-NotifyErrorsAlarm-AB12"]}),
    ("monitoring", "DisableAlarmActions", {"alarmNames": ["{}-SweepMissingAlarm-AB12"]}),
    ("monitoring", "SetAlarmState", {"alarmName": "{}-SweepMissingAlarm-AB12"}),
    ("cloudformation", "DeleteStack", {"stackName": "{}"}),
    ("cloudformation", "UpdateStack", {"stackName": "{}"}),
)


def resolve(value: Any, stack: str = "posture") -> Any:
    """Resolve the functions of a pattern as in a deployed stack; `id-of-X` is a resource's id."""
    pseudo = {
        "AWS::StackName": stack,
        "AWS::StackId": f"arn:aws:cloudformation:eu-west-1:111122223333:stack/{stack}/0a1b2c3d",
    }
    match value:
        case {"Ref": name}:
            resolved: Any = pseudo.get(name, f"id-of-{name}")
        case {"Fn::GetAtt": [name, "Arn"]}:
            resolved = f"arn-of-{name}"
        case {"Fn::Sub": text}:
            resolved = text.replace("${AWS::StackName}", stack)
        case {"Fn::If": [_, then, _]}:
            resolved = resolve(then, stack)
        case dict():
            resolved = {name: resolve(each, stack) for name, each in value.items()}
        case list():
            resolved = [resolve(each, stack) for each in value]
        case _:
            resolved = value
    return resolved


def find_rules(
    service: str, call: str, parameters: Mapping[str, Any] | None = None, **detail: Any
) -> set[str]:
    """Return the rules that match a call."""
    record = {"eventName": call, "requestParameters": parameters, **detail}
    event: Any = {
        "source": f"aws.{service}",
        "detail-type": "AWS API Call via CloudTrail",
        "detail": record,
    }
    patterns = {
        name: resolve(rule["Properties"]["EventPattern"]) for name, rule in ACCOUNT_RULES.items()
    }
    return {
        name
        for name, pattern in patterns.items()
        if EventPattern(json.dumps(pattern), pattern).matches_event(event)
    }


def name_stack(parameters: Any, stack: str) -> Any:
    """Put a stack's name in the place of {}."""
    return json.loads(json.dumps(parameters).replace("{}", stack))


@pytest.mark.parametrize(("service", "call", "parameters"), NAMED)
def test_a_call_on_a_resource_of_the_stack_is_reported(
    service: str, call: str, parameters: dict[str, Any]
) -> None:
    """The same call on a resource of another stack, or a refused one, is not."""
    own, other = name_stack(parameters, "posture"), name_stack(parameters, "shop")
    assert find_rules(service, call, own)
    assert not find_rules(service, call, other)
    assert not find_rules(service, call, own, errorCode="AccessDenied")
    assert not find_rules(service, f"Describe{call}", own)


@pytest.mark.parametrize("call", ["StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"])
def test_a_call_on_any_trail_is_reported(call: str) -> None:
    """Which trail records the calls to EC2 is not known."""
    assert find_rules("cloudtrail", call, {"name": "any"}) == {"TamperingTrailRule"}


@pytest.mark.parametrize("key", ["id-of-Key", "arn-of-Key"])
def test_a_call_on_the_key_is_reported(key: str) -> None:
    """Without the key, no table can be read and no alert can be published."""
    for call in ("DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy"):
        assert find_rules("kms", call, {"keyId": key}) == {"TamperingStorageRule"}
        assert not find_rules("kms", call, {"keyId": "another"})


def test_a_call_on_a_mapping_is_reported_by_the_function_in_its_response() -> None:
    """The request names an event source mapping by its UUID only."""
    call, request = "UpdateEventSourceMapping20150331", {"uUID": "0a1b"}
    for stack, found in (("posture", {"TamperingFunctionsRule"}), ("shop", set())):
        response = {"functionArn": FUNCTION.format(stack)}
        assert find_rules("lambda", call, request, responseElements=response) == found


def test_a_call_on_an_endpoint_or_security_group_of_the_functions_is_reported() -> None:
    """Without its endpoint for SNS the monitor cannot send the alert about it."""
    deleted = {"DeleteVpcEndpointsRequest": {"VpcEndpointId": {"content": "id-of-SnsEndpoint"}}}
    modified = {"ModifyVpcEndpointRequest": {"VpcEndpointId": "id-of-DynamoDbEndpoint"}}
    group = {"groupId": "id-of-FunctionsSecurityGroup"}
    expected = {"TamperingNetworkRule"}
    assert find_rules("ec2", "DeleteVpcEndpoints", deleted) == expected
    assert find_rules("ec2", "ModifyVpcEndpoint", modified) == expected
    assert find_rules("ec2", "RevokeSecurityGroupEgress", group) == expected
    assert not find_rules("ec2", "RevokeSecurityGroupEgress", {"groupId": "sg-0"})
    assert not find_rules("ec2", "CreateTags", group)


@pytest.mark.parametrize("rule", sorted(ACCOUNT_RULES))
def test_two_rules_report_that_one_of_them_is_disabled(rule: str) -> None:
    """The first that is disabled or deleted is reported by another."""
    for call, parameters in (
        ("DisableRule", {"name": f"posture-{rule}-AB12"}),
        ("RemoveTargets", {"rule": f"posture-{rule}-AB12"}),
    ):
        assert len(find_rules("events", call, parameters)) == 2, call


@pytest.mark.parametrize("rule", sorted(RULES))
def test_each_rule_publishes_to_both_topics(rule: str) -> None:
    """The removal of one topic is reported through the other; the text needs no function."""
    pattern = RULES[rule]["Properties"]["EventPattern"]
    targets = RULES[rule]["Properties"]["Targets"]
    own_or_given = [{"Ref": "AlarmTopic"}, {"Ref": "AlarmTopicArn"}]
    assert [it["Arn"] for it in targets] == [
        {"Fn::If": ["OwnAlarmTopic", *own_or_given]},
        {"Ref": "AlertTopic"},
    ]
    for target in targets:
        assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["UndeliveredQueue", "Arn"]}
        text = target["InputTransformer"]["InputTemplate"]["Fn::Sub"]
        assert isinstance(json.loads(text), str)
        for name in target["InputTransformer"]["InputPathsMap"]:
            assert f"<{name}>" in text
    assert pattern["detail"]["errorCode"] == [{"exists": False}]
    assert len(json.dumps(resolve(pattern, LONGEST_NAME))) <= LIMIT


@pytest.mark.parametrize("policy", TOPICS)
def test_only_these_rules_may_publish_to_the_topics(policy: str) -> None:
    """Another rule of the account may not publish in the monitor's name."""
    statements = RESOURCES[policy]["Properties"]["PolicyDocument"]["Statement"]
    (allow,) = [it for it in statements if it.get("Sid") == "TamperingRulesPublish"]
    sources = allow["Condition"]["ArnEquals"]["aws:SourceArn"]
    named = [it["Fn::If"][1] if "Fn::If" in it else it for it in sources]
    assert [it["Fn::GetAtt"] for it in named] == [[name, "Arn"] for name in RULES]
    assert allow["Action"] == "sns:Publish"


@pytest.mark.parametrize(
    ("service", "call", "parameters"),
    [
        ("cloudtrail", "StopLogging", {"name": "any"}),
        ("events", "DisableRule", {"name": "{}-ChangesRule-AB12"}),
        ("events", "RemoveTargets", {"rule": "{}-ChangesRule-AB12"}),
        ("iam", "DeleteRolePolicy", {"roleName": "{}-ForwardRole-AB12"}),
        ("iam", "PutRolePolicy", {"roleName": "id-of-LookRole"}),
        ("iam", "DeleteRole", {"roleName": "id-of-LookRole"}),
        ("sqs", "DeleteQueue", {"queueUrl": QUEUE}),
        ("cloudformation", "DeleteStack", {"stackName": "{}"}),
    ],
)
def test_member_accounts_forward_such_calls(
    service: str, call: str, parameters: dict[str, Any]
) -> None:
    """The central stack publishes them without selecting further."""
    rule = MEMBER["TamperingRule"]["Properties"]
    pattern = resolve(rule["EventPattern"], "posture-member")
    centre = RULES["TamperingMemberRule"]["Properties"]["EventPattern"]
    for stack, reported in (("posture-member", True), ("shop", False)):
        event: Any = {
            "source": f"aws.{service}",
            "detail-type": "AWS API Call via CloudTrail",
            "detail": {"eventName": call, "requestParameters": name_stack(parameters, stack)},
        }
        about_all = "{}" not in json.dumps(parameters)
        for each in (pattern, centre):
            found = EventPattern(json.dumps(each), each).matches_event(event)
            assert found == (reported or about_all or each is centre)
    assert rule["Targets"][0]["Arn"] == MEMBERS_BUS
    assert len(json.dumps(resolve(rule["EventPattern"], LONGEST_NAME))) <= LIMIT
