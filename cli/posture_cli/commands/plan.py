"""`posture plan`: evaluates a change of infrastructure as code before it is deployed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import boto3
import typer

from posture.runtime.clock import utc_now
from posture_cli import exit_codes, options
from posture_cli.baseline_file import load_baseline
from posture_cli.command import CommandGroup
from posture_cli.comparison.write import write_comparison
from posture_cli.console import open_stderr
from posture_cli.failure import CommandError
from posture_cli.live import record_regions
from posture_cli.options import Output, SourceOptions, argument, option, output_option
from posture_cli.plan.cloudformation import PlanSettings
from posture_cli.plan.cloudformation_inputs import CloudFormationOptions, plan_sources
from posture_cli.plan.cloudformation_sources import read_sources
from posture_cli.plan.detect import PlanFile, PlanKind, detect_plan
from posture_cli.plan.outcome import compare_plan
from posture_cli.plan.planned import PlannedChange
from posture_cli.plan.terraform import list_regions, plan_terraform
from posture_cli.plan.terraform_plan import parse_terraform_plan
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
        cloudformation: What is given beside a template.
    """

    region: str | None = None
    account: str | None = None
    file: Path | None = None
    live: bool = False
    cloudformation: CloudFormationOptions = field(default_factory=CloudFormationOptions)

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


def _plan_cloudformation(file: PlanFile, source: PlanSource) -> Sequence[PlannedChange]:
    region = source.region or boto3.Session().region_name
    sources = read_sources(file.path)
    names = {each.region or region for each in sources}
    settings = PlanSettings(
        observed_at=utc_now(),
        bases=source.read_bases(sorted(filter(None, names))),
        region=region,
        account=source.account,
    )
    return plan_sources(file.path, sources, settings, source.cloudformation)


READERS: Mapping[PlanKind, Callable[[PlanFile, PlanSource], Sequence[PlannedChange]]] = {
    PlanKind.TERRAFORM: _plan_terraform,
    PlanKind.CLOUDFORMATION: _plan_cloudformation,
}


@app.add(
    "terraform plan -out tfplan && terraform show -json tfplan > plan.json",
    "posture plan plan.json",
    "posture plan plan.json --from network.json",
    "posture plan plan.json --live --output markdown >> $GITHUB_STEP_SUMMARY",
    "posture plan plan.json --output sarif > posture.sarif",
    "posture plan template.yaml --region eu-west-1 --parameter VpcCidr=10.0.0.0/16",
    "cdk synth && posture plan cdk.out",
)
def plan(
    path: Annotated[Path, argument("FILE", "The plan.")],
    *,
    source: SourceOptions,
    live: Annotated[
        bool,
        typer.Option("--live", help="Lay the plan over your network as it is now, read-only."),
    ] = False,
    parameter: Annotated[
        list[str] | None,
        option("NAME=VALUE", "A parameter of a template, as STACK:NAME=VALUE for one stack."),
    ] = None,
    stack_resources: Annotated[
        list[Path] | None,
        option("FILE", "The deployed stack: aws cloudformation describe-stack-resources."),
    ] = None,
    deployed_template: Annotated[
        Path | None,
        option("FILE", "The template of the deployed stack: aws cloudformation get-template."),
    ] = None,
    change_set: Annotated[
        Path | None,
        option(
            "FILE",
            "The change set: aws cloudformation describe-change-set --include-property-values.",
        ),
    ] = None,
    baseline: options.BaselineOption = None,
    output: Annotated[
        Output,
        output_option(Output.TABLE, Output.JSON, Output.MARKDOWN, Output.SARIF, Output.JUNIT),
    ] = Output.TABLE,
) -> None:
    """Evaluate a plan before it is deployed: which findings open, and which paths change.

    FILE is the JSON of a Terraform plan, a CloudFormation template, or the folder that cdk synth
    writes. It needs neither credentials nor network: what the plan creates is evaluated with what
    EC2 adds by itself. Of what exists, a plan shows only what Terraform manages; with --from or
    --live the plan is laid over the whole network.

    A template alone is evaluated as a new stack. For a stack that exists, also give its resources
    and the template that it was deployed from, or a change set.

    A value that is known only after apply is unknown unless the plan says to which resource it
    refers. What depends on it is listed as unknown, with the value.

    Exit code: 0 when nothing becomes worse (in a new VPC: when nothing fails), 1 when something
    does, 2 on error.
    """
    found = detect_plan(path)
    if live and source.file:
        raise CommandError("--live and --from exclude each other: use one of them")
    if len(source.region or ()) > 1:
        raise CommandError("--region is the Region of a plan that names none; use it once")
    region = next(iter(source.region or ()), None)
    beside = CloudFormationOptions(
        parameters=parameter or (),
        stack_resources=stack_resources or (),
        deployed_template=deployed_template,
        change_set=change_set,
    )
    if found.kind is not PlanKind.CLOUDFORMATION and beside != CloudFormationOptions():
        raise CommandError(f"{path}: is no CloudFormation template, so it takes no {_name(beside)}")
    how = PlanSource(region, source.account, source.file, live, beside)
    document = load_baseline(baseline)
    with open_stderr().status("reading the plan"):
        comparison = compare_plan(READERS[found.kind](found, how), document)
    write_comparison(comparison, output)
    if comparison.is_worse:
        raise typer.Exit(exit_codes.FINDINGS)


def _name(given: CloudFormationOptions) -> str:
    """Name the options that were given for a template."""
    names = {
        "--parameter": given.parameters,
        "--stack-resources": given.stack_resources,
        "--deployed-template": given.deployed_template,
        "--change-set": given.change_set,
    }
    return " and ".join(name for name, value in names.items() if value)
