"""`posture finding`: one finding with its whole life."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer

from posture.errors import PostureError
from posture_cli import exit_codes as exits
from posture_cli.options import (
    HistoryTableOption,
    OutputOption,
    StackOption,
    StackRegionOption,
    VerboseOption,
    examples,
)
from posture_cli.render.records import Output, write_json, write_records

EXAMPLES = examples(
    "posture finding f-0123456789abcdef0123",
    "posture finding f-0123456789abcdef0123 --output json",
)
ID = re.compile(r"f-[0-9a-f]{20}")


class NoSuchFindingError(PostureError):
    """No row of history tells of the finding."""


def finding(  # noqa: PLR0913 - one parameter an option
    id_: Annotated[str, typer.Argument(metavar="ID", help="As alerts and findings name it.")],
    *,
    stack: StackOption = "posture",
    region: StackRegionOption = None,
    history_table: HistoryTableOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Tell one finding: what is wrong, the evidence, what to do, who did it, and its whole life.

    Exit code: 0 when it is resolved, 1 when it is not, 2 on a mistake.
    """
    if not ID.fullmatch(id_):
        raise typer.BadParameter(f"expected f- and 20 hexadecimal digits, got {id_!r}")
    from posture_cli.audit.open_tables import open_tables  # noqa: PLC0415 - boto3 slows other verbs
    from posture_cli.render import history as shown  # noqa: PLC0415
    from posture_cli.render.findings import build_finding_record  # noqa: PLC0415

    tables = open_tables(stack, region, history=history_table)
    life = tuple(tables.history.find_by_finding(id_))
    if not life:
        raise NoSuchFindingError(f"there is no finding {id_}")
    last = life[-1].transition.finding
    if output is Output.TABLE:
        sys.stdout.write(shown.told(last, life))
    elif output is Output.JSON:
        record = {**build_finding_record(last), "life": [shown.entry_record(each) for each in life]}
        write_json(record)
    else:
        write_records(map(shown.entry_record, life), shown.CSV_COLUMNS, output)
    tables.tell_cost(verbose=verbose)
    raise typer.Exit(exits.CLEAN if last.status.value == "resolved" else exits.FINDINGS)
