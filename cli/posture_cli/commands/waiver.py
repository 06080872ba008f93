"""`posture waiver`: accepts a risk for a limited time."""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Annotated, Any

import typer

from posture.errors import WaiverError
from posture.model.instant import format_iso
from posture.model.waiver import Waiver
from posture.rules.rule_catalogue import RULES_BY_ID
from posture.runtime.settings import Tables
from posture.store.baselines import BaselineTable
from posture.store.waivers import WaiverTable
from posture_cli import deployed, options
from posture_cli.audit.actor_options import ActorOption
from posture_cli.audit.actors import ActorFilter, list_names, list_persons
from posture_cli.audit.open_stacks import open_stacks
from posture_cli.audit.open_tables import OpenTables
from posture_cli.command import CommandGroup
from posture_cli.console import print_note
from posture_cli.options import Output, argument, option, parse_rule
from posture_cli.render.stack_records import RecordKind, build_unread_entry, write_stack_records
from posture_cli.suggest import suggest
from posture_cli.text import make_printable
from posture_cli.times import parse_future

app = CommandGroup("Accept a rule's failures for a limited time.")
COLUMNS = ("id", "state", "rule", "resource", "scope", "expires_at", "ticket", "requested_by")
CSV_COLUMNS = (
    *COLUMNS, "reason", "requested_at", "approved_by", "approved_at", "revoked_by", "revoked_at",
    "stack", "region",
)  # fmt: skip
TIMES = ("requested_at", "expires_at", "approved_at", "revoked_at")
IdArgument = Annotated[str, argument("ID", "The id, as `posture waiver list` shows it.")]


@app.add(
    "posture waiver add --rule endpoint-single-availability-zone \\",
    "    --resource vpce-0123456789abcdef0 --expires 2026-12-24 --ticket SEC-1234 \\",
    "    --reason 'second zone follows in December'",
    "posture waiver add --rule nat-gateway-charges-avoidable --scope '111122223333/*/*' \\",
    "    --expires 30d --ticket SEC-1235 --reason 'temporary environment'",
)
def add(
    *,
    rule: Annotated[str, option("RULE", "The id of a rule: posture rules", parser=parse_rule)],
    reason: Annotated[str, option("TEXT", "Why the risk is acceptable.")],
    ticket: Annotated[str, option("TICKET", "Where it was decided.")],
    expires: Annotated[
        datetime, option("TIME", "The last day, or 30d for 30 days from now.", parser=parse_future)
    ],
    resource: Annotated[str, option("RESOURCE", "The resource, or a pattern with * and ?.")] = "*",
    scope: Annotated[str, option("SCOPE", "ACCOUNT/REGION/VPC, or a pattern with * and ?.")] = "*",
    where: options.WaiverTableOptions,
) -> None:
    """Accept a rule's failures for a limited time.

    The findings stay visible, but raise no alerts. Name a resource or a scope, or a pattern for
    either; a waiver for everything is refused. If the baseline requires approval (waiver_approval),
    a second person must approve the waiver before it applies. It expires after the baseline's
    waiver_max_days at the latest; the next evaluation or sweep then reopens the findings and sends
    alerts.

    Exit code: 0, or 2 on error.
    """
    now = datetime.now(UTC)
    client, tables = deployed.open_dynamodb(where.region), _find_tables(where)
    required = BaselineTable(client, tables.baseline).load_current().document.default
    _check(rule, resource, scope, (reason, ticket))
    if expires - now > timedelta(days=required.waiver_max_days):
        raise typer.BadParameter(
            f"expected at most {required.waiver_max_days} days from now (the baseline's "
            f"waiver_max_days): {now + timedelta(days=required.waiver_max_days):%Y-%m-%d %H:%M}",
            param_hint="--expires",
        )
    caller = deployed.find_caller_arn(where.region)
    approved = not required.waiver_approval
    waiver = Waiver(
        id=f"w-{secrets.token_hex(4)}",
        rule=rule,
        resource=resource,
        scope=scope,
        reason=reason.strip(),
        ticket=ticket.strip(),
        requested_by=caller,
        requested_at=now,
        expires_at=expires,
        approved_by=caller if approved else "",
        approved_at=now if approved else None,
    )
    WaiverTable(client, tables.baseline, tables.history).add(waiver)
    applies = "it applies" if approved else f"to approve it: posture waiver approve {waiver.id}"
    print_note(f"added {waiver.id}, which expires at {expires:%Y-%m-%d %H:%M} UTC; {applies}")


@app.add("posture waiver approve w-0123abcd")
def approve(id_: IdArgument, *, where: options.WaiverTableOptions) -> None:
    """Approve a requested waiver.

    The person who requested it cannot approve it.

    Exit code: 0, or 2 on error.
    """
    table = _open_table(where)
    table.approve(table.get(id_), deployed.find_caller_arn(where.region), datetime.now(UTC))
    print_note(f"approved {id_}; it applies from the next evaluation on")


