"""The event patterns of the stack."""

import json

import pytest

from posture.changes.event_names import build_event_patterns
from stack_template import MEMBER, MEMBERS_BUS, RESOURCES, as_list, list_rules

PATTERN_LIMIT = (
    2048  # characters: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
)

RULES = list_rules(RESOURCES, "ChangesQueue")
OWN_RULES = {name: rule for name, rule in RULES.items() if "EventBusName" not in rule}


def test_the_patterns_are_those_of_the_code() -> None:
    """The template's event patterns equal those of posture.changes.event_names."""
    assert list(build_event_patterns()) == [rule["EventPattern"] for rule in OWN_RULES.values()]


def test_member_accounts_forward_the_same_events() -> None:
    """member.yaml has the same event patterns, with the central event bus as target."""
    rules = [
        it["Properties"]
        for name, it in MEMBER.items()
        if it["Type"] == "AWS::Events::Rule" and not name.startswith(("Tampering", "Survey"))
    ]
    assert list(build_event_patterns()) == [rule["EventPattern"] for rule in rules]
    assert all(rule["Targets"][0]["Arn"] == MEMBERS_BUS for rule in rules)


def test_only_members_can_put_events_on_the_members_bus() -> None:
    """Principals of another organization, or of an account that is no member, cannot put events.

    With members in the table, those of other organizations or of other units cannot.
    """
    statement = RESOURCES["MembersBusPolicy"]["Properties"]["Statement"]
    accounts = {"Fn::Split": [",", {"Ref": "MemberAccounts"}]}
    paths = statement["Condition"]["ForAnyValue:StringLike"]["Fn::If"]
    assert paths[0::2] == ["HasMemberParents", {"Ref": "AWS::NoValue"}]
    assert statement["Condition"]["StringEquals"] == {
        "aws:PrincipalOrgID": {"Ref": "OrganizationId"},
        "aws:PrincipalAccount": {"Fn::If": ["MembersInTable", {"Ref": "AWS::NoValue"}, accounts]},
    }
    assert statement["Action"] == "events:PutEvents"


def test_no_pattern_exceeds_the_limit() -> None:
    """EventBridge accepts every pattern."""
    assert all(len(json.dumps(rule["EventPattern"])) <= PATTERN_LIMIT for rule in RULES.values())


def test_no_event_name_occurs_twice() -> None:
    """One call results in one message per queue."""
    names = [
        name for rule in OWN_RULES.values() for name in rule["EventPattern"]["detail"]["eventName"]
    ]
    assert len(names) == len(set(names))


def test_failed_calls_do_not_match() -> None:
    """A call with an error code changed nothing and invokes no function."""
    for rule in RULES.values():
        assert rule["EventPattern"]["detail"]["errorCode"] == [{"exists": False}]


@pytest.mark.parametrize(("at", "queue"), [(0, "ChangesQueue"), (1, "SecondLooksQueue")])
def test_every_rule_has_both_queues_as_targets_and_keeps_undelivered_events(
    at: int, queue: str
) -> None:
    """An event that cannot be delivered for a day goes to the dead-letter queue."""
    for rule in RULES.values():
        assert len(rule["Targets"]) == 2
        target = rule["Targets"][at]
        assert target["Arn"] == {"Fn::GetAtt": [queue, "Arn"]}
        assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["UndeliveredQueue", "Arn"]}
        assert target["RetryPolicy"] == {
            "MaximumRetryAttempts": 185,
            "MaximumEventAgeInSeconds": 86400,
        }


def test_only_the_rules_can_send_to_the_queue() -> None:
    """The queue policy allows the stack's rules, and no other sender."""
    allow, _ = RESOURCES["ChangesQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    senders = as_list(allow["Condition"]["ArnEquals"]["aws:SourceArn"])
    named = [it["Fn::If"][1] if "Fn::If" in it else it for it in senders]
    tampering = [name for name in RESOURCES if name.startswith("Tampering")]
    assert [[name, "Arn"] for name in (*RULES, *tampering)] == [it["Fn::GetAtt"] for it in named]
    assert allow["Principal"] == {"Service": "events.amazonaws.com"}
