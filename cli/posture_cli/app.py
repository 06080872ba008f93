"""The verbs of the `posture` command."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Annotated

import typer

from posture_cli.commands import (
    baseline,
    coverage,
    demo,
    diff,
    emulate,
    events,
    explain,
    finding,
    findings,
    history,
    policy,
    redrive,
    replay,
    report,
    rules,
    scan,
    verify,
    waiver,
)

app = typer.Typer(
    name="posture",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"posture {version('vpc-endpoint-posture')}")
        raise typer.Exit


@app.callback()
def posture(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """By which path does traffic to AWS services leave your VPCs, and who may use it?"""
    # The AWS CLI and all SDKs but boto3 read AWS_REGION, and read it first.
    if region := os.environ.get("AWS_REGION"):
        os.environ["AWS_DEFAULT_REGION"] = region


app.command("demo", epilog=demo.EXAMPLES)(demo.demo)
app.command("emulate", epilog=emulate.EXAMPLES)(emulate.emulate)
app.command("scan", epilog=scan.EXAMPLES)(scan.scan)
app.command("coverage", epilog=coverage.EXAMPLES)(coverage.coverage)
app.command("explain", epilog=explain.EXAMPLES)(explain.explain)
app.command("redrive", epilog=redrive.EXAMPLES)(redrive.redrive)
app.command("replay", epilog=replay.EXAMPLES)(replay.replay)
app.command("findings", epilog=findings.EXAMPLES)(findings.findings)
app.command("finding", epilog=finding.EXAMPLES)(finding.finding)
app.command("history", epilog=history.EXAMPLES)(history.history)
app.command("diff", epilog=diff.EXAMPLES)(diff.diff)
app.command("report", epilog=report.EXAMPLES)(report.report)
app.command("verify", epilog=verify.EXAMPLES)(verify.verify)
app.add_typer(baseline.app, name="baseline")
app.add_typer(waiver.app, name="waiver")
app.add_typer(policy.app, name="policy")
app.command("rules", epilog=rules.EXAMPLES)(rules.rules)
app.command("events", epilog=events.EXAMPLES)(events.events)
