"""The tables of a deployed stack, read with the caller's own credentials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from posture.errors import PostureError
from posture.runtime.settings import Tables
from posture.store.findings import Findings
from posture.store.scope_record import Head, head_from, head_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


SQS_BATCH = 10  # messages a SendMessageBatch call may hold


class DeploymentError(PostureError):
    """No such stack or table, or it is not one of ours."""


def output_of(stack: str, output: str, region: str | None) -> str:
    """Give what a stack tells under the name of an output: a table's name, a queue's URL.

    Raises:
        DeploymentError: there is no such stack, or it has no such output.
    """
    outputs = _outputs(stack, region)
    _require(outputs, output, stack)
    return outputs[output]


def tables(stack: str, region: str | None, named: Mapping[str, str | None]) -> Tables:
    """Give the names of a stack's tables.

    Args:
        stack: Its name; it is only asked for what is not named.
        region: Its region.
        named: Which are needed, by the field of `Tables`, each with a table to take instead of the
            stack's, such as a restored copy, or None. A table that is not needed may be "".

    Raises:
        DeploymentError: there is no such stack, or it is not a posture stack.
    """
    missing = [name for name, table in named.items() if not table]
    outputs = _outputs(stack, region) if missing else {}
    told = {field.name: f"{field.name.capitalize()}TableName" for field in fields(Tables)}
    for name in missing:
        _require(outputs, told[name], stack)
    return Tables(**{name: named.get(name) or outputs.get(told[name], "") for name in told})


def _require(outputs: Mapping[str, str], output: str, stack: str) -> None:
    if output not in outputs:
        raise DeploymentError(f"stack {stack!r} has no output {output}: it is not a posture stack")


def _outputs(stack: str, region: str | None) -> Mapping[str, str]:
    client = boto3.Session(region_name=region).client("cloudformation")
    try:
        described = client.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        where = client.meta.region_name
        raise DeploymentError(f"there is no stack {stack!r} in {where}") from error
    return {it["OutputKey"]: it["OutputValue"] for it in described.get("Outputs", [])}


def dynamodb(region: str | None) -> DynamoDBClient:
    """Give the caller's DynamoDB client."""
    return boto3.Session(region_name=region).client("dynamodb")


def heads(tables: Iterable[tuple[DynamoDBClient, str]], vpcs: frozenset[str]) -> Iterator[Head]:
    """Read what was seen last of each VPC that exists, or of these.

    Args:
        tables: The findings tables of one or several stacks, each with a client of its region.
        vpcs: Only these; empty: all.

    Raises:
        CorruptItemError: an item cannot be read.
        DeploymentError: there is no such table, or none knows anything of one of the VPCs.
    """
    missing = set(vpcs)
    for client, table in tables:
        for head in _heads(client, table, vpcs):
            missing.discard(head.scope.subject)
            yield head
    if missing:
        raise DeploymentError(f"the monitor has not seen {', '.join(sorted(missing))}")


def _heads(client: DynamoDBClient, table: str, vpcs: frozenset[str]) -> Iterator[Head]:
    try:
        for scope in Findings(client, table).scopes():
            if scope.vpc_id is None or (vpcs and scope.vpc_id not in vpcs):
                continue
            item = client.get_item(TableName=table, Key=head_key(scope)).get("Item", {})
            if "head_of" in item:
                yield head_from(item)
    except client.exceptions.ResourceNotFoundException as error:
        where = client.meta.region_name
        raise DeploymentError(f"there is no table {table!r} in {where}") from error


def caller(region: str | None) -> str:
    """Give the ARN of whoever runs the command."""
    return boto3.Session(region_name=region).client("sts").get_caller_identity()["Arn"]


def send(queue_url: str, bodies: Sequence[str], region: str | None) -> None:
    """Put messages on a queue, in batches as large as SQS takes.

    Raises:
        DeploymentError: the queue refused some of them.
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
            raise DeploymentError(f"the queue refused {len(failed)} messages: {reasons}")
