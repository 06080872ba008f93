"""Calls that can blind the monitor in a member account are forwarded, of a StackSet's stack too."""

import json
from typing import Any

import pytest

from member_tampering import MONITOR, STACKS, list_calls, list_event_names, name_resources
from stack_template import MEMBER, MEMBERS_BUS, RESOURCES
from tampering_calls import LIMITS, build_event, matches, resolve

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
LIMIT = 2048
FORWARDING = ("TamperingRule", "TamperingGuardRule")
CENTRE = RESOURCES["TamperingMemberRule"]["Properties"]["EventPattern"]


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


@pytest.mark.parametrize("stack", STACKS)
def test_targets_in_a_request_that_is_left_out_are_forwarded(stack: str) -> None:
    """CloudTrail leaves out requests of more than 100 KB, so nothing says which rule it was."""
    assert find_forwarding(stack, "events", "PutTargets", {"omitted": True}) == {
        "TamperingGuardRule"
    }


@pytest.mark.parametrize("rule", FORWARDING)
def test_the_rules_forward_to_the_bus_of_the_central_stack(rule: str) -> None:
    """With patterns that EventBridge accepts, however long the names are."""
    pattern = resolve_patterns(STACKS[1])[rule]
    assert len(json.dumps(pattern)) <= LIMIT
    assert MEMBER[rule]["Properties"]["Targets"][0]["Arn"] == MEMBERS_BUS
    for stack in STACKS:
        assert len(name_resources(stack)[rule]) <= LIMITS["AWS::Events::Rule"]


def test_the_central_stack_publishes_no_other_calls_of_members() -> None:
    """An account that forwards all its calls does not hide others in a flood of messages."""
    forwarded = {
        name
        for rule in FORWARDING
        for name in list_event_names(MEMBER[rule]["Properties"]["EventPattern"])
    }
    assert list_event_names(CENTRE) == forwarded
