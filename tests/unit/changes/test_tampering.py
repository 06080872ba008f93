"""Calls that can stop the monitor: what a message says of one."""

from typing import Any

import pytest

from posture.changes.tampering import is_deployment, is_tampering, parse_tampering, shorten_name
from posture.errors import MalformedChangeError
from posture.model.change import ChangeOutcome
from posture_cli.embedded.cloudtrail import ApiCaller
from sample_network import ACCOUNT
from tampering_calls import FUNCTION, MALLORY, NAMED, build_event, fill


@pytest.mark.parametrize(("service", "call", "parameters", "name"), NAMED)
def test_each_call_names_what_it_changed(
    service: str, call: str, parameters: dict[str, Any], name: str
) -> None:
    """So it does in an event and in the wrapper around one."""
    event = build_event(service, call, fill(parameters, "posture"))
    for message in (event, {"tampering": event}):
        assert is_tampering(message)
        change = parse_tampering(message)
        assert change.resource_ids == {fill(name, "posture")}
        assert (change.outcome, change.event_name) == (ChangeOutcome.TAMPERING, call)
        assert change.actor.arn == MALLORY.arn
        deployed = service == "cloudformation" and call != "DeleteStack"
        assert is_deployment(change) == deployed


def test_a_mapping_is_named_by_its_function() -> None:
    """The request names an event source mapping by its UUID only."""
    response = {"functionArn": FUNCTION.format("posture")}
    event = build_event(
        "lambda", "UpdateEventSourceMapping20150331", {"uUID": "0a1b"}, response=response
    )
    assert parse_tampering(event).resource_ids == {"posture-notify"}


def test_a_key_is_named_by_the_answer() -> None:
    """RetireGrant names the grant alone."""
    key = "arn:aws:kms:eu-west-1:111122223333:key/0a1b"
    event = build_event("kms", "RetireGrant", None, response={"keyId": key})
    assert parse_tampering(event).resource_ids == {"0a1b"}


@pytest.mark.parametrize(
    ("service", "parameters"),
    [
        ("ec2", {"vpcId": "vpc-0a1b2c3d"}),
        ("route53resolver", {"name": "r", "vPCId": "vpc-0a1b2c3d"}),
        ("route53resolver", {"name": "f", "vpcId": "vpc-0a1b2c3d"}),
        ("route53profiles", {"name": "p", "resourceId": "vpc-0a1b2c3d"}),
        ("route53", {"hostedZoneId": "Z1", "vPC": {"vPCId": "vpc-0a1b2c3d", "vPCRegion": "x"}}),
    ],
)
def test_a_call_on_dns_is_named_by_the_vpc(service: str, parameters: dict[str, Any]) -> None:
    """Whatever the API calls it."""
    message = {"tampering": build_event(service, "Associate", parameters)}
    assert is_tampering(message)
    assert parse_tampering(message).resource_ids == {"vpc-0a1b2c3d"}


def test_several_resources_are_all_named() -> None:
    """One call deletes up to 100 alarms."""
    event = build_event("monitoring", "DeleteAlarms", {"alarmNames": ["posture-A", "posture-B"]})
    assert parse_tampering(event).resource_ids == {"posture-A", "posture-B"}


def test_a_call_that_names_nothing_is_named_by_its_service() -> None:
    """It is reported all the same."""
    assert parse_tampering(build_event("kms", "New", None)).resource_ids == {"kms.amazonaws.com"}


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:kms:eu-west-1:111122223333:key/0a1b-2c", "0a1b-2c"),
        ("arn:aws:cloudformation:eu-west-1:111122223333:stack/posture/0a1b", "posture"),
        ("arn:aws:events:eu-west-1:111122223333:rule/posture-members/posture-R", "posture-R"),
        ("arn:aws:iam::111122223333:role/team/x/posture-Role", "posture-Role"),
        ("arn:aws:cloudtrail:eu-west-1:111122223333:trail/main", "main"),
        ("arn:aws:lambda:eu-west-1:111122223333:function:posture-notify:live", "posture-notify"),
        ("arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/f:*", "/aws/lambda/f"),
        ("arn:aws:dynamodb:eu-west-1:111122223333:table/T/stream/2026", "T"),
        ("arn:aws-us-gov:sns:us-gov-west-1:111122223333:T", "T"),
        ("plain name", "plain name"),
        ("arn:", "arn:"),
        ("https://", "https://"),
    ],
)
def test_names_are_short(arn: str, name: str) -> None:
    """A finding of one thing has one name, however a call names it."""
    assert shorten_name(arn) == name


def test_cloudformation_calls_for_someone() -> None:
    """CloudTrail writes the source address, the caller its user agent."""
    deployer = ApiCaller(ACCOUNT, "deploy", "ci", invoked_by="cloudformation.amazonaws.com")
    named = {"queueUrl": "https://sqs/1/posture-Q"}
    assert is_deployment(parse_tampering(build_event("sqs", "DeleteQueue", named, caller=deployer)))
    claimed = build_event("sqs", "DeleteQueue", named, userAgent="cloudformation.amazonaws.com")
    assert not is_deployment(parse_tampering(claimed))


@pytest.mark.parametrize(
    ("event", "names"),
    [
        ({"tampering": None}, "tampering: expected an event"),
        ({"tampering": {"detail": {}}}, "recipientAccountId"),
        (build_event("sqs", "DeleteQueue", {}, eventTime="x"), "detail.eventTime"),
        (build_event("sqs", "DeleteQueue", {}, eventID=None), "detail.eventID"),
    ],
)
def test_a_message_that_cannot_be_read_names_the_field(event: Any, names: str) -> None:
    """It goes to the dead-letter queue with the reason."""
    with pytest.raises(MalformedChangeError, match=names):
        parse_tampering(event)


@pytest.mark.parametrize("message", [None, [], "x", {}, {"detail": None}, {"detail": {}}])
def test_other_messages_are_none(message: Any) -> None:
    """They are parsed as changes of a network."""
    assert not is_tampering(message)
