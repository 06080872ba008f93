"""`posture findings`: what a deployed monitor has found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from posture.alerts.asff import build_asff
from posture.model.finding import Finding, FindingStatus
from posture.model.verdict import Severity
from posture.rules.rule_catalogue import RULES_BY_ID
from posture_cli import exit_codes as exits
from posture_cli.console import open_stderr
from posture_cli.interchange import ocsf
from posture_cli.options import (
    AccountOption,
    AsOfOption,
    FindingsOutput,
    FindingsTableOption,
    HistoryTableOption,
    LimitOption,
    ScopeOption,
    SinceOption,
    StackOption,
    StackRegionsOption,
    SubjectOption,
    UntilOption,
    VerboseOption,
    examples,
)
from posture_cli.render import findings as shown
from posture_cli.render.records import Output, write_records
from posture_cli.sort_orders import SortOrder

if TYPE_CHECKING:
    from posture_cli.audit.finding_filter import FindingFilter
    from posture_cli.audit.open_tables import OpenTables

EXAMPLES = examples(
    "posture findings",
    "posture findings --severity critical --severity high --limit 20",
    "posture findings --region eu-west-1 --region us-east-1",
    "posture findings --vpc vpc-0123456789abcdef0 --output json",
    "posture findings --status resolved --since 30d --sort updated --output csv",
    "posture findings --actor alice --output markdown",
    "posture findings --status open --status resolved --output ocsf > findings.ocsf.ndjson",
    "posture findings --as-of 2026-09-30 --account 111122223333",
)
STANDING = frozenset(FindingStatus) - {FindingStatus.RESOLVED}


def findings(  # noqa: PLR0913 - one parameter a filter
    *,
    stack: StackOption = "posture",
    region: StackRegionsOption = None,
    status: Annotated[
        list[FindingStatus] | None,
        typer.Option(
            metavar="|".join(FindingStatus), help="Repeat for several; default: not resolved."
        ),
    ] = None,
    severity: Annotated[
        list[Severity] | None, typer.Option(metavar="|".join(Severity), help="Repeat for several.")
    ] = None,
    rule: Annotated[str | None, typer.Option(metavar="RULE", help="The id of a rule.")] = None,
    resource: Annotated[
        str | None, typer.Option(metavar="RESOURCE", help="The id of a resource.")
    ] = None,
    account: AccountOption = None,
    in_region: Annotated[
        str | None, typer.Option(metavar="REGION", help="The region of the finding.")
    ] = None,
    vpc: SubjectOption = None,
    scope: ScopeOption = None,
    actor: Annotated[
        str | None,
        typer.Option(metavar="ARN", help="Whose change it was: the ARN or a part of it."),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    as_of: AsOfOption = None,
    sort: Annotated[SortOrder, typer.Option(help="What comes first.")] = SortOrder.SEVERITY,
    limit: LimitOption = None,
    findings_table: FindingsTableOption = None,
    history_table: HistoryTableOption = None,
    output: Annotated[
        FindingsOutput, typer.Option("--output", "-o", help="How to write the answer.")
    ] = FindingsOutput.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """List what the deployed monitor has found, the worst first.

    Findings are shown as they are read. Sorted by severity (or, of one rule or resource, by
    updated) nothing is read beyond --limit; other orders read all that match first.

    A time is a day (2026-09-30), a time (2026-09-30T12:00Z) or an age (36h, 7d), in UTC. --since
    and --until ask when a finding last changed. --as-of rebuilds what was known at that time.
    A stack sees one region: several --region list what the stacks of all of them have found.

    Exit code: 0 when nothing is listed, 1 when something is, 2 on a mistake.
    """
    from posture_cli.audit.finding_filter import FindingFilter, merge_findings  # noqa: PLC0415
    from posture_cli.audit.open_tables import open_tables  # noqa: PLC0415 - boto3 slows other verbs

    wanted = FindingFilter(
        statuses=frozenset(status or STANDING),
        severities=frozenset(severity or ()),
        rule=rule,
        resource=resource,
        account=account,
        region=in_region,
        vpc=vpc,
        scope=scope,
        actor=actor,
        since=since,
        until=until,
    )
    needed = {"findings": findings_table} | ({"history": history_table} if as_of else {})
    stacks = [open_tables(stack, each, **needed) for each in dict.fromkeys(region or (None,))]
    most = None if limit is None else limit + 1
    found = merge_findings((_found(each, wanted, as_of, sort, most) for each in stacks), sort, most)
    count = _write(_at_most(found, limit), output)
    for each in stacks:
        each.tell_cost(verbose=verbose)
    raise typer.Exit(exits.FINDINGS if count else exits.CLEAN)


def _found(
    tables: OpenTables,
    wanted: FindingFilter,
    as_of: datetime | None,
    sort: SortOrder,
    limit: int | None,
) -> Iterator[Finding]:
    from posture_cli.audit.finding_filter import read_findings, rebuild_findings, sort_findings  # noqa: PLC0415 - as above

    if as_of is None:
        return read_findings(tables.findings, wanted, sort, limit)
    with open_stderr().status(f"rebuilding what was known at {as_of}"):
        return sort_findings(
            rebuild_findings(tables.findings, tables.history, wanted, as_of), sort, limit
        )


def _write(found: Iterator[Finding], output: FindingsOutput) -> int:
    """Write findings as they come, and give how many there were."""
    if output is FindingsOutput.OCSF:
        return write_records(map(ocsf.build_ocsf_event, found), (), Output.NDJSON)
    if output is FindingsOutput.ASFF:
        return write_records((build_asff(each, RULES_BY_ID) for each in found), (), Output.JSON)
    plain = Output(output.value)
    columns = shown.FINDING_CSV if plain is Output.CSV else shown.FINDING_COLUMNS
    return write_records(map(shown.build_finding_record, found), columns, plain)


def _at_most(found: Iterator[Finding], limit: int | None) -> Iterator[Finding]:
    """Give no more than were asked for, and say so where there are."""
    for number, finding in enumerate(found):
        if number == limit:
            open_stderr().print(f"the first {limit} are shown; there are more")
            return
        yield finding
