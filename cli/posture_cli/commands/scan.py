"""`posture scan`: evaluates VPCs now, with the caller's own credentials and nothing deployed."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Annotated, Any

import typer

from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Snapshot
from posture.model.scope import Scope
from posture.model.verdict import Evidence, Status, Verdict
from posture.remedies.prove import (
    SCAN_LIMITS,
    AnyContext,
    drop_unproven_command,
    prove_verdicts,
)
from posture.rules.engine import evaluate_context, evaluate_endpoint_service
from posture.rules.rule import EndpointServiceContext, VpcContext
from posture.rules.rule_catalogue import SERVICE_RULES
from posture_cli import exit_codes, options
from posture_cli.baseline_file import load_baseline
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.interchange import ScopedVerdict
from posture_cli.interchange.junit import build_junit
from posture_cli.interchange.sarif import build_sarif
from posture_cli.live import (
    UnreadableServices,
    collect_endpoint_services,
    collect_vpcs,
    open_observers,
)
from posture_cli.options import RECORDS, Output, output_option
from posture_cli.render.findings import (
    VERDICT_COLUMNS,
    VERDICT_CSV,
    build_verdict_record,
    choose_screen_columns,
)
from posture_cli.render.records import write_json, write_records

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
    "posture scan --region eu-west-1 --output sarif > posture.sarif",
)
def scan(
    *,
    source: options.SourceOptions,
    vpc: options.VpcsOption = None,
    baseline: options.BaselineOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Also list what passes.")] = False,
    fixes: Annotated[
        bool, typer.Option(help="Look for commands that are verified to resolve each finding.")
    ] = True,
    output: Annotated[Output, output_option(*RECORDS, Output.SARIF, Output.JUNIT)] = Output.TABLE,
) -> None:
    """Evaluate your VPCs now, read-only, with your own credentials; nothing needs to be deployed.

    With --from the network is read from a file of posture snapshot save, or from a folder with
    output of aws ec2 describe commands. What the folder does not hold is listed as unknown.

    Without --vpc the endpoint services of the region are evaluated as well. What cannot be read or
    decided is listed as unknown.

    A remediation has a command only if it is verified: applied to the network as it was read, it
    resolves the finding and opens none that is as severe. JSON, CSV, sarif and junit show it. It
    takes longer than the evaluation; --no-fixes leaves it out.

    For a CI pipeline: sarif is for code scanning, junit for test reports (with everything that
    passes).

    Exit code: 0 when everything passes, 1 when something fails or is unknown, 2 on error.
    """
    document = load_baseline(baseline)
    found: list[ScopedVerdict] = []
    evaluated: Counter[str] = Counter()
    with open_stderr().status("reading VPCs") as progress:
        observers = open_observers(source)
        services = () if vpc else collect_endpoint_services(observers)
        for snapshot in chain(collect_vpcs(observers, vpc or ()), services):
            if isinstance(snapshot, UnreadableServices):
                found += _report_unreadable(snapshot)
                continue
            progress.update(f"evaluating {snapshot.scope}")
            evaluated["VPC" if snapshot.scope.vpc_id else "endpoint service"] += 1
            prove = fixes and output in SHOWS_REMEDIATION
            found += _evaluate(snapshot, document, prove=prove)
    bad = [pair for pair in found if pair[1].status is not Status.PASS]
    _write(sorted(found if everything else bad, key=_sort_key), found, output)
    _print_summary(evaluated, found)
    if bad:
        raise typer.Exit(exit_codes.FINDINGS)


def _write(chosen: Sequence[ScopedVerdict], found: Sequence[ScopedVerdict], output: Output) -> None:
    if output is Output.SARIF:
        write_json(build_sarif(chosen))
    elif output is Output.JUNIT:
        sys.stdout.write(build_junit(found))
    else:
        records = [build_verdict_record(*pair) for pair in chosen]
        columns = choose_screen_columns(records) if sys.stdout.isatty() else VERDICT_COLUMNS
        write_records(records, columns, output, VERDICT_CSV)


def _evaluate(
    snapshot: Snapshot | EndpointServiceSnapshot, document: BaselineDocument, *, prove: bool
) -> Iterator[ScopedVerdict]:
    """Evaluate a VPC or an endpoint service, unless the baseline exempts it.

    With `prove`, the remediations are proven, which takes longer than the evaluation.
    """
    tags = snapshot.vpc.tags if isinstance(snapshot, Snapshot) else snapshot.tags
    baseline = resolve_baseline(document, snapshot.scope, tags)
    if baseline.exempt:
        return
    context: AnyContext
    if isinstance(snapshot, Snapshot):
        context = VpcContext(snapshot, baseline)
        verdicts = evaluate_context(context)
    else:
        context = EndpointServiceContext(snapshot, baseline)
        verdicts = evaluate_endpoint_service(snapshot, baseline)
    for verdict in (
        prove_verdicts(context, verdicts, SCAN_LIMITS)
        if prove
        else map(drop_unproven_command, verdicts)
    ):
        if verdict.status is not Status.NOT_APPLICABLE:
            yield snapshot.scope, verdict


def _report_unreadable(unreadable: UnreadableServices) -> Iterator[ScopedVerdict]:
    """Return unknown for every rule about endpoint services, which cannot be listed."""
    region, reason = unreadable.region, unreadable.reason
    for rule in SERVICE_RULES:
        yield (
            Scope(region.account, region.name, ""),
            Verdict(
                rule=rule.id,
                resource=region.name,
                status=Status.UNKNOWN,
                severity=rule.severity,
                summary=f"The endpoint services of {region.name} cannot be listed",
                evidence=(Evidence(reason, {"reason": reason}),),
            ),
        )


def _print_summary(evaluated: Counter[str], found: Iterable[ScopedVerdict]) -> None:
    """Print what was evaluated, so that an empty result cannot be mistaken for a failure to run."""
    counts = [f"{number} {what}{'s' if number > 1 else ''}" for what, number in evaluated.items()]
    statuses = Counter(verdict.status for _, verdict in found)
    results = ", ".join(f"{statuses[status]} {status}" for status in ORDER)
    print_note(f"evaluated {' and '.join(counts) or 'nothing: there is no VPC'}: {results}")


def _sort_key(pair: ScopedVerdict) -> tuple[Any, ...]:
    scope, it = pair
    return ORDER[it.status], it.severity.rank, str(scope), it.rule, it.resource