@app.add("posture waiver revoke w-0123abcd")
def revoke(id_: IdArgument, *, where: options.WaiverTableOptions) -> None:
    """End a waiver early.

    The next evaluation or sweep reopens its findings.

    Exit code: 0, or 2 on error.
    """
    table = _open_table(where)
    table.revoke(table.get(id_), deployed.find_caller_arn(where.region), datetime.now(UTC))
    print_note(f"revoked {id_}")


@app.add(
    "posture waiver list",
    "posture waiver list --all -o csv",
    "posture waiver list --actor alice",
    "posture waiver list --region all",
    name="list",
)
def list_waivers(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also list expired and revoked waivers.")
    ] = False,
    actor: ActorOption = None,
    where: options.StacksOptions,
    baseline_table: options.BaselineTableOption = None,
    output: options.OutputOption = Output.TABLE,
) -> None:
    """List waivers, the first to expire first.

    Without --all only those that apply or wait for approval are listed. --actor lists those that
    someone requested, approved or revoked.

    A stack has the waivers of one Region: repeat --region, or give --region all, to list those of
    several. One that cannot be read has a record with the state unknown.

    Exit code: 0, 2 on error, or 4 when one of several stacks could not be read.
    """
    now = datetime.now(UTC)
    stacks = open_stacks(where, {"baseline": baseline_table})
    read = stacks.read(
        lambda it: [(each, it) for each in WaiverTable(it.client, it.tables.baseline).load()],
        "reading the waivers",
    )
    stacks.require_any()
    stored = sorted(chain.from_iterable(read), key=lambda it: (it[0].expires_at, it[0].id))
    listed = [
        (waiver, tables)
        for waiver, tables in stored
        if (everything or waiver.state(now) in {"requested", "in force"})
        and (actor is None or actor.matches_waiver(waiver))
    ]
    if not listed:
        where_read = " in what was read" if stacks.unread else ""
        if not stacks.unread:
            _refuse_unknown_person(actor, [waiver for waiver, _ in stored])
        of_actor = f" of {actor.text}" if actor else ""
        print_note(f"no match: no waiver was found{of_actor}{where_read}")
    records = (_build_record(waiver, now, tables) for waiver, tables in listed)
    write_stack_records(stacks, records, WAIVERS, output)
    stacks.finish(found=False, verbose=False)


WAIVERS = RecordKind(
    COLUMNS,
    CSV_COLUMNS,
    "waiver",
    build_unread=lambda unread, _: build_unread_entry(unread, CSV_COLUMNS, "state", "reason"),
    places=("region",),
    before="rule",
)


def _refuse_unknown_person(actor: ActorFilter | None, waivers: Iterable[Waiver]) -> None:
    """Refuse an actor that no waiver names, unless it is one of an account that they name."""
    persons = {person for each in waivers for person in list_persons(each)}
    if actor is None or not persons or any(map(actor.matches_actor, persons)):
        return
    names = {name for each in persons for name in list_names(each) if name}
    if actor.account is None or actor.account not in names:
        raise typer.BadParameter(
            make_printable(f"no waiver names {actor.text!r}{suggest(actor.text, names)}"),
            param_hint="'--actor'",
        )


def _check(rule: str, resource: str, scope: str, texts: tuple[str, str]) -> None:
    if rule not in RULES_BY_ID:
        raise typer.BadParameter(
            f"there is no rule {rule!r}{suggest(rule, RULES_BY_ID)}", param_hint="--rule"
        )
    if not set(resource) - set("*?") and not set(scope) - set("*?/"):
        raise WaiverError("a waiver of a rule everywhere is refused: name --resource or --scope")
    if not all(each.strip() for each in texts):
        raise WaiverError("--reason and --ticket must not be empty")


def _build_record(waiver: Waiver, at: datetime, tables: OpenTables) -> dict[str, Any]:
    derived = {"state": waiver.state(at), "stack": tables.stack, "region": tables.region}
    record = {name: getattr(waiver, name) for name in CSV_COLUMNS if name not in derived}
    times = {name: format_iso(time) if (time := record[name]) else None for name in TIMES}
    return {**record, **times, **derived}


def _find_tables(where: options.WaiverTableOptions) -> Tables:
    named = {"baseline": where.baseline_table, "history": where.history_table}
    return deployed.find_tables(where.stack, where.region, named)


def _open_table(where: options.WaiverTableOptions) -> WaiverTable:
    tables = _find_tables(where)
    return WaiverTable(deployed.open_dynamodb(where.region), tables.baseline, tables.history)
