"""Evaluates many account-regions at once; one that fails hinders no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.ec2.observer import Observer
from posture.errors import describe_error
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Facet, Snapshot
from posture.model.scope import Region, Scope
from posture.model.verdict import Evidence, Severity, Status, Verdict
from posture.remedies.prove import SCAN_LIMITS, AnyContext, drop_unproven_command, prove_verdicts
from posture.rules.engine import evaluate_context, evaluate_endpoint_service
from posture.rules.rule import EndpointServiceContext, VpcContext
from posture.rules.rule_catalogue import ACCESS_RULES, SERVICE_RULES
from posture_cli.accounts import AnyTarget, UnreadableTarget
from posture_cli.failure import describe_failure
from posture_cli.interchange import ScopedVerdict
from posture_cli.live import UnreadableServices, collect_endpoint_services
from posture_cli.options import EVERY_REGION
from posture_cli.progress import ProgressLine

AT_ONCE = 8  # account-regions


@dataclass(frozen=True, slots=True)
class Scan:
    """What is evaluated, and against what.

    Attributes:
        document: The baseline.
        vpcs: Only these VPCs, and no endpoint services; empty: everything.
        prove: Whether remediations are proven, which takes longer than the evaluation.
    """

    document: BaselineDocument
    vpcs: Sequence[str] = ()
    prove: bool = False


@dataclass(slots=True)
class RegionResult:
    """What was found in a region of an account, and why it could not be read, or not entirely."""

    region: Region
    verdicts: list[ScopedVerdict] = field(default_factory=list)
    evaluated: Counter[str] = field(default_factory=Counter)
    vpcs: set[str] = field(default_factory=set)
    reason: str = ""


def scan_targets(
    targets: Sequence[AnyTarget], scan: Scan, progress: ProgressLine
) -> Iterator[RegionResult]:
    """Evaluate targets, some at once; yield the result of each when it is there."""
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scan")
    try:
        for done in as_completed(
            [pool.submit(_scan_target, each, scan, progress) for each in targets]
        ):
            progress.advance()
            yield done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _scan_target(target: AnyTarget, scan: Scan, progress: ProgressLine) -> RegionResult:
    """Evaluate a target; what was evaluated before a failure is kept."""
    result = RegionResult(target.region)
    if isinstance(target, UnreadableTarget):
        result.reason = target.reason
    else:
        try:
            observer = target.open_observer()
            _scan_region(observer, scan, result, progress)
        except Exception as error:  # noqa: BLE001 - one that fails must not lose the others
            result.reason = describe_failure(error) or describe_error(error)
    if result.reason:
        result.verdicts.append(_report_unreadable_region(result))
    return result


def _scan_region(
    observer: Observer, scan: Scan, result: RegionResult, progress: ProgressLine
) -> None:
    for snapshot in _read_vpcs(observer, scan, result):
        progress.describe(f"evaluating {snapshot.scope}")
        result.vpcs.add(snapshot.scope.subject)
        result.evaluated["VPC"] += 1
        result.verdicts += _evaluate(snapshot, scan)
    for service in () if scan.vpcs else collect_endpoint_services([observer]):
        if isinstance(service, UnreadableServices):
            result.verdicts += _report_unreadable_services(service)
            continue
        result.evaluated["endpoint service"] += 1
        result.verdicts += _evaluate(service, scan)


def _read_vpcs(observer: Observer, scan: Scan, result: RegionResult) -> Iterator[Snapshot]:
    """Read VPCs; if they cannot be listed, those that other resources name."""
    if not scan.vpcs:
        cache = DnsCache(budget=UNLIMITED, only_where_used=not scan.prove)
        for part in observer.collect_region(cache):
            result.reason = part.unreadable.get(Facet.VPC, result.reason)
            yield from part.vpcs.values()
    for vpc in sorted(set(scan.vpcs)):
        snapshot = observer.collect_vpc(Scope(observer.region.account, observer.region.name, vpc))
        if snapshot is None:
            continue
        reason = snapshot.unreadable.get(Facet.VPC)
        if reason and not (snapshot.subnets or snapshot.route_tables or snapshot.endpoints):
            result.reason = reason  # it may not exist
        else:
            yield snapshot


def _evaluate(snapshot: Snapshot | EndpointServiceSnapshot, scan: Scan) -> Iterator[ScopedVerdict]:
    """Evaluate a VPC or an endpoint service, unless the baseline exempts it."""
    tags = snapshot.vpc.tags if isinstance(snapshot, Snapshot) else snapshot.tags
    baseline = resolve_baseline(scan.document, snapshot.scope, tags)
    if baseline.exempt:
        return
    context: AnyContext
    if isinstance(snapshot, Snapshot):
        context = VpcContext(snapshot, baseline, proposes=scan.prove)
        verdicts = evaluate_context(context)
    else:
        context = EndpointServiceContext(snapshot, baseline)
        verdicts = evaluate_endpoint_service(snapshot, baseline)
    for verdict in (
        prove_verdicts(context, verdicts, SCAN_LIMITS)
        if scan.prove
        else map(drop_unproven_command, verdicts)
    ):
        if verdict.status is not Status.NOT_APPLICABLE:
            yield snapshot.scope, verdict


def _report_unreadable_services(unreadable: UnreadableServices) -> Iterator[ScopedVerdict]:
    """Return unknown for every rule about endpoint services, which cannot be listed."""
    region, reason = unreadable.region, unreadable.reason
    for rule in SERVICE_RULES:
        summary = f"The endpoint services of {region.name} cannot be listed"
        yield (
            Scope(region.account, region.name, ""),
            _undecided(rule.id, region.name, rule.severity, summary, reason),
        )


def _report_unreadable_region(result: RegionResult) -> ScopedVerdict:
    """Return that the account-region is unknown, by the rule that the monitor has for it."""
    (rule,) = ACCESS_RULES
    region = result.region
    where = f"Account {region.account} cannot be read"
    if region.name == EVERY_REGION:
        summary = f"{where}: no region of it is evaluated"
    elif result.evaluated:
        summary = f"{where} completely in {region.name}: what is not listed here may exist"
    else:
        summary = f"{where} in {region.name}: nothing there is evaluated"
    verdict = _undecided(rule.id, region.account, rule.severity, summary, result.reason)
    return region.scope, verdict


def _undecided(rule: str, resource: str, severity: Severity, summary: str, reason: str) -> Verdict:
    return Verdict(
        rule=rule,
        resource=resource,
        status=Status.UNKNOWN,
        severity=severity,
        summary=summary,
        evidence=(Evidence(reason, {"reason": reason}),),
    )
