"""Publishing alerts to the topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posture.alerts.message import Message

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class Topic:
    """The alert topic."""

    def __init__(self, client: SNSClient, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, message: Message) -> str:
        """Hand a message over to SNS; give the id it has there."""
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
