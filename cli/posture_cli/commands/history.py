"""`posture history`: what happened, to what and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated

import typer

from posture.model.scope import Scope
from posture_cli import exit_codes as exits
from posture_cli.options import (
    FindingsTableOption,
    HistoryTableOption,
    LimitOption,
    OutputOption,
    ScopeOption,
    SinceOption,
    StackOption,
    StackRegionOption,
    SubjectOption,
    UntilOption,
    VerboseOption,
    examples,
)
from posture_cli.render.records import Output, write_records

if TYPE_CHECKING:
    from posture.store.items import Entry
    from posture_cli.audit.open_tables import OpenTables

EXAMPLES = examples(
    "posture history --vpc vpc-0123456789abcdef0 --since 30d",
    "posture history --resource rtb-0123456789abcdef0 --output json",
    "posture history --actor arn:aws:sts::111122223333:assumed-role/Deploy/alice",
    "posture history --scope 111122223333/eu-west-1/vpc-0123456789abcdef0 --until 2026-09-30",
)


def history(  # noqa: PLR0913 - one parameter an option
    *,
    scope: ScopeOption = None,
    vpc: SubjectOption = None,
    resource: Annotated[
        str | None, typer.Option(metavar="RESOURCE", help="What the findings are about.")
    ] = None,
    actor: Annotated[
        str | None,
        typer.Option(
            metavar="ARN", help="Whose changes brought it about: the ARN, as findings show."
        ),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = None,
    stack: StackOption = "posture",
    region: StackRegionOption = None,
    findings_table: FindingsTableOption = None,
    history_table: HistoryTableOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Tell what happened in a scope or VPC, to a resource, or by somebody's changes.

    Oldest first. Name one of --scope, --vpc, --resource and --actor: each is read by a key of its
    own, so that nothing else is read. Times are days, times or ages, as in `posture findings`.

    Exit code: 0, or 2 on a mistake.
    """
    if sum(each is not None for each in (scope, vpc, resource, actor)) != 1:
        raise typer.BadParameter("name one of --scope, --vpc, --resource and --actor")
    from posture_cli.audit.open_tables import open_tables  # noqa: PLC0415 - boto3 slows other verbs
    from posture_cli.render import history as shown  # noqa: PLC0415

    needed = {"history": history_table} | ({"findings": findings_table} if vpc else {})
    tables = open_tables(stack, region, **needed)
    found = _found(tables, (scope, vpc, resource, actor), since, until)
    columns = shown.CSV_COLUMNS if output is Output.CSV else shown.COLUMNS
    write_records(map(shown.entry_record, islice(found, limit)), columns, output)
    tables.tell_cost(verbose=verbose)
    raise typer.Exit(exits.CLEAN)


def _found(
    tables: OpenTables,
    about: tuple[Scope | None, str | None, str | None, str | None],
    since: datetime | None,
    until: datetime | None,
) -> Iterator[Entry]:
    from posture_cli.audit.finding_filter import FindingFilter, list_scopes  # noqa: PLC0415 - as above

    scope, vpc, resource, actor = about
    stored = tables.history
    if resource:
        return stored.find_by_resource(resource, since=since, until=until)
    if actor:
        return stored.find_by_actor(actor, since=since, until=until)
    named = iter([scope]) if scope else list_scopes(tables.findings, FindingFilter(vpc=vpc))
    return chain.from_iterable(
        stored.find_by_scope(each, since=since, until=until) for each in named
    )
