"""Calls that can blind the monitor in a member account are forwarded, of a StackSet's stack too."""

import json
from typing import Any

import pytest

from stack_template import MEMBER, MEMBERS_BUS, RESOURCES
from tampering_calls import LIMITS, build_event, generate_name, matches, resolve

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
LIMIT = 2048
# A StackSet puts `StackSet-` before its own name and a UUID after it.
STACKS = ("posture-member", "StackSet-posture-member-0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f")
MONITOR = "m" * 25  # the longest name that member.yaml accepts
FORWARDING = ("TamperingRule", "TamperingGuardRule")
CENTRE = RESOURCES["TamperingMemberRule"]["Properties"]["EventPattern"]


def name_resources(stack: str) -> dict[str, str]:
    """Return the names that the resources of `member.yaml` have in a stack, by logical id."""
    given = {"MonitorStackName": MONITOR, "RoleName": "posture-look", "AWS::Region": "eu-west-1"}
    names = {
        logical_id: generate_name(stack, logical_id, LIMITS[it["Type"]])
        for logical_id, it in MEMBER.items()
        if it["Type"] in LIMITS
    }
    for logical_id, it in MEMBER.items():
        for key in ("Name", "RoleName"):
            if isinstance(own := it["Properties"].get(key), dict) and "Fn::Sub" in own:
                names[logical_id] = resolve(own, stack, given)
    return names


def resolve_patterns(stack: str) -> dict[str, Any]:
    """Resolve the patterns of the rules that forward such calls."""
    names = name_resources(stack)
    given = {"MonitorStackName": MONITOR, **names}
    given |= {f"{name}.QueueName": value for name, value in names.items()}
    return {
        name: resolve(MEMBER[name]["Properties"]["EventPattern"], stack, given)
        for name in FORWARDING
    }


def find_forwarding(stack: str, service: str, call: str, parameters: Any) -> set[str]:
    """Return the rules that forward a call, which the central stack then publishes."""
    event = build_event(service, call, parameters)
    found = {name for name, it in resolve_patterns(stack).items() if matches(it, event)}
    assert not found or matches(CENTRE, event)
    return found


def list_calls(stack: str, logical_id: str) -> list[tuple[str, str, dict[str, Any]]]:
    """List the calls that end what a resource of a stack of `member.yaml` does."""
    name = name_resources(stack).get(logical_id, logical_id)
    url = f"https://sqs.eu-west-1.amazonaws.com/222233334444/{name}"
    calls: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
        "AWS::Events::Rule": [
            *(("events", it, {"name": name}) for it in ("DisableRule", "DeleteRule", "PutRule")),
            *(("events", it, {"rule": name}) for it in ("PutTargets", "RemoveTargets")),
        ],
        "AWS::IAM::Role": [
            ("iam", call, {"roleName": name})
            for call in (
                "DeleteRole",
                "PutRolePolicy",
                "DeleteRolePolicy",
                "AttachRolePolicy",
                "DetachRolePolicy",
                "UpdateAssumeRolePolicy",
                "PutRolePermissionsBoundary",
                "DeleteRolePermissionsBoundary",
            )
        ],
        "AWS::SQS::Queue": [
            ("sqs", call, {"queueUrl": url})
            for call in ("DeleteQueue", "PurgeQueue", "SetQueueAttributes")
        ],
    }
    return calls.get(MEMBER[logical_id]["Type"], [])


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("logical_id", MEMBER)
def test_calls_on_each_resource_are_forwarded(logical_id: str, stack: str) -> None:
    """Whatever of the stack's name CloudFormation keeps in that of the resource."""
    for service, call, parameters in list_calls(stack, logical_id):
        assert find_forwarding(stack, service, call, parameters), call
        other = json.loads(json.dumps(parameters).replace("-", "_"))
        assert not find_forwarding(stack, service, call, other), call


@pytest.mark.parametrize("stack", STACKS)
def test_calls_on_trails_and_the_stack_itself_are_forwarded(stack: str) -> None:
    """Which trail records the calls to EC2 is not known."""
    for call in ("StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"):
        assert find_forwarding(stack, "cloudtrail", call, {"name": "any"}) == {"TamperingRule"}
    for call in ("DeleteStack", "UpdateStack", "ExecuteChangeSet"):
        assert find_forwarding(stack, "cloudformation", call, {"stackName": stack})
        assert not find_forwarding(stack, "cloudformation", call, {"stackName": "shop"})


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("rule", FORWARDING)
def test_two_rules_forward_that_one_of_them_is_disabled(rule: str, stack: str) -> None:
    """The first that is disabled or deleted is forwarded by the other."""
    for service, call, parameters in list_calls(stack, rule):
        assert find_forwarding(stack, service, call, parameters) == set(FORWARDING), call


@pytest.mark.parametrize("rule", FORWARDING)
def test_the_rules_forward_to_the_bus_of_the_central_stack(rule: str) -> None:
    """With patterns that EventBridge accepts, however long the names are."""
    pattern = resolve_patterns(STACKS[1])[rule]
    assert len(json.dumps(pattern)) <= LIMIT
    assert MEMBER[rule]["Properties"]["Targets"][0]["Arn"] == MEMBERS_BUS
    for stack in STACKS:
        assert len(name_resources(stack)[rule]) <= LIMITS["AWS::Events::Rule"]


def list_event_names(pattern: Any) -> set[str]:
    """List the event names in a pattern, wherever they are."""
    if isinstance(pattern, list):
        return {name for each in pattern for name in list_event_names(each)}
    if not isinstance(pattern, dict):
        return set()
    named = set(pattern.get("eventName", ()))
    return named | {name for each in pattern.values() for name in list_event_names(each)}


def test_the_central_stack_publishes_no_other_calls_of_members() -> None:
    """An account that forwards all its calls does not hide others in a flood of messages."""
    forwarded = {
        name
        for rule in FORWARDING
        for name in list_event_names(MEMBER[rule]["Properties"]["EventPattern"])
    }
    assert list_event_names(CENTRE) == forwarded
