"""Many commits in one batch are told together; each is still told once."""

import json
from typing import TYPE_CHECKING, Any

from finding_builders import verdict
from notify_stage import Stage
from posture.alerts.message import Message
from posture.model.scope import Scope
from posture.model.verdict import Severity
from posture.notification.notify import MANY
from posture.notification.topic import Topic

if TYPE_CHECKING:
    pass

VPCS = 4 * MANY


def brew(stage: Stage, vpcs: int = VPCS) -> set[str]:
    """Open a high and a low finding in each of many VPCs; give the findings' ids."""
    for number in range(vpcs):
        scope = Scope("111122223333", "eu-west-1", f"vpc-{number:017x}")
        stage.look(
            number,
            verdict(resource=f"subnet-{number:017x}"),
            verdict("single-zone", f"vpce-{number:017x}", severity=Severity.LOW),
            scope=scope,
        )
    images = [record["dynamodb"]["NewImage"] for record in stage.records()]
    return {image["id"]["S"] for image in images if "rule" in image}


def told(letters: list[Any]) -> list[str]:
    """Give the ids of the findings that letters tell of."""
    return [each["id"] for letter in letters for each in json.loads(letter["Message"])["findings"]]


def test_a_storm_is_one_message_a_severity(stage: Stage) -> None:
    """Of many VPCs all is told, in two messages."""
    findings = brew(stage)
    assert stage.notify(stage.records()) == {"batchItemFailures": []}
    letters = stage.inbox()
    assert [letter["Subject"] for letter in letters] == [
        f"[HIGH] Digest: {VPCS} findings opened in {VPCS} VPCs",
        f"[LOW] Digest: {VPCS} findings opened in {VPCS} VPCs",
    ]
    assert sorted(told(letters)) == sorted(findings)


def test_a_storm_that_comes_again_says_nothing(stage: Stage) -> None:
    """Replayed whole, or commit by commit, it was told."""
    brew(stage)
    records = stage.records()
    stage.notify(records)
    stage.inbox()
    for batch in (records, records[:4], records[4:]):
        assert stage.notify(batch) == {"batchItemFailures": []}
    assert stage.inbox() == []


def test_what_was_told_alone_is_not_told_in_the_digest(stage: Stage) -> None:
    """A commit that went out by itself is claimed for the storm as well."""
    findings = brew(stage)
    records = stage.records()
    stage.notify([each for each in records if f"vpc-{0:017x}" in str(each["dynamodb"]["Keys"])])
    (single,) = stage.inbox()
    stage.notify(records)
    letters = stage.inbox()
    assert len(letters) == 2
    assert sorted(told([single, *letters])) == sorted(findings)


class Closed(Topic):
    """A topic that takes nothing."""

    def publish(self, message: Message) -> str:
        """Refuse."""
        raise ConnectionError(message.subject)


def test_a_storm_that_cannot_be_told_comes_again_whole(stage: Stage) -> None:
    """Every commit is given back, and the next attempt tells it."""
    findings = brew(stage)
    records = [each for each in stage.records() if "rule" in each["dynamodb"]["NewImage"]]
    answer = stage.notify(records, lambda stage: Closed(stage.sns, stage.topic_arn))
    assert len(answer["batchItemFailures"]) == len(records)
    assert stage.notify(records) == {"batchItemFailures": []}
    assert sorted(told(stage.inbox())) == sorted(findings)


def test_a_commit_without_history_does_not_hold_up_the_storm(stage: Stage) -> None:
    """It is reported by itself; all others are told."""
    findings = brew(stage)
    records = [each for each in stage.records() if "rule" in each["dynamodb"]["NewImage"]]
    records[0]["dynamodb"]["NewImage"]["commit"] = {"S": "2026-01-31T12:00:00.000000Z#7"}
    answer = stage.notify(records)
    assert answer == {
        "batchItemFailures": [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]
    }
    assert sorted(told(stage.inbox())) == sorted(findings)


def test_a_subscriber_by_severity_gets_its_share(stage: Stage) -> None:
    """The topic's own filter lets through what is low, and all of it."""
    url = stage.sqs.create_queue(QueueName="low")["QueueUrl"]
    arn = stage.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    stage.sns.subscribe(
        TopicArn=stage.topic_arn,
        Protocol="sqs",
        Endpoint=arn["QueueArn"],
        Attributes={"FilterPolicy": json.dumps({"severity": ["low"]})},
    )
    brew(stage)
    stage.notify(stage.records())
    (message,) = stage.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    letter = json.loads(json.loads(message["Body"])["Message"])
    assert (letter["severity"], len(letter["findings"])) == ("low", VPCS)
