"""An SQS queue that feeds a function, batch by batch, as Lambda's event source mapping does.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

Json = dict[str, Any]
RECEIVE_LIMIT = 10  # messages that SQS gives in one go


class QueueMapping:
    """Takes what lies in the queue to the function, deletes what went well, returns the rest.

    What is returned is visible again at once, so that its retries, and with them its way to the
    dead-letter queue, do not have to be waited for.
    """

    def __init__(
        self, sqs: SQSClient, arn: str, batch_size: int, invoke: Callable[[Json], Any]
    ) -> None:
        *_, self._region, _account, name = arn.split(":")
        self._sqs = sqs
        self._arn = arn
        self._url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        self._batch_size = batch_size
        self._invoke = invoke

    def poll(self) -> int:
        """Handle one batch; give the number of messages it held."""
        messages = self._receive()
        if not messages:
            return 0
        failed = self._failed(messages)
        for message in messages:
            receipt = message["ReceiptHandle"]
            if message["MessageId"] in failed:
                self._sqs.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=0
                )
            else:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)
        return len(messages)

    def _receive(self) -> list[MessageTypeDef]:
        batch: list[MessageTypeDef] = []
        while len(batch) < self._batch_size:
            messages = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(RECEIVE_LIMIT, self._batch_size - len(batch)),
                MessageSystemAttributeNames=["All"],
                WaitTimeSeconds=0,
            ).get("Messages", [])
            if not messages:
                break
            batch += messages
        return batch

    def _failed(self, messages: list[MessageTypeDef]) -> set[str]:
        """Invoke the function; a function that raises has failed them all."""
        everything = {message["MessageId"] for message in messages}
        try:
            answer = self._invoke({"Records": [self._record(message) for message in messages]})
        except Exception:  # noqa: BLE001 - whatever a handler raises, Lambda retries
            return everything
        failures = (answer or {}).get("batchItemFailures") or []
        return {failure["itemIdentifier"] for failure in failures} & everything

    def _record(self, message: MessageTypeDef) -> Json:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._arn,
            "awsRegion": self._region,
        }
