"""A commit whose claim outlives its invocation is still reported, and only once."""

import pytest

from fault_injection import Killed
from finding_builders import verdict
from notify_stage import Stage
from posture.alerts.message import Message
from posture.model.scope import Scope
from posture.notification.ports import Topic

each_way = pytest.mark.parametrize("commits", [1, 6], ids=["single alert", "digest"])


class KillingTopic(Topic):
    """A topic at which the process is killed."""

    def publish(self, message: Message) -> str:
        """Raise as a killed process does."""
        raise Killed(message.subject)


class RejectingTopic(Topic):
    """A topic that rejects every message."""

    def publish(self, message: Message) -> str:
        """Raise."""
        raise ConnectionError(message.subject)


def record_commits(stage: Stage, commits: int) -> None:
    """Open a finding in each of some VPCs."""
    for number in range(commits):
        scope = Scope("111122223333", "eu-west-1", f"vpc-{number:017x}")
        stage.evaluate(number, verdict(), scope=scope)


@each_way
def test_a_claim_of_a_killed_invocation_is_waited_for(stage: Stage, commits: int) -> None:
    """Once a batch, as the stream retries at once and gives up after ten attempts."""
    record_commits(stage, commits)
    records = [each for each in stage.records() if "rule" in each["dynamodb"]["NewImage"]]
    with pytest.raises(Killed):
        stage.notify(records, lambda stage: KillingTopic(stage.sns, stage.topic_arn))
    assert len(stage.notify(records)["batchItemFailures"]) == commits
    assert stage.pauses == [10]
    assert stage.inbox() == []


@each_way
def test_a_failed_publication_is_retried_at_once(stage: Stage, commits: int) -> None:
    """It released its claim."""
    record_commits(stage, commits)
    records = stage.records()
    assert stage.notify(records, lambda stage: RejectingTopic(stage.sns, stage.topic_arn))[
        "batchItemFailures"
    ]
    assert stage.notify(records) == {"batchItemFailures": []}
    assert stage.pauses == []
    assert stage.inbox()


@each_way
@pytest.mark.parametrize("days", [1, 3_650])
def test_a_claim_that_outlasts_every_function_is_ended(
    stage: Stage, commits: int, days: int
) -> None:
    """A clock was ahead, or the item was edited: each alert is sent, and only once."""
    record_commits(stage, commits)
    records = [each for each in stage.records() if "rule" in each["dynamodb"]["NewImage"]]
    with pytest.raises(Killed):
        stage.notify(records, lambda stage: KillingTopic(stage.sns, stage.topic_arn))
    for item in stage.dynamodb.scan(TableName="idempotency")["Items"]:
        if item["status"] == {"S": "INPROGRESS"}:
            end = int(item["in_progress_expiration"]["N"]) + days * 86_400_000
            changed = {**item, "in_progress_expiration": {"N": str(end)}}
            stage.dynamodb.put_item(TableName="idempotency", Item=changed)
    assert stage.notify(records) == {"batchItemFailures": []}
    assert stage.inbox()
    assert stage.notify(records) == {"batchItemFailures": []}
    assert stage.inbox() == []
