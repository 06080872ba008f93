"""`posture history`: lists what changed, when and by whom."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Annotated

import typer

from posture.model.scope import Scope
from posture_cli import options
from posture_cli.audit.actor_options import ActorOption
from posture_cli.audit.digest_rows import EXPECTED, NAME, load_digest_rows
from posture_cli.audit.finding_filter import FindingFilter, list_scopes
from posture_cli.audit.no_match import require_match
from posture_cli.audit.observed import read_period
from posture_cli.audit.open_tables import OpenTables, open_tables
from posture_cli.command import CommandGroup
from posture_cli.console import print_note
from posture_cli.options import Output
from posture_cli.render.findings import ENTRY_COLUMNS, ENTRY_CSV, build_entry_record
from posture_cli.render.records import write_records

app = CommandGroup()

DigestOption = Annotated[
    str | None,
    options.option(
        "NAME",
        "Only what this digest counts; its message has the name.",
        parser=options.build_parser(NAME.pattern, EXPECTED),
    ),
]


@app.add(
    "posture history --since 2026-07-01 --until 2026-09-30 --output csv > q3.csv",
    "posture history --vpc vpc-0123456789abcdef0 --since 30d",
    "posture history --resource rtb-0123456789abcdef0 --output json",
    "posture history --actor arn:aws:sts::111122223333:assumed-role/Deploy/alice",
    "posture history --actor Deploy --since 30d",
    "posture history --scope 111122223333/eu-west-1/vpc-0123456789abcdef0 --until 2026-09-30",
    "posture history --digest d-0123456789abcdef.high.1",
)
def history(
    *,
    scope: options.ScopeOption = None,
    vpc: options.VpcOption = None,
    resource: options.ResourceOption = None,
    account: options.AccountOption = None,
    actor: ActorOption = None,
    digest: DigestOption = None,
    times: options.TimeOptions,
    limit: options.LimitOption = None,
    where: options.StackOptions,
    idempotency_table: options.IdempotencyTableOption = None,
    tables: options.FindingTableOptions,
    output: options.OutputOption = Output.TABLE,
) -> None:
    """List every change of findings: of all scopes, or by scope, VPC, resource or actor.

    Give at most one of --scope, --vpc, --resource and --actor. Each is a key of the table, so
    nothing else is read, except for an actor that is not named by a whole ARN: then the history of
    all scopes is searched. Without one the history of all scopes is written as it is read, one
    scope after the other, the oldest change of each first; --account selects the scopes of an
    account. A change that several can have caused is listed for each of them, as "one of".
    A time is a day, a time or an age, as in `posture findings`. --digest lists exactly the changes
    that a digest counts, for 30 days after it was sent.

    Exit code: 0, or 2 on error.
    """
    if sum(each is not None for each in (scope, vpc, resource, actor)) > 1:
        raise typer.BadParameter("give at most one of --scope, --vpc, --resource and --actor")
    if account and (scope or resource or actor):
        raise typer.BadParameter("--account selects among all scopes; leave out the other filter")
    if digest:
        if any((scope, vpc, resource, account, actor, times.since, times.until)):
            raise typer.BadParameter("--digest says which changes; leave out the other filters")
        named = {**tables.named("history"), "idempotency": idempotency_table}
        opened = open_tables(where.stack, where.region, named)
        _list_digest(opened, digest, limit, output)
        opened.print_cost(verbose=tables.verbose)
        return
    by_key = scope or resource or (actor and actor.caller)
    with_findings = tables.findings_table or not by_key
    needed = ("findings", "history") if with_findings else ("history",)
    opened = open_tables(where.stack, where.region, tables.named(*needed))
    period = vars(times)
    chosen = FindingFilter(
        scope=scope, vpc=vpc, account=account, resource=resource, actor=actor, **period
    )
    if resource:
        found = opened.history.find_by("resource", resource, **period)
    elif actor and actor.caller:
        found = opened.history.find_by_actor(actor.caller, **period)
    else:
        scopes = [scope] if scope else list(list_scopes(opened.findings, chosen))
        if not by_key:
            _print_observed(opened, scopes, times)
        found = chain.from_iterable(opened.history.find_by_scope(each, **period) for each in scopes)
        if actor:
            found = (row for row in found if actor.matches_transition(row.transition))
    found = require_match(found, chosen, [opened], "change")
    records = map(build_entry_record, islice(found, limit))
    write_records(records, ENTRY_COLUMNS, output, ENTRY_CSV)
    opened.print_cost(verbose=tables.verbose)


def _list_digest(opened: OpenTables, digest: str, limit: int | None, output: Output) -> None:
    rows = load_digest_rows(opened, digest)[:limit]
    write_records(map(build_entry_record, rows), ENTRY_COLUMNS, output, ENTRY_CSV)


def _print_observed(
    tables: OpenTables, scopes: Iterable[Scope], times: options.TimeOptions
) -> None:
    """Note since when, and over which scopes, the history speaks."""
    now = datetime.now(UTC)
    since = times.since or datetime.min.replace(tzinfo=UTC)
    observed = read_period([(tables, scopes)], since, min(times.until or now, now))
    if observed.scopes:
        print_note((observed if times.since else observed.from_beginning()).describe())
