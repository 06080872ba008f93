"""What the stack listens to."""

import json

import pytest

from posture.changes.event_names import event_patterns
from posture_cli.embedded.translation import read_template
from stack_template import PATH, RESOURCES, listed, of_type

PATTERN_LIMIT = (
    2048  # characters: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
)

RULES = {
    name: rule for name, rule in of_type("AWS::Events::Rule").items() if "EventPattern" in rule
}
OWN_RULES = {name: rule for name, rule in RULES.items() if "EventBusName" not in rule}
MEMBER = read_template(PATH.parent / "member.yaml")["Resources"]


def test_the_rules_are_those_of_the_catalogue() -> None:
    """The template listens to the very names that the code knows, in the same words."""
    assert list(event_patterns()) == [rule["EventPattern"] for rule in OWN_RULES.values()]


def test_members_forward_what_the_stack_listens_to() -> None:
    """The same patterns, in the same words, to the bus of the organisation."""
    rules = [it["Properties"] for it in MEMBER.values() if it["Type"] == "AWS::Events::Rule"]
    assert list(event_patterns()) == [rule["EventPattern"] for rule in rules]
    assert all(rule["Targets"][0]["Arn"] == {"Ref": "MembersBusArn"} for rule in rules)


def test_the_members_bus_admits_the_organisation_only() -> None:
    """Whoever is of another organisation, or of none, cannot put anything there."""
    statement = RESOURCES["MembersBusPolicy"]["Properties"]["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {"aws:PrincipalOrgID": {"Ref": "OrganizationId"}}
    }
    assert statement["Action"] == "events:PutEvents"


def test_no_pattern_is_too_long() -> None:
    """EventBridge takes every pattern."""
    assert all(len(json.dumps(rule["EventPattern"])) <= PATTERN_LIMIT for rule in RULES.values())


def test_no_name_is_listened_to_twice() -> None:
    """One call comes as one message."""
    names = [
        name for rule in OWN_RULES.values() for name in rule["EventPattern"]["detail"]["eventName"]
    ]
    assert len(names) == len(set(names))


def test_failed_calls_are_left_out() -> None:
    """A call with an error code moved nothing and wakes nobody."""
    for rule in RULES.values():
        assert rule["EventPattern"]["detail"]["errorCode"] == [{"exists": False}]


@pytest.mark.parametrize(("at", "queue"), [(0, "ChangesQueue"), (1, "SecondLooksQueue")])
def test_every_rule_hands_over_to_both_queues_or_keeps_the_event(at: int, queue: str) -> None:
    """What cannot be delivered after a day of tries is not lost."""
    for rule in RULES.values():
        assert len(rule["Targets"]) == 2
        target = rule["Targets"][at]
        assert target["Arn"] == {"Fn::GetAtt": [queue, "Arn"]}
        assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["UndeliveredQueue", "Arn"]}
        assert target["RetryPolicy"] == {
            "MaximumRetryAttempts": 185,
            "MaximumEventAgeInSeconds": 86400,
        }


def test_only_these_rules_may_send_to_the_queue() -> None:
    """The queue's policy names each rule of ours, and no other sender."""
    allow, _ = RESOURCES["ChangesQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    senders = listed(allow["Condition"]["ArnEquals"]["aws:SourceArn"])
    named = [it["Fn::If"][1] if "Fn::If" in it else it for it in senders]
    assert [[name, "Arn"] for name in RULES] == [it["Fn::GetAtt"] for it in named]
    assert allow["Principal"] == {"Service": "events.amazonaws.com"}
