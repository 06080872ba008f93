"""`posture network`: shows which VPCs use whose central endpoints, and what breaks the way."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from posture.analysis.central.answers import StepStatus
from posture_cli import options
from posture_cli.audit.open_stacks import OpenStacks, open_stacks
from posture_cli.audit.open_tables import OpenTables, VpcMatrix
from posture_cli.baseline_file import load_baseline
from posture_cli.command import CommandGroup
from posture_cli.commands.coverage import build_matrices
from posture_cli.console import open_stdout, print_note
from posture_cli.hubs.groups import SpokeGroup, describe_groups, group_spokes, name_some
from posture_cli.hubs.relations import find_relations
from posture_cli.options import Output, option
from posture_cli.progress import show_progress
from posture_cli.render.records import write_records
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
    stack: Annotated[
        str | None, option("NAME", "Show what this deployed monitor observed last; read no VPC.")
    ] = None,
    output: options.OutputOption = Output.TABLE,
) -> None:
    """Show which VPCs use the endpoints of others, and the step that breaks the way there.

    The table has a row for VPCs that use a hub in the same way, what is broken first. The other
    formats have a row for each VPC. A VPC whose names lead past the endpoints is listed if the
    baseline requires the service of it.

    The command reads the VPCs and what they share now, read-only, with your own credentials, or
    with --stack what the monitor observed last. With several regions, their stacks are read at the
    same time.

    Exit code: 0 when every path holds, 1 when one is broken or unknown, 2 on error, 4 when one of
    several stacks could not be read.
    """
    stacks = OpenStacks(())
    if stack:
        if accounts.are_given or baseline:
            raise typer.BadParameter(
                "a deployed monitor has its own accounts and baseline",
                param_hint="accounts and --baseline with --stack",
            )
        stacks = open_stacks(options.StacksOptions([stack], region), {"findings": None})
        found = stacks.read(lambda it: [*_read_stored(it)], "reading the stored paths")
        stacks.require_any()
        relations = find_relations(chain.from_iterable(found))
    else:
        with show_progress("reading VPCs") as progress:
            read = read_organization(options.SourceOptions(region), accounts, progress)
            relations = find_relations(build_matrices(read, load_baseline(baseline)))
    if output is Output.TABLE:
        _print_groups(group_spokes(relations))
    else:
        write_records([each.build_record() for each in relations], CSV_COLUMNS, output)
    if not relations:
        print_note("no VPC uses the endpoints of another")
    broken = any(each.status is not StepStatus.HOLDS for each in relations)
    stacks.finish(found=broken, verbose=False)


def _read_stored(tables: OpenTables) -> Iterator[VpcMatrix]:
    return tables.read_matrices(it for it in tables.list_scopes() if it.vpc_id)


def _print_groups(groups: Sequence[SpokeGroup]) -> None:
    if not groups:
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
    console = open_stdout()
    console.print(table)
    console.print(Text(f"\n{describe_groups(groups)}"))
