"""`posture scan`: judge VPCs with the caller's own credentials, nothing deployed."""

from __future__ import annotations

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
from posture.model.scope import Region, Scope
from posture.model.verdict import Evidence, Status, Verdict
from posture.rules.engine import evaluate_endpoint_service, evaluate_vpc
from posture.rules.rule_catalogue import SERVICE_RULES
from posture_cli import exit_codes as exits
from posture_cli.baseline_file import load_baseline_or_exit
from posture_cli.console import open_stderr
from posture_cli.interchange import junit, sarif
from posture_cli.options import (
    BaselineOption,
    RegionsOption,
    ScanOutput,
    VpcsOption,
    examples,
)
from posture_cli.render import findings as shown
from posture_cli.render.records import Output, Record, write_json, write_records

EXAMPLES = examples(
    "posture scan --region eu-west-1",
    "posture scan --region eu-west-1 --region us-east-1 --output csv",
    "posture scan --vpc vpc-0123456789abcdef0 --baseline baseline.yaml",
    "posture scan --all --output json",
    "posture scan --region eu-west-1 --output sarif > posture.sarif",
)
Judged = tuple[Scope, Verdict]
ORDER = {Status.FAIL: 0, Status.UNKNOWN: 1, Status.PASS: 2}


def scan(
    *,
    region: RegionsOption = None,
    vpc: VpcsOption = None,
    baseline: BaselineOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Also show what passes.")] = False,
    output: Annotated[
        ScanOutput, typer.Option("--output", "-o", help="How to write the answer.")
    ] = ScanOutput.TABLE,
) -> None:
    """Judge your VPCs now, read-only, with your own credentials; nothing needs to be deployed.

    Without --region the region of your AWS settings is looked at. Without --vpc the region's
    endpoint services are judged, too. What could not be read or
    decided is listed as unknown.

    For a CI pipeline: sarif goes to code scanning, junit to test reports (with all that passes).

    Exit code: 0 when all is well, 1 when something fails or is unknown, 2 on a mistake.
    """
    from posture_cli import live  # noqa: PLC0415 - boto3 would slow every other verb down

    document = load_baseline_or_exit(baseline) if baseline else BaselineDocument()
    found: list[Judged] = []
    looked: Counter[str] = Counter()
    with open_stderr().status("reading VPCs") as progress:
        of_services = live.services(region or ()) if not vpc else ()
        for picture in chain(live.collect(region or (), vpc or ()), of_services):
            if isinstance(picture, live.UnreadServices):
                found += _unread(picture.region, picture.reason)
                continue
            progress.update(f"judging {picture.scope}")
            looked["VPC" if picture.scope.vpc_id else "endpoint service"] += 1
            found += _judged(picture, document)
    bad = [pair for pair in found if pair[1].status is not Status.PASS]
    _write(sorted(found if everything else bad, key=_order), found, output)
    _sum_up(looked, found)
    raise typer.Exit(exits.FINDINGS if bad else exits.CLEAN)


def _write(chosen: Sequence[Judged], found: Sequence[Judged], output: ScanOutput) -> None:
    if output is ScanOutput.SARIF:
        write_json(sarif.build_sarif(chosen))
    elif output is ScanOutput.JUNIT:
        sys.stdout.write(junit.build_junit(found))
    else:
        records = [shown.build_verdict_record(*pair) for pair in chosen]
        plain = Output(output.value)
        write_records(records, _columns(records, plain), plain)


def _columns(records: Sequence[Record], output: Output) -> tuple[str, ...]:
    if output is Output.CSV:
        return shown.VERDICT_CSV
    return shown.choose_screen_columns(records) if sys.stdout.isatty() else shown.VERDICT_COLUMNS


def _judged(
    picture: Snapshot | EndpointServiceSnapshot, document: BaselineDocument
) -> Iterator[Judged]:
    """Judge one VPC or endpoint service; an exempt one gives nothing."""
    tags = picture.vpc.tags if isinstance(picture, Snapshot) else picture.tags
    baseline = resolve_baseline(document, picture.scope, tags)
    if baseline.exempt:
        return
    verdicts = (
        evaluate_vpc(picture, baseline)
        if isinstance(picture, Snapshot)
        else evaluate_endpoint_service(picture, baseline)
    )
    for verdict in verdicts:
        if verdict.status is not Status.NOT_APPLICABLE:
            yield picture.scope, verdict


def _unread(region: Region, reason: str) -> Iterator[Judged]:
    """Tell of each rule about endpoint services that none of the region's could be judged by it."""
    for rule in SERVICE_RULES:
        yield (
            Scope(region.account, region.name, ""),
            Verdict(
                rule=rule.id,
                resource=region.name,
                status=Status.UNKNOWN,
                severity=rule.severity,
                summary=f"the endpoint services of {region.name} cannot be listed",
                evidence=(Evidence(reason, {"reason": reason}),),
            ),
        )


def _sum_up(looked: Counter[str], found: Iterable[Judged]) -> None:
    """Say what was looked at, so that nothing found is not taken for nothing done."""
    many = [f"{number} {what}{'s' if number > 1 else ''}" for what, number in looked.items()]
    statuses = Counter(verdict.status for _, verdict in found)
    told = ", ".join(f"{statuses[status]} {status}" for status in ORDER)
    open_stderr().print(f"judged {' and '.join(many) or 'nothing: there is no VPC'}: {told}")


def _order(pair: Judged) -> tuple[Any, ...]:
    scope, verdict = pair
    rank = ORDER[verdict.status], verdict.severity.rank
    return *rank, str(scope), verdict.rule, verdict.resource
