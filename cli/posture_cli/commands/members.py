"""`posture members`: lists the member accounts in the baseline table, adds and removes them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from posture.model.instant import format_iso
from posture.model.member import Member, MemberSource, MemberState
from posture.model.scope import ACCOUNT
from posture.store.members import MemberTable
from posture_cli import deployed, exit_codes, options
from posture_cli.audit.open_stacks import open_stacks
from posture_cli.audit.open_tables import OpenTables
from posture_cli.command import CommandGroup
from posture_cli.console import print_note
from posture_cli.failure import CommandError
from posture_cli.options import Output, argument
from posture_cli.render.stack_records import RecordKind, build_unread_entry, write_stack_records
from posture_cli.suggest import suggest
from posture_cli.text import make_printable

app = CommandGroup("The member accounts of a monitor that keeps them in its table.")
COLUMNS = ("account", "state", "source", "swept", "due", "last_error")
CSV_COLUMNS = (
    "account", "state", "source", "since", "last_seen", "due_at", "swept_at", "age_seconds",
    "due", "attempts", "last_error", "stack", "region", "named_by",
)  # fmt: skip
MINUTE, HOUR, DAY = 60, 3_600, 86_400
# The output that a stack has only if its members are in the table.
OUTPUT = "SweepMemberFunctionName"
LIST_OUTPUT = "MembersStateMachineArn"  # only if AWS Organizations lists them
AccountsArgument = Annotated[
    list[str], argument("ACCOUNT", "12-digit account IDs, separated by spaces or commas.")
]


@app.add(
    "posture members list",
    "posture members list --all -o csv",
    "posture members list --region all",
    name="list",
)
def list_members(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also list accounts that are no longer members.")
    ] = False,
    where: options.StacksOptions,
    baseline_table: options.BaselineTableOption = None,
    output: options.OutputOption = Output.TABLE,
) -> None:
    """List the member accounts, those first that were swept longest ago.

    "swept" is how long ago their last complete sweep began; "last_error" is why the one after it
    was not complete.

    CSV and JSON also say who added or removed an account last ("named_by"), as the command found
    out itself: someone who can write the table can forge it.

    A stack has the members of one Region: repeat --region, or give --region all, to list those of
    several. One that cannot be read has a record with the state unknown.

    Exit code: 0, 2 on error, also if the item of a member cannot be read, or 4 when one of several
    stacks could not be read.
    """
    now = datetime.now(UTC)
    stacks = open_stacks(where, {"baseline": baseline_table})
    read = stacks.read(lambda it: (it, _open_members(it).load()), "reading the members")
    stacks.require_any()
    listed = [
        (member, tables)
        for tables, stored in read
        for member in stored.members
        if everything or member.is_active
    ]
    listed.sort(key=lambda it: (not it[0].is_active, -it[0].measure_age(now), it[0].account))
    if not any(stored.members for _, stored in read):
        print_note(
            "no match: no account is in the table. With MembersFrom=parameter the parameter "
            "MemberAccounts lists the members; with table, add them: posture members add ACCOUNT"
        )
    records = (_build_record(member, now, tables) for member, tables in listed)
    write_stack_records(stacks, records, MEMBERS, output)
    unreadable = [reason for _, stored in read for reason in stored.unreadable.values()]
    for reason in unreadable:
        print_note(make_printable(reason))
    stacks.finish(found=False, verbose=False)
    if unreadable:
        raise typer.Exit(exit_codes.ERROR)


@app.add("posture members add 111111111111", "posture members add 111111111111 222222222222")
def add(accounts: AccountsArgument, *, where: options.BaselineTableOptions) -> None:
    """Make accounts members; each is swept within a minute.

    Deploy member.yaml there first. The organization's list no longer changes these accounts:
    posture members release lets it decide again.

    Exit code: 0, or 2 on error.
    """
    _write(accounts, MemberState.ACTIVE, where)


@app.add("posture members remove 111111111111")
def remove(accounts: AccountsArgument, *, where: options.BaselineTableOptions) -> None:
    """Stop monitoring accounts; their findings are resolved with this reason.

    The organization's list does not add them again: posture members release lets it decide.

    Exit code: 0, or 2 on error.
    """
    _write(accounts, MemberState.LEFT, where)


@app.add("posture members release 111111111111")
def release(accounts: AccountsArgument, *, where: options.BaselineTableOptions) -> None:
    """Let the organization's list decide again whether accounts are members.

    It decides at its next run; until then nothing changes. A stack with MembersFrom=table has no
    such list: there, posture members add and remove decide alone.

    Exit code: 0, or 2 on error.
    """
    if not where.baseline_table:
        deployed.read_stack_output(where.stack, LIST_OUTPUT, where.region)
    table, now = _open_table(where), datetime.now(UTC)
    for member in _find_known(table, _check(accounts)):
        table.put(member.account, member.state, MemberSource.ORGANIZATION, now)
        kept = "stays a member" if member.is_active else "stays no member"
        print_note(f"released {member.account}, which {kept} until the organization's next list")


def _write(accounts: list[str], state: MemberState, where: options.BaselineTableOptions) -> None:
    """Write all accounts or, if one of them is wrong, none."""
    checked = _check(accounts)
    if not where.baseline_table:
        deployed.read_stack_output(where.stack, OUTPUT, where.region)
    caller = deployed.find_caller_arn(where.region)
    if (home := caller.split(":")[4]) in checked:
        raise CommandError(f"{home} is the account of the monitor, which is always watched")
    table, now = _open_table(where), datetime.now(UTC)
    if state is MemberState.LEFT:
        _find_known(table, checked)
    for account in checked:
        before = table.put(account, state, MemberSource.PERSON, now, caller)
        print_note(f"{account} {_describe_change(before, state)}")


def _describe_change(before: Member | None, state: MemberState) -> str:
    if state is MemberState.LEFT:
        return "is no longer a member" if before and before.is_active else "is no member, as before"
    if before is None:
        return "is a member, for the first time"
    return "is a member, as before" if before.is_active else "is a member again"


def _check(accounts: Iterable[str]) -> tuple[str, ...]:
    listed = [each for text in accounts for each in text.replace(",", " ").split() or [text]]
    for each in listed:
        if not ACCOUNT.fullmatch(each):
            raise typer.BadParameter(
                make_printable(f"expected 12-digit account IDs, got {each!r}"),
                param_hint="ACCOUNT",
            )
    return tuple(dict.fromkeys(listed))


def _find_known(table: MemberTable, accounts: Iterable[str]) -> tuple[Member, ...]:
    """Return the members; refuse an account that never was one."""
    found = [(account, table.get(account)) for account in accounts]
    for account, member in found:
        if member is None:
            known = [each.account for each in table.load().members]
            raise CommandError(
                f"account {account} is not in the table, which `posture members list --all` "
                f"prints{suggest(account, known)}"
            )
    return tuple(member for _, member in found if member)


def _open_table(where: options.BaselineTableOptions) -> MemberTable:
    tables = deployed.find_tables(where.stack, where.region, {"baseline": where.baseline_table})
    return MemberTable(deployed.open_dynamodb(where.region), tables.baseline)


def _open_members(tables: OpenTables) -> MemberTable:
    return MemberTable(tables.client, tables.tables.baseline)


MEMBERS = RecordKind(
    COLUMNS,
    CSV_COLUMNS,
    "member",
    build_unread=lambda unread, _: build_unread_entry(unread, CSV_COLUMNS, "state", "last_error"),
    places=("region",),
    before="state",
)


def _build_record(member: Member, now: datetime, tables: OpenTables) -> dict[str, Any]:
    """Build the record of a member: its times, and for a table how long ago they were."""
    age = round(member.measure_age(now))
    times = {name: getattr(member, name) for name in ("since", "last_seen", "due_at", "swept_at")}
    return {
        "account": member.account,
        "state": member.state.value,
        "source": member.source.value,
        "named_by": member.named_by if member.source is MemberSource.PERSON else "",
        **{name: format_iso(time) if time else None for name, time in times.items()},
        "age_seconds": age if member.is_active else None,
        "swept": f"{describe_age(age)} ago" if member.swept_at else "never",
        "due": "yes" if member.is_due(now) else "no",
        "attempts": member.attempts,
        "last_error": member.last_error,
        "stack": tables.stack,
        "region": tables.region,
    }


def describe_age(seconds: int) -> str:
    """Describe a duration by its two largest units."""
    if seconds >= DAY:
        return f"{seconds // DAY} d {seconds % DAY // HOUR} h"
    if seconds >= HOUR:
        return f"{seconds // HOUR} h {seconds % HOUR // MINUTE} min"
    return f"{seconds // MINUTE} min" if seconds >= MINUTE else f"{seconds} s"
