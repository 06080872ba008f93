"""`posture coverage`: shows the path from each subnet to each AWS service."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Annotated

import typer

from posture.analysis.matrix import build_matrix_record
from posture.analysis.services import list_covered_services
from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.rules.contexts import VpcContext
from posture_cli import options
from posture_cli.audit.open_stacks import OpenStacks, open_stacks
from posture_cli.audit.open_tables import OpenTables, VpcMatrix
from posture_cli.baseline_file import load_baseline
from posture_cli.command import CommandGroup
from posture_cli.console import print_note
from posture_cli.failure import CommandError
from posture_cli.live import require_service
from posture_cli.options import Output, option
from posture_cli.progress import show_progress
from posture_cli.render.coverage import (
    CSV_COLUMNS,
    build_coverage_document,
    build_coverage_rows,
    build_unread_document,
    build_unread_row,
    draw_matrices,
)
from posture_cli.render.records import write_json, write_records
from posture_cli.render.stack_records import describe_totals
from posture_cli.survey import SharedSnapshot, read_snapshots

app = CommandGroup()


@app.add(
    "posture coverage --region eu-west-1",
    "posture coverage --vpc vpc-0123456789abcdef0 --service s3 --service kms",
    "posture coverage --stack posture --output csv",
    "posture coverage --stack posture --region all",
    "posture coverage --output json | jq '.[].cells'",
    "posture coverage --org --region eu-west-1 --shared-network --vpc vpc-0123456789abcdef0",
    "posture coverage --from network.json",
)
def coverage(
    *,
    source: options.SourceOptions,
    vpc: options.VpcsOption = None,
    accounts: options.AccountsOptions,
    shared_network: options.SharedNetworkOption = False,
    service: Annotated[
        list[str] | None,
        option(
            "SERVICE", "Also show this service, as in kms; repeat for several.", "--service", "-s"
        ),
    ] = None,
    baseline: options.BaselineOption = None,
    stack: options.StoredOption = None,
    table: Annotated[
        str | None, option("TABLE", "The findings table of the monitor. Default: the stack's.")
    ] = None,
    output: options.OutputOption = Output.TABLE,
) -> None:
    """Show the path from each subnet to each AWS service, and whether the traffic arrives.

    Without --stack the command reads your VPCs now, read-only, with your own credentials, or from a
    file with --from. The columns are the services that have a gateway endpoint, those of your
    interface endpoints, those that the baseline requires, and those of --service.

    With --shared-network, endpoints in other VPCs count. --org, or --accounts and --role, read the
    accounts that own hubs and transit gateways as well.

    With --stack it shows what the monitor observed last, with the monitor's columns. A stack
    monitors one Region: repeat --region, or give --region all, to read the stacks of several
    Regions at the same time. One that cannot be read is shown as unknown.

    Exit code: 0, 2 on error, or 4 when one of several stacks could not be read.
    """
    found = []
    stacks = OpenStacks(())
    if stack or table:
        _require_stored(source, accounts, monitored=not (shared_network or service or baseline))
        stacks = open_stacks(options.StacksOptions(stack, source.region), {"findings": table})
    with show_progress("reading VPCs") as progress:
        if stack or table:
            matrices = _read_stored(stacks, vpc or ())
        else:
            snapshots = read_snapshots(
                source, accounts, vpc or (), progress, shared_network=shared_network
            )
            matrices = build_matrices(snapshots, load_baseline(baseline), service or ())
        for matrix in matrices:
            found.append(matrix)
            progress.describe(f"read {len(found)} VPCs, last {matrix.scope}")
    stacks.require_any()
    if stacks.several:
        found.sort(key=lambda it: (it.scope.region, it.scope))
    if not found:
        print_note("no VPC found" + " in what was read" * bool(stacks.unread))
    _write(found, stacks, output)
    stacks.finish(found=False, verbose=False)


def _write(found: Sequence[VpcMatrix], stacks: OpenStacks, output: Output) -> None:
    """Write the matrices, and a record for each stack that was not read."""
    account = stacks.account if stacks.unread else ""
    if output is Output.JSON:
        unread = (build_unread_document(each, account) for each in stacks.unread)
        write_json([*map(build_coverage_document, found), *unread])
    elif output is not Output.TABLE:
        rows = chain.from_iterable(map(build_coverage_rows, found))
        lost = (build_unread_row(each, account) for each in stacks.unread)
        write_records(chain(rows, lost), CSV_COLUMNS, output)
    else:
        draw_matrices(found, stacks.unread)
    if stacks.several:
        print_note(describe_totals(Counter(it.scope.region for it in found), stacks, "VPC"))


def _require_stored(
    source: options.SourceOptions, accounts: options.AccountsOptions, *, monitored: bool
) -> None:
    """Require that no option contradicts what a deployed monitor decides itself.

    Raises:
        typer.BadParameter: One does.
    """
    if accounts.are_given or not monitored:
        raise typer.BadParameter(
            "the columns and accounts of a deployed monitor are set by its own baseline and "
            "parameters",
            param_hint="--service, --baseline, --shared-network and accounts with --stack or "
            "--table",
        )
    if source.file:
        raise typer.BadParameter(
            "a deployed monitor has its own tables", param_hint="--from with --stack or --table"
        )


def build_matrix(context: VpcContext, services: Sequence[str] = ()) -> VpcMatrix:
    """Build the matrix of a VPC, also for these services by their full names."""
    wanted = (*context.baseline.required_services, *context.central_services, *services)
    covered = context.analysis.build_coverage(list_covered_services(context.snapshot, wanted))
    record = build_matrix_record(covered, context.analysis)
    return VpcMatrix(context.snapshot.scope, context.snapshot.observed_at, record)


def build_matrices(
    snapshots: Iterable[SharedSnapshot], document: BaselineDocument, services: Sequence[str] = ()
) -> Iterator[VpcMatrix]:
    """Build the matrix of each VPC, also for these services by their short names."""
    for snapshot, shared in snapshots:
        named = [require_service(snapshot, each).name for each in services]
        baseline = resolve_baseline(document, snapshot.scope, snapshot.vpc.tags)
        case = VpcContext(snapshot, baseline, shared=shared)
        yield build_matrix(case, named)


def _read_stored(stacks: OpenStacks, vpcs: Sequence[str]) -> Iterator[VpcMatrix]:
    """Read the stored matrices of all stacks.

    Raises:
        CommandError: No stack has observed a VPC that is asked for.
    """
    missing = set(vpcs)

    def read(tables: OpenTables) -> Iterator[VpcMatrix]:
        listed = (it for it in tables.list_scopes() if it.vpc_id)
        return tables.read_matrices(it for it in listed if not vpcs or it.vpc_id in vpcs)

    for matrix in stacks.take_turns(read):
        missing.discard(matrix.scope.subject)
        if matrix.record:
            yield matrix
        else:
            print_note(f"no matrix is stored for {matrix.scope}: omit --stack to read it now")
    if missing and not stacks.unread:
        raise CommandError(f"the monitor has not observed {', '.join(sorted(missing))}")
    if missing:
        print_note(f"not observed in what was read: {', '.join(sorted(missing))}")
