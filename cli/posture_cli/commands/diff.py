"""`posture diff`: compares the findings of two times."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any

import typer

from posture.model.scope import Scope
from posture_cli import options
from posture_cli.audit.actor_options import ActorOptions
from posture_cli.audit.finding_filter import FindingFilter
from posture_cli.audit.no_match import choose_scopes, require_match
from posture_cli.audit.observed import ObservedPeriod, ObservedScope, read_observed
from posture_cli.audit.open_stacks import open_stacks
from posture_cli.audit.open_tables import OpenTables
from posture_cli.audit.past import (
    RECORDED_WITHIN,
    Difference,
    FindingDifference,
    find_differences,
)
from posture_cli.command import CommandGroup
from posture_cli.console import print_note
from posture_cli.options import Output, argument
from posture_cli.render.findings import FINDING_CSV, build_finding_record
from posture_cli.render.stack_records import RecordKind, write_stack_records
from posture_cli.times import parse_past, parse_start

COLUMNS = (
    "change", "was", "is", "severity", "rule", "resource", "vpc", "opened_by", "resolved_by",
    "summary",
)  # fmt: skip
CSV_COLUMNS = ("change", "was", "is", *FINDING_CSV)
DIFFERENCES = RecordKind(COLUMNS, CSV_COLUMNS, "difference", {"change": "not read"})

_Compared = tuple[tuple[ObservedScope, ...], list[FindingDifference]]

app = CommandGroup()


@app.add(
    "posture diff 7d",
    "posture diff 2026-07-01 2026-09-30 --account 111122223333",
    "posture diff 7d --region all",
    "posture diff 2026-11-24T09:00Z 2026-11-24T10:00Z --vpc vpc-0123456789abcdef0 -o json",
)
def diff(
    first_time: Annotated[
        datetime, argument("T1", "A time; a day means its start.", parser=parse_start)
    ],
    second_time: Annotated[
        datetime | None,
        argument("T2", "A past time; a day means its end. Default: now.", parser=parse_past),
    ] = None,
    *,
    scopes: options.ScopeOptions,
    actors: ActorOptions,
    where: options.StacksOptions,
    tables: options.FindingTableOptions,
    output: options.OutputOption = Output.TABLE,
) -> None:
    """Compare the findings of two times: what was opened, changed and resolved.

    Both are rebuilt from history. A finding that was opened and resolved in between is listed, too,
    also if it opened again later. "first observed" means that nothing is known of the scope before:
    the finding may be older. Scopes of which nothing is known at T1 are named.

    Repeat --region, or give --region all, to compare the findings of several stacks. One that
    cannot be read has a record with the change "not read".

    Exit code: 0 when nothing differs, 1 when something differs, 2 on error, 4 when one of several
    stacks could not be read.
    """
    until = second_time or datetime.now(UTC)
    if until < first_time:
        raise typer.BadParameter(f"T2 ({until:%F %T}) is before T1 ({first_time:%F %T})")
    stacks = open_stacks(where, tables.named("findings", "history"))
    chosen = FindingFilter(**vars(scopes), **vars(actors))

    def compare(opened: OpenTables, listed: Sequence[Scope]) -> _Compared:
        observed = tuple(read_observed(opened, listed, first_time))
        return observed, [
            difference
            for each in observed
            for difference in find_differences(
                opened.history.find_by_scope(each.scope, until=until + RECORDED_WITHIN),
                first_time,
                until,
                each.first,
            )
        ]

    listed = choose_scopes(stacks, chosen)
    compared = stacks.read_each(listed, compare, "rebuilding the findings of both times")
    stacks.require_any()
    observed = ObservedPeriod(
        first_time, until, tuple(chain.from_iterable(scopes for scopes, _ in compared))
    )
    observed.require_begun(first_time)
    print_note(observed.describe())
    found = sorted(chain.from_iterable(differences for _, differences in compared), key=_sort_key)
    matching = (it for it in found if actors.matches(it.finding))
    shown = require_match(matching, chosen, stacks, "difference")
    count = write_stack_records(stacks, map(_build_record, shown), DIFFERENCES, output)
    stacks.finish(found=bool(count), verbose=tables.verbose)


def _sort_key(each: FindingDifference) -> tuple[Any, ...]:
    finding = each.finding
    kind = list(Difference).index(each.kind)
    return kind, finding.severity.rank, finding.scope, finding.rule, finding.id


def _build_record(each: FindingDifference) -> dict[str, Any]:
    record = build_finding_record(each.finding)
    was = each.was.value if each.was else None
    return {"change": each.kind.value, "was": was, "is": record["status"], **record}
