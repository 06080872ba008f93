"""`posture explain`: explains which path a subnet's traffic to a service takes."""

from typing import Annotated, Any

from rich.text import Text

from posture.analysis.coverage import Analysis
from posture.analysis.explain import Explanation
from posture.analysis.explain import explain as explain_path
from posture.analysis.matrix import build_cell_record
from posture.baseline.resolve import resolve_baseline
from posture.model.instant import format_iso
from posture.model.network import Snapshot
from posture.model.service_names import short_name
from posture_cli import options
from posture_cli.baseline_file import load_baseline
from posture_cli.command import CommandGroup
from posture_cli.console import open_stdout
from posture_cli.failure import CommandError
from posture_cli.live import collect_vpc_of_subnet, open_observers, require_service
from posture_cli.options import Output, argument, build_parser, option
from posture_cli.progress import ProgressLine, show_progress
from posture_cli.render.coverage import LEGEND
from posture_cli.render.records import write_json, write_records
from posture_cli.suggest import suggest
from posture_cli.survey import SharedSnapshot, read_organization, require_shared_network
from posture_cli.text import make_printable

_GROUP = "A security group of the workload; repeat for several."
_parse_subnet = build_parser(r"subnet-[0-9a-f]+", "a subnet, as in subnet-0123456789abcdef0")
_parse_group = build_parser(r"sg-[0-9a-f]+", "a security group, as in sg-0123456789abcdef0")

CSV_COLUMNS = ("step", "about", "text")

app = CommandGroup()


@app.add(
    "posture explain subnet-0123456789abcdef0 s3",
    "posture explain subnet-0123456789abcdef0 kms --region eu-west-1",
    "posture explain subnet-0123456789abcdef0 ecr.dkr --group sg-0123456789abcdef0",
    "posture explain subnet-0123456789abcdef0 s3 --baseline baseline.yaml",
    "posture explain subnet-0123456789abcdef0 s3 --output json",
    "posture explain subnet-0123456789abcdef0 kms --org --region eu-west-1 --shared-network",
    "posture explain subnet-0123456789abcdef0 s3 --from network.json",
)
def explain(
    subnet: Annotated[str, argument("SUBNET", "The source: subnet-…", parser=_parse_subnet)],
    service: Annotated[
        str, argument("SERVICE", "The destination: s3, kms, ecr.dkr, or a full service name.")
    ],
    *,
    source: options.SourceOptions,
    group: Annotated[
        list[str] | None,
        option("GROUP", _GROUP, "--group", "-g", parser=_parse_group),
    ] = None,
    accounts: options.AccountsOptions,
    shared_network: options.SharedNetworkOption = False,
    baseline: options.BaselineOption = None,
    output: options.OutputOption = Output.TABLE,
) -> None:
    """Explain step by step which path a subnet's traffic to a service takes, and why.

    Each step names the route, the DNS name, the network ACL entry or the security group rule that
    decides; the last one says what the endpoint policy allows, given whom the baseline trusts. The
    command reads the VPC now, read-only, with your own credentials, or from a file with --from.
    Without --group it assumes that the workload's own security groups allow all outbound traffic.

    With --shared-network, the path to an endpoint in another VPC is explained, across accounts: the
    zone, the attachment, each table of the transit gateway, the endpoint's groups and the way back.
    --org, or --accounts and --role, read the accounts that own them.

    A deployed monitor cannot answer this: it stores what blocks traffic, but not what allows it.
    To see what it observed last: posture coverage --stack STACK --vpc VPC --output json

    Exit code: 0, or 2 on error.
    """
    document = load_baseline(baseline)
    with show_progress(f"reading the VPC of {subnet}") as progress:
        snapshot, shared = _read_vpc(subnet, source, accounts, progress, shared=shared_network)
        destination = require_service(snapshot, service)
    required = resolve_baseline(document, snapshot.scope, snapshot.vpc.tags)
    explanation = explain_path(
        Analysis(snapshot, shared=shared),
        snapshot.subnets[subnet],
        destination,
        frozenset(group or ()),
        required,
    )
    record = build_explanation_record(snapshot, explanation)
    if output is Output.JSON:
        write_json(record)
    elif output is not Output.TABLE:
        write_records(record["steps"], CSV_COLUMNS, output)
    else:
        print_explanation(snapshot, explanation)


def _read_vpc(
    subnet: str,
    source: options.SourceOptions,
    accounts: options.AccountsOptions,
    progress: ProgressLine,
    *,
    shared: bool,
) -> SharedSnapshot:
    """Read the VPC of a subnet, with the network that it shares if it is wanted.

    Raises:
        CommandError: There is no such subnet.
        typer.BadParameter: Accounts are given, and their shared network is not wanted.
    """
    if not shared:
        require_shared_network(accounts)
        return collect_vpc_of_subnet(subnet, open_observers(source)), None
    read = read_organization(source, accounts, progress)
    if found := next((pair for pair in read if subnet in pair[0].subnets), None):
        return found
    known = [each for snapshot, _ in read for each in snapshot.subnets]
    raise CommandError(f"there is no {subnet} in the accounts read{suggest(subnet, known)}")


def build_explanation_record(snapshot: Snapshot, found: Explanation) -> dict[str, Any]:
    """Build one JSON document: the cell of the coverage matrix, and the steps that lead to it."""
    return {
        "scope": str(snapshot.scope),
        "observed_at": format_iso(snapshot.observed_at),
        "subnet": found.subnet.id,
        "service": found.service.name,
        **build_cell_record(found.cell, found.service),
        "steps": [
            {"step": number, "about": step.about, "text": step.text, "record": dict(step.record)}
            for number, step in enumerate(found.steps, 1)
        ],
    }


def print_explanation(snapshot: Snapshot, found: Explanation) -> None:
    """Print an explanation: the result first, then the steps."""
    console = open_stdout()
    outcome = found.cell.outcome.value
    line = Text(f"{short_name(found.service.name)} from {found.subnet.id} in {snapshot.scope}: ")
    line.append(outcome, LEGEND[outcome][0])
    console.print(line.append(f", {make_printable(found.cell.summary)}"))
    console.print()
    for number, step in enumerate(found.steps, 1):
        about = Text(f"{number:>3}. {step.about}: ", "bold")
        console.print(about.append(make_printable(step.text), "not bold"))
