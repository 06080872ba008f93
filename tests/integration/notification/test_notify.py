"""From the findings table's stream to the inbox: every commit is reported exactly once."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from finding_builders import OTHER, SCOPE, verdict
from notify_stage import Stage
from posture.alerts.message import Message
from posture.notification.ports import Topic
from posture.store.scope_store import Store
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

NOTHING_FAILED: dict[str, list[Any]] = {"batchItemFailures": []}


def numbers(records: list[Any]) -> list[str]:
    """Return the sequence numbers of records."""
    return [record["dynamodb"]["SequenceNumber"] for record in records]


def test_one_commit_is_one_message(stage: Stage) -> None:
    """Three findings of one evaluation reach a subscriber as one alert."""
    stage.evaluate(0, *(verdict(resource=f"subnet-{n}") for n in range(3)))
    assert stage.notify(stage.records()) == NOTHING_FAILED
    (message,) = stage.inbox()
    place = "vpc-0a1b2c3d4e5f60718 111122223333 eu-west-1"
    assert message["Subject"] == f"[HIGH] route-missing, 2 more - {place}"
    body = json.loads(message["Message"])
    assert [each["resource"] for each in body["findings"]] == ["subnet-0", "subnet-1", "subnet-2"]
    assert body["causes"][0]["event_id"] == "e-1"
    assert message["MessageAttributes"]["severity"]["Value"] == "high"


def test_a_repeated_record_publishes_nothing(stage: Stage) -> None:
    """However often and however split a commit's records are delivered, there is one alert."""
    stage.evaluate(0, verdict(resource="subnet-1"), verdict(resource="subnet-2"))
    records = stage.records()
    for batch in (records, records, records[:1], records[1:]):
        assert stage.notify(batch) == NOTHING_FAILED
    assert len(stage.inbox()) == 1


def test_each_commit_has_its_own_message(stage: Stage) -> None:
    """Opening and resolution are two alerts, as are two scopes."""
    stage.evaluate(0, verdict())
    stage.evaluate(1)
    stage.evaluate(2, verdict(), scope=OTHER)
    stage.notify(stage.records())
    subjects = [message["Subject"] for message in stage.inbox()]
    body = [(subject.split("]")[0], subject.split()[-3]) for subject in subjects]
    assert body == [
        ("[HIGH", "vpc-0a1b2c3d4e5f60718"),
        ("[RESOLVED, HIGH", "vpc-0a1b2c3d4e5f60718"),
        ("[HIGH", "vpc-0fedcba9876543210"),
    ]


def test_an_alert_holds_the_end_of_the_history(stage: Stage) -> None:
    """After each commit that of its scope, which the scope record then holds."""
    stage.evaluate(0, verdict(), verdict(resource="subnet-1"))
    first = Store(stage.dynamodb, TABLES).load_record(SCOPE)
    stage.evaluate(1)
    second = Store(stage.dynamodb, TABLES).load_record(SCOPE)
    stage.notify(stage.records())
    ends = [json.loads(message["Message"])["history"] for message in stage.inbox()]
    assert ends == [
        {"rows": each.chain.length, "digest": each.chain.tip} for each in (first, second) if each
    ]


def test_an_evaluation_without_changes_publishes_nothing(stage: Stage) -> None:
    """It updates the scope record, which is no commit."""
    stage.evaluate(0, verdict())
    stage.notify(stage.records())
    stage.inbox()
    stage.evaluate(1, verdict())
    assert stage.notify(stage.records()) == NOTHING_FAILED
    assert stage.inbox() == []


class PartlyRejectingTopic(Topic):
    """A topic that rejects the messages of one VPC."""

    def __init__(self, client: "SNSClient", arn: str, refused: str) -> None:
        super().__init__(client, arn)
        self._refused = refused

    def publish(self, message: Message) -> str:
        """Reject one VPC's messages, publish all others."""
        if message.attributes["vpc"]["StringValue"] == self._refused:
            raise ConnectionError("the endpoint is out of reach")
        return super().publish(message)


