"""The dead-letter queues of a deployed stack, with all that redriving them takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import boto3

from posture.store.findings import Findings
from posture.store.history import History
from posture_cli.dead_letters.alerts import AlertDeadLetters
from posture_cli.dead_letters.changes import ChangeDeadLetters, UndeliveredDeadLetters
from posture_cli.dead_letters.functions import DeployedFunction
from posture_cli.dead_letters.queue import DeadLetterQueue
from posture_cli.dead_letters.sweeps import SweepDeadLetters, SweepStarter
from posture_cli.deployed import read_stack_output

if TYPE_CHECKING:
    from posture_cli.dead_letters.queue import DeadLetterKind

QUEUES: Mapping[str, str] = {
    "changes": "ChangesDeadLetterQueueUrl",
    "undelivered": "UndeliveredQueueUrl",
    "sweeps": "SweepFailuresQueueUrl",
    "alerts": "AlertFailuresQueueUrl",
}


def open_queue(letters: str, stack: str, region: str | None) -> DeadLetterQueue:
    """Open one of `QUEUES` with the caller's own credentials.

    Raises:
        DeploymentError: there is no such stack, or it is not one of ours.
    """
    session = boto3.Session(region_name=region)

    def output(name: str) -> str:
        return read_stack_output(stack, name, region)

    kind = KINDS[letters](session, output)
    return DeadLetterQueue(session.client("sqs"), output(QUEUES[letters]), kind)


def _changes(session: boto3.Session, output: Callable[[str], str]) -> DeadLetterKind:
    return ChangeDeadLetters(
        session.client("sqs"),
        output("ChangesQueueUrl"),
        session.client("dynamodb"),
        output("HistoryTableName"),
    )


def _undelivered(session: boto3.Session, output: Callable[[str], str]) -> DeadLetterKind:
    return UndeliveredDeadLetters(
        session.client("sqs"), output("ChangesQueueUrl"), _sweep(session, output)
    )


def _sweeps(session: boto3.Session, output: Callable[[str], str]) -> DeadLetterKind:
    return SweepDeadLetters(_sweep(session, output))


def _alerts(session: boto3.Session, output: Callable[[str], str]) -> DeadLetterKind:
    dynamodb = session.client("dynamodb")
    return AlertDeadLetters(
        Findings(dynamodb, output("FindingsTableName")),
        History(dynamodb, output("HistoryTableName")),
        DeployedFunction(session.client("lambda"), output("NotifyFunctionName")),
    )


def _sweep(session: boto3.Session, output: Callable[[str], str]) -> SweepStarter:
    return SweepStarter(DeployedFunction(session.client("lambda"), output("SweepFunctionName")))


KINDS: Mapping[str, Callable[[boto3.Session, Callable[[str], str]], DeadLetterKind]] = {
    "changes": _changes,
    "undelivered": _undelivered,
    "sweeps": _sweeps,
    "alerts": _alerts,
}
