"""`posture coverage`: by which way each subnet reaches each service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from posture.analysis.matrix import build_matrix_record
from posture.analysis.services import list_covered_services
from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.rules.rule import VpcContext
from posture_cli import exit_codes as exits
from posture_cli.baseline_file import load_baseline
from posture_cli.console import open_stderr
from posture_cli.options import (
    BaselineOption,
    OutputOption,
    RegionsOption,
    VpcsOption,
    examples,
)
from posture_cli.render import coverage as shown
from posture_cli.render.records import Output, write_json, write_records

EXAMPLES = examples(
    "posture coverage --region eu-west-1",
    "posture coverage --vpc vpc-0123456789abcdef0 --service s3 --service kms",
    "posture coverage --stack posture --output csv",
    "posture coverage --stack posture --region eu-west-1 --region us-east-1",
    "posture coverage --output json | jq '.[].cells'",
)
ServicesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--service",
        "-s",
        metavar="SERVICE",
        help="Show this service, too, as in kms; repeat for several.",
    ),
]


def coverage(  # noqa: PLR0913 - one parameter an option
    *,
    region: RegionsOption = None,
    vpc: VpcsOption = None,
    service: ServicesOption = None,
    baseline: BaselineOption = None,
    stack: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Show what this deployed monitor saw last, instead of looking now."
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(metavar="TABLE", help="The monitor's findings table, if not a stack's."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Draw which way the traffic of each subnet takes to each service, and whether it arrives.

    Without --stack your VPCs are looked at now, read-only, with your own credentials. Columns are
    the services with a gateway endpoint, those of your interface endpoints, those the baseline
    requires, and those you name with --service. With --stack what the monitor saw last is shown,
    with its own columns; a stack sees one region, several --region ask the stacks of all of them.

    Exit code: 0, or 2 on a mistake.
    """
    if stack or table:
        if service or baseline:
            raise typer.BadParameter(
                "a deployed monitor's columns are fixed by its own baseline",
                param_hint="--service and --baseline with --stack or --table",
            )
        matrices = _stored(stack or "", table, region or (), vpc or ())
    else:
        matrices = _live(region or (), vpc or (), service or (), baseline)
    with open_stderr().status("reading VPCs"):
        found = list(matrices)
    if not found:
        open_stderr().print("no VPC to show")
    if output is Output.JSON:
        write_json([each.json() for each in found])
    elif output is not Output.TABLE:
        write_records(shown.flat(found), shown.CSV_COLUMNS, output)
    else:
        shown.draw_matrices(found)
    raise typer.Exit(exits.CLEAN)


def _live(
    regions: Sequence[str], vpcs: Sequence[str], services: Sequence[str], baseline: Path | None
) -> Iterator[shown.Matrix]:
    """Look now."""
    from posture_cli import live  # noqa: PLC0415 - boto3 would slow every other verb down

    document = load_baseline(baseline) if baseline else BaselineDocument()
    for snapshot in live.collect(regions, vpcs):
        wanted = [live.service(snapshot, each).name for each in services]
        case = VpcContext(snapshot, resolve_baseline(document, snapshot.scope, snapshot.vpc.tags))
        required = (*case.baseline.required_services, *wanted)
        covered = case.analysis.build_coverage(list_covered_services(snapshot, required))
        yield shown.Matrix(
            snapshot.scope, snapshot.observed_at, build_matrix_record(covered, case.analysis)
        )


def _stored(
    stack: str, table: str | None, regions: Sequence[str], vpcs: Sequence[str]
) -> Iterator[shown.Matrix]:
    """Read what the monitors of these regions saw last."""
    from posture_cli import deployed  # noqa: PLC0415 - boto3 would slow every other verb down
    from posture_cli.audit.open_tables import open_tables  # noqa: PLC0415

    stacks = [
        open_tables(stack, each, findings=table) for each in dict.fromkeys(regions) or (None,)
    ]
    tables = ((each.client, each.tables.findings) for each in stacks)
    for head in deployed.heads(tables, frozenset(vpcs)):
        if head.coverage is None:
            open_stderr().print(f"no matrix is kept of {head.scope}: look now, without --stack")
        else:
            yield shown.Matrix(head.scope, head.observed_at, head.coverage)
