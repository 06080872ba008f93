"""`posture redrive`: retries what the monitor could not process."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.progress import track

from posture_cli import exit_codes
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.dead_letters.open_queues import open_queue
from posture_cli.dead_letters.queue import DeadLetterQueue
from posture_cli.options import Output, OutputOption, StackOptions
from posture_cli.render.records import write_records

COLUMNS = ("event", "account", "region", "time", "tries", "outcome", "reason")

app = CommandGroup()


class QueueName(StrEnum):
    """The dead-letter queues."""

    CHANGES = "changes"
    UNDELIVERED = "undelivered"
    SWEEPS = "sweeps"
    ALERTS = "alerts"
    SURVEYS = "surveys"
    REFRESHES = "refreshes"
    MEMBERS = "members"


@app.add(
    "posture redrive --dry-run",
    "posture redrive",
    "posture redrive undelivered --region eu-west-1",
    "posture redrive sweeps",
    "posture redrive alerts --dry-run",
    "posture redrive --output json > redriven.json",
)
def redrive(
    *,
    queue: Annotated[
        QueueName,
        typer.Argument(
            help="changes: changes that the evaluator failed to process; undelivered: events that "
            "EventBridge failed to deliver; sweeps: failed sweeps; alerts: findings whose alert "
            "failed; surveys, refreshes: with SharedNetwork=on, changes of the shared network that "
            "were not read, or whose VPCs were not evaluated; members: with members in the "
            "baseline table, those whose sweep could not be recorded."
        ),
    ] = QueueName.CHANGES,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the messages, and why they failed.")
    ] = False,
    where: StackOptions,
    output: OutputOption = Output.TABLE,
) -> None:
    """Retry what the monitor could not process, once the cause of the failure is fixed.

    Each message of the dead-letter queue is shown with the reason of its failure. Changes go back
    to the queue of the evaluator. For failed sweeps, refreshes and members one sweep is started,
    which evaluates everything, and for surveys one survey. For alerts the notifier gets the
    recorded findings, and sends what it has not sent.

    A message is deleted only after the retry, so an interruption loses none; a message may be
    retried twice, which is harmless. What fails again returns to the dead-letter queue.

    Exit code: 0 when everything was retried or the queue is empty, 1 when something could not be
    retried (or, with --dry-run, when messages wait), 2 on error.
    """
    opened = open_queue(queue, where.stack, where.region)
    rows = list(_redrive(opened, dry_run=dry_run))
    write_records(rows, COLUMNS, output)
    left = sum(row["outcome"] != opened.kind.outcome for row in rows)
    print_note(_summarize(queue, opened.kind.outcome, len(rows), left, dry_run=dry_run))
    if left:
        raise typer.Exit(exit_codes.FINDINGS)


def _redrive(queue: DeadLetterQueue, *, dry_run: bool) -> Iterator[dict[str, Any]]:
    """Retry each message; yield its record."""
    waiting = queue.count_messages()
    messages = track(
        queue.receive_messages(),
        f"{waiting} waiting",
        total=waiting,
        console=open_stderr(),
        transient=True,
    )
    for message in messages:
        row = queue.build_row(message)
        if dry_run:
            outcome = "waits"
        elif problem := queue.redrive(message):
            outcome = f"stays: {problem}"
        else:
            outcome = queue.kind.outcome
        yield row | {"outcome": outcome}
    if dry_run:
        queue.release()


def _summarize(queue: QueueName, done: str, found: int, left: int, *, dry_run: bool) -> str:
    if not found:
        return f"no dead-letter messages in {queue}"
    if dry_run:
        return f"{found} messages wait in {queue}; without --dry-run they are {done}"
    stay = f"; {left} stay in the dead-letter queue" if left else ""
    return f"{found - left} of {found} {done}{stay}"
