"""Calls that can stop the monitor, as CloudTrail records them and EventBridge delivers them."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from moto.events.models import EventPattern

from posture_cli.embedded.cloudtrail import ApiCaller
from posture_cli.embedded.moto_patches import flatten_event
from sample_network import ACCOUNT, REGION

MALLORY = ApiCaller(ACCOUNT, "Admin", "mallory")
QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/{}-ChangesQueue-AB12"
DEAD = "arn:aws:sqs:eu-west-1:111122223333:{}-ChangesDeadLetterQueue-AB12"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:{}-AlertTopic-AB12"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:{}-notify"
TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/{}-FindingsTable-AB12"
POLICY = "arn:aws:iam::111122223333:policy/{}-FunctionsPolicy-AB12"
MACHINE = "arn:aws:states:eu-west-1:111122223333:stateMachine:{}-members"
GROUP = "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/{}-evaluate"
CHANGE_SET = "arn:aws:cloudformation:eu-west-1:111122223333:changeSet/deploy-1/0a1b2c"

# What a call names, with {} for the name of the stack whose resource it is, and that name alone.
NAMED: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("events", "DisableRule", {"name": "{}-ChangesRule-AB12"}, "{}-ChangesRule-AB12"),
    ("events", "PutRule", {"name": "{}-ChangesRule-AB12"}, "{}-ChangesRule-AB12"),
    ("events", "DeleteRule", {"name": "{}-SweepRule-AB12"}, "{}-SweepRule-AB12"),
    (
        "events",
        "RemoveTargets",
        {"rule": "{}-ChangesRule-AB12", "ids": ["a"]},
        "{}-ChangesRule-AB12",
    ),
    ("events", "PutTargets", {"rule": "{}-ChangesRule-AB12", "targets": []}, "{}-ChangesRule-AB12"),
    ("events", "DeleteEventBus", {"name": "{}-members"}, "{}-members"),
    ("events", "UpdateEventBus", {"name": "{}-members"}, "{}-members"),
    ("events", "PutPermission", {"eventBusName": "{}-members"}, "{}-members"),
    ("events", "RemovePermission", {"eventBusName": "{}-members"}, "{}-members"),
    (
        "scheduler",
        "DeleteSchedule",
        {"name": "{}-HeartbeatSchedule-AB12"},
        "{}-HeartbeatSchedule-AB12",
    ),
    (
        "scheduler",
        "UpdateSchedule",
        {"name": "{}-HeartbeatSchedule-AB12"},
        "{}-HeartbeatSchedule-AB12",
    ),
    ("pipes", "StopPipe", {"name": "{}-FindingsPipe-AB12"}, "{}-FindingsPipe-AB12"),
    ("pipes", "UpdatePipe", {"name": "{}-FindingsPipe-AB12"}, "{}-FindingsPipe-AB12"),
    ("pipes", "DeletePipe", {"name": "{}-FindingsPipe-AB12"}, "{}-FindingsPipe-AB12"),
    ("states", "UpdateStateMachine", {"stateMachineArn": MACHINE}, "{}-members"),
    ("states", "DeleteStateMachine", {"stateMachineArn": MACHINE}, "{}-members"),
    ("sqs", "DeleteQueue", {"queueUrl": QUEUE}, "{}-ChangesQueue-AB12"),
    ("sqs", "PurgeQueue", {"queueUrl": QUEUE}, "{}-ChangesQueue-AB12"),
    ("sqs", "SetQueueAttributes", {"queueUrl": QUEUE}, "{}-ChangesQueue-AB12"),
    ("sqs", "AddPermission", {"queueUrl": QUEUE, "label": "x"}, "{}-ChangesQueue-AB12"),
    ("sqs", "RemovePermission", {"queueUrl": QUEUE, "label": "x"}, "{}-ChangesQueue-AB12"),
    ("sqs", "StartMessageMoveTask", {"sourceArn": DEAD}, "{}-ChangesDeadLetterQueue-AB12"),
    (
        "pipes",
        "CreatePipe",
        {"name": "mine", "source": DEAD, "target": "arn:aws:lambda:eu-west-1:1:function:mine"},
        "{}-ChangesDeadLetterQueue-AB12",
    ),
    (
        "lambda",
        "CreateEventSourceMapping20150331",
        {"functionName": "mine", "eventSourceArn": DEAD},
        "{}-ChangesDeadLetterQueue-AB12",
    ),
    ("sns", "DeleteTopic", {"topicArn": TOPIC}, "{}-AlertTopic-AB12"),
    ("sns", "SetTopicAttributes", {"topicArn": TOPIC}, "{}-AlertTopic-AB12"),
    ("sns", "PutDataProtectionPolicy", {"resourceArn": TOPIC}, "{}-AlertTopic-AB12"),
    ("sns", "Unsubscribe", {"subscriptionArn": TOPIC + ":0a1b"}, "{}-AlertTopic-AB12"),
    (
        "sns",
        "SetSubscriptionAttributes",
        {"subscriptionArn": TOPIC + ":0a1b"},
        "{}-AlertTopic-AB12",
    ),
    ("sns", "Subscribe", {"topicArn": TOPIC, "protocol": "https"}, "{}-AlertTopic-AB12"),
    ("lambda", "UpdateFunctionCode20150331v2", {"functionName": "{}-evaluate"}, "{}-evaluate"),
    ("lambda", "UpdateFunctionConfiguration20150331v2", {"functionName": FUNCTION}, "{}-notify"),
    ("lambda", "DeleteFunction20150331", {"functionName": FUNCTION}, "{}-notify"),
    ("lambda", "PutFunctionConcurrency20171031", {"functionName": "{}-notify"}, "{}-notify"),
    ("lambda", "RemovePermission20150331v2", {"functionName": "{}-sweep"}, "{}-sweep"),
    ("lambda", "PutFunctionEventInvokeConfig", {"functionName": "{}-sweep"}, "{}-sweep"),
    ("lambda", "DeleteFunctionEventInvokeConfig", {"functionName": "{}-sweep"}, "{}-sweep"),
    ("iam", "PutRolePolicy", {"roleName": "{}-EvaluateRole-AB12"}, "{}-EvaluateRole-AB12"),
    ("iam", "DeleteRole", {"roleName": "{}-EvaluateRole-AB12"}, "{}-EvaluateRole-AB12"),
    ("iam", "UpdateAssumeRolePolicy", {"roleName": "{}-SweepRole-AB12"}, "{}-SweepRole-AB12"),
    (
        "iam",
        "DetachRolePolicy",
        {"roleName": "{}-NotifyRole-A", "policyArn": POLICY},
        "{}-NotifyRole-A",
    ),
    ("iam", "CreatePolicyVersion", {"policyArn": POLICY}, "{}-FunctionsPolicy-AB12"),
    ("dynamodb", "DeleteTable", {"tableName": "{}-FindingsTable-AB12"}, "{}-FindingsTable-AB12"),
    ("dynamodb", "UpdateTable", {"tableName": TABLE}, "{}-FindingsTable-AB12"),
    ("dynamodb", "UpdateTimeToLive", {"tableName": TABLE}, "{}-FindingsTable-AB12"),
    ("dynamodb", "UpdateContinuousBackups", {"tableName": TABLE}, "{}-FindingsTable-AB12"),
    ("dynamodb", "PutResourcePolicy", {"resourceArn": TABLE}, "{}-FindingsTable-AB12"),
    (
        "logs",
        "DeleteLogGroup",
        {"logGroupName": "/aws/lambda/{}-evaluate"},
        "/aws/lambda/{}-evaluate",
    ),
    (
        "monitoring",
        "DeleteAlarms",
        {"alarmNames": ["{}-NotifyErrorsAlarm-A"]},
        "{}-NotifyErrorsAlarm-A",
    ),
    ("monitoring", "DisableAlarmActions", {"alarmNames": ["{}-Missing-A"]}, "{}-Missing-A"),
    ("monitoring", "SetAlarmState", {"alarmName": "{}-Missing-A"}, "{}-Missing-A"),
    ("monitoring", "PutMetricAlarm", {"alarmName": "{}-Missing-A"}, "{}-Missing-A"),
    (
        "monitoring",
        "PutAlarmMuteRule",
        {"name": "night", "muteTargets": {"alarmNames": ["{}-Missing-A"]}},
        "{}-Missing-A",
    ),
    *(
        ("logs", call, {"logGroupName": "/aws/lambda/{}-evaluate"}, "/aws/lambda/{}-evaluate")
        for call in ("AssociateKmsKey", "DisassociateKmsKey")
    ),
    ("logs", "AssociateKmsKey", {"resourceIdentifier": GROUP}, "/aws/lambda/{}-evaluate"),
    ("cloudformation", "DeleteStack", {"stackName": "{}"}, "{}"),
    ("cloudformation", "UpdateStack", {"stackName": "{}"}, "{}"),
    ("cloudformation", "ExecuteChangeSet", {"stackName": "{}", "changeSetName": CHANGE_SET}, "{}"),
)


def fill(value: Any, stack: str) -> Any:
    """Put a stack's name in the place of {}."""
    return json.loads(json.dumps(value).replace("{}", stack))


