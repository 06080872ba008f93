"""`posture baseline`: what the organisation requires, written down, checked and applied."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posture_cli import exit_codes as exits
from posture_cli.baseline_file import EXAMPLE, dump_baseline, load_baseline_or_exit
from posture_cli.command import Verb
from posture_cli.console import open_stderr, open_stdout
from posture_cli.options import StackOption, StackRegionOption, examples
from posture_cli.text import make_printable

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
    load_baseline_or_exit(file)
    open_stderr().print(f"{file} can be applied")


@app.command(
    cls=Verb, epilog=examples("posture baseline show", "posture baseline show --stack posture")
)
def show(
    *, stack: StackOption = "posture", table: TableOption = None, region: StackRegionOption = None
) -> None:
    """Print the baseline that a deployed monitor goes by, as a file to edit and apply."""
    current = _table(stack, table, region).load_current()
    if current.version:
        open_stderr().print(
            f"version {current.version}, applied {current.applied_at} by "
            f"{make_printable(current.applied_by)}"
        )
    else:
        open_stderr().print("no baseline was ever applied; these are the defaults")
    sys.stdout.write(dump_baseline(current.document))


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
    document = load_baseline_or_exit(file)
    baselines = _table(stack, table, region)
    current = baselines.load_current()
    if current.version and current.document == document:
        open_stderr().print(f"{file} is what already holds (version {current.version})")
        return
    _show_difference(dump_baseline(current.document), dump_baseline(document))
    if check:
        raise typer.Exit(exits.FINDINGS)
    version = baselines.apply(
        document,
        after=current.version,
        applied_at=datetime.now(UTC),
        applied_by=_caller(region),
    )
    open_stderr().print(f"{file} holds from now on (version {version})")


def _show_difference(before: str, after: str) -> None:
    styles = {"+": "green", "-": "red"}
    lines = unified_diff(before.splitlines(), after.splitlines(), "now", "file", lineterm="")
    for line in lines:
        open_stdout().print(line, style=styles.get(line[:1]))


def _table(stack: str, table: str | None, region: str | None) -> BaselineTable:
    from posture.store.baselines import BaselineTable  # noqa: PLC0415 - boto3 slows other verbs
    from posture_cli import deployed  # noqa: PLC0415

    name = table or deployed.output_of(stack, "BaselineTableName", region)
    return BaselineTable(deployed.dynamodb(region), name)


def _caller(region: str | None) -> str:
    from posture_cli import deployed  # noqa: PLC0415 - boto3 slows other verbs

    return deployed.caller(region)
