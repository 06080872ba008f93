"""`posture baseline`: prints, checks and applies what the organization requires."""

import sys
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import Annotated

import typer

from posture.store.baselines import BaselineTable
from posture_cli import deployed, exit_codes
from posture_cli.baseline_file import EXAMPLE, dump_baseline, load_baseline
from posture_cli.command import CommandGroup
from posture_cli.console import open_stdout, print_note
from posture_cli.options import StackOptions, argument, option
from posture_cli.text import make_printable

app = CommandGroup("What your organization requires of its VPCs.")
FileArgument = Annotated[Path, argument("FILE", "A baseline file in YAML or JSON.")]
TableOption = Annotated[
    str | None, option("TABLE", "The baseline table. Default: the one of the stack.")
]


@app.add("posture baseline example > baseline.yaml")
def example() -> None:
    """Print an example that explains each field."""
    sys.stdout.write(EXAMPLE)


@app.add("posture baseline validate baseline.yaml")
def validate(file: FileArgument) -> None:
    """Check a baseline file.

    Every error is printed with its field.

    Exit code: 0 when it can be applied, 2 when it cannot.
    """
    load_baseline(file)
    print_note(f"{file} is valid")


@app.add("posture baseline show", "posture baseline show --stack posture > baseline.yaml")
def show(*, table: TableOption = None, where: StackOptions) -> None:
    """Print the baseline of a deployed monitor.

    The output is a file that you can edit and apply.
    """
    current = _open_table(where, table).load_current()
    if current.version:
        print_note(
            f"version {current.version}, applied {current.applied_at} by "
            f"{make_printable(current.applied_by)}"
        )
    else:
        print_note("no baseline was applied yet; this is the built-in one")
    sys.stdout.write(dump_baseline(current.document))


@app.add("posture baseline apply baseline.yaml", "posture baseline apply baseline.yaml --check")
def apply(
    file: FileArgument,
    *,
    table: TableOption = None,
    where: StackOptions,
    check: Annotated[
        bool, typer.Option("--check", help="Only show what would change; apply nothing.")
    ] = False,
) -> None:
    """Apply a baseline file to a deployed monitor.

    The monitor uses it from the next evaluation on. Earlier versions stay in the table. If someone
    else applies a baseline at the same time, the command fails and applies nothing.

    Exit code: 0 when the file was applied or nothing differs, 1 with --check when something
    differs, 2 on error.
    """
    document = load_baseline(file)
    baselines = _open_table(where, table)
    current = baselines.load_current()
    if current.version and current.document == document:
        print_note(f"{file} is already applied (version {current.version})")
        return
    _print_difference(dump_baseline(current.document), dump_baseline(document))
    if check:
        raise typer.Exit(exit_codes.FINDINGS)
    version = baselines.apply(
        document,
        after=current.version,
        applied_at=datetime.now(UTC),
        applied_by=deployed.find_caller_arn(where.region),
    )
    print_note(f"applied {file} (version {version})")


def _print_difference(before: str, after: str) -> None:
    styles = {"+": "green", "-": "red"}
    lines = unified_diff(before.splitlines(), after.splitlines(), "applied", "file", lineterm="")
    for line in lines:
        open_stdout().print(line, style=styles.get(line[:1]))


def _open_table(where: StackOptions, table: str | None) -> BaselineTable:
    name = table or deployed.read_stack_output(where.stack, "BaselineTableName", where.region)
    return BaselineTable(deployed.open_dynamodb(where.region), name)
