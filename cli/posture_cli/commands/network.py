"""`posture network`: shows which VPCs use whose central endpoints, and where paths break."""

from collections.abc import Iterator, Sequence
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from posture.analysis.central.answers import StepStatus
from posture.model.scope import Scope
from posture_cli import options
from posture_cli.audit.open_stacks import OpenStacks, UnreadStack, open_stacks
from posture_cli.audit.open_tables import OpenTables, VpcMatrix
from posture_cli.baseline_file import load_baseline
from posture_cli.command import CommandGroup
from posture_cli.commands.coverage import build_matrices
from posture_cli.console import open_stdout, print_note
from posture_cli.hubs.groups import SpokeGroup, describe_groups, group_spokes, name_some
from posture_cli.hubs.relations import find_relations
from posture_cli.options import Output
from posture_cli.progress import show_progress
from posture_cli.render.stack_records import RecordKind, describe_unread, write_stack_records
from posture_cli.survey import read_organization
from posture_cli.text import make_printable

CSV_COLUMNS = (
    "account", "region", "vpc", "name", "hub", "hub_account", "link", "services", "status", "step",
    "subject", "subject_account", "why", "missing",
)  # fmt: skip
STYLES = {
    StepStatus.HOLDS: "green",
    StepStatus.PARTLY: "yellow",
    StepStatus.UNKNOWN: "magenta",
    StepStatus.BROKEN: "red",
}

app = CommandGroup()


@app.add(
    "posture network --org --region eu-west-1",
    "posture network --accounts 111122223333,444455556666 --role SecurityAudit --region eu-west-1",
    "posture network --stack posture",
    "posture network --stack posture --region all",
    "posture network --org --region eu-west-1 --output json",
)
def network(
    *,
    region: options.LiveRegionsOption = None,
    accounts: options.AccountsOptions,
    baseline: options.BaselineOption = None,
    stack: options.StoredOption = None,
    output: options.OutputOption = Output.TABLE,
) -> None:
    """Show which VPCs use the endpoints of others, and the step at which a path breaks.

    The table has a row for VPCs that use a hub in the same way, what is broken first. The other
    formats have a row for each VPC. A VPC whose names lead past the endpoints is listed if the
    baseline requires the service of it.

    The command reads the VPCs and what they share now, read-only, with your own credentials, or
    with --stack what the monitor observed last. A stack monitors one Region: repeat --region, or
    give --region all, to read the stacks of several Regions at the same time. One that cannot be
    read has a row with the status unknown.

    Exit code: 0 when every path holds, 1 when one is broken or unknown, 2 on error, 4 when one of
    several stacks could not be read.
    """
    stacks = OpenStacks(())
    lacking: list[Scope] = []
    if stack:
        if accounts.are_given or baseline:
            raise typer.BadParameter(
                "a deployed monitor has its own accounts and baseline",
                param_hint="accounts and --baseline with --stack",
            )
        stacks = open_stacks(options.StacksOptions(stack, region), {"findings": None})
        stored = [*_read_stored(stacks)]
        stacks.require_any()
        lacking = [each.scope for each in stored if not each.record]
        relations = find_relations(stored)
    else:
        with show_progress("reading VPCs") as progress:
            read = read_organization(options.SourceOptions(region), accounts, progress)
            relations = find_relations(build_matrices(read, load_baseline(baseline)))
    if output is Output.TABLE:
        _print_groups(group_spokes(relations), stacks.unread)
    else:
        write_stack_records(stacks, (each.build_record() for each in relations), ROWS, output)
    if not relations:
        where = " in what was read" if stacks.unread else ""
        print_note(f"no VPC uses the endpoints of another{where}")
    _note_lacking(lacking)
    broken = any(each.status is not StepStatus.HOLDS for each in relations)
    stacks.finish(found=broken or bool(lacking), verbose=False)


def _read_stored(stacks: OpenStacks) -> Iterator[VpcMatrix]:
    """Read the stored paths of all VPCs; the record of one is empty where none are stored."""
    with show_progress("reading the stored paths"):
        yield from stacks.take_turns(_read_matrices)


def _note_lacking(lacking: Sequence[Scope]) -> None:
    """Note of which VPCs no paths are stored: whether they use a hub is not known."""
    if lacking:
        number = "1 VPC" if len(lacking) == 1 else f"{len(lacking):,} VPCs"
        named = name_some([str(each) for each in lacking])
        print_note(f"no paths are stored for {number}: omit --stack to read them now: {named}")


def _read_matrices(tables: OpenTables) -> Iterator[VpcMatrix]:
    return tables.read_matrices(it for it in tables.list_scopes() if it.vpc_id)


def _build_unread_row(unread: UnreadStack, account: str) -> dict[str, Any]:
    """Build the record that stands for the VPCs of a stack that was not read."""
    return {
        **dict.fromkeys(CSV_COLUMNS, ""),
        "account": account,
        "region": unread.region,
        "status": StepStatus.UNKNOWN.value,
        "why": describe_unread(unread),
        "missing": unread.reason,
    }


ROWS = RecordKind(CSV_COLUMNS, CSV_COLUMNS, "relation", build_unread=_build_unread_row)


def _print_groups(groups: Sequence[SpokeGroup], unread: Sequence[UnreadStack]) -> None:
    if not groups and not unread:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("VPCS", "ENDPOINTS IN", "STATUS", "SERVICES", "STEP THAT DECIDES"):
        table.add_column(name)
    for each in groups:
        accounts = f"{each.accounts} account{'s'[: each.accounts > 1]}"
        table.add_row(
            f"{make_printable(name_some(each.vpcs))}\n{accounts}",
            f"{make_printable(each.hub or 'unknown')}\n{make_printable(each.hub_account)}".rstrip(),
            Text(each.status.value, STYLES[each.status]),
            make_printable(name_some(each.services)),
            make_printable(f"{each.about}: {each.why}" if each.why else name_some(each.links)),
        )
    for stack in unread:
        table.add_row(
            f"all of {stack.region}",
            "unknown",
            Text(StepStatus.UNKNOWN.value, STYLES[StepStatus.UNKNOWN]),
            "",
            make_printable(f"{describe_unread(stack)}: {stack.reason}"),
        )
    console = open_stdout()
    console.print(table)
    if groups:
        console.print(Text(f"\n{describe_groups(groups)}"))
