"""`posture scan`: evaluates VPCs now, with the caller's own credentials and nothing deployed."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from posture.ec2.observer import Observer
from posture.model.scope import Region
from posture.model.verdict import Status
from posture_cli import exit_codes, options
from posture_cli.accounts import (
    READ_SHARED_NETWORK,
    READ_VPCS,
    AnyTarget,
    Target,
    find_caller,
    open_targets,
)
from posture_cli.baseline_file import load_baseline
from posture_cli.command import CommandGroup
from posture_cli.console import print_note
from posture_cli.failure import CommandError
from posture_cli.interchange import ScopedVerdict
from posture_cli.live import open_observers
from posture_cli.options import RECORDS, AccountsOptions, Output, SourceOptions, output_option
from posture_cli.progress import show_progress
from posture_cli.render.findings import (
    VERDICT_COLUMNS,
    VERDICT_CSV,
    build_verdict_record,
    choose_screen_columns,
)
from posture_cli.render.records import write_json, write_records
from posture_cli.scanning import RegionResult, Scan, scan_targets

ORDER = {Status.FAIL: 0, Status.UNKNOWN: 1, Status.PASS: 2}

# A table and Markdown have no room for remediations, so none is proven for them.
SHOWS_REMEDIATION = frozenset(Output) - {Output.TABLE, Output.MARKDOWN}

app = CommandGroup()


@app.add(
    "posture scan --region eu-west-1",
    "posture scan --region eu-west-1 --region us-east-1 --output csv",
    "posture scan --vpc vpc-0123456789abcdef0 --baseline baseline.yaml",
    "posture scan --all --output json",
    "posture scan --from network.json",
    "posture scan --region all",
    "posture scan --org --region eu-west-1 --region us-east-1 --output csv > posture.csv",
    "posture scan --accounts 111122223333,444455556666 --role SecurityAudit --region all",
    "posture scan --org --region eu-west-1 --shared-network",
    "posture scan --region eu-west-1 --output sarif > posture.sarif",
)
def scan(
    *,
    source: options.SourceOptions,
    vpc: options.VpcsOption = None,
    accounts: options.AccountsOptions,
    baseline: options.BaselineOption = None,
    shared_network: options.SharedNetworkOption = False,
    everything: Annotated[bool, typer.Option("--all", help="Also list what passes.")] = False,
    fixes: Annotated[
        bool, typer.Option(help="Look for commands that are verified to resolve each finding.")
    ] = True,
    output: Annotated[Output, output_option(*RECORDS, Output.SARIF, Output.JUNIT)] = Output.TABLE,
) -> None:
    """Evaluate your VPCs now, read-only, with your own credentials; nothing needs to be deployed.

    With --from the network is read from a file of posture snapshot save, or from a folder with
    output of aws ec2 describe commands. What the folder does not hold is listed as unknown.

    With --org, or with --accounts and --role, the Regions of many accounts are read at once. The
    role is assumed for reading only, whatever it allows. An account or Region that cannot be read
    is listed as unknown with the reason, beside the findings of all others.

    With --shared-network, a service may be reached by an endpoint in another VPC, and the step at
    which a path breaks is a finding. Give the accounts of the hub and of the transit gateway as
    well: what no account may read stays unknown.

    Without --vpc the endpoint services of the Region are evaluated as well. What cannot be read or
    decided is listed as unknown.

    A remediation has a command only if it is verified: applied to the network as it was read, it
    resolves the finding and opens none that is as severe. JSON, CSV, sarif and junit show it. It
    takes longer than the evaluation; --no-fixes leaves it out. Of each VPC a limited number of
    commands is checked, those of the most severe findings first, and the other findings say so;
    more are checked of the VPCs that --vpc names.

    For a CI pipeline: sarif is for code scanning, junit for test reports (with everything that
    passes).

    Exit code: 0 when everything passes, 1 when something fails or is unknown, 2 on error.
    """
    chosen = tuple(dict.fromkeys(vpc or ()))
    if shared_network and (source.file or source.account):
        from posture_cli.survey import NOT_IN_A_FILE  # noqa: PLC0415 - see `app`

        raise typer.BadParameter(NOT_IN_A_FILE, param_hint="--shared-network with --from")
    prove = fixes and output in SHOWS_REMEDIATION
    scan = Scan(load_baseline(baseline), chosen, prove=prove, shared_network=shared_network)
    with show_progress("opening the accounts"):
        targets = _open_targets(source, accounts, shared_network=shared_network)
    with show_progress("reading VPCs", "account-regions", len(targets)) as progress:
        results = list(scan_targets(targets, scan, progress))
    _require_vpcs(chosen, results)
    found = [pair for result in results for pair in result.verdicts]
    bad = [pair for pair in found if pair[1].status is not Status.PASS]
    _write(sorted(found if everything else bad, key=_sort_key), found, output)
    _print_summary(results, found)
    if bad:
        raise typer.Exit(exit_codes.FINDINGS)


def _open_targets(
    source: SourceOptions, accounts: AccountsOptions, *, shared_network: bool
) -> Sequence[AnyTarget]:
    if not source.file and not source.account:
        actions = READ_SHARED_NETWORK if shared_network else READ_VPCS
        return open_targets(find_caller(source.region or ()), accounts, actions)
    if accounts.are_given:
        raise typer.BadParameter(
            "a file has its own accounts", param_hint="--org, --accounts and --role with --from"
        )
    return list(map(_build_target, open_observers(source)))


def _build_target(observer: Observer) -> Target:
    return Target(observer.region, lambda: observer)


def _require_vpcs(vpcs: Sequence[str], results: Iterable[RegionResult]) -> None:
    """Check that the VPCs exist, unless one may be where nothing could be read.

    Raises:
        CommandError: One does not.
    """
    missing = set(vpcs).difference(*(result.vpcs for result in results))
    if missing and not any(result.reason for result in results):
        where = ", ".join(dict.fromkeys(result.region.name for result in results))
        raise CommandError(f"there is no {', '.join(sorted(missing))} in {where}")


def _write(chosen: Sequence[ScopedVerdict], found: Sequence[ScopedVerdict], output: Output) -> None:
    if output is Output.SARIF:
        from posture_cli.interchange.sarif import build_sarif  # noqa: PLC0415 - see `app`

        write_json(build_sarif(chosen))
    elif output is Output.JUNIT:
        from posture_cli.interchange.junit import build_junit  # noqa: PLC0415

        sys.stdout.write(build_junit(found))
    else:
        records = [build_verdict_record(*pair) for pair in chosen]
        columns = choose_screen_columns(records) if sys.stdout.isatty() else VERDICT_COLUMNS
        write_records(records, columns, output, VERDICT_CSV)


def _print_summary(results: Sequence[RegionResult], found: Iterable[ScopedVerdict]) -> None:
    """Print what was evaluated, so that an empty result cannot be mistaken for a failure to run."""
    evaluated = sum((result.evaluated for result in results), Counter())
    counts = [_count(number, what) for what, number in evaluated.items()]
    statuses = Counter(verdict.status for _, verdict in found)
    listed = ", ".join(f"{statuses[status]} {status}" for status in ORDER)
    print_note(
        f"evaluated {' and '.join(counts) or 'nothing: there is no VPC'}"
        f"{_describe_regions([result.region for result in results])}: {listed}"
    )
    for result in sorted(results, key=lambda each: each.region):
        if result.reason:
            print_note(f"unknown: {result.region}: {result.reason}")


def _describe_regions(regions: Sequence[Region]) -> str:
    if len(regions) == 1:
        return ""
    accounts, names = {each.account for each in regions}, {each.name for each in regions}
    return f" in {_count(len(accounts), 'account')} and {_count(len(names), 'region')}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def _sort_key(pair: ScopedVerdict) -> tuple[Any, ...]:
    scope, it = pair
    return ORDER[it.status], it.severity.rank, str(scope), it.rule, it.resource