def build_event(
    service: str,
    call: str,
    parameters: Mapping[str, Any] | None,
    *,
    event_id: str = "e-1",
    time: datetime = datetime(2026, 12, 1, 12, tzinfo=UTC),
    caller: ApiCaller = MALLORY,
    response: Mapping[str, Any] | None = None,
    **detail: Any,
) -> dict[str, Any]:
    """Build the event of a call, which EventBridge matches and delivers."""
    return {
        "source": f"aws.{service}",
        "detail-type": "AWS API Call via CloudTrail",
        "account": caller.account,
        "region": REGION,
        "detail": {
            "eventSource": f"{service}.amazonaws.com",
            "eventName": call,
            "eventID": event_id,
            "eventTime": f"{time:%Y-%m-%dT%H:%M:%SZ}",
            "awsRegion": REGION,
            "recipientAccountId": caller.account,
            "userIdentity": caller.build_identity(),
            "sourceIPAddress": caller.invoked_by or caller.source_ip,
            "userAgent": caller.invoked_by or caller.user_agent,
            "requestParameters": parameters,
            "responseElements": response,
            **detail,
        },
    }


# The most characters that a name may have, by the type of the resource.
LIMITS = {
    "AWS::Events::Rule": 64,
    "AWS::IAM::ManagedPolicy": 128,
    "AWS::IAM::Role": 64,
    "AWS::SQS::Queue": 80,
    "AWS::Scheduler::Schedule": 64,
}


