"""Evaluates many account-regions at once; one that fails hinders no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import field, replace
from itertools import chain
from typing import TYPE_CHECKING

from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.ec2.observer import Observer
from posture.errors import describe_error
from posture.lean_dataclass import dataclass
from posture.lifecycle.bounds import bound_report
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Facet, Snapshot
from posture.model.scope import Region, Scope
from posture.model.shared_network import SharedNetwork
from posture.model.verdict import Evidence, Severity, Status, Verdict
from posture.rules.contexts import EndpointServiceContext, VpcContext
from posture.rules.engine import evaluate_context, evaluate_endpoint_service
from posture.rules.rule_catalogue import ACCESS_RULES, SERVICE_RULES
from posture_cli.accounts import AnyTarget, UnreadableTarget
from posture_cli.failure import describe_failure
from posture_cli.interchange import ScopedVerdict
from posture_cli.live import UnreadableServices, collect_endpoint_services
from posture_cli.options import EVERY_REGION
from posture_cli.progress import ProgressLine

if TYPE_CHECKING:
    from posture.remedies.prove import ProofLimits

AT_ONCE = 8  # account-regions


@dataclass(frozen=True, slots=True)
class Scan:
    """What is evaluated, and against what.

    Attributes:
        document: The baseline.
        vpcs: Only these VPCs, and no endpoint services; empty: everything.
        prove: Whether remediations are proven, which takes longer than the evaluation.
        shared_network: Whether the network that VPCs share is read, too.
    """

    document: BaselineDocument
    vpcs: Sequence[str] = ()
    prove: bool = False
    shared_network: bool = False


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
    """Evaluate targets, some at once; yield the result of each when it is there.

    With the shared network, all are read before the first is evaluated.
    """
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scan")
    try:
        if scan.shared_network:
            evaluating = _evaluate_together(pool, targets, scan, progress)
        else:
            evaluating = [pool.submit(_scan_target, each, scan, progress) for each in targets]
        for done in as_completed(evaluating):
            progress.advance()
            yield done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _evaluate_together(
    pool: ThreadPoolExecutor, targets: Sequence[AnyTarget], scan: Scan, progress: ProgressLine
) -> list[Future[RegionResult]]:
    """Read all targets and the network that they share, then begin to evaluate each."""
    from posture_cli.survey import survey_regions  # noqa: PLC0415 - other scans do not need it

    everything = replace(scan, vpcs=())  # a VPC that is not evaluated may be a hub
    read = list(pool.map(lambda each: _read_target(each, everything), targets))
    shared = survey_regions(targets, chain.from_iterable(it.snapshots for it in read), progress)
    return [
        pool.submit(_evaluate_target, each, scan, progress, shared.get(each.result.region.name))
        for each in read
    ]


@dataclass(slots=True)
class _ReadTarget:
    """A target of which all VPCs were read, or with the reason in its result."""

    result: RegionResult
    observer: Observer | None = None
    snapshots: list[Snapshot] = field(default_factory=list)


def _read_target(target: AnyTarget, scan: Scan) -> _ReadTarget:
    """Read the VPCs of a target; those before a failure are kept."""
    read = _ReadTarget(RegionResult(target.region))
    with _keep_reason(read.result):
        read.observer = _open(target, read.result)
        if read.observer:
            read.snapshots.extend(_read_vpcs(read.observer, scan, read.result))
    return read


def _evaluate_target(
    read: _ReadTarget, scan: Scan, progress: ProgressLine, shared: SharedNetwork | None
) -> RegionResult:
    """Evaluate what was read of a target, with the shared network of its region."""
    result = read.result
    with _keep_reason(result):
        chosen = [it for it in read.snapshots if not scan.vpcs or it.vpc.id in scan.vpcs]
        _evaluate_vpcs(chosen, scan, result, progress, shared)
        if read.observer:
            _evaluate_services(read.observer, scan, result)
    return _finish(result)


def _scan_target(target: AnyTarget, scan: Scan, progress: ProgressLine) -> RegionResult:
    """Evaluate a target; what was evaluated before a failure is kept."""
    result = RegionResult(target.region)
    with _keep_reason(result):
        if observer := _open(target, result):
            _evaluate_vpcs(_read_vpcs(observer, scan, result), scan, result, progress)
            _evaluate_services(observer, scan, result)
    return _finish(result)


def _open(target: AnyTarget, result: RegionResult) -> Observer | None:
    if isinstance(target, UnreadableTarget):
        result.reason = target.reason
        return None
    return target.open_observer()


@contextmanager
def _keep_reason(result: RegionResult) -> Iterator[None]:
    """Keep why something failed in the result: one target that fails must not lose the others."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - as above
        result.reason = describe_failure(error) or describe_error(error)


