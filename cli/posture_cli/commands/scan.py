"""`posture scan`: judge VPCs with the caller's own credentials, nothing deployed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve
from posture.model.network import Snapshot
from posture.model.scope import Scope
from posture.model.verdict import Status, Verdict
from posture.rules.engine import judge_vpc
from posture_cli import exits
from posture_cli.baseline_file import load
from posture_cli.options import (
    BaselineOption,
    OutputOption,
    RegionsOption,
    VpcsOption,
    examples,
)
from posture_cli.render import findings as shown
from posture_cli.render.console import notes
from posture_cli.render.records import Output, write

EXAMPLES = examples(
    "posture scan --region eu-west-1",
    "posture scan --region eu-west-1 --region us-east-1 --output csv",
    "posture scan --vpc vpc-0123456789abcdef0 --baseline baseline.yaml",
    "posture scan --all --output json",
)
ORDER = {Status.FAIL: 0, Status.UNKNOWN: 1, Status.PASS: 2}


def scan(
    *,
    region: RegionsOption = None,
    vpc: VpcsOption = None,
    baseline: BaselineOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Also show what passes.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Judge your VPCs now, read-only, with your own credentials; nothing needs to be deployed.

    Without --region the region of your AWS settings is looked at. What could not be read or
    decided is listed as unknown.

    Exit code: 0 when all is well, 1 when something fails or is unknown, 2 on a mistake.
    """
    from posture_cli import live  # noqa: PLC0415 - boto3 would slow every other verb down

    document = load(baseline) if baseline else BaselineDocument()
    found: list[tuple[Scope, Verdict]] = []
    with notes().status("reading VPCs") as progress:
        for snapshot in live.collect(region or (), vpc or ()):
            progress.update(f"judging {snapshot.scope}")
            found += _judged(snapshot, document)
    bad = [pair for pair in found if pair[1].status is not Status.PASS]
    chosen = sorted(found if everything else bad, key=_order)
    columns = shown.VERDICT_CSV if output is Output.CSV else shown.VERDICT_COLUMNS
    write([shown.verdict_record(*pair) for pair in chosen], columns, output)
    raise typer.Exit(exits.FINDINGS if bad else exits.CLEAN)


def _judged(snapshot: Snapshot, document: BaselineDocument) -> Iterator[tuple[Scope, Verdict]]:
    """Judge one VPC; an exempt one gives nothing."""
    baseline = resolve(document, snapshot.scope, snapshot.vpc.tags)
    if baseline.exempt:
        return
    for verdict in judge_vpc(snapshot, baseline):
        if verdict.status is not Status.NOT_APPLICABLE:
            yield snapshot.scope, verdict


def _order(pair: tuple[Scope, Verdict]) -> tuple[Any, ...]:
    scope, verdict = pair
    rank = ORDER[verdict.status], verdict.severity.rank
    return *rank, str(scope), verdict.rule, verdict.resource
