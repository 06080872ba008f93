"""Ten thousand transitions in a minute: few messages, none lost, each subscriber's share."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from moto.dynamodb.models import dynamodb_backends

from finding_builders import at, opened, verdict
from notify_stage import Stage, emulated
from posture.model.instant import format_iso
from posture.model.scope import Scope
from posture.model.verdict import Severity
from posture.store.items import build_items, with_commit
from stack_template import RESOURCES

SCOPES = 1_000 if os.environ.get("FAULT_STORIES") else 40
SEVERITIES = tuple(Severity)
ACCOUNT = "123456789012"  # the emulator's own
A_SCOPE = 2 * len(SEVERITIES)
MAPPING = RESOURCES["NotifyFunction"]["Properties"]["Events"]["Findings"]["Properties"]
WINDOW = 5  # the seconds between batches that are not full
assert MAPPING["MaximumBatchingWindowInSeconds"] == WINDOW


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Return an empty stack."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with emulated() as stage:
        yield stage


def subscriber(stage: Stage, severity: Severity) -> str:
    """Subscribe a queue to one severity by an SNS filter policy; return the queue's URL."""
    url = stage.sqs.create_queue(QueueName=severity.value)["QueueUrl"]
    found = stage.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    stage.sns.subscribe(
        TopicArn=stage.topic_arn,
        Protocol="sqs",
        Endpoint=found["Attributes"]["QueueArn"],
        Attributes={"FilterPolicy": json.dumps({"severity": [severity.value]})},
    )
    return url


def received(stage: Stage, url: str) -> list[Any]:
    """Take all that a queue holds."""
    taken: list[Any] = []
    while found := stage.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in found:
            taken.append(json.loads(message["Body"]))
            stage.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return taken


def broken() -> list[Any]:
    """Write the commits of a minute, one for each VPC; return the stream's records."""
    history = dynamodb_backends[ACCOUNT]["eu-west-1"].tables["history"]
    records: list[Any] = []
    for number in range(SCOPES):
        scope = Scope("111122223333", "eu-west-1", f"vpc-{number:017x}")
        verdicts = [
            verdict(f"rule-{each % 4}", f"subnet-{number:08x}{each}", severity=SEVERITIES[each % 5])
            for each in range(A_SCOPE)
        ]
        minute = number / SCOPES
        commit = f"{format_iso(at(minute))}#1"
        for step in opened(*verdicts, minute=minute, scope=scope):
            items = build_items(step)
            history.put_item(with_commit(items.row, commit, 1))
            image = with_commit(items.finding, commit)
            sequence = str(len(records))
            records.append(
                {
                    "eventName": "INSERT",
                    "dynamodb": {"SequenceNumber": sequence, "NewImage": image},
                }
            )
    return records


def test_ten_thousand_transitions_are_few_messages_and_none_is_lost(stage: Stage) -> None:
    """Every opened finding is reported once, in few enough messages to read."""
    shares = {severity: subscriber(stage, severity) for severity in SEVERITIES}
    records = broken()
    assert len(records) == SCOPES * A_SCOPE
    size = MAPPING["BatchSize"]
    for start in range(0, len(records), size):
        assert stage.notify(records[start : start + size]) == {"batchItemFailures": []}
    sent = received(stage, stage.queue_url)
    reported = Counter(
        (each["id"], each["version"])
        for message in sent
        for each in json.loads(message["Message"])["findings"]
    )
    assert reported == {(each["dynamodb"]["NewImage"]["id"]["S"], 1): 1 for each in records}
    batches = -(-len(records) // size)
    assert len(sent) <= 2 * len(SEVERITIES) * batches
    assert all(len(message["Subject"]) < 100 for message in sent)
    for severity, url in shares.items():
        share = [json.loads(message["Message"]) for message in received(stage, url)]
        assert {each["severity"] for each in share} == {severity.value}
        assert sum(len(each["findings"]) for each in share) == len(records) // len(SEVERITIES)
