"""`posture diff`: compares the findings of two times."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from posture.lifecycle.diff import is_bad
from posture.model.finding import Finding
from posture.model.scope import Scope
from posture.store.history import History, keep_latest
from posture.store.items import Entry
from posture_cli import exit_codes, options
from posture_cli.audit.finding_filter import FindingFilter, list_scopes
from posture_cli.audit.open_tables import open_tables
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr
from posture_cli.options import Output, argument
from posture_cli.render.findings import build_finding_record
from posture_cli.render.records import write_records
from posture_cli.times import parse_end, parse_start

COLUMNS = ("change", "was", "is", "severity", "rule", "resource", "vpc", "actor", "summary")
CSV_COLUMNS = (*COLUMNS, "account", "region", "id", "updated_at")

app = CommandGroup()


@app.add(
    "posture diff 7d",
    "posture diff 2026-07-01 2026-09-30 --account 111122223333",
    "posture diff 2026-11-24T09:00Z 2026-11-24T10:00Z --vpc vpc-0123456789abcdef0 -o json",
)
def diff(
    first_time: Annotated[
        datetime, argument("T1", "A time; a day means its start.", parser=parse_start)
    ],
    second_time: Annotated[
        datetime | None,
        argument("T2", "A time; a day means its end. Default: now.", parser=parse_end),
    ] = None,
    *,
    scopes: options.ScopeOptions,
    where: options.StackOptions,
    tables: options.FindingTableOptions,
    output: options.OutputOption = Output.TABLE,
) -> None:
    """Compare the findings of two times: what was opened, changed and resolved.

    Both are rebuilt from history. A finding that was opened and resolved in between is not listed;
    use `posture history` for that.

    Exit code: 0 when nothing differs, 1 when something differs, 2 on error.
    """
    until = second_time or datetime.now(UTC)
    if until < first_time:
        raise typer.BadParameter(f"T2 ({until:%F %T}) is before T1 ({first_time:%F %T})")
    opened = open_tables(where.stack, where.region, tables.named("findings", "history"))
    chosen = list_scopes(opened.findings, FindingFilter(**vars(scopes)))
    with open_stderr().status("rebuilding the findings of both times"):
        found = sorted(
            find_differences(opened.history, chosen, first_time, until),
            key=lambda it: (it[0], it[2].severity.rank, it[2].scope, it[2].rule, it[2].id),
        )
    records = (
        {"change": kind, "was": was, "is": now.status.value, **build_finding_record(now)}
        for kind, was, now in found
    )
    count = write_records(records, COLUMNS, output, CSV_COLUMNS)
    opened.print_cost(verbose=tables.verbose)
    if count:
        raise typer.Exit(exit_codes.FINDINGS)


def find_differences(
    history: History, scopes: Iterable[Scope], first: datetime, second: datetime
) -> Iterator[tuple[str, str | None, Finding]]:
    """Find the findings that differ, from the history of each scope up to the second time.

    A finding that was opened and resolved in between does not differ.

    Returns:
        For each: opened, resolved or changed; its status at the first time, or None if there was
        no such finding; and the finding at the second time.
    """
    for scope in scopes:
        before: dict[str, Entry] = {}
        after: dict[str, Entry] = {}
        for row in history.find_by_scope(scope, until=second):
            keep_latest(after, row)
            if row.observed_at <= first:
                keep_latest(before, row)
        for name, row in after.items():
            now = row.transition.finding
            was = before[name].transition.finding if name in before else None
            was_bad = was is not None and is_bad(was)
            if was != now and (was_bad or is_bad(now)):
                kind = "opened" if not was_bad else "changed" if is_bad(now) else "resolved"
                yield kind, was.status.value if was else None, now