def generate_name(stack: str, logical_id: str, limit: int) -> str:
    """Return a name as CloudFormation generates it: of a long stack's name it keeps a part."""
    end = f"-{logical_id}-PgvEuTNmRU9F"
    return stack[: limit - len(end)] + end


def resolve(
    value: Any, stack: str = "posture", texts: Mapping[str, str] | None = None, **flags: bool
) -> Any:
    """Resolve the functions of a pattern as in a deployed stack.

    Args:
        value: The pattern, or a part of it.
        stack: The stack's name.
        texts: What Ref and GetAtt return, such as `Key` and `Queue.QueueName`; `id-of-Key` and
            `arn-of-Queue` by default.
        flags: The conditions that are false.
    """
    known = {
        "AWS::StackName": stack,
        "AWS::StackId": f"arn:aws:cloudformation:eu-west-1:111122223333:stack/{stack}/0a1b2c3d",
        **(texts or {}),
    }
    match value:
        case {"Ref": name}:
            resolved: Any = known.get(name, f"id-of-{name}")
        case {"Fn::GetAtt": [name, attribute]}:
            resolved = known.get(f"{name}.{attribute}", f"arn-of-{name}")
        case {"Fn::Sub": text}:
            resolved = re.sub(r"\$\{([\w:.]+)\}", lambda found: known[found[1]], text)
        case {"Fn::If": [condition, then, otherwise]}:
            chosen = then if flags.get(condition, True) else otherwise
            resolved = resolve(chosen, stack, texts, **flags)
        case dict():
            resolved = {name: resolve(each, stack, texts, **flags) for name, each in value.items()}
        case list():
            every = (resolve(each, stack, texts, **flags) for each in value)
            resolved = [each for each in every if each != "id-of-AWS::NoValue"]
        case _:
            resolved = value
    return resolved


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether a resolved pattern matches an event; one member of an array is enough."""
    rule: Any = pattern
    found: Any = event
    with patch.object(EventPattern, "_flatten_dict", staticmethod(flatten_event)):
        return bool(EventPattern(json.dumps(rule), rule).matches_event(found))
