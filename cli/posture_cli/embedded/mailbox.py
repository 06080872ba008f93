"""A subscriber of the alert topic: an SQS queue that receives every alert."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from moto.sns.models import sns_backends

if TYPE_CHECKING:
    import boto3


@dataclass(frozen=True, slots=True)
class ReceivedAlert:
    """One alert as a subscriber received it.

    `body` is the message for machines, `text` the message for e-mail subscribers.
    """

    subject: str
    text: str
    body: Mapping[str, Any]
    attributes: Mapping[str, str]


class Mailbox:
    """Subscribes a queue to the topic and reads it."""

    def __init__(self, session: boto3.Session, topic_arn: str) -> None:
        self._sqs = session.client("sqs")
        self._topic_arn = topic_arn
        self._url = self._sqs.create_queue(QueueName="mailbox")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        session.client("sns").subscribe(
            TopicArn=topic_arn, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"]
        )

    def collect(self) -> list[ReceivedAlert]:
        """Return and remove the alerts that arrived since the last call, oldest first."""
        alerts = []
        receive = partial(self._sqs.receive_message, QueueUrl=self._url, MaxNumberOfMessages=10)
        while messages := receive().get("Messages"):
            for message in messages:
                alerts.append(self._build_alert(json.loads(message["Body"])))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return alerts

    def _build_alert(self, notification: Mapping[str, Any]) -> ReceivedAlert:
        attributes = notification.get("MessageAttributes", {})
        return ReceivedAlert(
            subject=notification.get("Subject", ""),
            text=self._find_text(notification["MessageId"]),
            body=json.loads(notification["Message"]),
            attributes={name: str(value["Value"]) for name, value in attributes.items()},
        )

    def _find_text(self, message_id: str) -> str:
        """Return the text for e-mail subscribers; moto sends no e-mail, but keeps the text."""
        _, _, _, region, account, _ = self._topic_arn.split(":")
        topic = sns_backends[account][region].topics[self._topic_arn]
        for sent_id, message, *_ in topic.sent_notifications:
            if sent_id == message_id:
                texts = json.loads(message)
                return str(texts.get("email") or texts["default"])
        raise LookupError(f"message {message_id} was not published to {self._topic_arn}")
