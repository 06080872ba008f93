"""`posture redrive`: what could not be processed is done again, each with its reason."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import track

from posture_cli import exit_codes as exits
from posture_cli.console import open_stderr
from posture_cli.options import OutputOption, StackOption, StackRegionOption, examples
from posture_cli.render.records import Output, write_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from posture_cli.dead_letters.queue import DeadLetterQueue

EXAMPLES = examples(
    "posture redrive --dry-run",
    "posture redrive",
    "posture redrive undelivered --region eu-west-1",
    "posture redrive sweeps",
    "posture redrive alerts --dry-run",
    "posture redrive --output json > redriven.json",
)
COLUMNS = ("event", "account", "region", "time", "tries", "outcome", "reason")


class Letters(StrEnum):
    """Which dead letters."""

    CHANGES = "changes"
    UNDELIVERED = "undelivered"
    SWEEPS = "sweeps"
    ALERTS = "alerts"


def redrive(
    *,
    letters: Annotated[
        Letters,
        typer.Argument(
            help="changes: what the evaluator gave up; undelivered: what EventBridge could not "
            "hand over; sweeps: sweeps that failed; alerts: findings that nobody was told of."
        ),
    ] = Letters.CHANGES,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what waits there, and why.")
    ] = False,
    stack: StackOption = "posture",
    region: StackRegionOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Do again what was given up, once the cause of its failure is gone.

    Shows each dead letter with the reason that was kept of it. Changes go back to their queue. For
    sweeps that failed one sweep is started: it looks at everything. For alerts the notifier is
    handed all that was recorded at the time; it tells what it has not told.

    A letter is removed only after it is taken care of, so that an interruption loses none; it may
    do one twice, which the monitor tolerates. What fails again comes back.

    Exit code: 0 when all were done again or none was there, 1 when some could not be (or, with
    --dry-run, some wait), 2 on a mistake.
    """
    from posture_cli.dead_letters.open_queues import open_queue  # noqa: PLC0415 - boto3 is slow

    found = open_queue(letters, stack, region)
    rows = list(_rows(found, dry_run=dry_run))
    write_records(rows, COLUMNS, output)
    left = sum(row["outcome"] != found.kind.outcome for row in rows)
    open_stderr().print(_told(letters, found.kind.outcome, len(rows), left, dry_run=dry_run))
    raise typer.Exit(exits.FINDINGS if left else exits.CLEAN)


def _rows(letters: DeadLetterQueue, *, dry_run: bool) -> Iterator[dict[str, Any]]:
    waiting = letters.count_messages()
    shown = track(
        letters.receive_messages(),
        f"{waiting} waiting",
        total=waiting,
        console=open_stderr(),
        transient=True,
    )
    for letter in shown:
        row = letters.build_row(letter)
        if dry_run:
            outcome = "waits"
        elif problem := letters.redrive(letter):
            outcome = f"stays: {problem}"
        else:
            outcome = letters.kind.outcome
        yield row | {"outcome": outcome}
    if dry_run:
        letters.release()


def _told(letters: Letters, done: str, found: int, left: int, *, dry_run: bool) -> str:
    if not found:
        return f"no dead letters among {letters}"
    if dry_run:
        return f"{found} wait among {letters}; without --dry-run they are {done}"
    stay = f"; {left} stay" if left else ""
    return f"{found - left} of {found} {done}{stay}"
