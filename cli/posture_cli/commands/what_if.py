"""`posture what-if`: shows what a change would do to findings, paths and charges."""

from collections.abc import Iterable
from typing import Annotated

import typer

from posture.edits.state import AnyNetwork
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.shared_network import SharedNetwork
from posture_cli import exit_codes, options
from posture_cli.baseline_file import load_baseline
from posture_cli.command import CommandGroup
from posture_cli.comparison.compare import SharedComparison, compare_snapshots
from posture_cli.comparison.write import OUTPUTS, write_comparison
from posture_cli.live import (
    UnreadableServices,
    collect_endpoint_services,
    open_observers,
)
from posture_cli.options import Output, argument, option, output_option
from posture_cli.progress import show_progress
from posture_cli.survey import SharedSnapshot, read_snapshots
from posture_cli.what_if.requests import Wanted, build_edits
from posture_cli.what_if.scopes import apply_to_all

app = CommandGroup()


@app.add(
    "posture what-if --vpc vpc-0123456789abcdef0 --remove nat-0123456789abcdef0",
    "posture what-if --vpc vpc-0123456789abcdef0 --add kms --baseline baseline.yaml",
    "posture what-if --policy vpce-0123456789abcdef0=policy.json --output markdown",
    "posture what-if 'aws ec2 delete-route --route-table-id rtb-0123456789abcdef0"
    " --destination-cidr-block 0.0.0.0/0'",
    "posture what-if --org --region eu-west-1 --shared-network"
    " 'aws ec2 delete-transit-gateway-route"
    " --transit-gateway-route-table-id tgw-rtb-0123456789abcdef0"
    " --destination-cidr-block 10.0.0.0/16'",
    "posture what-if --from network.json --delete vpce-0123456789abcdef0 --output json",
    name="what-if",
)
def what_if(
    commands: Annotated[
        list[str] | None,
        argument("COMMAND", "AWS CLI commands, each in quotes: 'aws ec2 delete-route …'"),
    ] = None,
    *,
    source: options.SourceOptions,
    vpc: options.VpcsOption = None,
    add: Annotated[
        list[str] | None,
        option("SERVICE", "Add an endpoint for a service, as in kms; repeat for several."),
    ] = None,
    policy: Annotated[
        list[str] | None,
        option("ENDPOINT=FILE", "Set an endpoint policy, as in vpce-…=policy.json."),
    ] = None,
    remove: Annotated[
        list[str] | None,
        option(
            "ID",
            "Remove nat-…, vpce-…, igw-…, eigw-…, pcx-…, rtb-…, acl-…, sg-… or tgw-attach-….",
            "--remove",
            "--delete",
        ),
    ] = None,
    accounts: options.AccountsOptions,
    shared_network: options.SharedNetworkOption = False,
    baseline: options.BaselineOption = None,
    output: Annotated[Output, output_option(*OUTPUTS)] = Output.TABLE,
) -> None:
    """Show what a change would do, before it is made: findings, paths, and dollars a month.

    Nothing is changed. The VPCs are read now, read-only, with your own credentials, or from a file
    with --from; the change is applied to what was read. What EC2 would refuse is an error with
    EC2's code. Commands come first, then --add, --policy and --remove. A command may be several
    calls joined by &&, with shell variables for what they create. Without --vpc all VPCs of the
    Region are read, and each that the change concerns is shown.

    With --shared-network, commands may also change hosted zones, Resolver rules, Profiles, transit
    gateways and the VPCs of central endpoints (aws route53 …, aws route53resolver …, aws
    route53profiles …), and the answer says in which account each call is made. --org, or --accounts
    and --role, read the accounts that own them as well.

    Exit code: 0 when nothing becomes worse, 1 when a finding opens or becomes worse or a path is
    lost, 2 on error.
    """
    wanted = Wanted(commands or (), add or (), policy or (), remove or ())
    if not any((wanted.commands, wanted.add, wanted.policies, wanted.remove)):
        raise typer.BadParameter("expected a command, --add, --policy or --remove")
    document = load_baseline(baseline)
    with show_progress("reading VPCs") as progress:
        pairs = list(
            read_snapshots(source, accounts, vpc or (), progress, shared_network=shared_network)
        )
        vpcs = [snapshot for snapshot, _ in pairs]
        shared = _get_shared(pairs)
        edits, notes = build_edits(wanted, vpcs, document)
        networks: list[AnyNetwork] = list(vpcs)
        if any(hasattr(each, "service_id") for each in edits):
            services = list(collect_endpoint_services(open_observers(source)))
            networks += [each for each in services if isinstance(each, EndpointServiceSnapshot)]
            notes += tuple(
                f"The endpoint services of {each.region.name} cannot be listed: {each.reason}."
                for each in services
                if isinstance(each, UnreadableServices)
            )
        applied = apply_to_all(networks, edits, complete=not vpc, shared=shared)
        comparison = compare_snapshots(
            networks,
            applied.snapshots,
            document,
            (*notes, *applied.notes),
            SharedComparison(shared, applied.shared),
        )
    write_comparison(comparison, output)
    if comparison.is_worse:
        raise typer.Exit(exit_codes.FINDINGS)


def _get_shared(pairs: Iterable[SharedSnapshot]) -> SharedNetwork | None:
    """Return the shared network of the one Region that was read; None if it is not wanted.

    Raises:
        typer.BadParameter: Several Regions were read, each with a network of its own.
    """
    found = {shared.region: shared for _, shared in pairs if shared}
    if len(found) > 1:
        raise typer.BadParameter(
            f"expected one region, not {', '.join(sorted(found))}",
            param_hint="--region with --shared-network",
        )
    return next(iter(found.values()), None)
