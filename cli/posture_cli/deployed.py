"""Finds the resources of a deployed stack, with the caller's own credentials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError

from posture.runtime.settings import Tables
from posture_cli.completion import remember_accounts
from posture_cli.failure import CommandError
from posture_cli.suggest import suggest

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


SQS_BATCH = 10  # messages a SendMessageBatch call may hold


# Outputs that a stack has only with a feature that is off by default.
OPTIONAL = {
    **dict.fromkeys(
        ("SurveyDeadLetterQueueUrl", "SurveyFunctionName", "RefreshFailuresQueueUrl"),
        "its parameter SharedNetwork is off",
    ),
    **dict.fromkeys(
        ("MemberSweepFailuresQueueUrl", "SweepMemberFunctionName"),
        "with MembersFrom=parameter its parameter MemberAccounts lists the members",
    ),
    "MembersStateMachineArn": "without MembersFrom=organization no list decides who is a member; "
    "posture members add and remove do",
}


# Clients may be used by several threads, but one session makes one client at a time.
# https://docs.aws.amazon.com/boto3/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions
_creating = Lock()


class StackNotFoundError(CommandError):
    """A Region has no stack of this name."""


def read_stack_output(stack: str, output: str, region: str | None) -> str:
    """Return the value of an output of a stack: the name of a table, the URL of a queue.

    Raises:
        CommandError: There is no such stack, or it has no such output.
    """
    outputs = _read_outputs(stack, region)
    _require(outputs, output, stack)
    return outputs[output]


def find_tables(
    stack: str,
    region: str | None,
    named: Mapping[str, str | None],
    session: boto3.Session | None = None,
) -> Tables:
    """Return the names of the tables of a stack.

    Args:
        stack: The stack; it is read only if a needed table is not named.
        region: The region of the stack.
        named: The tables that are needed, by the field of `Tables`: each with the name of a table
            to use instead of the stack's, such as a restored copy, or None. A table that is not
            needed may be "" in the result.
        session: The session of the caller; threads may share it.

    Raises:
        CommandError: There is no such stack, or it is not a posture stack.
    """
    missing = [name for name, table in named.items() if not table]
    outputs = _read_outputs(stack, region, session) if missing else {}
    keys = {field.name: f"{field.name.capitalize()}TableName" for field in fields(Tables)}
    for name in missing:
        _require(outputs, keys[name], stack)
    return Tables(**{name: named.get(name) or outputs.get(keys[name], "") for name in keys})


def _require(outputs: Mapping[str, str], output: str, stack: str) -> None:
    if output not in outputs:
        why = OPTIONAL.get(output, "it is not a posture stack")
        raise CommandError(f"stack {stack!r} has no output {output}: {why}")


def _read_outputs(
    stack: str, region: str | None, session: boto3.Session | None = None
) -> Mapping[str, str]:
    with _creating:
        client = (session or boto3.Session()).client("cloudformation", region_name=region)
    try:
        described = client.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        where = client.meta.region_name
        raise StackNotFoundError(
            f"there is no stack {stack!r} in {where}{_suggest_region(where)}"
        ) from error
    except EndpointConnectionError as error:  # there may be no such region
        where = client.meta.region_name
        if nearest := _suggest_region(where):
            raise CommandError(f"there is no Region {where}{nearest}") from error
        raise
    remember_accounts(_list_accounts(described))
    return {it["OutputKey"]: it["OutputValue"] for it in described.get("Outputs", [])}


def _list_accounts(stack: Mapping[str, Any]) -> Iterator[str]:
    """List the account of a stack and its member accounts, for completion."""
    yield stack["StackId"].split(":")[4]
    for parameter in stack.get("Parameters", ()):
        if parameter["ParameterKey"] == "MemberAccounts":
            yield from filter(None, parameter.get("ParameterValue", "").split(","))


def _suggest_region(region: str) -> str:
    """Suggest regions if botocore does not know this one, which may be newer than botocore."""
    session = boto3.Session()
    names = {
        name
        for each in session.get_available_partitions()
        for name in session.get_available_regions("cloudformation", each)
    }
    return "" if region in names else suggest(region, names)


def open_dynamodb(region: str | None, session: boto3.Session | None = None) -> DynamoDBClient:
    """Return a DynamoDB client, of the caller's session if one is given."""
    with _creating:
        return (session or boto3.Session()).client("dynamodb", region_name=region)


def open_s3(region: str | None) -> S3Client:
    """Return an S3 client."""
    return boto3.Session(region_name=region).client("s3")


def find_caller_arn(region: str | None) -> str:
    """Return the ARN of the person or role that runs the command."""
    return boto3.Session(region_name=region).client("sts").get_caller_identity()["Arn"]


def send_messages(queue_url: str, bodies: Sequence[str], region: str | None) -> None:
    """Send messages to a queue, in the largest batches that SQS accepts.

    Raises:
        CommandError: The queue rejected some of them.
    """
    client = boto3.Session(region_name=region).client("sqs")
    for start in range(0, len(bodies), SQS_BATCH):
        chunk = bodies[start : start + SQS_BATCH]
        answer = client.send_message_batch(
            QueueUrl=queue_url,
            Entries=[{"Id": str(number), "MessageBody": body} for number, body in enumerate(chunk)],
        )
        if failed := answer.get("Failed"):
            reasons = "; ".join(sorted({each.get("Message", each["Code"]) for each in failed}))
            raise CommandError(f"the queue rejected {len(failed)} messages: {reasons}")
