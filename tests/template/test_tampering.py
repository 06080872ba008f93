"""Calls that can blind the monitor are reported by EventBridge and SNS alone."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from posture.changes.tampering import WRAPPER
from stack_template import RESOURCES
from tampering_calls import (
    FUNCTION,
    LIMITS,
    NAMED,
    build_event,
    fill,
    generate_name,
    matches,
    resolve,
)

LIMIT = 2048  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
LONGEST_NAME = "s" * 25  # of a stack, as docs/operations.md says
RULES = {name: it for name, it in RESOURCES.items() if name.startswith("Tampering")}
ACCOUNT_RULES = {name: it for name, it in RULES.items() if name != "TamperingMemberRule"}


@cache
def resolve_patterns(stack: str) -> list[Any]:
    """Resolve the patterns of the rules in a stack."""
    return [resolve(it["Properties"]["EventPattern"], stack) for it in ACCOUNT_RULES.values()]


def find_rules(
    service: str, call: str, parameters: Mapping[str, Any] | None = None, **detail: Any
) -> set[str]:
    """Return the rules that match a call."""
    event = build_event(service, call, parameters, **detail)
    patterns = zip(ACCOUNT_RULES, resolve_patterns("posture"), strict=True)
    return {name for name, pattern in patterns if matches(pattern, event)}


@pytest.mark.parametrize(("service", "call", "parameters", "_name"), NAMED)
def test_a_call_on_a_resource_of_the_stack_is_reported(
    service: str, call: str, parameters: dict[str, Any], _name: str
) -> None:
    """The same call on a resource of another stack, or a refused one, is not."""
    own, other = fill(parameters, "posture"), fill(parameters, "shop")
    assert find_rules(service, call, own)
    assert not find_rules(service, call, other)
    assert not find_rules(service, call, own, errorCode="AccessDenied")
    assert not find_rules(service, f"Describe{call}", own)


@pytest.mark.parametrize("call", ["StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"])
def test_a_call_on_any_trail_is_reported(call: str) -> None:
    """Which trail records the calls to EC2 is not known."""
    assert find_rules("cloudtrail", call, {"name": "any"}) == {"TamperingTrailRule"}


@pytest.mark.parametrize("call", ["PutBucketPolicy", "PutBucketLifecycle", "DeleteBucket"])
def test_a_call_on_the_evidence_bucket_is_reported(call: str) -> None:
    """An export that is refused, or not kept, is no witness."""
    own, other = {"bucketName": "id-of-EvidenceBucket"}, {"bucketName": "shop"}
    assert find_rules("s3", call, own) == {"TamperingTrailRule"}
    assert not find_rules("s3", call, other)
    assert not find_rules("s3", "PutBucketTagging", own)


OVERSIZED = {"omitted": True, "originalSize": 121_000, "reason": "requestParameters too large"}


@pytest.mark.parametrize(
    ("service", "call"), [("sns", "SetSubscriptionAttributes"), ("events", "PutTargets")]
)
def test_a_call_whose_request_is_left_out_is_reported(service: str, call: str) -> None:
    """A filter policy may have 256 KB, and CloudTrail leaves out requests of more than 100 KB."""
    assert find_rules(service, call, OVERSIZED) == {"TamperingDeliveryRule"}
    assert not find_rules(service, "Publish", OVERSIZED)


def test_a_call_on_the_default_bus_is_reported() -> None:
    """With a key that EventBridge may not use, no event of CloudTrail arrives."""
    assert find_rules("events", "UpdateEventBus", {"name": "default"}) == {"TamperingTrailRule"}
    assert not find_rules("events", "UpdateEventBus", {"name": "orders"})


@pytest.mark.parametrize("request_", [{"keyId": "alias/own"}, {"keyId": "arn-of-Key"}, None])
def test_a_call_on_the_key_is_reported(request_: dict[str, str] | None) -> None:
    """Without the key, no table can be read and no alert can be published.

    However the request names it: the event has its ARN.
    """
    for call in ("DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "RevokeGrant", "RetireGrant"):
        own, other = [{"ARN": "arn-of-Key"}], [{"ARN": "arn-of-another"}]
        assert find_rules("kms", call, request_, resources=own) == {"TamperingStorageRule"}
        assert not find_rules("kms", call, request_, resources=other)


def test_a_call_on_the_permissions_boundary_is_reported() -> None:
    """A version of it can take every permission of the roles."""
    for call in ("CreatePolicyVersion", "SetDefaultPolicyVersion"):
        request = {"policyArn": "id-of-PermissionsBoundaryArn"}
        assert find_rules("iam", call, request) == {"TamperingFunctionsRule"}


def test_a_call_on_a_mapping_is_reported_by_the_function_in_its_response() -> None:
    """The request names an event source mapping by its UUID only."""
    call, request = "UpdateEventSourceMapping20150331", {"uUID": "0a1b"}
    for stack, found in (("posture", {"TamperingFunctionsRule"}), ("shop", set())):
        response = {"functionArn": FUNCTION.format(stack)}
        assert find_rules("lambda", call, request, response=response) == found


@pytest.mark.parametrize("kind", ["AWS::EC2::VPCEndpoint", "AWS::EC2::SecurityGroup"])
def test_no_endpoint_or_security_group_of_the_stack_is_left_out(kind: str) -> None:
    """Also those of optional features, whose loss stops the features."""
    pattern = json.dumps(RULES["TamperingNetworkRule"]["Properties"]["EventPattern"])
    names = [name for name, it in RESOURCES.items() if it["Type"] == kind]
    assert len(names) >= 5
    assert [name for name in names if pattern.count(f'{{"Ref": "{name}"}}') != 2] == []


def test_a_call_on_an_endpoint_or_security_group_of_the_functions_is_reported() -> None:
    """Without its endpoint for SNS the monitor cannot send the alert about it."""
    deleted = {"DeleteVpcEndpointsRequest": {"VpcEndpointId": {"content": "id-of-SnsEndpoint"}}}
    modified = {"ModifyVpcEndpointRequest": {"VpcEndpointId": "id-of-DynamoDbEndpoint"}}
    group = {"groupId": "id-of-FunctionsSecurityGroup"}
    expected = {"TamperingNetworkRule"}
    assert find_rules("ec2", "DeleteVpcEndpoints", deleted) == expected
    assert find_rules("ec2", "ModifyVpcEndpoint", modified) == expected
    assert find_rules("ec2", "RevokeSecurityGroupEgress", group) == expected
    rules = {"ModifySecurityGroupRulesRequest": {"GroupId": "id-of-FunctionsSecurityGroup"}}
    assert find_rules("ec2", "ModifySecurityGroupRules", rules) == expected
    assert find_rules("ec2", "CreateNetworkAcl", {"vpcId": "id-of-Vpc"}) == expected
    assert not find_rules("ec2", "CreateNetworkAcl", {"vpcId": "vpc-0"})
    acl = {"networkAclId": "arn-of-Vpc"}  # its default one, as `resolve` names an attribute
    for call in ("CreateNetworkAclEntry", "DeleteNetworkAclEntry", "ReplaceNetworkAclEntry"):
        assert find_rules("ec2", call, acl) == expected
        assert not find_rules("ec2", call, {"networkAclId": "acl-0"})
    for call, name, own in (
        ("CreateRoute", "routeTableId", "id-of-RouteTable"),
        ("ReplaceRoute", "routeTableId", "id-of-RouteTable"),
        ("ReplaceRouteTableAssociation", "associationId", "id-of-SubnetBRoutes"),
        ("DisassociateRouteTable", "associationId", "id-of-SubnetARoutes"),
    ):
        assert find_rules("ec2", call, {name: own}) == expected
        assert not find_rules("ec2", call, {name: "of-others"})
    assert not find_rules("ec2", "RevokeSecurityGroupEgress", {"groupId": "sg-0"})
    assert not find_rules("ec2", "CreateTags", group)


@pytest.mark.parametrize(
    ("service", "call", "request_"),
    [
        ("ec2", "ModifyVpcAttribute", {"vpcId": "{}"}),
        ("ec2", "AssociateDhcpOptions", {"vpcId": "{}"}),
        ("route53resolver", "AssociateResolverRule", {"name": "r", "vPCId": "{}"}),
        ("route53resolver", "AssociateFirewallRuleGroup", {"name": "f", "vpcId": "{}"}),
        ("route53profiles", "AssociateProfile", {"name": "p", "resourceId": "{}"}),
        ("route53", "AssociateVPCWithHostedZone", {"hostedZoneId": "Z1", "vPC": {"vPCId": "{}"}}),
        ("route53", "CreateHostedZone", {"name": "amazonaws.com", "vPC": {"vPCId": "{}"}}),
    ],
)
def test_a_call_on_dns_of_the_functions_is_reported(
    service: str, call: str, request_: dict[str, Any]
) -> None:
    """What does not resolve DynamoDB and SNS stores and reports nothing."""
    for vpc, expected in (("id-of-Vpc", {"TamperingNamesRule"}), ("vpc-0", set())):
        request = json.loads(json.dumps(request_).replace("{}", vpc))
        assert find_rules(service, call, request) == expected


@pytest.mark.parametrize("rule", sorted(ACCOUNT_RULES))
def test_two_rules_report_that_one_of_them_is_disabled(rule: str) -> None:
    """The first that is disabled or deleted is reported by another."""
    for call, parameters in (
        ("DisableRule", {"name": f"posture-{rule}-AB12"}),
        ("DeleteRule", {"name": f"posture-{rule}-AB12"}),
        ("PutRule", {"name": f"posture-{rule}-AB12"}),
        ("PutTargets", {"rule": f"posture-{rule}-AB12"}),
        ("RemoveTargets", {"rule": f"posture-{rule}-AB12"}),
    ):
        assert len(find_rules("events", call, parameters)) == 2, call


@pytest.mark.parametrize("rule", sorted(RULES))
def test_each_rule_publishes_without_a_function_and_queues_a_finding(rule: str) -> None:
    """The text to the alarm topic needs no function; the alert of the finding is the other one."""
    pattern = RULES[rule]["Properties"]["EventPattern"]
    alarms, findings = RULES[rule]["Properties"]["Targets"]
    own_or_given = [{"Ref": "AlarmTopic"}, {"Ref": "AlarmTopicArn"}]
    assert alarms["Arn"] == {"Fn::If": ["OwnAlarmTopic", *own_or_given]}
    text = alarms["InputTransformer"]["InputTemplate"]["Fn::Sub"]
    assert isinstance(json.loads(text), str)
    for name in alarms["InputTransformer"]["InputPathsMap"]:
        assert f"<{name}>" in text
    assert findings["Arn"] == {"Fn::GetAtt": ["ChangesQueue", "Arn"]}
    # The whole event: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    wrapped = findings["InputTransformer"]["InputTemplate"].replace(
        "<aws.events.event.json>", '{"detail": {}}'
    )
    assert json.loads(wrapped) == {WRAPPER: {"detail": {}}}
    for target in (alarms, findings):
        assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["UndeliveredQueue", "Arn"]}
    assert pattern["detail"]["errorCode"] == [{"exists": False}]
    assert len(json.dumps(resolve(pattern, LONGEST_NAME))) <= LIMIT


def list_senders(policy: str, action: str) -> list[str]:
    """Return the rules about tampering that a policy allows an action."""
    statements = RESOURCES[policy]["Properties"]["PolicyDocument"]["Statement"]
    sources = [
        it.get("Fn::If", [None, it])[1]["Fn::GetAtt"][0]
        for statement in statements
        if statement["Action"] == action and "ArnEquals" in statement.get("Condition", {})
        for it in statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    ]
    return [name for name in sources if name in RULES]


def test_just_these_rules_may_send_what_they_report() -> None:
    """No rule of the account may publish alerts in the monitor's name."""
    assert list_senders("AlarmTopicPolicy", "sns:Publish") == list(RULES)
    assert list_senders("ChangesQueuePolicy", "sqs:SendMessage") == list(RULES)
    assert list_senders("UndeliveredQueuePolicy", "sqs:SendMessage") == list(RULES)
    statements = RESOURCES["AlertTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert "Tampering" not in json.dumps(statements)


def test_no_name_is_shortened() -> None:
    """The patterns, and the trust of the members' roles, know resources by the stack's name."""
    generated = {
        name: generate_name(LONGEST_NAME, name, LIMITS[it["Type"]])
        for name, it in RESOURCES.items()
        if it["Type"] in LIMITS
    }
    assert len(generated) > 30
    assert [it for it in generated.values() if not it.startswith(f"{LONGEST_NAME}-")] == []


def test_a_longer_name_is_refused() -> None:
    """EventBridge refuses the name of one rule, so that the creation of the stack fails."""
    name = RULES["TamperingTrailRule"]["Properties"]["Name"]
    assert len(resolve(name, LONGEST_NAME)) == LIMITS["AWS::Events::Rule"]


# The call that ends what a resource does, by its type: its service, name and parameter.
ENDS = {
    "AWS::CloudWatch::Alarm": ("monitoring", "DeleteAlarms", "alarmNames"),
    "AWS::DynamoDB::Table": ("dynamodb", "DeleteTable", "tableName"),
    "AWS::Events::EventBus": ("events", "DeleteEventBus", "name"),
    "AWS::Events::EventBusPolicy": ("events", "RemovePermission", "eventBusName"),
    "AWS::Events::Rule": ("events", "DisableRule", "name"),
    "AWS::IAM::ManagedPolicy": ("iam", "CreatePolicyVersion", "policyArn"),
    "AWS::IAM::Role": ("iam", "DeleteRolePolicy", "roleName"),
    "AWS::Lambda::Permission": ("lambda", "RemovePermission20150331v2", "functionName"),
    "AWS::Logs::LogGroup": ("logs", "DeleteLogGroup", "logGroupName"),
    "AWS::Pipes::Pipe": ("pipes", "StopPipe", "name"),
    "AWS::SNS::Subscription": ("sns", "Unsubscribe", "subscriptionArn"),
    "AWS::SNS::Topic": ("sns", "DeleteTopic", "topicArn"),
    "AWS::SNS::TopicPolicy": ("sns", "SetTopicAttributes", "topicArn"),
    "AWS::SQS::Queue": ("sqs", "DeleteQueue", "queueUrl"),
    "AWS::SQS::QueuePolicy": ("sqs", "SetQueueAttributes", "queueUrl"),
    "AWS::Scheduler::Schedule": ("scheduler", "DeleteSchedule", "name"),
    "AWS::Serverless::Function": ("lambda", "DeleteFunction20150331", "functionName"),
    "AWS::StepFunctions::StateMachine": ("states", "DeleteStateMachine", "stateMachineArn"),
}
# What has ids is in the tests above. The rest cannot be deleted while it is used, or the monitor
# does not need it.
WITH_IDS = {
    "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPCEndpoint",
    "AWS::KMS::Key",
}
IN_USE = {"AWS::EC2::Subnet", "AWS::EC2::VPC", "AWS::Serverless::LayerVersion"}
UNNEEDED = {"AWS::CloudWatch::Dashboard", "AWS::KMS::Alias"}
# What holds a name in front of that of the resource, and what else names it.
AROUND = {
    "policyArn": "arn:aws:iam::111122223333:policy/security/{}",
    "queueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/{}",
    "stateMachineArn": "arn:aws:states:eu-west-1:111122223333:stateMachine:{}",
    "subscriptionArn": "arn:aws:sns:eu-west-1:111122223333:{}:0a1b2c3d",
    "topicArn": "arn:aws:sns:eu-west-1:111122223333:{}",
}
NAMES = ("Name", "FunctionName", "LogGroupName", "StateMachineName", "EventBusName")


@pytest.mark.parametrize("logical_id", RESOURCES)
def test_no_resource_ends_unreported(logical_id: str) -> None:
    """One of a new type needs a rule, or a reason why not."""
    kind, properties = RESOURCES[logical_id]["Type"], RESOURCES[logical_id]["Properties"]
    if kind not in ENDS:
        assert kind in {*WITH_IDS, *IN_USE, *UNNEEDED}
        return
    service, call, parameter = ENDS[kind]
    given = [properties[each] for each in NAMES if "Fn::Sub" in properties.get(each, ())]
    generated = generate_name(LONGEST_NAME, logical_id, LIMITS.get(kind, 255))
    name = resolve(given[0], LONGEST_NAME) if given else generated
    value = AROUND.get(parameter, "{}").format(name)
    request = {parameter: [value] if parameter.endswith("Names") else value}
    event: Any = build_event(service, call, request)
    assert any(matches(pattern, event) for pattern in resolve_patterns(LONGEST_NAME)), request
