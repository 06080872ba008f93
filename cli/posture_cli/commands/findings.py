"""`posture findings`: lists the findings of a deployed monitor."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Annotated, TypeVar

import typer

from posture.alerts.asff import build_asff
from posture.alerts.rule_texts import load_rule_texts
from posture.model.finding import Finding, FindingStatus
from posture.model.scope import Scope
from posture.model.verdict import Severity
from posture_cli import options
from posture_cli.audit.actor_options import ActorOptions
from posture_cli.audit.finding_filter import (
    SORT_KEYS,
    FindingFilter,
    SortOrder,
    find_past_episodes,
    find_past_findings,
    merge_findings,
    read_findings,
    sort_findings,
    sort_items,
)
from posture_cli.audit.no_match import choose_scopes, require_match
from posture_cli.audit.observed import format_instant
from posture_cli.audit.open_stacks import OpenStacks, open_stacks
from posture_cli.audit.open_tables import OpenTables
from posture_cli.audit.past import Episode
from posture_cli.command import CommandGroup
from posture_cli.console import print_note
from posture_cli.interchange.ocsf import build_ocsf_event
from posture_cli.options import RECORDS, Output, option, output_option
from posture_cli.render.findings import FINDING_COLUMNS, FINDING_CSV, build_finding_record
from posture_cli.render.records import write_records
from posture_cli.render.stack_records import RecordKind, write_stack_records
from posture_cli.times import parse_period

UNRESOLVED = frozenset(FindingStatus) - {FindingStatus.RESOLVED}

Period = tuple[datetime, datetime]
Item = TypeVar("Item")

app = CommandGroup()


@app.add(
    "posture findings",
    "posture findings --severity critical --severity high --limit 20",
    "posture findings --region eu-west-1 --region us-east-1",
    "posture findings --region all --output csv > posture.csv",
    "posture findings --vpc vpc-0123456789abcdef0 --output json",
    "posture findings --status resolved --since 30d --sort updated --output csv",
    "posture findings --actor alice --output markdown",
    "posture findings --status resolved --actor Deploy --as resolver",
    "posture findings --status open --status resolved --output ocsf > findings.ocsf.ndjson",
    "posture findings --as-of 2026-09-30 --account 111122223333",
    "posture findings --during 2026-07-01 2026-09-30 --severity critical --output csv",
)
def findings(
    *,
    where: options.StacksOptions,
    status: Annotated[
        list[FindingStatus] | None,
        option(
            "|".join(FindingStatus), "Repeat for several. Default: every status except resolved."
        ),
    ] = None,
    severity: Annotated[
        list[Severity] | None, option("|".join(Severity), "Repeat for several.")
    ] = None,
    rule: options.RuleOption = None,
    resource: options.ResourceOption = None,
    in_region: Annotated[str | None, option("REGION", "The Region of the finding.")] = None,
    scopes: options.ScopeOptions,
    actors: ActorOptions,
    times: options.TimeOptions,
    as_of: options.AsOfOption = None,
    during: options.DuringOption = None,
    sort: Annotated[SortOrder, typer.Option(help="The order.")] = SortOrder.SEVERITY,
    limit: options.LimitOption = None,
    tables: options.FindingTableOptions,
    output: Annotated[Output, output_option(*RECORDS, Output.OCSF, Output.ASFF)] = Output.TABLE,
) -> None:
    """List the findings of a deployed monitor, the most severe first.

    A time is a day (2026-09-30), a time (2026-09-30T12:00Z) or an age (36h, 7d), in UTC. --since
    and --until select findings by their last change. --as-of rebuilds the findings of that time.
    --during lists what was bad at any time of a period, each time from its opening until it was
    resolved, whatever happened later: with the statuses that it had in the period, and its worst
    severity. Both name the scopes of which nothing is known for a part of the time.
    --actor finds what someone opened, resolved or changed last, or can have: several possible ones
    are shown as "one of". --as chooses what the actor did.
    A stack monitors one Region: repeat --region, or give --region all, to list the findings of
    several stacks, which are read at the same time. One that cannot be read has a record with
    status unknown.

    Findings are printed as they are read. With --sort severity (or --sort updated with --rule or
    --resource) nothing is read beyond --limit; other orders read every match first.

    A filter that names what was never observed is an error, with the nearest names.

    Exit code: 0 when no finding is listed, 1 when one is, 2 on error, 4 when one of several stacks
    could not be read.
    """
    if during and (as_of or times.since or times.until):
        raise typer.BadParameter("give --during alone, without --as-of, --since and --until")
    period = parse_period(during, "--during") if during else (as_of, as_of) if as_of else None
    chosen = FindingFilter(
        statuses=frozenset(status or UNRESOLVED),
        severities=frozenset(severity or ()),
        rule=rule,
        resource=resource,
        region=in_region,
        **vars(actors),
        **vars(scopes),
        **vars(times),
    )
    with_history = period or tables.history_table
    named = tables.named("findings", "history") if with_history else tables.named("findings")
    stacks = open_stacks(where, named)
    most = None if limit is None else limit + 1
    past = _open_past(stacks, chosen, period) if period else []
    is_resolved = FindingStatus.RESOLVED in chosen.statuses
    columns = [name for name in FINDING_COLUMNS if is_resolved or name != "resolved_by"]
    if during and period:
        key = SORT_KEYS[sort]
        found_in = _find_episodes(stacks, past, chosen, period)
        episodes = sort_items(found_in, lambda it: key(it.finding), most)
        count = _write_episodes(stacks, require_match(episodes, chosen, stacks), limit, output)
    elif as_of:
        rebuilt = stacks.read_each(
            past,
            lambda it, listed: [*find_past_findings(it.history, listed, chosen, as_of)],
            f"rebuilding the findings of {format_instant(as_of)}",
        )
        found = require_match(
            sort_findings(chain.from_iterable(rebuilt), sort, most), chosen, stacks
        )
        count = _write(stacks, _stop_at(limit, found), output, columns)
    else:
        stored = stacks.stream(lambda it: read_findings(it.findings, chosen, sort, most))
        found = require_match(merge_findings(stored, sort, most), chosen, stacks)
        count = _write(stacks, _stop_at(limit, found), output, columns)
    stacks.finish(found=bool(count), verbose=tables.verbose)


def _open_past(
    stacks: OpenStacks, chosen: FindingFilter, period: Period
) -> list[tuple[OpenTables, Sequence[Scope]]]:
    """List the scopes of each stack, and note what of the period was observed.

    Raises:
        CommandError: The period ends before the first observation.
        typer.BadParameter: A filter names what was never observed.
    """
    past = choose_scopes(stacks, chosen)
    observed = stacks.read_period(past, *period)
    observed.require_begun(observed.until)
    print_note(observed.describe())
    return [each for each in past if each[0] in stacks.opened]


def _find_episodes(
    stacks: OpenStacks,
    past: Iterable[tuple[OpenTables, Sequence[Scope]]],
    chosen: FindingFilter,
    period: Period,
) -> Iterator[Episode]:
    found = stacks.read_each(
        past,
        lambda tables, scopes: [*find_past_episodes(tables.history, scopes, chosen, *period)],
        "rebuilding the findings of the period",
    )
    return chain.from_iterable(found)


def _write_episodes(
    stacks: OpenStacks, episodes: Iterator[Episode], limit: int | None, output: Output
) -> int:
    shown = list(_stop_at(limit, episodes))
    if output in {Output.OCSF, Output.ASFF}:
        return _write(stacks, (it.finding for it in shown), output)
    records = (
        {**build_finding_record(it.finding), "statuses": ", ".join(it.statuses)} for it in shown
    )
    columns, in_csv = (
        tuple("statuses" if name == "status" else name for name in names)
        for names in (FINDING_COLUMNS, FINDING_CSV)
    )
    kind = RecordKind(columns, in_csv, unread={"statuses": "unknown"})
    return write_stack_records(stacks, records, kind, output)


def _write(
    stacks: OpenStacks,
    found: Iterator[Finding],
    output: Output,
    columns: Sequence[str] = FINDING_COLUMNS,
) -> int:
    """Write findings as they come; return how many."""
    if output is Output.OCSF:
        return write_records(map(build_ocsf_event, found), (), Output.NDJSON)
    if output is Output.ASFF:
        rules = load_rule_texts()
        return write_records((build_asff(each, rules) for each in found), (), Output.JSON)
    records = map(build_finding_record, found)
    return write_stack_records(stacks, records, RecordKind(columns, FINDING_CSV), output)


def _stop_at(limit: int | None, found: Iterator[Item]) -> Iterator[Item]:
    """Yield findings up to the limit; print a note if there are more."""
    for number, finding in enumerate(found):
        if number == limit:
            print_note(f"only the first {limit} are shown; there are more")
            return
        yield finding
