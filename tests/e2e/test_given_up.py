"""What was given up is done after all, once its cause is gone: found, and told once."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.awslambda_simple.models import LambdaSimpleBackend
from typer.testing import CliRunner

from posture.model.finding import FindingStatus
from posture.runtime import clients
from posture_cli.app import app
from posture_cli.dead_letters.open_queues import QUEUES
from posture_cli.demo.demo_run import DemoRun
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.cloudtrail import ApiCaller
from stack_template import PATH

Undo = Callable[[], object]


@dataclass(frozen=True)
class Stage:
    """An emulated AWS with the stack in it, and the organisation it watches."""

    aws: EmbeddedAws
    story: DemoRun


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Give an emulated AWS with the stack in it, swept and told."""
    with EmbeddedAws(PATH.parent) as aws:
        story = DemoRun(aws)
        story.build()
        aws.sweep()
        aws.mailbox.collect()
        yield Stage(aws, story)


@pytest.fixture(autouse=True)
def invocable(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let Lambda's invocations reach the stack's functions; give the names of those invoked."""
    invoked = []

    def invoke(_: Any, name: str, __: Any, body: Any, ___: Any, response_headers: Any) -> str:
        invoked.append(name)
        try:
            return json.dumps(stage.aws.functions[name](json.loads(body)))
        except Exception as error:  # noqa: BLE001 - as Lambda tells of it
            response_headers["x-amz-function-error"] = "Unhandled"
            return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__})

    monkeypatch.setattr(LambdaSimpleBackend, "invoke", invoke)
    monkeypatch.setenv("COLUMNS", "200")
    return invoked


@pytest.fixture(autouse=True)
def undone(stage: Stage) -> Iterator[None]:
    """Let each test find the names on, the mailbox empty and no dead letters."""
    yield
    turn_names(stage, on=True)
    stage.aws.mailbox.collect()
    sqs = stage.aws.session.client("sqs")
    for output in QUEUES.values():
        url = stage.aws.stack.outputs[output]
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def turn_names(stage: Stage, *, on: bool) -> None:
    """Turn a VPC's DNS host names on or off, as Alice; its private names depend on them."""
    ec2 = stage.aws.ec2(ApiCaller(stage.aws.account, "NetworkAdmin", "alice"))
    vpc = stage.story.organisation.analytics.id
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": on})
    stage.aws.settle()


def open_here(stage: Stage) -> set[str]:
    """Give the rules that this VPC fails."""
    vpc = stage.story.organisation.analytics.id
    return {
        each.rule
        for each in stage.story.load_findings().values()
        if each.scope.subject == vpc and each.status is FindingStatus.OPEN
    }


def redriven(*arguments: str) -> list[dict[str, Any]]:
    """Run `posture redrive`; give what it wrote."""
    result = CliRunner().invoke(app, ["redrive", *arguments, "-o", "json"])
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def table(stage: Stage, name: str) -> str:
    """Give a table's name."""
    return stage.aws.stack.outputs[f"{name}TableName"]


def corrupt_baseline(stage: Stage) -> Undo:
    """Let somebody break the baseline by hand; give what mends it."""
    dynamodb = stage.aws.session.client("dynamodb")
    key = {"kind": {"S": "baseline"}, "name": {"S": "current"}}
    name = table(stage, "Baseline")
    item = dynamodb.get_item(TableName=name, Key=key)["Item"]
    dynamodb.put_item(TableName=name, Item={**item, "document": {"S": "to be filled in"}})
    return lambda: dynamodb.put_item(TableName=name, Item=item)


def corrupt_head(stage: Stage) -> Undo:
    """Let somebody break the head of the VPC's scope by hand; give what mends it."""
    dynamodb = stage.aws.session.client("dynamodb")
    name = table(stage, "Findings")
    (item,) = [
        each
        for each in dynamodb.scan(TableName=name)["Items"]
        if each["item"] == {"S": "#head"}
        and each["scope"]["S"].endswith(stage.story.organisation.analytics.id)
    ]
    dynamodb.put_item(TableName=name, Item={**item, "revision": {"S": "three"}})
    return lambda: dynamodb.put_item(TableName=name, Item=item)


def deny_writing(_: Stage) -> Undo:
    """Let a policy deny what the evaluator writes; give what lifts it."""
    return refusing(clients.dynamodb(), "dynamodb.TransactWriteItems", "AccessDeniedException")


def refusing(client: Any, operation: str, code: str) -> Undo:
    """Let an operation of a client be refused; give what ends that."""
    name = f"before-call.{operation}"

    def refuse(**_: Any) -> None:
        error = {"Error": {"Code": code, "Message": "an explicit deny"}}
        raise ClientError(error, operation)  # type: ignore[arg-type]

    client.meta.events.register_first(name, refuse)
    return lambda: client.meta.events.unregister(name, refuse)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (corrupt_baseline, "CorruptItemError: baseline"),
        (corrupt_head, "revision is no whole number"),
        (deny_writing, "AccessDeniedException"),
    ],
)
def test_a_change_given_up_is_found_and_told_once_its_cause_is_mended(
    stage: Stage, harm: Callable[[Stage], Undo], reason: str
) -> None:
    """It lies among the dead letters with its reason, and comes back by `posture redrive`."""
    before = open_here(stage)
    mend = harm(stage)
    turn_names(stage, on=False)
    mend()
    stage.aws.settle()
    assert open_here(stage) == before
    assert stage.aws.mailbox.collect() == []
    letters = redriven("changes")
    assert {each["event"] for each in letters} == {"ModifyVpcAttribute"}
    assert all(reason in each["reason"] for each in letters)
    assert all(each["reason"].startswith("failed 5 times") for each in letters)
    stage.aws.settle()
    assert "endpoint-private-dns-ineffective" in open_here(stage) - before
    (alert,) = stage.aws.mailbox.collect()
    assert "endpoint-private-dns-ineffective" in {each["rule"] for each in alert.body["findings"]}
    assert redriven("changes") == []


