"""The service control policy of docs/operations.md denies what rules about tampering report."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from member_tampering import MONITOR as LONGEST
from member_tampering import STACKS, list_calls, list_event_names, name_resources
from stack_template import MEMBER, PATH, RESOURCES, TEMPLATE, as_list, list_identity_statements
from tampering_calls import NAMED, fill

# https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
LIMIT = 5_120
DOCS = (PATH.parent / "docs" / "operations.md").read_text()
POLICY = next(
    it
    for it in map(json.loads, re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL))
    if it["Statement"][0].get("Sid") == "ProtectThePostureMonitor"
)
MONITOR, EVENT_SOURCES, TRAILS = POLICY["Statement"]
PARTS = "eu-west-1:111122223333"
# What names the resource of a call, by the event source, and its ARN.
ARNS = {
    "cloudformation": f"arn:aws:cloudformation:{PARTS}:stack/{{}}/0a1b2c3d",
    "dynamodb": f"arn:aws:dynamodb:{PARTS}:table/{{}}",
    "events": f"arn:aws:events:{PARTS}:rule/{{}}",
    "iam": "arn:aws:iam::111122223333:role/security/{}",
    "lambda": f"arn:aws:lambda:{PARTS}:function:{{}}",
    "logs": f"arn:aws:logs:{PARTS}:log-group:{{}}",
    "monitoring": f"arn:aws:cloudwatch:{PARTS}:alarm:{{}}",
    "pipes": f"arn:aws:pipes:{PARTS}:pipe/{{}}",
    "scheduler": f"arn:aws:scheduler:{PARTS}:schedule/default/{{}}",
    "sns": f"arn:aws:sns:{PARTS}:{{}}",
    "sqs": f"arn:aws:sqs:{PARTS}:{{}}",
    "states": f"arn:aws:states:{PARTS}:stateMachine:{{}}",
}
# The permission to make these is no permission on what they read from, or on what they name.
NOT_ON_THE_RESOURCE = {"CreatePipe", "CreateEventSourceMapping", "Subscribe"}


def deny(action: str, arn: str) -> bool:
    """Whether the statement about the monitor denies an action to those who do not deploy it."""
    return any(fnmatchcase(action, it) for it in MONITOR["Action"]) and any(
        fnmatchcase(arn, it) for it in MONITOR["Resource"]
    )


def build_arn(service: str, call: str, name: str) -> str:
    """Build the ARN of what a call changes."""
    if service == "events" and ("Bus" in call or "Permission" in call):
        return f"arn:aws:events:{PARTS}:event-bus/{name}"
    if "Policy" in name:
        return f"arn:aws:iam::111122223333:policy/{name}"
    return ARNS[service].format(name)


def name_action(service: str, call: str) -> str:
    """Name the action that a call needs: CloudTrail appends the version of Lambda's API."""
    prefix = {"monitoring": "cloudwatch"}.get(service, service)
    return f"{prefix}:{re.sub('20[0-9]{6}.*', '', call)}"


CALLS = [
    (service, call, name)
    for service, call, _, name in NAMED
    if name_action(service, call).partition(":")[2] not in NOT_ON_THE_RESOURCE
]


@pytest.mark.parametrize(("service", "call", "name"), CALLS)
def test_a_call_on_the_central_stack_is_denied(service: str, call: str, name: str) -> None:
    """The same call on another stack is not."""
    action = name_action(service, call)
    for stack, expected in (("posture", True), ("shop", False)):
        assert deny(action, build_arn(service, call, fill(name, stack))) is expected


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("logical_id", MEMBER)
def test_a_call_on_a_members_stack_is_denied(logical_id: str, stack: str) -> None:
    """Also where a StackSet deployed it."""
    for service, call, _ in list_calls(stack, logical_id):
        name = name_resources(stack)[logical_id].replace(LONGEST, "posture")
        assert deny(name_action(service, call), build_arn(service, call, name)), (call, name)
    assert deny("cloudformation:DeleteStack", build_arn("cloudformation", "DeleteStack", stack))


def list_reported() -> Iterator[str]:
    """List the events that the rules report, of resources that the policy can name."""
    for name, rule in RESOURCES.items():
        if name.startswith("Tampering") and name not in {
            "TamperingNetworkRule",
            "TamperingNamesRule",
        }:
            yield from list_event_names(rule["Properties"]["EventPattern"])


def test_what_is_reported_is_denied() -> None:
    """Except subscribing, which adds a reader, grants, which services use, and on buckets."""
    held = [it for each in POLICY["Statement"] for it in each["Action"]]
    patterns = [it.partition(":")[2] for it in held]
    events = {re.sub("20[0-9]*$", "", it) for it in list_reported() if "Bucket" not in it}
    left = {it for it in events if not any(fnmatchcase(it, pattern) for pattern in patterns)}
    assert left == {"RetireGrant", "RevokeGrant", "Subscribe"}


def test_the_stacks_roles_need_nothing_of_it() -> None:
    """The policy binds them, too."""
    used = {
        action
        for _, statement in list_identity_statements()
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
    }
    denied = [it for each in POLICY["Statement"] for it in each["Action"]]
    assert {it for it in used if any(fnmatchcase(it, pattern) for pattern in denied)} == set()


def test_aws_organizations_accepts_it() -> None:
    """By its size, with the blanks that the command line does not remove."""
    text = re.search(r"```json\n([^`]*ProtectThePostureMonitor.*?)```", DOCS, re.DOTALL)
    assert text
    assert len(text[1].encode()) <= LIMIT
    for statement in POLICY["Statement"]:
        assert statement["Effect"] == "Deny"
        assert "arn:aws:iam::*:role/deploy-posture" in str(statement["Condition"]["ArnNotLike"])


def test_what_the_page_calls_an_output_is_one() -> None:
    """A reader looks for it in the stack."""
    assert set(re.findall(r"[Oo]utputs? `(\w+)`", DOCS)) <= set(TEMPLATE["Outputs"])
