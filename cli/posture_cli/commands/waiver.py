"""`posture waiver`: risks that somebody accepts for a time."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posture.errors import WaiverError
from posture.model.instant import format_iso
from posture.model.waiver import Waiver
from posture.rules.rule_catalogue import RULES_BY_ID
from posture_cli import exit_codes as exits
from posture_cli.command import Verb
from posture_cli.console import open_stderr
from posture_cli.options import (
    BaselineTableOption,
    HistoryTableOption,
    OutputOption,
    StackOption,
    StackRegionOption,
    examples,
)
from posture_cli.render.records import Output, write_records
from posture_cli.times import parse_future

if TYPE_CHECKING:
    from posture.model.baseline import Baseline
    from posture.store.waivers import WaiverTable

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Risks that somebody accepts for a time: add, approve, list, revoke.",
    short_help="accept a risk for a time: add, approve, list, revoke",
)
COLUMNS = ("id", "state", "rule", "resource", "scope", "expires_at", "ticket", "requested_by")
CSV_COLUMNS = (
    *COLUMNS, "reason", "requested_at", "approved_by", "approved_at", "revoked_by", "revoked_at",
)  # fmt: skip
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `posture waiver list` shows it.")]


@app.command(
    cls=Verb,
    epilog=examples(
        "posture waiver add --rule endpoint-single-availability-zone \\",
        "    --resource vpce-0123456789abcdef0 \\",
        "    --expires 2026-12-24 --ticket SEC-1234 --reason 'second zone follows in December'",
        "posture waiver add --rule nat-gateway-charges-avoidable --scope '111122223333/*/*' \\",
        "    --expires 30d …",
    ),
)
def add(  # noqa: PLR0913 - one parameter an option
    *,
    rule: Annotated[str, typer.Option(metavar="RULE", help="Whose failures are accepted.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why that is acceptable.")],
    ticket: Annotated[str, typer.Option(metavar="TICKET", help="Where it was decided.")],
    expires: Annotated[
        datetime,
        typer.Option(
            parser=parse_future, metavar="TIME", help="Until when: a day, or 30d for 30 days."
        ),
    ],
    resource: Annotated[
        str, typer.Option(metavar="RESOURCE", help="Of which resource; * for any.")
    ] = "*",
    scope: Annotated[
        str, typer.Option(metavar="SCOPE", help="In which ACCOUNT/REGION/VPC; * for any.")
    ] = "*",
    stack: StackOption = "posture",
    region: StackRegionOption = None,
    baseline_table: BaselineTableOption = None,
    history_table: HistoryTableOption = None,
) -> None:
    """Accept a rule's failures for a time: they stay visible, and nobody is alerted.

    Name a resource, a scope, or a pattern of either; a waiver of everything is refused. Where the
    baseline demands it (waiver_approval), it holds once a second person has approved it. It ends by
    itself, at the latest after the baseline's waiver_max_days; the next evaluation or sweep then
    opens the findings again, and alerts.

    Exit code: 0, or 2 on a mistake.
    """
    now = datetime.now(UTC)
    table, baseline = _tables(stack, region, baseline_table, history_table)
    _check(rule, resource, scope, (reason, ticket))
    if expires - now > timedelta(days=baseline.waiver_max_days):
        raise typer.BadParameter(
            f"expected at most {baseline.waiver_max_days} days from now (the baseline's "
            f"waiver_max_days): {now + timedelta(days=baseline.waiver_max_days):%Y-%m-%d %H:%M}",
            param_hint="--expires",
        )
    who = _caller(region)
    alone = not baseline.waiver_approval
    waiver = Waiver(
        id=f"w-{secrets.token_hex(4)}",
        rule=rule,
        resource=resource,
        scope=scope,
        reason=reason.strip(),
        ticket=ticket.strip(),
        requested_by=who,
        requested_at=now,
        expires_at=expires,
        approved_by=who if alone else "",
        approved_at=now if alone else None,
    )
    table.add(waiver)
    how = "it holds" if alone else f"it holds once approved: posture waiver approve {waiver.id}"
    open_stderr().print(f"added {waiver.id} until {expires:%Y-%m-%d %H:%M} UTC; {how}")


@app.command(cls=Verb, epilog=examples("posture waiver approve w-0123abcd"))
def approve(
    id_: IdArgument,
    *,
    stack: StackOption = "posture",
    region: StackRegionOption = None,
    baseline_table: BaselineTableOption = None,
    history_table: HistoryTableOption = None,
) -> None:
    """Let a requested waiver hold; whoever requested it cannot.

    Exit code: 0, or 2 on a mistake.
    """
    table, _ = _tables(stack, region, baseline_table, history_table)
    table.approve(table.get(id_), _caller(region), datetime.now(UTC))
    open_stderr().print(f"approved {id_}; it holds from the next evaluation on")


@app.command(cls=Verb, epilog=examples("posture waiver revoke w-0123abcd"))
def revoke(
    id_: IdArgument,
    *,
    stack: StackOption = "posture",
    region: StackRegionOption = None,
    baseline_table: BaselineTableOption = None,
    history_table: HistoryTableOption = None,
) -> None:
    """End a waiver before its time; the next evaluation or sweep opens its findings again.

    Exit code: 0, or 2 on a mistake.
    """
    table, _ = _tables(stack, region, baseline_table, history_table)
    table.revoke(table.get(id_), _caller(region), datetime.now(UTC))
    open_stderr().print(f"revoked {id_}")


@app.command(
    "list", cls=Verb, epilog=examples("posture waiver list", "posture waiver list --all -o csv")
)
def list_(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    stack: StackOption = "posture",
    region: StackRegionOption = None,
    baseline_table: BaselineTableOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List waivers that hold or wait for approval, the first to expire first.

    Exit code: 0, or 2 on a mistake.
    """
    table, _ = _tables(stack, region, baseline_table, "")
    now = datetime.now(UTC)
    listed = [
        waiver
        for waiver in sorted(table.load(), key=lambda it: (it.expires_at, it.id))
        if everything or waiver.state(now) in {"requested", "in force"}
    ]
    columns = CSV_COLUMNS if output is Output.CSV else COLUMNS
    write_records((_record(each, now) for each in listed), columns, output)
    raise typer.Exit(exits.CLEAN)


