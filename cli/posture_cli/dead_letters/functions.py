"""Dead letters of functions: Lambda's records of failed invocations, those of sweeps among them.

Record formats:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from posture.store.attribute_values import serialize
from posture.store.members import KIND as MEMBER
from posture.store.rejections import PARTITION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_lambda import LambdaClient

    from posture_cli.dead_letters.queue import DeadLetterMessage

ACCOUNT = 4  # the part of an ARN that is the account; the part before it is the region


def describe_invocation(message: DeadLetterMessage, event: str) -> Mapping[str, Any]:
    """Return account, region, time and tries of a failed invocation, under an event name."""
    record = message.parse_body()
    context = _find_object(record, "requestContext")
    arn = str(context.get("functionArn", "")).split(":")
    region, account = arn[3:5] if len(arn) > ACCOUNT else ("", "")
    return {
        "event": event,
        "account": account,
        "region": region,
        "time": record.get("timestamp"),
        "tries": context.get("approximateInvokeCount", message.tries),
    }


def describe_failure(message: DeadLetterMessage) -> str:
    """Return Lambda's condition and, if recorded, the function's error."""
    record = message.parse_body()
    condition = str(_find_object(record, "requestContext").get("condition", ""))
    answer = _find_object(record, "responsePayload")
    error = str(answer.get("errorMessage") or answer.get("errorType") or "")
    failed = str(_find_object(record, "responseContext").get("functionError", ""))
    return ": ".join(each for each in (condition, error or failed) if each) or "reason unknown"


class DeployedFunction:
    """A function of the stack, invoked with the caller's credentials."""

    def __init__(self, client: LambdaClient, name: str) -> None:
        self._client = client
        self._started = False
        self.name = name

    def start_once(self) -> str:
        """Invoke the function asynchronously, unless that was done before.

        Lambda sends a new dead letter if the invocation fails after all retries.

        Returns:
            "" if the function was started, else the error.
        """
        if not self._started:
            try:
                self._client.invoke(FunctionName=self.name, InvocationType="Event", Payload=b"{}")
            except (ClientError, BotoCoreError) as error:
                return str(error)
            self._started = True
        return ""

    def call(self, event: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        """Invoke the function and wait; return its answer, and "" or the error."""
        payload = json.dumps(event).encode()
        try:
            response = self._client.invoke(FunctionName=self.name, Payload=payload)
            answer = json.loads(response["Payload"].read() or b"{}")
        except (ClientError, BotoCoreError, ValueError) as error:
            return {}, str(error)
        if response.get("FunctionError"):
            return {}, str(answer.get("errorMessage") or answer.get("errorType") or answer)
        return answer, ""


@dataclass(frozen=True, slots=True)
class SweepDeadLetters:
    """Lambda's records of failed sweeps; one new sweep makes up for all of them."""

    sweep: DeployedFunction
    outcome: str = "covered by a new sweep"

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Return where and when the invocation failed."""
        return describe_invocation(message, "sweep")

    def explain(self, message: DeadLetterMessage) -> str:
        """Return the function's own error, which names the scopes that it could not record."""
        return describe_failure(message)

    def reprocess(self, message: DeadLetterMessage) -> str:  # noqa: ARG002 - one sweep serves all
        """Start a sweep, unless one was started before."""
        return self.sweep.start_once()


@dataclass(frozen=True, slots=True)
class RefreshDeadLetters:
    """Lambda's records of batches of the shared network's stream; one sweep makes up for them.

    A message holds the numbers of stream records; the history table has the reason by the first.
    """

    sweep: SweepDeadLetters
    dynamodb: DynamoDBClient
    history: str
    outcome: str = "covered by a new sweep"

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Return where and when the invocation failed."""
        return describe_invocation(message, "refresh")

    def explain(self, message: DeadLetterMessage) -> str:
        """Return the reason that the refresh function recorded, which names the VPCs."""
        number = str(
            _find_object(message.parse_body(), "DDBStreamBatchInfo").get("startSequenceNumber", "")
        )
        row: Mapping[str, Any] = {}
        if number:
            key = serialize({"scope": PARTITION, "entry": number})
            row = self.dynamodb.get_item(TableName=self.history, Key=key).get("Item", {})
        reason = row.get("reason", {}).get("S", "see the refresh function's log")
        return f"{describe_failure(message)}: {reason}"

    def reprocess(self, message: DeadLetterMessage) -> str:
        """Start a sweep, unless one was started before."""
        return self.sweep.reprocess(message)


@dataclass(frozen=True, slots=True)
class MemberDeadLetters:
    """Lambda's records of batches of the baseline table's stream; one sweep asks for all members.

    A message holds the places of stream records, which the stream keeps for a day: those name the
    accounts. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    """

    sweep: SweepDeadLetters
    streams: DynamoDBStreamsClient
    outcome: str = "covered by a new sweep"

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Return where and when the invocation failed."""
        return describe_invocation(message, "member sweep")

    def explain(self, message: DeadLetterMessage) -> str:
        """Return Lambda's condition, and the accounts of the records."""
        batch = _find_object(message.parse_body(), "DDBStreamBatchInfo")
        try:
            accounts = self._read_accounts(batch)
        except (ClientError, BotoCoreError, KeyError, ValueError) as error:
            accounts = f"see the sweep_member function's log: {error}"
        return f"{describe_failure(message)}: {accounts}"

    def reprocess(self, message: DeadLetterMessage) -> str:
        """Start a sweep, unless one was started before."""
        return self.sweep.reprocess(message)

    def _read_accounts(self, batch: Mapping[str, Any]) -> str:
        iterator = self.streams.get_shard_iterator(
            StreamArn=batch["streamArn"],
            ShardId=batch["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=batch["startSequenceNumber"],
        )["ShardIterator"]
        size = int(batch.get("batchSize", 1))
        records = self.streams.get_records(ShardIterator=iterator, Limit=size)["Records"]
        keys = [each["dynamodb"]["Keys"] for each in records]
        accounts = (each["name"]["S"] for each in keys if each["kind"]["S"] == MEMBER)
        return ", ".join(dict.fromkeys(accounts)) or "the stream has no such record any more"


def _find_object(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}
