"""`posture findings`: lists the findings of a deployed monitor."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer

from posture.alerts.asff import build_asff
from posture.alerts.rule_texts import load_rule_texts
from posture.model.finding import Finding, FindingStatus
from posture.model.verdict import Severity
from posture_cli import exit_codes, options
from posture_cli.audit.finding_filter import (
    FindingFilter,
    SortOrder,
    find_past_findings,
    merge_findings,
    read_findings,
    sort_findings,
)
from posture_cli.audit.open_tables import OpenTables, open_tables
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.interchange.ocsf import build_ocsf_event
from posture_cli.options import RECORDS, Output, option, output_option
from posture_cli.render.findings import FINDING_COLUMNS, FINDING_CSV, build_finding_record
from posture_cli.render.records import write_records

UNRESOLVED = frozenset(FindingStatus) - {FindingStatus.RESOLVED}

app = CommandGroup()


@app.add(
    "posture findings",
    "posture findings --severity critical --severity high --limit 20",
    "posture findings --region eu-west-1 --region us-east-1",
    "posture findings --vpc vpc-0123456789abcdef0 --output json",
    "posture findings --status resolved --since 30d --sort updated --output csv",
    "posture findings --actor alice --output markdown",
    "posture findings --status open --status resolved --output ocsf > findings.ocsf.ndjson",
    "posture findings --as-of 2026-09-30 --account 111122223333",
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
    actor: Annotated[
        str | None, option("ARN", "Who made the change: an ARN or a part of it.")
    ] = None,
    times: options.TimeOptions,
    as_of: options.AsOfOption = None,
    sort: Annotated[SortOrder, typer.Option(help="The order.")] = SortOrder.SEVERITY,
    limit: options.LimitOption = None,
    tables: options.FindingTableOptions,
    output: Annotated[Output, output_option(*RECORDS, Output.OCSF, Output.ASFF)] = Output.TABLE,
) -> None:
    """List the findings of a deployed monitor, the most severe first.

    A time is a day (2026-09-30), a time (2026-09-30T12:00Z) or an age (36h, 7d), in UTC. --since
    and --until select findings by their last change. --as-of rebuilds the findings of that time.
    A stack monitors one region: repeat --region to list the findings of several stacks.

    Findings are printed as they are read. With --sort severity (or --sort updated with --rule or
    --resource) nothing is read beyond --limit; other orders read every match first.

    Exit code: 0 when no finding is listed, 1 when one is, 2 on error.
    """
    chosen = FindingFilter(
        statuses=frozenset(status or UNRESOLVED),
        severities=frozenset(severity or ()),
        rule=rule,
        resource=resource,
        region=in_region,
        actor=actor,
        **vars(scopes),
        **vars(times),
    )
    named = tables.named("findings", "history") if as_of else tables.named("findings")
    stacks = [open_tables(stack, each, named) for each in dict.fromkeys(region or (None,))]
    most = None if limit is None else limit + 1
    found = merge_findings((_find(each, chosen, as_of, sort, most) for each in stacks), sort, most)
    count = _write(_stop_at(limit, found), output)
    for each in stacks:
        each.print_cost(verbose=tables.verbose)
    if count:
        raise typer.Exit(exit_codes.FINDINGS)


def _find(
    tables: OpenTables,
    chosen: FindingFilter,
    as_of: datetime | None,
    sort: SortOrder,
    limit: int | None,
) -> Iterator[Finding]:
    if as_of is None:
        return read_findings(tables.findings, chosen, sort, limit)
    with open_stderr().status(f"rebuilding the findings of {as_of}"):
        rebuilt = find_past_findings(tables.findings, tables.history, chosen, as_of)
        return sort_findings(rebuilt, sort, limit)


def _write(found: Iterator[Finding], output: Output) -> int:
    """Write findings as they come; return how many."""
    if output is Output.OCSF:
        return write_records(map(build_ocsf_event, found), (), Output.NDJSON)
    if output is Output.ASFF:
        rules = load_rule_texts()
        return write_records((build_asff(each, rules) for each in found), (), Output.JSON)
    records = map(build_finding_record, found)
    return write_records(records, FINDING_COLUMNS, output, FINDING_CSV)


def _stop_at(limit: int | None, found: Iterator[Finding]) -> Iterator[Finding]:
    """Yield findings up to the limit; print a note if there are more."""
    for number, finding in enumerate(found):
        if number == limit:
            print_note(f"only the first {limit} are shown; there are more")
            return
        yield finding
