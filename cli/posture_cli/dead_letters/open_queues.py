"""The dead-letter queues of a deployed stack, with all that redriving them takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import boto3

from posture.store.findings import Findings
from posture.store.history import History
from posture_cli.dead_letters.alerts import Alerts
from posture_cli.dead_letters.changes import Changes, Undelivered
from posture_cli.dead_letters.functions import Function
from posture_cli.dead_letters.queue import DeadLetters
from posture_cli.dead_letters.sweeps import Sweeping, Sweeps
from posture_cli.deployed import output_of

if TYPE_CHECKING:
    from posture_cli.dead_letters.queue import Kind

QUEUES: Mapping[str, str] = {
    "changes": "ChangesDeadLetterQueueUrl",
    "undelivered": "UndeliveredQueueUrl",
    "sweeps": "SweepFailuresQueueUrl",
    "alerts": "AlertFailuresQueueUrl",
}


def opened(letters: str, stack: str, region: str | None) -> DeadLetters:
    """Open one of `QUEUES` with the caller's own credentials.

    Raises:
        DeploymentError: there is no such stack, or it is not one of ours.
    """
    session = boto3.Session(region_name=region)

    def output(name: str) -> str:
        return output_of(stack, name, region)

    kind = KINDS[letters](session, output)
    return DeadLetters(session.client("sqs"), output(QUEUES[letters]), kind)


def _changes(session: boto3.Session, output: Callable[[str], str]) -> Kind:
    return Changes(
        session.client("sqs"),
        output("ChangesQueueUrl"),
        session.client("dynamodb"),
        output("HistoryTableName"),
    )


def _undelivered(session: boto3.Session, output: Callable[[str], str]) -> Kind:
    return Undelivered(session.client("sqs"), output("ChangesQueueUrl"), _sweep(session, output))


def _sweeps(session: boto3.Session, output: Callable[[str], str]) -> Kind:
    return Sweeps(_sweep(session, output))


def _alerts(session: boto3.Session, output: Callable[[str], str]) -> Kind:
    dynamodb = session.client("dynamodb")
    return Alerts(
        Findings(dynamodb, output("FindingsTableName")),
        History(dynamodb, output("HistoryTableName")),
        Function(session.client("lambda"), output("NotifyFunctionName")),
    )


def _sweep(session: boto3.Session, output: Callable[[str], str]) -> Sweeping:
    return Sweeping(Function(session.client("lambda"), output("SweepFunctionName")))


KINDS: Mapping[str, Callable[[boto3.Session, Callable[[str], str]], Kind]] = {
    "changes": _changes,
    "undelivered": _undelivered,
    "sweeps": _sweeps,
    "alerts": _alerts,
}
