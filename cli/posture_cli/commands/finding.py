"""`posture finding`: shows one finding with its history."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from posture.errors import PostureError
from posture.model.finding import FindingStatus
from posture_cli import exit_codes
from posture_cli.audit.open_tables import open_tables
from posture_cli.command import CommandGroup
from posture_cli.options import (
    HistoryTableOptions,
    Output,
    OutputOption,
    StackOptions,
    build_parser,
)
from posture_cli.render.findings import build_finding_record
from posture_cli.render.history import CSV_COLUMNS, build_entry_record, format_finding
from posture_cli.render.records import write_json, write_records

_parse_id = build_parser(r"f-[0-9a-f]{20}", "the id of a finding: f- and 20 hexadecimal digits")

app = CommandGroup()


class NoSuchFindingError(PostureError):
    """The history has no entry of the finding."""


@app.add(
    "posture finding f-0123456789abcdef0123", "posture finding f-0123456789abcdef0123 --output json"
)
def finding(
    id_: Annotated[
        str,
        typer.Argument(
            parser=_parse_id, metavar="ID", help="The id, as alerts and `posture findings` show it."
        ),
    ],
    *,
    where: StackOptions,
    tables: HistoryTableOptions,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show one finding: what is wrong, evidence, remediation, who caused it, and its history.

    Exit code: 0 when it is resolved, 1 when it is not, 2 on error.
    """
    opened = open_tables(where.stack, where.region, tables.named("history"))
    entries = tuple(opened.history.find_by_finding(id_))
    if not entries:
        raise NoSuchFindingError(f"there is no finding {id_}")
    last = entries[-1].transition.finding
    if output is Output.TABLE:
        sys.stdout.write(format_finding(last, entries))
    elif output is Output.JSON:
        life = [build_entry_record(each) for each in entries]
        write_json({**build_finding_record(last), "life": life})
    else:
        write_records(map(build_entry_record, entries), CSV_COLUMNS, output)
    opened.print_cost(verbose=tables.verbose)
    if last.status is not FindingStatus.RESOLVED:
        raise typer.Exit(exit_codes.FINDINGS)
