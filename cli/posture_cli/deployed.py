"""The tables of a deployed stack, read with the caller's own credentials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from posture.aws.attributes import typed
from posture.aws.findings import Findings
from posture.aws.head import Head, head_from
from posture.aws.items import finding_of
from posture.errors import PostureError
from posture.model.finding import Finding, FindingStatus
from posture.model.scope import Scope

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


SQS_BATCH = 10  # messages a SendMessageBatch call may hold


class DeploymentError(PostureError):
    """No such stack or table, or it is not one of ours."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which findings are wanted; an empty filter lets everything through."""

    statuses: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()
    rule: str | None = None
    resource: str | None = None
    account: str | None = None
    vpc: str | None = None
    scope: str | None = None

    def takes(self, finding: Finding) -> bool:
        """Whether a finding passes every filter."""
        return (
            (not self.statuses or finding.status.value in self.statuses)
            and (not self.severities or finding.severity.value in self.severities)
            and self.rule in {None, finding.rule}
            and self.resource in {None, finding.resource}
            and self.account in {None, finding.scope.account}
            and self.vpc in {None, finding.scope.vpc_id}
            and self.scope in {None, str(finding.scope)}
        )


def output_of(stack: str, output: str, region: str | None) -> str:
    """Give what a stack tells under the name of an output: a table's name, a queue's URL.

    Raises:
        DeploymentError: there is no such stack, or it has no such output.
    """
    client = boto3.Session(region_name=region).client("cloudformation")
    try:
        described = client.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        where = client.meta.region_name
        raise DeploymentError(f"there is no stack {stack!r} in {where}") from error
    outputs = {it["OutputKey"]: it["OutputValue"] for it in described.get("Outputs", [])}
    if output not in outputs:
        raise DeploymentError(f"stack {stack!r} has no output {output}: it is not a posture stack")
    return outputs[output]


def dynamodb(region: str | None) -> DynamoDBClient:
    """Give the caller's DynamoDB client."""
    return boto3.Session(region_name=region).client("dynamodb")


def findings(client: DynamoDBClient, table: str, wanted: Wanted) -> Iterator[Finding]:
    """Read the wanted findings by the index that fits the filters best.

    Raises:
        CorruptItemError: an item cannot be read.
        DeploymentError: there is no such table.
    """
    try:
        yield from (finding for finding in _read(client, table, wanted) if wanted.takes(finding))
    except client.exceptions.ResourceNotFoundException as error:
        raise DeploymentError(f"there is no table {table!r}") from error


def _read(client: DynamoDBClient, table: str, wanted: Wanted) -> Iterator[Finding]:
    stored = Findings(client, table)
    if wanted.scope:
        return stored.of_scope(Scope.parse(wanted.scope))
    if wanted.resource:
        return stored.of_resource(wanted.resource)
    if wanted.rule:
        return stored.of_rule(wanted.rule)
    if wanted.account:
        statuses = wanted.statuses or frozenset(FindingStatus)
        lists = [stored.of_account(wanted.account, FindingStatus(status)) for status in statuses]
        return chain.from_iterable(lists)
    return _everywhere(client, table)


def _everywhere(client: DynamoDBClient, table: str) -> Iterator[Finding]:
    pages = client.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="#kind = :kind",
        ExpressionAttributeNames={"#kind": "kind"},
        ExpressionAttributeValues=typed({":kind": "finding"}),
    )
    for page in pages:
        yield from map(finding_of, page["Items"])


def heads(client: DynamoDBClient, table: str, vpcs: frozenset[str]) -> Iterator[Head]:
    """Read what was seen last of each VPC that exists, or of these.

    Raises:
        CorruptItemError: an item cannot be read.
        DeploymentError: there is no such table, or it knows nothing of one of the VPCs.
    """
    pages = client.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="#kind = :kind AND attribute_exists(#head_of)",
        ExpressionAttributeNames={"#kind": "kind", "#head_of": "head_of"},
        ExpressionAttributeValues=typed({":kind": "head"}),
    )
    missing = set(vpcs)
    try:
        for page in pages:
            for head in map(head_from, page["Items"]):
                if head.scope.vpc_id and (not vpcs or head.scope.vpc_id in vpcs):
                    missing.discard(head.scope.vpc_id)
                    yield head
    except client.exceptions.ResourceNotFoundException as error:
        raise DeploymentError(f"there is no table {table!r}") from error
    if missing:
        raise DeploymentError(f"the monitor has not seen {', '.join(sorted(missing))}")


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
