"""`posture explain`: why a subnet's traffic to a service goes as it does."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from posture.analysis.coverage import Analysis
from posture.analysis.explain import explain as explained
from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.policy import Trust
from posture_cli import exit_codes as exits
from posture_cli.baseline_file import load_baseline
from posture_cli.console import open_stderr
from posture_cli.options import BaselineOption, OutputOption, RegionsOption, examples
from posture_cli.render import explain as shown
from posture_cli.render.records import Output, write_json, write_records

EXAMPLES = examples(
    "posture explain subnet-0123456789abcdef0 s3",
    "posture explain subnet-0123456789abcdef0 kms --region eu-west-1",
    "posture explain subnet-0123456789abcdef0 ecr.dkr --group sg-0123456789abcdef0",
    "posture explain subnet-0123456789abcdef0 s3 --baseline baseline.yaml",
    "posture explain subnet-0123456789abcdef0 s3 --output json",
)
GROUP = re.compile(r"sg-[0-9a-f]+")


def explain(  # noqa: PLR0913 - one option a fact
    subnet: Annotated[
        str, typer.Argument(metavar="SUBNET", help="Where the traffic starts: subnet-…")
    ],
    service: Annotated[
        str,
        typer.Argument(
            metavar="SERVICE", help="Where it is meant to go: s3, kms, ecr.dkr, or a full name."
        ),
    ],
    *,
    region: RegionsOption = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group",
            "-g",
            metavar="GROUP",
            help="A security group of the workload; repeat for several.",
        ),
    ] = None,
    baseline: BaselineOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Tell step by step which way a subnet's traffic to a service takes, and what decides it.

    The route, the names, each network ACL entry and security group rule that decides is named, and
    what the endpoint's policy lets through, by whom the baseline trusts. The VPC is looked at now,
    read-only, with your own credentials. Without --group the workload's own security groups are
    taken to let everything out.

    Of a deployed monitor there is no such thing to ask: it keeps each answer with the routes and
    rules that stop it, but not the names, entries and policies that let through. What it saw last
    is told by: posture coverage --stack STACK --vpc VPC --output json

    Exit code: 0, or 2 on a mistake.
    """
    from posture_cli import live  # noqa: PLC0415 - boto3 would slow every other verb down

    for each in group or ():
        if not GROUP.fullmatch(each):
            raise typer.BadParameter(
                f"{each!r} is not a security group, as in sg-0123456789abcdef0",
                param_hint="--group",
            )
    document = load_baseline(baseline) if baseline else BaselineDocument()
    with open_stderr().status(f"reading the VPC of {subnet}"):
        snapshot = live.of_subnet(subnet, region or ())
        wanted = live.service(snapshot, service)
    required = resolve_baseline(document, snapshot.scope, snapshot.vpc.tags)
    trust = Trust(required.trusted_accounts, required.trusted_organizations)
    found = explained(
        Analysis(snapshot), snapshot.subnets[subnet], wanted, frozenset(group or ()), trust
    )
    record = shown.build_explanation_record(snapshot, found)
    if output is Output.JSON:
        write_json(record)
    elif output is not Output.TABLE:
        write_records(record["steps"], shown.CSV_COLUMNS, output)
    else:
        shown.print_explanation(snapshot, found)
    raise typer.Exit(exits.CLEAN)