def test_a_failed_publication_is_retried(stage: Stage) -> None:
    """The records of the failed commit are returned, and the next attempt publishes its alert."""
    stage.evaluate(0, verdict(resource="subnet-1"), verdict(resource="subnet-2"))
    stage.evaluate(0, verdict(), scope=OTHER)
    records = stage.records()
    lost = [r for r in records if OTHER.subject in r["dynamodb"]["Keys"]["scope"]["S"]]
    findings = [r for r in lost if "rule" in r["dynamodb"]["NewImage"]]
    answer = stage.notify(
        records, lambda stage: PartlyRejectingTopic(stage.sns, stage.topic_arn, OTHER.subject)
    )
    assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == numbers(findings)
    assert len(stage.inbox()) == 1
    assert stage.notify(records) == NOTHING_FAILED
    (message,) = stage.inbox()
    assert OTHER.subject in message["Subject"]


@pytest.mark.parametrize(
    "image",
    [
        {"kind": {"S": "finding"}, "commit": {"S": "2026-01-31T12:00:00.000000Z#1"}},
        {"kind": {"S": "finding"}, "scope": {"S": "nowhere"}, "commit": {"S": "c#1"}},
        {"kind": {"S": "finding"}, "scope": {"S": str(OTHER)}},
    ],
    ids=["no scope", "no such scope", "no commit"],
)
def test_a_malformed_record_is_returned_alone(stage: Stage, image: dict[str, Any]) -> None:
    """A record without a commit is returned for retry, and the others are reported."""
    stage.evaluate(0, verdict())
    old = {"commit": {"S": "an earlier one"}}
    bad = {"dynamodb": {"SequenceNumber": "666", "NewImage": image, "OldImage": old}}
    answer = stage.notify([bad, *stage.records()])
    assert answer == {"batchItemFailures": [{"itemIdentifier": "666"}]}
    assert len(stage.inbox()) == 1


def test_a_commit_without_history_is_retried(stage: Stage) -> None:
    """A commit that cannot be reported is never dropped silently."""
    stage.evaluate(0, verdict())
    records = [r for r in stage.records() if "rule" in r["dynamodb"]["NewImage"]]
    records[0]["dynamodb"]["NewImage"]["commit"] = {"S": "2026-01-31T12:00:00.000000Z#7"}
    answer = stage.notify(records)
    assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == numbers(records)


def test_an_item_edited_by_hand_publishes_nothing(stage: Stage) -> None:
    """A deleted finding, or one edited without a new commit, is not reported."""
    stage.evaluate(0, verdict())
    (record,) = [r for r in stage.records() if "rule" in r["dynamodb"]["NewImage"]]
    image = record["dynamodb"]["NewImage"]
    edited = {"dynamodb": {"SequenceNumber": "1", "NewImage": image, "OldImage": image}}
    deleted = {"dynamodb": {"SequenceNumber": "2", "OldImage": image}}
    assert stage.notify([edited, deleted]) == NOTHING_FAILED
    assert stage.inbox() == []


def test_alerts_are_measured_once(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Findings by step and severity, and the seconds from the change to the alert."""
    stage.evaluate(0, verdict(resource="subnet-1"), verdict(resource="subnet-2"))
    stage.notify(stage.records())
    stage.notify(stage.records())
    stage.metrics.flush_metrics()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    measured = [line for line in lines if "_aws" in line]
    assert [
        (each["Findings"], each["step"], each["severity"])
        for each in measured
        if "Findings" in each
    ] == [([2.0], "opened", "high")]
    (alerts,) = [each for each in measured if "AlertsPublished" in each]
    assert alerts["AlertsPublished"] == [1.0]
    assert alerts["DetectionLatency"] == [180.0]


def test_the_log_line_links_the_change_to_the_alert(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """The log line of a published alert has the CloudTrail event's id, and no evidence."""
    stage.evaluate(0, verdict())
    stage.notify(stage.records())
    (line,) = [vars(each) for each in caplog.records if each.message == "alert published"]
    assert (line["correlation_id"], line["findings"]) == ("e-1", 1)
    assert "rtb-0a" not in str(line)
