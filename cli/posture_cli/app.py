"""The verbs of the `posture` command."""

from __future__ import annotations

import os
from collections.abc import Callable
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
from posture_cli.verb import Verb

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


def _verb(verb: Callable[..., None], examples: str) -> None:
    app.command(verb.__name__, cls=Verb, epilog=examples)(verb)


_verb(demo.demo, demo.EXAMPLES)
_verb(emulate.emulate, emulate.EXAMPLES)
_verb(scan.scan, scan.EXAMPLES)
_verb(coverage.coverage, coverage.EXAMPLES)
_verb(explain.explain, explain.EXAMPLES)
_verb(redrive.redrive, redrive.EXAMPLES)
_verb(replay.replay, replay.EXAMPLES)
_verb(findings.findings, findings.EXAMPLES)
_verb(finding.finding, finding.EXAMPLES)
_verb(history.history, history.EXAMPLES)
_verb(diff.diff, diff.EXAMPLES)
_verb(report.report, report.EXAMPLES)
_verb(verify.verify, verify.EXAMPLES)
app.add_typer(baseline.app, name="baseline")
app.add_typer(waiver.app, name="waiver")
app.add_typer(policy.app, name="policy")
_verb(rules.rules, rules.EXAMPLES)
_verb(events.events, events.EXAMPLES)