def _finish(result: RegionResult) -> RegionResult:
    if result.reason:
        result.verdicts.append(_report_unreadable_region(result))
    return result


def _evaluate_vpcs(
    snapshots: Iterable[Snapshot],
    scan: Scan,
    result: RegionResult,
    progress: ProgressLine,
    shared: SharedNetwork | None = None,
) -> None:
    for snapshot in snapshots:
        progress.describe(f"evaluating {snapshot.scope}")
        result.vpcs.add(snapshot.scope.subject)
        result.evaluated["VPC"] += 1
        result.verdicts += _evaluate(snapshot, scan, shared)


def _evaluate_services(observer: Observer, scan: Scan, result: RegionResult) -> None:
    for service in () if scan.vpcs else collect_endpoint_services([observer]):
        if isinstance(service, UnreadableServices):
            result.verdicts += _report_unreadable_services(service)
            continue
        result.evaluated["endpoint service"] += 1
        result.verdicts += _evaluate(service, scan)


def _read_vpcs(observer: Observer, scan: Scan, result: RegionResult) -> Iterator[Snapshot]:
    """Read VPCs; if they cannot be listed, those that other resources name."""
    if not scan.vpcs:
        needed = scan.prove or scan.shared_network  # names may lead to endpoints of other VPCs
        cache = DnsCache(budget=UNLIMITED, only_where_used=not needed)
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


def _evaluate(
    snapshot: Snapshot | EndpointServiceSnapshot, scan: Scan, shared: SharedNetwork | None = None
) -> Iterator[ScopedVerdict]:
    """Evaluate a VPC or an endpoint service, unless the baseline exempts it."""
    tags = snapshot.vpc.tags if isinstance(snapshot, Snapshot) else snapshot.tags
    baseline = resolve_baseline(scan.document, snapshot.scope, tags)
    if baseline.exempt:
        return
    context: VpcContext | EndpointServiceContext
    if isinstance(snapshot, Snapshot):
        context = VpcContext(snapshot, baseline, proposes=scan.prove, shared=shared)
        verdicts = evaluate_context(context)
    else:
        context = EndpointServiceContext(snapshot, baseline)
        verdicts = evaluate_endpoint_service(snapshot, baseline)
    if scan.prove:
        # Imported here, as what other options need is: a plain scan does not wait for it.
        from posture.remedies.prove import prove_verdicts  # noqa: PLC0415

        verdicts = prove_verdicts(context, verdicts, _limit_proofs(snapshot, scan))
    else:
        verdicts = tuple(map(Verdict.drop_unproven_command, verdicts))
    applicable = (each for each in verdicts if each.status is not Status.NOT_APPLICABLE)
    for verdict in bound_report(applicable):
        yield snapshot.scope, verdict


def _limit_proofs(snapshot: Snapshot | EndpointServiceSnapshot, scan: Scan) -> ProofLimits:
    """Return the limits of proofs: lower for each of all VPCs than for those that are named.

    They are the same for the first VPC and the last, so that none depends on those before it.
    """
    from posture.remedies.prove import FIRST_LIMITS, SCAN_LIMITS  # noqa: PLC0415 - as above

    if scan.vpcs or not isinstance(snapshot, Snapshot):
        return SCAN_LIMITS
    more = f"posture scan --vpc {snapshot.vpc.id} checks more of those of this VPC"
    return replace(FIRST_LIMITS, more=more)


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
        summary = f"{where}: no Region of it is evaluated"
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
