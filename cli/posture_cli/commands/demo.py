"""`posture demo`: runs the whole monitor on this machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from posture_cli import exit_codes
from posture_cli.audit.open_stacks import OpenStacks
from posture_cli.audit.open_tables import open_tables
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, open_stdout, print_note
from posture_cli.options import Output, option, output_option
from posture_cli.project_files import require_demo
from posture_cli.render.records import write_json
from posture_cli.report.collect import ReportPeriod
from posture_cli.report.page import render_report
from posture_cli.report.report_data import read_report_data

if TYPE_CHECKING:
    from posture_cli.demo.demo_run import DemoRun, DemoStep
    from posture_cli.embedded.aws import EmbeddedAws

app = CommandGroup()


@app.add(
    "posture demo",
    "posture demo --pace 3",
    "posture demo --output json",
    "posture demo --report posture.html",
)
def demo(
    *,
    pace: Annotated[float, option("SECONDS", "Wait after each step, to read along.", min=0)] = 0.0,
    report: Annotated[
        Path | None, option("FILE", "Also write the page of `posture report` at the end.")
    ] = None,
    output: Annotated[Output, output_option(Output.TABLE, Output.JSON)] = Output.TABLE,
) -> None:
    """Run the whole monitor on this machine: no AWS account, network or container needed.

    The command starts an emulated AWS in its own process, creates the stack from template.yaml,
    builds a small organization with six VPCs, of which two are spokes of a hub with endpoints, and
    breaks it with real API calls. For each change it shows the findings and alerts of the monitor's
    Lambda functions, then repairs the change.

    Exit code: 0 when every change was found, reported and resolved, 1 when not, 2 on error.
    """
    if _run(require_demo(), pace, output, report):
        raise typer.Exit(exit_codes.FINDINGS)


def _run(project: Path, pace: float, output: Output, report: Path | None) -> int:
    """Run the demo; return the number of faults."""
    with open_stderr().status("starting an emulated AWS in this process") as status:
        # moto may be missing, and takes seconds to import
        from posture_cli.demo.demo_run import DemoRun  # noqa: PLC0415
        from posture_cli.embedded.aws import EmbeddedAws  # noqa: PLC0415

        status.update("creating the stack of template.yaml")
        with EmbeddedAws(project, parameters={"SharedNetwork": "on"}) as aws:
            run = DemoRun(aws)
            status.update("building an organization with six VPCs")
            run.build()
            status.stop()
            faults = _print_run(run, pace, output)
            if report:
                _write_report(aws, report)
            return faults


def _write_report(aws: EmbeddedAws, file: Path) -> None:
    named = {"findings": None, "history": None, "baseline": None}
    tables = open_tables(aws.stack.name, aws.region, named)
    now = datetime.now(UTC)
    period = ReportPeriod(now - timedelta(minutes=2), now, latest=True)
    scopes = list(tables.list_scopes())
    data = read_report_data(
        OpenStacks([tables]), [(tables, scopes)], "the organization of the demo", period
    )
    with file.open("w", encoding="utf-8") as page:
        page.writelines(render_report(data))
    print_note(f"wrote {file}")


def _print_run(run: DemoRun, pace: float, output: Output) -> int:
    from posture_cli.demo import demo_output  # noqa: PLC0415 - as above

    steps: list[DemoStep] = []
    for step in run.run():
        steps.append(step)
        if output is Output.TABLE:
            demo_output.print_step(open_stdout(), step)
        time.sleep(pace)
    findings = sorted(
        run.load_findings().values(), key=lambda it: (it.status.value, it.severity.rank, it.rule)
    )
    if output is Output.JSON:
        write_json(demo_output.build_document(findings, steps))
    else:
        demo_output.print_summary(open_stdout(), findings, steps)
    return sum(len(step.faults) for step in steps)
