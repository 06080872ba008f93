"""How `posture redrive` reads messages about the shared network, and what makes up for them."""

import json
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from change_records import build_event, build_record
from posture_cli.dead_letters.changes import SurveyDeadLetters
from posture_cli.dead_letters.functions import (
    DeployedFunction,
    MemberDeadLetters,
    RefreshDeadLetters,
    SweepDeadLetters,
)
from posture_cli.dead_letters.queue import DeadLetterMessage

CALL = build_event(build_record("ChangeResourceRecordSets", eventSource="route53.amazonaws.com"))
ROUTE = build_event({"changeType": "TGW-ROUTE-INSTALLED"}, source="aws.networkmanager")


def build_message(body: Any, **attributes: str) -> DeadLetterMessage:
    """Build a message that was received once."""
    return DeadLetterMessage("1", "receipt", json.dumps(body), attributes, 1)


@pytest.fixture
def lambda_() -> Mock:
    """Return a client of Lambda that only takes notes."""
    return Mock()


@pytest.mark.parametrize(
    ("message", "event", "reason"),
    [
        (build_message(CALL), "ChangeResourceRecordSets", "see the log of the survey function"),
        (build_message(ROUTE), "TGW-ROUTE-INSTALLED", "see the log of the survey function"),
        (
            build_message(CALL, ERROR_CODE="NO_PERMISSIONS", ERROR_MESSAGE="denied"),
            "ChangeResourceRecordSets",
            "NO_PERMISSIONS: denied",
        ),
        (
            build_message({}, TARGET_ARN="arn:aws:lambda:eu-west-1:1:function:posture-survey"),
            "survey",
            "see the log of the survey function",
        ),
        (build_message([]), "unreadable", "see the log of the survey function"),
    ],
    ids=["a call", "an event of Network Manager", "undelivered", "the schedule", "unreadable"],
)
def test_a_message_that_was_not_surveyed_is_named_with_its_reason(
    lambda_: Mock, message: DeadLetterMessage, event: str, reason: str
) -> None:
    """EventBridge says why it could not deliver one; the survey's log has all else."""
    letters = SurveyDeadLetters(DeployedFunction(lambda_, "posture-survey"))
    assert letters.describe(message)["event"] == event
    assert letters.explain(message) == reason


def test_one_survey_makes_up_for_all_messages(lambda_: Mock) -> None:
    """It reads everything, so that no message needs to be sent again."""
    letters = SurveyDeadLetters(DeployedFunction(lambda_, "posture-survey"))
    assert [letters.reprocess(build_message(CALL)) for _ in range(3)] == ["", "", ""]
    lambda_.invoke.assert_called_once_with(
        FunctionName="posture-survey", InvocationType="Event", Payload=b"{}"
    )


def test_one_sweep_makes_up_for_failed_refreshes(lambda_: Mock) -> None:
    """It evaluates every VPC with the facts that are stored."""
    sweeps = SweepDeadLetters(DeployedFunction(lambda_, "posture-sweep"))
    dynamodb = Mock()
    letters = RefreshDeadLetters(sweeps, dynamodb, "history")
    context = {"requestContext": {"condition": "RetryAttemptsExhausted"}}
    message = build_message({**context, "DDBStreamBatchInfo": {"startSequenceNumber": "17"}})
    assert letters.describe(message)["event"] == "refresh"
    reason = "not evaluated again: 111122223333/eu-west-1/vpc-1: RuntimeError: no"
    dynamodb.get_item.return_value = {"Item": {"reason": {"S": reason}}}
    assert letters.explain(message) == f"RetryAttemptsExhausted: {reason}"
    assert dynamodb.get_item.call_args.kwargs["Key"]["entry"] == {"S": "17"}
    dynamodb.get_item.return_value = {}
    unknown = "RetryAttemptsExhausted: see the refresh function's log"
    assert letters.explain(message) == letters.explain(build_message(context)) == unknown
    assert letters.reprocess(message) == ""
    assert lambda_.invoke.call_args.kwargs["FunctionName"] == "posture-sweep"


def test_one_sweep_makes_up_for_members_and_the_stream_names_them(lambda_: Mock) -> None:
    """The message has only the place of a record in the stream, which keeps it for a day."""
    sweeps = SweepDeadLetters(DeployedFunction(lambda_, "posture-sweep"))
    streams = Mock()
    letters = MemberDeadLetters(sweeps, streams)
    batch = {"streamArn": "arn", "shardId": "shard", "startSequenceNumber": "17", "batchSize": 3}
    context = {"requestContext": {"condition": "RetryAttemptsExhausted"}}
    message = build_message({**context, "DDBStreamBatchInfo": batch})
    keys = [("member", "111122223333"), ("waivers", "#head"), ("member", "111122223333")]
    streams.get_shard_iterator.return_value = {"ShardIterator": "iterator"}
    streams.get_records.return_value = {
        "Records": [
            {"dynamodb": {"Keys": {"kind": {"S": kind}, "name": {"S": name}}}}
            for kind, name in keys
        ]
    }
    assert letters.describe(message)["event"] == "member sweep"
    assert letters.explain(message) == "RetryAttemptsExhausted: 111122223333"
    assert streams.get_shard_iterator.call_args.kwargs == {
        "StreamArn": "arn",
        "ShardId": "shard",
        "ShardIteratorType": "AT_SEQUENCE_NUMBER",
        "SequenceNumber": "17",
    }
    assert streams.get_records.call_args.kwargs == {"ShardIterator": "iterator", "Limit": 3}
    streams.get_records.return_value = {"Records": []}
    assert letters.explain(message).endswith("the stream has no such record any more")
    trimmed: Any = {"Error": {"Code": "TrimmedDataAccessException", "Message": "trimmed"}}
    streams.get_shard_iterator.side_effect = ClientError(trimmed, "GetShardIterator")
    for each in (message, build_message(context)):
        assert "see the sweep_member function's log" in letters.explain(each)
    assert letters.reprocess(message) == ""
    assert lambda_.invoke.call_args.kwargs["FunctionName"] == "posture-sweep"
