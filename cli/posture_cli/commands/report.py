"""`posture report`: the whole posture as one page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from posture.errors import PostureError
from posture_cli import exit_codes as exits
from posture_cli.console import notes
from posture_cli.options import (
    AccountOption,
    AsOfOption,
    BaselineTableOption,
    FindingsTableOption,
    HistoryTableOption,
    ScopeOption,
    StackOption,
    StackRegionOption,
    SubjectOption,
    VerboseOption,
    examples,
)

EXAMPLES = examples(
    "posture report --html posture.html",
    "posture report --html q3.html --as-of 2026-09-30 --days 92",
    "posture report --html payments.html --vpc vpc-0123456789abcdef0",
)


class NothingToReportError(PostureError):
    """The monitor knows no scope that was asked for."""


def report(  # noqa: PLR0913 - one parameter an option
    *,
    html: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the page.")],
    days: Annotated[
        int, typer.Option(min=1, max=3650, metavar="NUMBER", help="How far back the trend goes.")
    ] = 90,
    as_of: AsOfOption = None,
    account: AccountOption = None,
    vpc: SubjectOption = None,
    scope: ScopeOption = None,
    stack: StackOption = "posture",
    region: StackRegionOption = None,
    findings_table: FindingsTableOption = None,
    history_table: HistoryTableOption = None,
    baseline_table: BaselineTableOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Write the posture as one self-contained page: for a board, an auditor and an engineer.

    Headline and trend, findings with filter and search, each one's evidence, actor and fix, the
    ways of each VPC as a heat map and a drawing, controls, waivers, and whether the history was
    altered. The page asks no network for anything. With --as-of it shows what was known then; ways
    are kept of the latest look only, so they are left out.

    Exit code: 0 when the page is written, 2 on a mistake.
    """
    from posture_cli.audit.finding_filter import Wanted, scopes  # noqa: PLC0415
    from posture_cli.audit.open_tables import opened  # noqa: PLC0415
    from posture_cli.report.page import render  # noqa: PLC0415
    from posture_cli.report.report_data import Period, gather  # noqa: PLC0415 - boto3 slows other verbs

    named = {"findings": findings_table, "history": history_table}
    if baseline_table or not all(named.values()):
        named["baseline"] = baseline_table
    tables = opened(stack, region, **named)
    with notes().status("reading findings, history and ways"):
        wanted = Wanted(account=account, vpc=vpc, scope=scope)
        listed = list(scopes(tables.findings, wanted))
        if not listed:
            raise NothingToReportError("the monitor knows no such scope yet; has it swept?")
        until = min(as_of or datetime.now(UTC), datetime.now(UTC))
        material = gather(
            tables.client,
            tables.tables,
            listed,
            _title(stack, account, vpc),
            Period(until - timedelta(days=days), until, latest=as_of is None),
        )
        html.write_text(render(material), encoding="utf-8")
    tables.tell_cost(verbose=verbose)
    notes().print(f"wrote {html}")
    raise typer.Exit(exits.CLEAN)


def _title(stack: str, account: str | None, vpc: str | None) -> str:
    parts = [f"account {account}" if account else "", vpc or ""]
    return ", ".join(filter(None, parts)) or f"stack {stack}"
