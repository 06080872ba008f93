"""The resources of `member.yaml` in a stack, and the calls that end what they do."""

from typing import Any

from stack_template import MEMBER
from tampering_calls import LIMITS, generate_name, resolve

# A StackSet puts `StackSet-` before its own name and a UUID after it.
STACKS = ("posture-member", "StackSet-posture-member-0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f")
MONITOR = "m" * 25  # the longest name that member.yaml accepts


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


def list_event_names(pattern: Any) -> set[str]:
    """List the event names in a pattern, and how others begin, wherever they are."""
    if isinstance(pattern, list):
        return {name for each in pattern for name in list_event_names(each)}
    if not isinstance(pattern, dict):
        return set()
    named = {it if isinstance(it, str) else it["prefix"] for it in pattern.get("eventName", ())}
    return named | {name for each in pattern.values() for name in list_event_names(each)}
