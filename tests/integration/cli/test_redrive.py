"""`posture redrive`: dead-letter messages are retried, each with its reason, and none is lost."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from posture_cli.app import app
from posture_cli.embedded.aws import EmbeddedAws
from sample_events import read_event
from stack_template import PATH

CHANGE = json.dumps(read_event("evaluate/single-change"))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedAws]:
    """Return an emulated AWS with the stack in it."""
    with EmbeddedAws(Path(PATH.parent)) as aws:
        monkeypatch.setenv("COLUMNS", "200")
        yield aws


def put(aws: EmbeddedAws, queue: str, body: str, **attributes: str) -> str:
    """Send a message to a dead-letter queue; return its id."""
    answer = aws.session.client("sqs").send_message(
        QueueUrl=aws.stack.outputs[queue],
        MessageBody=body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )
    return answer["MessageId"]


def bodies(aws: EmbeddedAws, queue: str) -> list[str]:
    """Take what is on a queue."""
    answer = aws.session.client("sqs").receive_message(
        QueueUrl=aws.stack.outputs[queue], MaxNumberOfMessages=10
    )
    return [message["Body"] for message in answer.get("Messages", [])]


def posture(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["redrive", *arguments])


def rows(result: Result) -> list[dict[str, Any]]:
    """Return what the command wrote as JSON."""
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_what_was_given_up_is_evaluated_after_all(aws: EmbeddedAws) -> None:
    """The message is in the changes queue again, and no longer in the dead-letter queue."""
    put(aws, "ChangesDeadLetterQueueUrl", CHANGE)
    result = posture("-o", "json")
    assert result.exit_code == 0
    assert [(it["event"], it["outcome"]) for it in rows(result)] == [
        ("CreateRoute", "returned to the queue")
    ]
    assert bodies(aws, "ChangesQueueUrl") == [CHANGE]
    assert bodies(aws, "ChangesDeadLetterQueueUrl") == []


def test_each_is_shown_with_the_reason_that_was_kept(aws: EmbeddedAws) -> None:
    """The evaluator wrote it down when it refused the message."""
    body = '{"detail": {"eventName": 3}}'
    message_id = put(aws, "ChangesDeadLetterQueueUrl", body)
    record = {"messageId": message_id, "body": body}
    aws.functions["posture-evaluate"]({"Records": [record]})
    result = posture("-o", "json")
    assert result.exit_code == 1
    (row,) = rows(result)
    assert row["reason"].startswith("detail.recipientAccountId: expected")
    assert row["outcome"].startswith("stays")
    assert bodies(aws, "ChangesQueueUrl") == []


def test_a_dry_run_only_looks(aws: EmbeddedAws) -> None:
    """All is where it was, at once."""
    put(aws, "ChangesDeadLetterQueueUrl", CHANGE)
    result = posture("--dry-run", "-o", "json")
    assert result.exit_code == 1
    assert [it["outcome"] for it in rows(result)] == ["waits"]
    assert bodies(aws, "ChangesDeadLetterQueueUrl") == [CHANGE]


def test_what_eventbridge_could_not_deliver_says_why(aws: EmbeddedAws) -> None:
    """The reason is in the attributes that EventBridge gives the message."""
    put(aws, "UndeliveredQueueUrl", CHANGE, ERROR_CODE="NO_PERMISSIONS", ERROR_MESSAGE="denied")
    (row,) = rows(posture("undelivered", "-o", "json"))
    assert row["reason"] == "NO_PERMISSIONS: denied"
    assert bodies(aws, "ChangesQueueUrl") == [CHANGE]


@pytest.mark.usefixtures("aws")
def test_nothing_to_do_is_no_failure() -> None:
    """It says so, and ends with 0."""
    result = posture()
    assert result.exit_code == 0
    assert "no dead-letter messages in changes" in result.output


@pytest.mark.usefixtures("aws")
def test_the_error_names_the_stack_or_the_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that does not exist, or whose shared network is not read, is an error."""
    monkeypatch.setenv("NO_COLOR", "1")
    for queue in ("surveys", "refreshes"):
        assert "its parameter SharedNetwork is off" in str(posture(queue).exception)
    assert "its parameter MemberAccounts lists the members" in str(posture("members").exception)
    result = posture("--stack", "nowhere")
    assert "there is no stack 'nowhere'" in str(result.exception)
