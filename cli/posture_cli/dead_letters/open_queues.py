"""Open a dead-letter queue of a deployed stack, with what its messages are reprocessed by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import boto3

from posture.store.findings import Findings
from posture.store.history import History
from posture_cli.dead_letters.alerts import AlertDeadLetters
from posture_cli.dead_letters.changes import (
    ChangeDeadLetters,
    ChangesQueue,
    SurveyDeadLetters,
    UndeliveredDeadLetters,
)
from posture_cli.dead_letters.functions import (
    DeployedFunction,
    MemberDeadLetters,
    RefreshDeadLetters,
    SweepDeadLetters,
)
from posture_cli.dead_letters.queue import DeadLetterQueue
from posture_cli.deployed import read_stack_output

if TYPE_CHECKING:
    from posture_cli.dead_letters.queue import DeadLetterKind

QUEUES: Mapping[str, str] = {
    "changes": "ChangesDeadLetterQueueUrl",
    "undelivered": "UndeliveredQueueUrl",
    "sweeps": "SweepFailuresQueueUrl",
    "alerts": "AlertFailuresQueueUrl",
    "surveys": "SurveyDeadLetterQueueUrl",
    "refreshes": "RefreshFailuresQueueUrl",
    "members": "MemberSweepFailuresQueueUrl",
}


def open_queue(name: str, stack: str, region: str | None) -> DeadLetterQueue:
    """Open one of `QUEUES` with the caller's credentials.

    Raises:
        CommandError: The stack does not exist, or is not a stack of this project.
    """
    session = boto3.Session(region_name=region)
    output = partial(read_stack_output, stack, region=region)
    sqs, dynamodb = session.client("sqs"), session.client("dynamodb")

    def function(output_name: str) -> DeployedFunction:
        return DeployedFunction(session.client("lambda"), output(output_name))

    kind: DeadLetterKind
    changes = ChangesQueue(sqs, output("ChangesQueueUrl"))
    if name == "changes":
        kind = ChangeDeadLetters(changes, dynamodb, output("HistoryTableName"))
    elif name == "undelivered":
        kind = UndeliveredDeadLetters(changes, function("SweepFunctionName"))
    elif name == "sweeps":
        kind = SweepDeadLetters(function("SweepFunctionName"))
    elif name == "surveys":
        kind = SurveyDeadLetters(function("SurveyFunctionName"))
    elif name == "members":
        sweeps = SweepDeadLetters(function("SweepFunctionName"))
        kind = MemberDeadLetters(sweeps, session.client("dynamodbstreams"))
    elif name == "refreshes":
        sweeps = SweepDeadLetters(function("SweepFunctionName"))
        kind = RefreshDeadLetters(sweeps, dynamodb, output("HistoryTableName"))
    else:
        kind = AlertDeadLetters(
            Findings(dynamodb, output("FindingsTableName")),
            History(dynamodb, output("HistoryTableName")),
            function("NotifyFunctionName"),
        )
    return DeadLetterQueue(sqs, output(QUEUES[name]), kind)
