"""`posture baseline`: what the organisation requires, written down, checked and applied."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posture_cli import exit_codes as exits
from posture_cli.baseline_file import EXAMPLE, dump, explained
from posture_cli.command import Verb
from posture_cli.console import answers, notes
from posture_cli.options import StackOption, StackRegionOption, examples
from posture_cli.text import printable

if TYPE_CHECKING:
    from posture.store.baselines import BaselineTable

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What the organisation requires.",
    short_help="what the organisation requires: show, validate, apply",
)

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A baseline file, YAML or JSON.")
]
TableOption = Annotated[
    str | None,
    typer.Option("--table", metavar="TABLE", help="The baseline table, if not a stack's."),
]


@app.command(cls=Verb, epilog=examples("posture baseline example > baseline.yaml"))
def example() -> None:
    """Print a baseline to start from, every field explained."""
    sys.stdout.write(EXAMPLE)


@app.command(cls=Verb, epilog=examples("posture baseline validate baseline.yaml"))
def validate(file: FileArgument) -> None:
    """Check a baseline file; every mistake is named by its field.

    Exit code: 0 when it can be applied, 2 when not.
    """
    explained(file)
    notes().print(f"{file} can be applied")


@app.command(
    cls=Verb, epilog=examples("posture baseline show", "posture baseline show --stack posture")
)
def show(
    *, stack: StackOption = "posture", table: TableOption = None, region: StackRegionOption = None
) -> None:
    """Print the baseline that a deployed monitor goes by, as a file to edit and apply."""
    current = _table(stack, table, region).current()
    if current.version:
        notes().print(
            f"version {current.version}, applied {current.applied_at} by "
            f"{printable(current.applied_by)}"
        )
    else:
        notes().print("no baseline was ever applied; these are the defaults")
    sys.stdout.write(dump(current.document))


@app.command(
    cls=Verb,
    epilog=examples(
        "posture baseline apply baseline.yaml", "posture baseline apply b.yaml --check"
    ),
)
def apply(
    file: FileArgument,
    *,
    stack: StackOption = "posture",
    table: TableOption = None,
    region: StackRegionOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what would change, and apply nothing.")
    ] = False,
) -> None:
    """Make a file the baseline of a deployed monitor; it holds from the next evaluation on.

    Earlier versions stay in the table. When somebody else applies one at the same time, nothing is
    applied and the command says so.

    Exit code: 0 when it was applied or nothing differs, 1 with --check when it would change
    something, 2 on a mistake.
    """
    document = explained(file)
    baselines = _table(stack, table, region)
    current = baselines.current()
    if current.version and current.document == document:
        notes().print(f"{file} is what already holds (version {current.version})")
        return
    _show_difference(dump(current.document), dump(document))
    if check:
        raise typer.Exit(exits.FINDINGS)
    version = baselines.apply(
        document,
        after=current.version,
        applied_at=datetime.now(UTC),
        applied_by=_caller(region),
    )
    notes().print(f"{file} holds from now on (version {version})")


def _show_difference(before: str, after: str) -> None:
    styles = {"+": "green", "-": "red"}
    lines = unified_diff(before.splitlines(), after.splitlines(), "now", "file", lineterm="")
    for line in lines:
        answers().print(line, style=styles.get(line[:1]))


def _table(stack: str, table: str | None, region: str | None) -> BaselineTable:
    from posture.store.baselines import BaselineTable  # noqa: PLC0415 - boto3 slows other verbs
    from posture_cli import deployed  # noqa: PLC0415

    name = table or deployed.output_of(stack, "BaselineTableName", region)
    return BaselineTable(deployed.dynamodb(region), name)


def _caller(region: str | None) -> str:
    from posture_cli import deployed  # noqa: PLC0415 - boto3 slows other verbs

    return deployed.caller(region)
