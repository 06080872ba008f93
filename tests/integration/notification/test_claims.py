"""A commit whose claim outlives its invocation is told all the same, and once."""

import pytest

from fault_injection import Killed
from finding_builders import verdict
from notify_stage import Stage
from posture.alerts.message import Message
from posture.model.scope import Scope
from posture.notification.notify import MANY, PAUSE
from posture.notification.topic import Topic

each_way = pytest.mark.parametrize("commits", [1, MANY + 1], ids=["alone", "in a storm"])


class Deadly(Topic):
    """A topic at which the process dies."""

    def publish(self, message: Message) -> str:
        """Die."""
        raise Killed(message.subject)


class Closed(Topic):
    """A topic that takes nothing."""

    def publish(self, message: Message) -> str:
        """Refuse."""
        raise ConnectionError(message.subject)


def look(stage: Stage, commits: int) -> None:
    """Open a finding in each of some VPCs."""
    for number in range(commits):
        scope = Scope("111122223333", "eu-west-1", f"vpc-{number:017x}")
        stage.look(number, verdict(), scope=scope)


@each_way
def test_a_claim_of_the_dead_is_waited_for(stage: Stage, commits: int) -> None:
    """Once a batch, since the stream repeats at once and gives up after ten times."""
    look(stage, commits)
    records = [each for each in stage.records() if "rule" in each["dynamodb"]["NewImage"]]
    with pytest.raises(Killed):
        stage.notify(records, lambda stage: Deadly(stage.sns, stage.topic_arn))
    assert len(stage.notify(records)["batchItemFailures"]) == commits
    assert stage.pauses == [PAUSE]
    assert stage.inbox() == []


@each_way
def test_what_merely_failed_is_tried_again_at_once(stage: Stage, commits: int) -> None:
    """It gave its claim back."""
    look(stage, commits)
    records = stage.records()
    assert stage.notify(records, lambda stage: Closed(stage.sns, stage.topic_arn))[
        "batchItemFailures"
    ]
    assert stage.notify(records) == {"batchItemFailures": []}
    assert stage.pauses == []
    assert stage.inbox()
