"""Many commits of one batch are reported in digests, each of them once."""

import json
from typing import Any

from finding_builders import verdict
from notify_stage import Stage
from posture.alerts.message import Message
from posture.model.scope import Scope
from posture.model.verdict import Severity
from posture.notification.ports import Topic

VPCS = 20  # commits; more than five in a batch are reported in digests


def open_findings(stage: Stage, vpcs: int = VPCS) -> set[str]:
    """Open a high and a low finding in each of many VPCs; return the finding ids."""
    for number in range(vpcs):
        scope = Scope("111122223333", "eu-west-1", f"vpc-{number:017x}")
        stage.evaluate(
            number,
            verdict(resource=f"subnet-{number:017x}"),
            verdict("single-zone", f"vpce-{number:017x}", severity=Severity.LOW),
            scope=scope,
        )
    images = [record["dynamodb"]["NewImage"] for record in stage.records()]
    return {image["id"]["S"] for image in images if "rule" in image}


def reported_ids(messages: list[Any]) -> list[str]:
    """Return the ids of the findings that messages report."""
    return [each["id"] for it in messages for each in json.loads(it["Message"])["findings"]]


def test_many_commits_become_one_digest_per_severity(stage: Stage) -> None:
    """Findings of many VPCs are reported in two messages."""
    findings = open_findings(stage)
    assert stage.notify(stage.records()) == {"batchItemFailures": []}
    messages = stage.inbox()
    assert [message["Subject"] for message in messages] == [
        f"[HIGH] Digest: {VPCS} findings opened in {VPCS} VPCs",
        f"[LOW] Digest: {VPCS} findings opened in {VPCS} VPCs",
    ]
    assert sorted(reported_ids(messages)) == sorted(findings)


def test_a_repeated_batch_publishes_nothing(stage: Stage) -> None:
    """Repeated as a whole or commit by commit, it was reported before."""
    open_findings(stage)
    records = stage.records()
    stage.notify(records)
    stage.inbox()
    for batch in (records, records[:4], records[4:]):
        assert stage.notify(batch) == {"batchItemFailures": []}
    assert stage.inbox() == []


def test_a_commit_reported_alone_is_not_in_the_digest(stage: Stage) -> None:
    """Single alerts and digests claim commits in the same way."""
    findings = open_findings(stage)
    records = stage.records()
    stage.notify([each for each in records if f"vpc-{0:017x}" in str(each["dynamodb"]["Keys"])])
    (single,) = stage.inbox()
    stage.notify(records)
    messages = stage.inbox()
    assert len(messages) == 2
    assert sorted(reported_ids([single, *messages])) == sorted(findings)


class RejectingTopic(Topic):
    """A topic that rejects every message."""

    def publish(self, message: Message) -> str:
        """Raise."""
        raise ConnectionError(message.subject)


def test_a_failed_digest_is_retried_as_a_whole(stage: Stage) -> None:
    """Every claim is released, and the next attempt publishes the digest."""
    findings = open_findings(stage)
    records = [each for each in stage.records() if "rule" in each["dynamodb"]["NewImage"]]
    answer = stage.notify(records, lambda stage: RejectingTopic(stage.sns, stage.topic_arn))
    assert len(answer["batchItemFailures"]) == len(records)
    assert stage.notify(records) == {"batchItemFailures": []}
    assert sorted(reported_ids(stage.inbox())) == sorted(findings)


def test_a_commit_without_history_does_not_delay_the_digest(stage: Stage) -> None:
    """It is returned for retry; all others are reported."""
    findings = open_findings(stage)
    records = [each for each in stage.records() if "rule" in each["dynamodb"]["NewImage"]]
    records[0]["dynamodb"]["NewImage"]["commit"] = {"S": "2026-01-31T12:00:00.000000Z#7"}
    answer = stage.notify(records)
    assert answer == {
        "batchItemFailures": [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]
    }
    assert sorted(reported_ids(stage.inbox())) == sorted(findings)


def test_a_filter_by_severity_delivers_all_of_it(stage: Stage) -> None:
    """The topic filter delivers the digest of low severity, and no other."""
    url = stage.sqs.create_queue(QueueName="low")["QueueUrl"]
    arn = stage.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    stage.sns.subscribe(
        TopicArn=stage.topic_arn,
        Protocol="sqs",
        Endpoint=arn["QueueArn"],
        Attributes={"FilterPolicy": json.dumps({"severity": ["low"]})},
    )
    open_findings(stage)
    stage.notify(stage.records())
    (message,) = stage.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    message = json.loads(json.loads(message["Body"])["Message"])
    assert (message["severity"], len(message["findings"])) == ("low", VPCS)


def test_a_digest_names_the_last_row_of_each_history(stage: Stage) -> None:
    """As a single alert does, so that who keeps it has a witness."""
    open_findings(stage)
    stage.notify(stage.records())
    ends: dict[str, tuple[int, str]] = {}
    for row in stage.dynamodb.scan(TableName="history")["Items"]:
        if "digest" in row:
            end = int(row["number"]["N"]), row["digest"]["S"]
            scope = row["scope"]["S"]
            ends[scope] = max(ends.get(scope, end), end)
    for body in (json.loads(each["Message"]) for each in stage.inbox()):
        for each in body["histories"]:
            assert (each["rows"], each["digest"]) == ends[each["scope"]]
        assert {each["scope"] for each in body["histories"]} == {
            each["scope"] for each in body["findings"]
        }
