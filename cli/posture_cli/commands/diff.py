"""`posture diff`: how posture differs between two times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from posture_cli import exit_codes as exits
from posture_cli.console import notes
from posture_cli.options import (
    AccountOption,
    FindingsTableOption,
    HistoryTableOption,
    OutputOption,
    ScopeOption,
    StackOption,
    StackRegionOption,
    SubjectOption,
    VerboseOption,
    examples,
)
from posture_cli.render.records import Output, write
from posture_cli.times import first, last

EXAMPLES = examples(
    "posture diff 7d",
    "posture diff 2026-07-01 2026-09-30 --account 111122223333",
    "posture diff 2026-11-24T09:00Z 2026-11-24T10:00Z --vpc vpc-0123456789abcdef0 -o json",
)


def diff(  # noqa: PLR0913 - one parameter an option
    first_time: Annotated[
        datetime, typer.Argument(metavar="T1", parser=first, help="A day means its beginning.")
    ],
    second_time: Annotated[
        datetime | None,
        typer.Argument(metavar="T2", parser=last, help="A day means its end; default: now."),
    ] = None,
    *,
    account: AccountOption = None,
    vpc: SubjectOption = None,
    scope: ScopeOption = None,
    stack: StackOption = "posture",
    region: StackRegionOption = None,
    findings_table: FindingsTableOption = None,
    history_table: HistoryTableOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Compare what was known at two times: what was opened, changed and resolved.

    Both are rebuilt from history. What came and went in between is no difference; see
    `posture history`.

    Exit code: 0 when nothing differs, 1 when something does, 2 on a mistake.
    """
    until = second_time or datetime.now(UTC)
    if until < first_time:
        raise typer.BadParameter(f"T2 ({until:%F %T}) lies before T1 ({first_time:%F %T})")
    from posture_cli.audit.difference import differences  # noqa: PLC0415 - boto3 slows other verbs
    from posture_cli.audit.finding_filter import Wanted, scopes  # noqa: PLC0415
    from posture_cli.audit.open_tables import opened  # noqa: PLC0415
    from posture_cli.render import history as shown  # noqa: PLC0415

    tables = opened(stack, region, findings=findings_table, history=history_table)
    wanted = Wanted(account=account, vpc=vpc, scope=scope)
    with notes().status("rebuilding both times"):
        found = sorted(
            differences(tables.history, scopes(tables.findings, wanted), first_time, until),
            key=lambda it: (it.kind, it.now.severity.rank, it.now.scope, it.now.rule, it.now.id),
        )
    columns = shown.DIFF_CSV if output is Output.CSV else shown.DIFF_COLUMNS
    count = write(map(shown.difference_record, found), columns, output)
    tables.tell_cost(verbose=verbose)
    raise typer.Exit(exits.FINDINGS if count else exits.CLEAN)