def test_an_alert_given_up_is_told_once(stage: Stage, invocable: list[str]) -> None:
    """From history, by the notifier itself; what it had told stays untold."""
    turn_names(stage, on=False)
    assert len(stage.aws.mailbox.collect()) == 1
    mend = refusing(clients.sns(), "sns.Publish", "AuthorizationError")
    turn_names(stage, on=True)
    mend()
    assert stage.aws.mailbox.collect() == []
    letters = redriven("alerts")
    assert letters
    assert {each["outcome"] for each in letters} == {"reported"}
    (alert,) = stage.aws.mailbox.collect()
    assert {each["step"] for each in alert.body["findings"]} == {"resolved"}
    assert set(invocable) == {"posture-notify"}
    assert redriven("alerts") == []


def test_an_alert_that_still_cannot_be_told_stays(stage: Stage) -> None:
    """It says so, ends with 1, and is told when it can be."""
    mend = refusing(clients.sns(), "sns.Publish", "AuthorizationError")
    turn_names(stage, on=False)
    result = CliRunner().invoke(app, ["redrive", "alerts", "-o", "json"])
    assert result.exit_code == 1
    assert all(each["outcome"].startswith("stays: ") for each in json.loads(result.stdout))
    mend()


def test_failed_sweeps_are_made_good_by_one(stage: Stage, invocable: list[str]) -> None:
    """Each with what its sweep said; one sweep looks at everything."""
    put(stage, "SweepFailuresQueueUrl", failed_sweep("SweepIncompleteError"))
    put(stage, "SweepFailuresQueueUrl", failed_sweep("Sandbox.Timedout"))
    letters = redriven("sweeps")
    assert [each["event"] for each in letters] == ["sweep", "sweep"]
    assert {each["reason"] for each in letters} == {
        "RetriesExhausted: SweepIncompleteError of vpc-1",
        "RetriesExhausted: Sandbox.Timedout of vpc-1",
    }
    assert {(each["account"], each["region"], each["tries"]) for each in letters} == {
        ("123456789012", "eu-west-1", 3)
    }
    assert invocable == ["posture-sweep"]
    assert redriven("sweeps") == []


def test_a_schedule_that_was_not_delivered_is_swept_for(stage: Stage, invocable: list[str]) -> None:
    """EventBridge names the function it could not call."""
    target = "arn:aws:lambda:eu-west-1:123456789012:function:posture-sweep"
    put(stage, "UndeliveredQueueUrl", "{}", TARGET_ARN=target, ERROR_CODE="THROTTLING")
    (letter,) = redriven("undelivered")
    assert (letter["event"], letter["reason"]) == ("sweep", "THROTTLING")
    assert invocable == ["posture-sweep"]


BODIES = (" ", "{", "[]", "{}", '{"DDBStreamBatchInfo": 3}', '{"detail": 3}', "\u202e", "[" * 9000)


@pytest.mark.parametrize("letters", QUEUES)
def test_letters_of_any_form_are_shown(stage: Stage, letters: str) -> None:
    """A look at them crashes at none, and leaves them where they are."""
    for body in BODIES:
        put(stage, QUEUES[letters], body)
    result = CliRunner().invoke(app, ["redrive", letters, "--dry-run", "-o", "json"])
    assert result.exit_code == 1
    shown = json.loads(result.stdout)
    assert sorted(each["body"] for each in shown) == sorted(BODIES)
    assert {each["outcome"] for each in shown} == {"waits"}
    assert all(each["reason"] for each in shown)


def put(stage: Stage, queue: str, body: str, **attributes: str) -> None:
    """Put a message among the dead letters."""
    stage.aws.session.client("sqs").send_message(
        QueueUrl=stage.aws.stack.outputs[queue],
        MessageBody=body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )


def failed_sweep(error: str) -> str:
    """Give what Lambda sends to the failure destination of an asynchronous invocation."""
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:posture-sweep:$LATEST"
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": "2026-11-25T03:24:48.023Z",
            "requestContext": {
                "requestId": "8ea123e4-1db7-4aca-ad10-d9ca1234c1fd",
                "functionArn": arn,
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
            "requestPayload": {},
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "responsePayload": {"errorMessage": f"{error} of vpc-1", "errorType": error},
        }
    )
