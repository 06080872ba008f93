"""The verbs of the `posture` command."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from posture_cli.command import Verb
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


def _verb(verb: Callable[..., None], examples: str, short: str) -> None:
    app.command(verb.__name__, cls=Verb, epilog=examples, short_help=short)(verb)


_verb(demo.demo, demo.EXAMPLES, "the whole story on this machine")
_verb(emulate.emulate, emulate.EXAMPLES, "an emulated AWS with the stack, for sam local and boto3")
_verb(scan.scan, scan.EXAMPLES, "judge VPCs and endpoint services now, read-only")
_verb(coverage.coverage, coverage.EXAMPLES, "which way each subnet takes to each service")
_verb(explain.explain, explain.EXAMPLES, "why: the route, names and rules that decide")
_verb(redrive.redrive, redrive.EXAMPLES, "put what could not be processed back on the queue")
_verb(replay.replay, replay.EXAMPLES, "read CloudTrail files as the monitor does")
_verb(findings.findings, findings.EXAMPLES, "what a deployed monitor has found")
_verb(finding.finding, finding.EXAMPLES, "one finding: evidence, fix, cause and its life")
_verb(history.history, history.EXAMPLES, "what happened, to what, by whom")
_verb(diff.diff, diff.EXAMPLES, "what changed between two times")
_verb(report.report, report.EXAMPLES, "the whole posture as one page")
_verb(verify.verify, verify.EXAMPLES, "prove that history was only ever added to")
app.add_typer(baseline.app, name="baseline")
app.add_typer(waiver.app, name="waiver")
app.add_typer(policy.app, name="policy")
_verb(rules.rules, rules.EXAMPLES, "what is checked")
_verb(events.events, events.EXAMPLES, "which calls are listened to")
