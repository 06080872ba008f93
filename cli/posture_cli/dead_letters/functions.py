"""What Lambda says of an invocation it gave up, and how a function is invoked again.

Forms of the records:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from posture_cli.dead_letters.queue import DeadLetterMessage

ACCOUNT = 4  # which part of an ARN names the account; the one before it names the region


def describe_invocation(message: DeadLetterMessage, event: str) -> Mapping[str, Any]:
    """Give what the record of a failed invocation tells, under the name of what was to be done."""
    record = message.parse_body()
    context = _member(record, "requestContext")
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
    """Say why Lambda gave up: its condition, and the function's own error where it is told."""
    record = message.parse_body()
    condition = str(_member(record, "requestContext").get("condition", ""))
    answer = _member(record, "responsePayload")
    error = str(answer.get("errorMessage") or answer.get("errorType") or "")
    failed = str(_member(record, "responseContext").get("functionError", ""))
    return ": ".join(each for each in (condition, error or failed) if each) or "no reason was told"


class DeployedFunction:
    """A function of the stack, invoked with the caller's own credentials."""

    def __init__(self, client: LambdaClient, name: str) -> None:
        self._client = client
        self.name = name

    def start(self) -> str:
        """Invoke it without waiting; give "" once Lambda has taken it, else why not."""
        try:
            self._client.invoke(FunctionName=self.name, InvocationType="Event", Payload=b"{}")
        except (ClientError, BotoCoreError) as error:
            return str(error)
        return ""

    def call(self, event: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        """Invoke it and wait; give what it answers, and "" or why it has no answer."""
        payload = json.dumps(event).encode()
        try:
            answer = self._client.invoke(FunctionName=self.name, Payload=payload)
            said = json.loads(answer["Payload"].read() or b"{}")
        except (ClientError, BotoCoreError, ValueError) as error:
            return {}, str(error)
        if answer.get("FunctionError"):
            return {}, str(said.get("errorMessage") or said.get("errorType") or said)
        return said, ""


def _member(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}
