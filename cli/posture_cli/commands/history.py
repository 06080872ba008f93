"""`posture history`: lists what changed, when and by whom."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from heapq import merge
from itertools import chain, islice
from typing import Annotated, Any

import typer

from posture.store.history import History
from posture.store.items import Entry
from posture_cli import options
from posture_cli.audit.actor_options import ActorOption
from posture_cli.audit.actors import ActorFilter
from posture_cli.audit.digest_rows import EXPECTED, NAME, load_digest_rows
from posture_cli.audit.finding_filter import FindingFilter, list_scopes
from posture_cli.audit.no_match import require_match
from posture_cli.audit.open_stacks import Listed, OpenStacks, open_stacks
from posture_cli.audit.open_tables import OpenTables
from posture_cli.command import CommandGroup
from posture_cli.console import print_note
from posture_cli.options import Output
from posture_cli.render.findings import ENTRY_COLUMNS, ENTRY_CSV, build_entry_record
from posture_cli.render.records import write_records
from posture_cli.render.stack_records import RecordKind, write_stack_records

CHANGES = RecordKind(ENTRY_COLUMNS, ENTRY_CSV, "change", {"step": "not read"})

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
    where: options.StacksOptions,
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

    Repeat --region, or give --region all, for the changes of several stacks, which are read at the
    same time. One that cannot be read has a record with the step "not read".

    Exit code: 0, 2 on error, or 4 when one of several stacks could not be read.
    """
    if sum(each is not None for each in (scope, vpc, resource, actor)) > 1:
        raise typer.BadParameter("give at most one of --scope, --vpc, --resource and --actor")
    if account and (scope or resource or actor):
        raise typer.BadParameter("--account selects among all scopes; leave out the other filter")
    if digest:
        if any((scope, vpc, resource, account, actor, times.since, times.until)):
            raise typer.BadParameter("--digest says which changes; leave out the other filters")
        stacks = open_stacks(where, {**tables.named("history"), "idempotency": idempotency_table})
        if stacks.several:
            raise typer.BadParameter("a digest is of one stack; name its region")
        _list_digest(stacks.opened[0], digest, limit, output)
        stacks.finish(found=False, verbose=tables.verbose)
        return
    by_key = scope or resource or (actor and actor.caller)
    with_findings = tables.findings_table or not by_key
    needed = ("findings", "history") if with_findings else ("history",)
    stacks = open_stacks(where, tables.named(*needed))
    period = vars(times)
    chosen = FindingFilter(
        scope=scope, vpc=vpc, account=account, resource=resource, actor=actor, **period
    )
    found: Iterator[Entry]
    if resource or (actor and actor.caller):
        found = merge(
            *stacks.stream(lambda it: _find_by_key(it.history, resource, actor, period)),
            key=lambda row: row.observed_at,
        )
    else:
        found = _find_by_scopes(stacks, chosen, times)
    shown = require_match(found, chosen, stacks, "change")
    write_stack_records(stacks, map(build_entry_record, islice(shown, limit)), CHANGES, output)
    stacks.finish(found=False, verbose=tables.verbose)


def _find_by_key(
    history: History, resource: str | None, actor: ActorFilter | None, period: Mapping[str, Any]
) -> Iterator[Entry]:
    if resource or actor is None or actor.caller is None:
        return history.find_by("resource", resource or "", **period)
    return history.find_by_actor(actor.caller, **period)


def _find_by_scopes(
    stacks: OpenStacks, chosen: FindingFilter, times: options.TimeOptions
) -> Iterator[Entry]:
    """Read the history of the scopes that a filter is about, one after the other."""
    if chosen.scope:
        listed = {it: [chosen.scope] for it in stacks.opened}
    else:
        found = stacks.read(lambda it: (it, [*list_scopes(it.findings, chosen)]))
        listed = dict(found)
        stacks.require_any()
        _print_observed(stacks, [*listed.items()], times)

    def read(tables: OpenTables) -> Iterator[Iterable[Entry]]:
        for each in listed[tables]:
            rows = tables.history.find_by_scope(each, **vars(times))
            yield [*rows] if stacks.several else rows

    rows = chain.from_iterable(stacks.take_turns(read))
    actor = chosen.actor
    return (it for it in rows if actor is None or actor.matches_transition(it.transition))


def _list_digest(opened: OpenTables, digest: str, limit: int | None, output: Output) -> None:
    rows = load_digest_rows(opened, digest)[:limit]
    write_records(map(build_entry_record, rows), ENTRY_COLUMNS, output, ENTRY_CSV)


def _print_observed(stacks: OpenStacks, listed: Listed, times: options.TimeOptions) -> None:
    """Note since when, and over which scopes, the history speaks."""
    now = datetime.now(UTC)
    since = times.since or datetime.min.replace(tzinfo=UTC)
    observed = stacks.read_period(listed, since, min(times.until or now, now))
    if observed.scopes:
        print_note((observed if times.since else observed.from_beginning()).describe())
