"""`posture demo`: the whole story on this machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import posture_cli
from posture.errors import PostureError
from posture_cli import exit_codes as exits
from posture_cli.console import open_stderr, open_stdout
from posture_cli.options import OutputOption, examples
from posture_cli.render.records import Output, write_json

if TYPE_CHECKING:
    from posture_cli.demo.demo_run import DemoRun, DemoStep
    from posture_cli.embedded.aws import EmbeddedAws

EXAMPLES = examples(
    "posture demo",
    "posture demo --pace 3",
    "posture demo --output json",
    "posture demo --report posture.html",
)
ROOT = Path(posture_cli.__file__).resolve().parents[2]


class DemoError(PostureError):
    """What an emulated AWS is made of is missing."""


def demo(
    *,
    pace: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="Seconds to wait after each step, to read along."
        ),
    ] = 0.0,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the page of `posture report` at the end."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Play the whole story on this machine: no AWS account, no network, no containers.

    Starts an emulated AWS inside this process, makes the stack's resources from the real
    template.yaml, builds a small organisation of VPCs and breaks it with real API calls. Shows for
    each change the findings and the alerts that the monitor's own functions made of it, then the
    repair.

    Exit code: 0 when every change was found, told and taken back, 1 when not, 2 on a mistake.
    """
    if output not in {Output.TABLE, Output.JSON}:
        raise typer.BadParameter("a story is no table: use table or json", param_hint="--output")
    require_clone()
    faults = _play(pace, output, report)
    raise typer.Exit(exits.FINDINGS if faults else exits.CLEAN)


def require_clone() -> None:
    """Refuse to emulate anything without the project's files and moto.

    Raises:
        DemoError: one of them is missing.
    """
    if not (ROOT / "template.yaml").is_file():
        raise DemoError("this deploys template.yaml: run it from a clone of the project")
    if find_spec("moto") is None:
        raise DemoError("this needs moto: pip install 'vpc-endpoint-posture[cli]'")


def _play(pace: float, output: Output, report: Path | None) -> int:
    with open_stderr().status("starting an emulated AWS in this process") as status:
        # Only the demo pays for importing moto.
        from posture_cli.demo.demo_run import DemoRun  # noqa: PLC0415
        from posture_cli.embedded.aws import EmbeddedAws  # noqa: PLC0415

        status.update("making the stack of template.yaml")
        with EmbeddedAws(ROOT) as aws:
            story = DemoRun(aws)
            status.update("building an organisation of three VPCs")
            story.build()
            status.stop()
            faults = _tell(story, pace, output)
            if report:
                _report(aws, report)
            return faults


def _report(aws: EmbeddedAws, file: Path) -> None:
    """Write the page about what the monitor holds at the end of the story."""
    from posture_cli.audit.open_tables import open_tables  # noqa: PLC0415
    from posture_cli.report.page import render_report  # noqa: PLC0415
    from posture_cli.report.report_data import ReportPeriod, read_report_data  # noqa: PLC0415 - only where it is wanted

    tables = open_tables(aws.stack.name, aws.region, findings=None, history=None, baseline=None)
    now = datetime.now(UTC)
    material = read_report_data(
        tables.client,
        tables.tables,
        list(tables.findings.list_scopes()),
        "the demo's organisation",
        ReportPeriod(now - timedelta(minutes=2), now, latest=True),
    )
    file.write_text(render_report(material), encoding="utf-8")
    open_stderr().print(f"wrote {file}")


def _tell(story: DemoRun, pace: float, output: Output) -> int:
    from posture_cli.demo import demo_output as shown  # noqa: PLC0415 -

    beats: list[DemoStep] = []
    for beat in story.run():
        beats.append(beat)
        if output is Output.TABLE:
            shown.print_step(open_stdout(), beat)
        time.sleep(pace)
    findings = sorted(
        story.load_findings().values(), key=lambda it: (it.status.value, it.severity.rank, it.rule)
    )
    if output is Output.JSON:
        write_json(shown.build_document(findings, beats))
    else:
        shown.print_summary(open_stdout(), findings, beats)
    return sum(len(beat.faults) for beat in beats)
