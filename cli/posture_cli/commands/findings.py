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
from posture_cli import exit_codes, options
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
from posture_cli.audit.observed import format_instant, read_period
from posture_cli.audit.open_tables import OpenTables, open_tables
from posture_cli.audit.past import Episode
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.interchange.ocsf import build_ocsf_event
from posture_cli.options import RECORDS, Output, option, output_option
from posture_cli.render.findings import FINDING_COLUMNS, FINDING_CSV, build_finding_record
from posture_cli.render.records import write_records
from posture_cli.times import parse_period

UNRESOLVED = frozenset(FindingStatus) - {FindingStatus.RESOLVED}

Period = tuple[datetime, datetime]
Item = TypeVar("Item")

app = CommandGroup()


@app.add(
    "posture findings",
    "posture findings --severity critical --severity high --limit 20",
    "posture findings --region eu-west-1 --region us-east-1",
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
    stack: options.StackOption = "posture",
    region: options.RegionsOption = None,
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
    in_region: Annotated[str | None, option("REGION", "The region of the finding.")] = None,
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
    A stack monitors one region: repeat --region to list the findings of several stacks.

    Findings are printed as they are read. With --sort severity (or --sort updated with --rule or
    --resource) nothing is read beyond --limit; other orders read every match first.

    A filter that names what was never observed is an error, with the nearest names.

    Exit code: 0 when no finding is listed, 1 when one is, 2 on error.
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
    stacks = [open_tables(stack, each, named) for each in dict.fromkeys(region or (None,))]
    most = None if limit is None else limit + 1
    past = _open_past(stacks, chosen, period) if period else []
    is_resolved = FindingStatus.RESOLVED in chosen.statuses
    columns = [name for name in FINDING_COLUMNS if is_resolved or name != "resolved_by"]
    if during and period:
        episodes = _sort_episodes(past, chosen, period, sort, most)
        count = _write_episodes(require_match(episodes, chosen, stacks), limit, output)
    elif as_of:
        rebuilt = (find_past_findings(it.history, listed, chosen, as_of) for it, listed in past)
        with open_stderr().status(f"rebuilding the findings of {format_instant(as_of)}"):
            found = sort_findings(chain.from_iterable(rebuilt), sort, most)
        count = _write(_stop_at(limit, require_match(found, chosen, stacks)), output, columns)
    else:
        stored = (read_findings(each.findings, chosen, sort, most) for each in stacks)
        found = require_match(merge_findings(stored, sort, most), chosen, stacks)
        count = _write(_stop_at(limit, found), output, columns)
    for each in stacks:
        each.print_cost(verbose=tables.verbose)
    if count:
        raise typer.Exit(exit_codes.FINDINGS)


def _open_past(
    stacks: Sequence[OpenTables], chosen: FindingFilter, period: Period
) -> list[tuple[OpenTables, Sequence[Scope]]]:
    """List the scopes of each stack, and note what of the period was observed.

    Raises:
        CommandError: The period ends before the first observation.
        typer.BadParameter: A filter names what was never observed.
    """
    with open_stderr().status("reading when the scopes were observed"):
        past = choose_scopes(stacks, chosen)
        observed = read_period(past, *period)
    observed.require_begun(observed.until)
    print_note(observed.describe())
    return past


def _sort_episodes(
    past: Iterable[tuple[OpenTables, Sequence[Scope]]],
    chosen: FindingFilter,
    period: Period,
    sort: SortOrder,
    limit: int | None,
) -> list[Episode]:
    with open_stderr().status("rebuilding the findings of the period"):
        found = chain.from_iterable(
            find_past_episodes(tables.history, scopes, chosen, *period) for tables, scopes in past
        )
        return list(sort_items(found, lambda it: SORT_KEYS[sort](it.finding), limit))


def _write_episodes(episodes: Iterator[Episode], limit: int | None, output: Output) -> int:
    shown = list(_stop_at(limit, episodes))
    if output in {Output.OCSF, Output.ASFF}:
        return _write((it.finding for it in shown), output)
    records = (
        {**build_finding_record(it.finding), "statuses": ", ".join(it.statuses)} for it in shown
    )
    columns, in_csv = (
        tuple("statuses" if name == "status" else name for name in names)
        for names in (FINDING_COLUMNS, FINDING_CSV)
    )
    return write_records(records, columns, output, in_csv)


def _write(
    found: Iterator[Finding], output: Output, columns: Sequence[str] = FINDING_COLUMNS
) -> int:
    """Write findings as they come; return how many."""
    if output is Output.OCSF:
        return write_records(map(build_ocsf_event, found), (), Output.NDJSON)
    if output is Output.ASFF:
        rules = load_rule_texts()
        return write_records((build_asff(each, rules) for each in found), (), Output.JSON)
    records = map(build_finding_record, found)
    return write_records(records, columns, output, FINDING_CSV)


def _stop_at(limit: int | None, found: Iterator[Item]) -> Iterator[Item]:
    """Yield findings up to the limit; print a note if there are more."""
    for number, finding in enumerate(found):
        if number == limit:
            print_note(f"only the first {limit} are shown; there are more")
            return
        yield finding
