"""`posture redrive` reprocesses dead messages, so that findings are recorded and reported once."""

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
from posture_cli.deployed import OPTIONAL
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.cloudtrail import ApiCaller
from stack_template import PATH

Restore = Callable[[], object]
PRESENT = {name: output for name, output in QUEUES.items() if output not in OPTIONAL}


@dataclass(frozen=True)
class Stage:
    """An emulated AWS with the stack, and the demo's organization."""

    aws: EmbeddedAws
    demo: DemoRun


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Yield an emulated AWS with the stack, after the first sweep and its alerts."""
    with EmbeddedAws(PATH.parent) as aws:
        demo = DemoRun(aws)
        demo.build()
        aws.sweep()
        aws.mailbox.collect()
        yield Stage(aws, demo)


@pytest.fixture(autouse=True)
def invocable(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Connect Lambda's Invoke to the stack's functions; return the names of invoked functions."""
    invoked = []

    def invoke(_: Any, name: str, __: Any, body: Any, ___: Any, response_headers: Any) -> str:
        invoked.append(name)
        try:
            return json.dumps(stage.aws.functions[name](json.loads(body)))
        except Exception as error:  # noqa: BLE001 - as Lambda reports it
            response_headers["x-amz-function-error"] = "Unhandled"
            return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__})

    monkeypatch.setattr(LambdaSimpleBackend, "invoke", invoke)
    monkeypatch.setenv("COLUMNS", "200")
    return invoked


@pytest.fixture(autouse=True)
def undone(stage: Stage) -> Iterator[None]:
    """Restore DNS hostnames, and empty the mailbox and the dead-message queues."""
    yield
    set_dns_hostnames(stage, enabled=True)
    stage.aws.mailbox.collect()
    sqs = stage.aws.session.client("sqs")
    for output in PRESENT.values():
        url = stage.aws.stack.outputs[output]
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def set_dns_hostnames(stage: Stage, *, enabled: bool) -> None:
    """Enable or disable a VPC's DNS hostnames, on which private DNS names depend."""
    ec2 = stage.aws.ec2(ApiCaller(stage.aws.account, "NetworkAdmin", "alice"))
    vpc = stage.demo.organization.analytics.id
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": enabled})
    stage.aws.settle()


def open_rules(stage: Stage) -> set[str]:
    """Return the rules with an open finding in the VPC."""
    vpc = stage.demo.organization.analytics.id
    return {
        each.rule
        for each in stage.demo.load_findings().values()
        if each.scope.subject == vpc and each.status is FindingStatus.OPEN
    }


def run_redrive(*arguments: str) -> list[dict[str, Any]]:
    """Run `posture redrive`; return its JSON output."""
    result = CliRunner().invoke(app, ["redrive", *arguments, "-o", "json"])
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def find_table(stage: Stage, name: str) -> str:
    """Return a table's name."""
    return stage.aws.stack.outputs[f"{name}TableName"]


def corrupt_baseline(stage: Stage) -> Restore:
    """Corrupt the stored baseline; return a function that restores it."""
    dynamodb = stage.aws.session.client("dynamodb")
    key = {"kind": {"S": "baseline"}, "name": {"S": "current"}}
    name = find_table(stage, "Baseline")
    item = dynamodb.get_item(TableName=name, Key=key)["Item"]
    dynamodb.put_item(TableName=name, Item={**item, "document": {"S": "to be filled in"}})
    return lambda: dynamodb.put_item(TableName=name, Item=item)


def corrupt_scope_record(stage: Stage) -> Restore:
    """Corrupt the VPC's scope record; return a function that restores it."""
    dynamodb = stage.aws.session.client("dynamodb")
    name = find_table(stage, "Findings")
    (item,) = [
        each
        for each in dynamodb.scan(TableName=name)["Items"]
        if each["item"] == {"S": "#head"}
        and each["scope"]["S"].endswith(stage.demo.organization.analytics.id)
    ]
    dynamodb.put_item(TableName=name, Item={**item, "revision": {"S": "three"}})
    return lambda: dynamodb.put_item(TableName=name, Item=item)


def deny_writes(_: Stage) -> Restore:
    """Deny the evaluate function's writes; return a function that allows them again."""
    return fail_operation(
        clients.dynamodb(), "dynamodb.TransactWriteItems", "AccessDeniedException"
    )


def fail_operation(client: Any, operation: str, code: str) -> Restore:
    """Let an operation of a client fail; return a function that ends it."""
    name = f"before-call.{operation}"

    def refuse(**_: Any) -> None:
        error = {"Error": {"Code": code, "Message": "an explicit deny"}}
        raise ClientError(error, operation)  # type: ignore[arg-type]

    client.meta.events.register_first(name, refuse)
    return lambda: client.meta.events.unregister(name, refuse)


