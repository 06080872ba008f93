"""`posture plan`: judges a change of infrastructure as code before it is made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from posture.ec2.observer import utc_now
from posture_cli import exit_codes, options
from posture_cli.baseline_file import load_baseline
from posture_cli.command import CommandGroup
from posture_cli.comparison.write import write_comparison
from posture_cli.console import open_stderr
from posture_cli.failure import CommandError
from posture_cli.options import Output, SourceOptions, argument, output_option
from posture_cli.plan.detect import PlanFile, PlanKind, detect_plan
from posture_cli.plan.outcome import compare_plan
from posture_cli.plan.planned import PlannedChange
from posture_cli.plan.terraform import list_regions, plan_terraform
from posture_cli.plan.terraform_plan import parse_terraform_plan
from posture_cli.recorded.live import record_regions
from posture_cli.recorded.load import load_regions
from posture_cli.recorded.region import RecordedRegion

app = CommandGroup()


@dataclass(frozen=True, slots=True)
class PlanSource:
    """What a plan is read with.

    Attributes:
        region: The Region, if the plan does not name it.
        account: The account, if the plan does not name it.
        file: A snapshot, or a folder of EC2's answers, over which the plan is laid.
        live: Whether the plan is laid over what AWS returns now.
    """

    region: str | None = None
    account: str | None = None
    file: Path | None = None
    live: bool = False

    def read_bases(self, regions: Sequence[str]) -> Sequence[RecordedRegion]:
        """Read the Regions of the plan as they are; none without --from and --live."""
        if self.file:
            return load_regions(self.file, account=self.account)
        if not self.live:
            return ()
        return record_regions(regions)


def _plan_terraform(file: PlanFile, source: PlanSource) -> Sequence[PlannedChange]:
    name = str(file.path)
    plan = parse_terraform_plan(file.document or {}, name)
    regions = list_regions(plan, name, region=source.region)
    return plan_terraform(
        plan,
        name,
        observed_at=utc_now(),
        bases=source.read_bases(regions),
        region=source.region,
        account=source.account,
    )


READERS: Mapping[PlanKind, Callable[[PlanFile, PlanSource], Sequence[PlannedChange]]] = {
    PlanKind.TERRAFORM: _plan_terraform,
}


@app.add(
    "terraform plan -out tfplan && terraform show -json tfplan > plan.json",
    "posture plan plan.json",
    "posture plan plan.json --from network.json",
    "posture plan plan.json --live --output markdown >> $GITHUB_STEP_SUMMARY",
    "posture plan plan.json --output sarif > posture.sarif",
)
def plan(
    file: Annotated[Path, argument("FILE", "The plan.")],
    *,
    source: SourceOptions,
    live: Annotated[
        bool,
        typer.Option("--live", help="Lay the plan over your network as it is now, read-only."),
    ] = False,
    baseline: options.BaselineOption = None,
    output: Annotated[
        Output,
        output_option(Output.TABLE, Output.JSON, Output.MARKDOWN, Output.SARIF, Output.JUNIT),
    ] = Output.TABLE,
) -> None:
    """Judge a plan before it is made: which findings open, and which paths change.

    FILE is the JSON of a Terraform plan. It needs neither credentials nor network: what the plan
    creates is evaluated with what EC2 adds by itself. Of what exists, a plan shows only what
    Terraform manages; with --from or --live the plan is laid over the whole network.

    A value that is known only after apply is unknown unless the plan says to which resource it
    refers. What depends on it is listed as unknown, with the value.

    Exit code: 0 when nothing becomes worse (in a new VPC: when nothing fails), 1 when something
    does, 2 on error.
    """
    found = detect_plan(file)
    if live and source.file:
        raise CommandError("--live and --from exclude each other: use one of them")
    if len(source.region or ()) > 1:
        raise CommandError("--region is the Region of a plan that names none; use it once")
    region = next(iter(source.region or ()), None)
    how = PlanSource(region, source.account, source.file, live)
    document = load_baseline(baseline)
    with open_stderr().status("reading the plan"):
        comparison = compare_plan(READERS[found.kind](found, how), document)
    write_comparison(comparison, output)
    if comparison.is_worse:
        raise typer.Exit(exit_codes.FINDINGS)