def _check(rule: str, resource: str, scope: str, words: tuple[str, str]) -> None:
    if rule not in RULES_BY_ID:
        raise typer.BadParameter(
            f"there is no rule {rule!r}; see posture rules", param_hint="--rule"
        )
    if not set(resource) - set("*?") and not set(scope) - set("*?/"):
        raise WaiverError("a waiver of a rule everywhere is refused: name --resource or --scope")
    if not all(each.strip() for each in words):
        raise WaiverError("--reason and --ticket: expected some words")


def _record(waiver: Waiver, at: datetime) -> dict[str, Any]:
    times = {
        name: format_iso(value) if (value := getattr(waiver, name)) else None
        for name in ("requested_at", "expires_at", "approved_at", "revoked_at")
    }
    names = ("id", "rule", "resource", "scope", "reason", "ticket")
    people = ("requested_by", "approved_by", "revoked_by")
    told = {name: getattr(waiver, name) for name in (*names, *people)}
    return {**told, **times, "state": waiver.state(at)}


def _tables(
    stack: str, region: str | None, baseline: str | None, history: str | None
) -> tuple[WaiverTable, Baseline]:
    """Open the waivers, with what the baseline demands of them everywhere."""
    from posture.store.baselines import BaselineTable  # noqa: PLC0415 - boto3 slows other verbs
    from posture.store.waivers import WaiverTable  # noqa: PLC0415
    from posture_cli import deployed  # noqa: PLC0415

    needed = {"baseline": baseline} | ({} if history == "" else {"history": history})
    tables = deployed.tables(stack, region, needed)
    client = deployed.dynamodb(region)
    current = BaselineTable(client, tables.baseline).load_current().document.default
    return WaiverTable(client, tables.baseline, tables.history), current


def _caller(region: str | None) -> str:
    from posture_cli import deployed  # noqa: PLC0415 - boto3 slows other verbs

    return deployed.caller(region)
