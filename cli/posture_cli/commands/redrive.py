"""`posture redrive`: what could not be processed goes back, each with its reason."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import track

from posture_cli import exits
from posture_cli.options import OutputOption, StackOption, StackRegionOption, examples
from posture_cli.render.console import notes
from posture_cli.render.records import Output, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from posture_cli.dead_letters import DeadLetters

EXAMPLES = examples(
    "posture redrive --dry-run",
    "posture redrive",
    "posture redrive undelivered --region eu-west-1",
    "posture redrive --output json > redriven.json",
)
COLUMNS = ("event", "account", "region", "time", "tries", "outcome", "reason")


class Letters(StrEnum):
    """Which dead letters."""

    CHANGES = "changes"
    UNDELIVERED = "undelivered"


def redrive(
    *,
    letters: Annotated[
        Letters,
        typer.Argument(
            help="changes: what the evaluator gave up; undelivered: what EventBridge could not "
            "hand to the queue."
        ),
    ] = Letters.CHANGES,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what waits there, and why.")
    ] = False,
    stack: StackOption = "posture",
    region: StackRegionOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Put dead letters back on the changes queue, once the cause of their failure is gone.

    Shows each with the reason that was kept of it. A message leaves the dead letters only after
    the changes queue has it, so that an interruption loses none; it may send one twice, which the
    monitor tolerates: it looks at what is true now. What fails again comes back.

    Exit code: 0 when all were put back or none was there, 1 when some could not be (or, with
    --dry-run, some wait), 2 on a mistake.
    """
    from posture_cli.dead_letters import of_changes, of_undelivered  # noqa: PLC0415 - boto3 is slow

    opened = of_changes if letters is Letters.CHANGES else of_undelivered
    found = opened(stack, region)
    rows = list(_rows(found, dry_run=dry_run))
    write(rows, COLUMNS, output)
    left = sum(row["outcome"] != "put back" for row in rows)
    notes().print(_told(letters, len(rows), left, dry_run=dry_run))
    raise typer.Exit(exits.FINDINGS if left else exits.CLEAN)


def _rows(letters: DeadLetters, *, dry_run: bool) -> Iterator[dict[str, Any]]:
    waiting = letters.waiting()
    shown = track(
        letters.read(), f"{waiting} waiting", total=waiting, console=notes(), transient=True
    )
    for letter in shown:
        if dry_run:
            outcome = "waits"
        elif problem := letters.put_back(letter):
            outcome = f"stays: {problem}"
        else:
            outcome = "put back"
        yield letter.told() | {"outcome": outcome}
    if dry_run:
        letters.release()


def _told(letters: Letters, found: int, left: int, *, dry_run: bool) -> str:
    if not found:
        return f"no dead letters among {letters}"
    if dry_run:
        return f"{found} wait among {letters}; without --dry-run they are put back"
    stay = f"; {left} stay" if left else ""
    return f"{found - left} of {found} put back on the changes queue{stay}"