@pytest.mark.parametrize(
    ("corrupt", "reason"),
    [
        (corrupt_baseline, "CorruptItemError: baseline"),
        (corrupt_scope_record, "revision is not an integer"),
        (deny_writes, "AccessDeniedException"),
    ],
)
def test_a_dead_letter_is_evaluated_after_its_cause_is_removed(
    stage: Stage, corrupt: Callable[[Stage], Restore], reason: str
) -> None:
    """It is in the dead-message queue with its reason until `posture redrive` returns it."""
    before = open_rules(stage)
    restore = corrupt(stage)
    set_dns_hostnames(stage, enabled=False)
    restore()
    stage.aws.settle()
    assert open_rules(stage) == before
    assert stage.aws.mailbox.collect() == []
    messages = run_redrive("changes")
    assert {each["event"] for each in messages} == {"ModifyVpcAttribute"}
    assert all(reason in each["reason"] for each in messages)
    assert all(each["reason"].startswith("failed 5 times") for each in messages)
    stage.aws.settle()
    assert "endpoint-private-dns-ineffective" in open_rules(stage) - before
    (alert,) = stage.aws.mailbox.collect()
    assert "endpoint-private-dns-ineffective" in {each["rule"] for each in alert.body["findings"]}
    assert run_redrive("changes") == []


def test_a_failed_alert_is_sent_once(stage: Stage, invocable: list[str]) -> None:
    """From the history, by the notify function; commits that were reported are not repeated."""
    set_dns_hostnames(stage, enabled=False)
    assert len(stage.aws.mailbox.collect()) == 1
    restore = fail_operation(clients.sns(), "sns.Publish", "AuthorizationError")
    set_dns_hostnames(stage, enabled=True)
    restore()
    assert stage.aws.mailbox.collect() == []
    messages = run_redrive("alerts")
    assert messages
    assert {each["outcome"] for each in messages} == {"reported"}
    (alert,) = stage.aws.mailbox.collect()
    assert {each["step"] for each in alert.body["findings"]} == {"resolved"}
    assert set(invocable) == {"posture-notify"}
    assert run_redrive("alerts") == []


def test_an_alert_that_fails_again_stays(stage: Stage) -> None:
    """The command says so and exits with 1."""
    restore = fail_operation(clients.sns(), "sns.Publish", "AuthorizationError")
    set_dns_hostnames(stage, enabled=False)
    result = CliRunner().invoke(app, ["redrive", "alerts", "-o", "json"])
    assert result.exit_code == 1
    assert all(each["outcome"].startswith("stays: ") for each in json.loads(result.stdout))
    restore()


def test_one_sweep_makes_up_for_all_failed_sweeps(stage: Stage, invocable: list[str]) -> None:
    """Each failed sweep is shown with its own error."""
    put(stage, "SweepFailuresQueueUrl", failed_sweep("SweepIncompleteError"))
    put(stage, "SweepFailuresQueueUrl", failed_sweep("Sandbox.Timedout"))
    messages = run_redrive("sweeps")
    assert [each["event"] for each in messages] == ["sweep", "sweep"]
    assert {each["reason"] for each in messages} == {
        "RetriesExhausted: SweepIncompleteError of vpc-1",
        "RetriesExhausted: Sandbox.Timedout of vpc-1",
    }
    assert {(each["account"], each["region"], each["tries"]) for each in messages} == {
        ("123456789012", "eu-west-1", 3)
    }
    assert invocable == ["posture-sweep"]
    assert run_redrive("sweeps") == []


def test_an_undelivered_schedule_starts_a_sweep(stage: Stage, invocable: list[str]) -> None:
    """EventBridge names the function that it could not invoke."""
    target = "arn:aws:lambda:eu-west-1:123456789012:function:posture-sweep"
    put(stage, "UndeliveredQueueUrl", "{}", TARGET_ARN=target, ERROR_CODE="THROTTLING")
    (message,) = run_redrive("undelivered")
    assert (message["event"], message["reason"]) == ("sweep", "THROTTLING")
    assert invocable == ["posture-sweep"]


BODIES = (" ", "{", "[]", "{}", '{"DDBStreamBatchInfo": 3}', '{"detail": 3}', "\u202e", "[" * 9000)


@pytest.mark.parametrize("messages", PRESENT)
def test_messages_of_any_format_are_shown(stage: Stage, messages: str) -> None:
    """A dry run accepts all of them, and leaves them in the queue."""
    for body in BODIES:
        put(stage, PRESENT[messages], body)
    result = CliRunner().invoke(app, ["redrive", messages, "--dry-run", "-o", "json"])
    assert result.exit_code == 1
    shown = json.loads(result.stdout)
    assert sorted(each["body"] for each in shown) == sorted(BODIES)
    assert {each["outcome"] for each in shown} == {"waits"}
    assert all(each["reason"] for each in shown)


def put(stage: Stage, queue: str, body: str, **attributes: str) -> None:
    """Send a message to a dead-message queue."""
    stage.aws.session.client("sqs").send_message(
        QueueUrl=stage.aws.stack.outputs[queue],
        MessageBody=body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )


def failed_sweep(error: str) -> str:
    """Return what Lambda sends to the failure destination of an asynchronous invocation."""
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
