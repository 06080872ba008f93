"""The SNS topic that alerts are published to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posture.alerts.message import Message

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class Topic:
    """Publishes messages to the alert topic."""

    def __init__(self, client: SNSClient, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, message: Message) -> str:
        """Publish a message and return its SNS message id."""
        answer = self._client.publish(
            TopicArn=self._arn,
            Subject=message.subject,
            Message=message.body,
            MessageStructure="json",
            MessageAttributes={
                name: {"DataType": value["DataType"], "StringValue": value["StringValue"]}
                for name, value in message.attributes.items()
            },
        )
        return answer["MessageId"]
